package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Event is something that happened, as /v1/events tells it.
type Event struct {
	ID   json.Number    `json:"id"`
	Time string         `json:"time"`
	Kind string         `json:"kind"`
	Host string         `json:"host,omitempty"`
	Body map[string]any `json:"body"`
}

// KindGap is the kind of an [Event] that stands for events that were lost; its body says after which and
// before which.
const KindGap = "gap"

// maxEvent is the longest line of a stream in bytes.
const maxEvent = 4 << 20

// Follow calls fn for every event after the given one ("latest", or an id) until ctx ends, fn fails, or the
// stream breaks off, which is an [*Unreachable].
func (c *Client) Follow(ctx context.Context, after string, fn func(Event) error) error {
	answer, err := c.send(ctx, http.MethodGet, "/v1/events", url.Values{"after": {after}}, nil, "text/event-stream")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxEvent)
	var name string
	var data []byte
	for lines.Scan() {
		// The fields of an event end with an empty line (WHATWG HTML, "server-sent events").
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if len(data) > 0 {
				e, err := readEvent(name, data)
				if err != nil {
					return err
				}
				if err := fn(e); err != nil {
					return err
				}
			}
			name, data = "", nil
		case field == "event":
			name = value
		case field == "data":
			data = append(data, value...)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = lines.Err()
	if err == nil {
		err = fmt.Errorf("the stream of events ended")
	}
	return &Unreachable{Server: c.Server(), Err: err}
}

func readEvent(name string, data []byte) (Event, error) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if name == KindGap {
		e := Event{Kind: KindGap}
		if err := d.Decode(&e.Body); err != nil {
			return e, fmt.Errorf("read event %q: %w", data, err)
		}
		return e, nil
	}
	var e Event
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("read event %q: %w", data, err)
	}
	return e, nil
}
