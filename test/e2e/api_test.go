package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func randN(n int) int { return rand.IntN(n) }

// client speaks with a server's API.
type client struct {
	base  string
	token string
	http  http.Client
}

func newClient(addr string) *client {
	// No keep-alive: a connection to a server that was killed must not be tried again.
	return &client{base: "http://" + addr, http: http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// as returns a client that sends a token.
func (c *client) as(token string) *client {
	return &client{base: c.base, token: token, http: http.Client{Timeout: c.http.Timeout, Transport: c.http.Transport}}
}

// statusError is an answer that is not a success.
type statusError struct {
	Method, Path string
	Code         int
	Body         string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: %d: %s", e.Method, e.Path, e.Code, strings.TrimSpace(e.Body))
}

// do sends a request and decodes the answer into out, unless out is nil.
func (c *client) do(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, c.base+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("X-Auth-Token", c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &statusError{method, path, resp.StatusCode, string(text)}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func (c *client) get(path string, out any) error       { return c.do("GET", path, nil, out) }
func (c *client) post(path string, in, out any) error  { return c.do("POST", path, in, out) }
func (c *client) patch(path string, in, out any) error { return c.do("PATCH", path, in, out) }
func (c *client) put(path string, in, out any) error   { return c.do("PUT", path, in, out) }
func (c *client) delete(path string) error             { return c.do("DELETE", path, nil, nil) }

type object = map[string]any

// network is a network with its only subnet.
type network struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Type    string `json:"provider:network_type"`
	Segment int    `json:"provider:segmentation_id"`
	Subnet  string `json:"-"`
	Prefix  netip.Prefix
}

type port struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Network string `json:"network_id"`
	Status  string `json:"status"`
	MAC     string `json:"mac_address"`
	Fixed   []struct {
		IP netip.Addr `json:"ip_address"`
	} `json:"fixed_ips"`
	Names []struct {
		FQDN string `json:"fqdn"`
	} `json:"dns_assignment"`
}

// IP is the first address of a port.
func (p port) IP() netip.Addr { return p.Fixed[0].IP }

// portState is why a port has the status it has.
type portState struct {
	Status     string `json:"status"`
	Host       string `json:"host"`
	Conditions []struct {
		Type    string `json:"type"`
		OK      bool   `json:"ok"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
		Host    string `json:"host"`
	} `json:"conditions"`
}

// reason is that of the first condition that does not hold.
func (s portState) reason() string {
	for _, c := range s.Conditions {
		if !c.OK {
			return c.Reason
		}
	}
	return ""
}

func (c *client) portState(id string) (portState, error) {
	var s portState
	return s, c.get("/v1/ports/"+id, &s)
}

// flow is a flow of a bridge in /v1/switches/{dpid}/flows.
type flow struct {
	State    string `json:"state"`
	Table    int    `json:"table"`
	Priority int    `json:"priority"`
	Cookie   string `json:"cookie"`
	Text     string `json:"text"`
	Match    string `json:"match"`
	Wanted   string `json:"wanted"`
	Kind     string `json:"kind"`
	Object   string `json:"object"`
}

func (c *client) flows(dpid, query string) ([]flow, error) {
	var out struct{ Flows []flow }
	return out.Flows, c.get("/v1/switches/"+dpid+"/flows"+query, &out)
}

// switchOf returns the datapath id of a connected bridge.
func (c *client) switchOf(host, bridge string) (string, error) {
	var out struct {
		Switches []struct{ DPID, Host, Bridge string }
	}
	if err := c.get("/v1/switches?host="+host, &out); err != nil {
		return "", err
	}
	for _, s := range out.Switches {
		if s.Bridge == bridge {
			return s.DPID, nil
		}
	}
	return "", fmt.Errorf("bridge %s of %s is not connected", bridge, host)
}

// mac is an address in /v1/macs.
type mac struct {
	Source    string `json:"source"`
	Host      string `json:"host"`
	Bridge    string `json:"bridge"`
	Network   string `json:"network_id"`
	MAC       string `json:"mac"`
	Interface string `json:"interface"`
}

// macs returns the addresses that a host learned.
func (c *client) macs(host string) ([]mac, error) {
	var out struct{ MACs []mac }
	return out.MACs, c.get("/v1/macs?source=learned&host="+host, &out)
}

// loggedEvent is an entry of the event log.
type loggedEvent struct {
	ID   uint64          `json:"id"`
	Kind string          `json:"kind"`
	Host string          `json:"host"`
	Body json.RawMessage `json:"body"`
}

// events returns what happened after an event; after 0 is all that is kept.
func (c *client) events(after uint64) ([]loggedEvent, error) {
	var out struct{ Events []loggedEvent }
	return out.Events, c.get(fmt.Sprintf("/v1/events?limit=10000&after=%d", after), &out)
}

// lastEvent is the id of the newest event.
func (c *client) lastEvent() (uint64, error) {
	var out struct{ Last uint64 }
	return out.Last, c.get("/v1/events?after=latest", &out)
}

// awaitEvent waits for an event of a kind and a host, after another, whose body contains a text.
func (c *client) awaitEvent(t testing.TB, limit time.Duration, after uint64, kind, host, text string) loggedEvent {
	t.Helper()
	var found loggedEvent
	eventually(t, limit, fmt.Sprintf("event %s of %q with %q", kind, host, text), func() error {
		evs, err := c.events(after)
		if err != nil {
			return err
		}
		for _, e := range evs {
			if e.Kind == kind && e.Host == host && strings.Contains(string(e.Body), text) {
				found = e
				return nil
			}
		}
		return fmt.Errorf("not among %d events", len(evs))
	})
	return found
}

// eventStream follows the log as a browser does and passes events on until the test ends.
func (c *client) eventStream(t testing.TB) <-chan string {
	req, err := http.NewRequestWithContext(t.Context(), "GET", c.base+"/v1/events?after=latest", nil)
	ok(t, err)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Client{}).Do(req)
	ok(t, err)
	lines := make(chan string, 1000)
	go func() {
		defer resp.Body.Close()
		defer close(lines)
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			if data, isData := strings.CutPrefix(s.Text(), "data: "); isData {
				select {
				case lines <- data:
				case <-t.Context().Done():
					return
				}
			}
		}
	}()
	return lines
}
