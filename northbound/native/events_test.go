package native

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/northbound/httpd"
)

// epoch is added to the ids of the fixture's events.
var epoch = uint64(noon.UnixMicro())

// reader reads server-sent events as lines "id kind data"; the id counts from the epoch.
type reader struct {
	t    *testing.T
	body *bufio.Reader
	code int
	end  func()
}

// follow opens a stream; header is "Name: value".
func follow(t *testing.T, srv *httptest.Server, query string, header ...string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", "admin")
	r.Header.Set("Accept", "text/event-stream")
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	end := func() { cancel(); answer.Body.Close() }
	t.Cleanup(end)
	return &reader{t, bufio.NewReader(answer.Body), answer.StatusCode, end}
}

// next returns the next event; comments and empty events are passed over. It returns "end" at the end.
func (r *reader) next() string {
	r.t.Helper()
	var id, kind, data string
	for {
		line, err := r.body.ReadString('\n')
		if err != nil {
			return "end"
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				r.t.Fatalf("id %q", value)
			}
			id = strconv.FormatUint(n-epoch, 10)
		case "event":
			kind = value
		case "data":
			data = value
		case "":
			if kind == "gap" {
				return "gap"
			}
			if kind != "" {
				var e struct {
					ID   uint64
					Body struct{ Port string }
				}
				if err := json.Unmarshal([]byte(data), &e); err != nil || strconv.FormatUint(e.ID-epoch, 10) != id {
					r.t.Fatalf("event %s holds %s (%v)", id, data, err)
				}
				return id + " " + e.Body.Port
			}
		}
	}
}

func (r *reader) want(events ...string) {
	r.t.Helper()
	for _, want := range events {
		if got := r.next(); got != want {
			r.t.Fatalf("event %q, want %q", got, want)
		}
	}
}

func (f *fixture) happen(ports ...string) {
	for _, p := range ports {
		f.events.Append("h1", event.PortPlugged{Port: p})
	}
}

func id(n uint64) string { return strconv.FormatUint(epoch+n, 10) }

func serve(t *testing.T, f *fixture) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv
}

func TestStreamStartsAtTheOldestAndGoesOn(t *testing.T) {
	f := newFixture(t)
	f.happen("a", "b")
	r := follow(t, serve(t, f), "")
	r.want("1 a", "2 b")
	f.happen("c")
	r.want("3 c")
}

func TestFreshClientIsNotToldOfAGap(t *testing.T) {
	f := newFixture(t)
	f.happen("a", "b", "c", "d", "e", "f", "g", "h", "i") // the log keeps 8
	follow(t, serve(t, f), "").want("2 b", "3 c")
}

func TestStreamResumes(t *testing.T) {
	f := newFixture(t)
	f.happen("a", "b", "c")
	srv := serve(t, f)
	for name, r := range map[string]*reader{
		"by_last_event_id":            follow(t, srv, "", "Last-Event-ID: "+id(1)),
		"by_query":                    follow(t, srv, "?after="+id(1)),
		"last_event_id_wins_of_query": follow(t, srv, "?after="+id(3), "Last-Event-ID: "+id(1)),
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.want("2 b", "3 c")
		})
	}
	late := follow(t, srv, "?after=latest")
	f.happen("d")
	late.want("4 d")
}

func TestGapIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		last string
		want []string
	}{
		"events_no_longer_kept": {id(1), []string{"gap", "3 c", "4 d"}},
		"of_an_earlier_process": {strconv.FormatUint(epoch-5, 10), []string{"gap", "3 c"}},
		"of_the_future":         {id(500), []string{"gap", "3 c"}},
		"of_a_clock_set_back":   {strconv.FormatUint(epoch+1e12, 10), []string{"gap", "3 c"}},
		"none_if_all_are_kept":  {id(2), []string{"3 c", "4 d"}},
		"nothing_new":           {id(10), []string{"11 k"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.happen("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
			r := follow(t, serve(t, f), "", "Last-Event-ID: "+test.last)
			if name == "nothing_new" {
				f.happen("k")
			}
			r.want(test.want...)
		})
	}
}

func TestGapOfAnEmptyLogIsToldOnce(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Heartbeat = time.Millisecond })
	r := follow(t, serve(t, f), "", "Last-Event-ID: "+strconv.FormatUint(epoch-5, 10))
	r.want("gap")
	for range 3 { // heartbeats
		if line, err := r.body.ReadString('\n'); err != nil || line != ": heartbeat\n" {
			t.Fatalf("%q %v, want a heartbeat", line, err)
		}
		if _, err := r.body.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	f.happen("a")
	r.want("1 a")
}

func TestBadResumeIsRefused(t *testing.T) {
	srv := serve(t, newFixture(t))
	for _, r := range []*reader{follow(t, srv, "", "Last-Event-ID: seven"), follow(t, srv, "?after=-1"), follow(t, srv, "?limit=3")} {
		if r.code != 400 {
			t.Errorf("%d, want 400", r.code)
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.MaxStreams = 2 })
	srv := serve(t, f)
	first, _ := follow(t, srv, ""), follow(t, srv, "")
	if r := follow(t, srv, ""); r.code != 503 {
		t.Errorf("third stream: %d, want 503", r.code)
	}
	first.end()
	deadline := time.Now().Add(10 * time.Second)
	for follow(t, srv, "").code != 200 {
		if time.Now().After(deadline) {
			t.Fatal("no room after a stream ended")
		}
	}
}

// TestSlowReaderIsDropped holds that a client that takes nothing costs neither the log nor others.
func TestSlowReaderIsDropped(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.StreamTimeout = 200 * time.Millisecond
		c.Events = event.NewLog(4096, time.Now)
		c.Heartbeat = time.Hour
	})
	log := f.config.Events.(*event.Log)
	ended := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		f.ServeHTTP(w, r)
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nX-Auth-Token: admin\r\nAccept: text/event-stream\r\n\r\n")
	long := strings.Repeat("x", 8<<10)
	deadline := time.After(20 * time.Second)
	for dropped := false; !dropped; {
		log.Append("h1", event.HostDown{Cause: long})
		select {
		case <-ended:
			dropped = true
		case <-deadline:
			t.Fatal("the stream goes on though nobody reads it")
		default:
		}
	}
}

func TestStreamEndsWhenTheServerStops(t *testing.T) {
	f := newFixture(t)
	ctx, stop := context.WithCancel(t.Context())
	ln, err := httpd.Listen(ctx, "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		done <- (&httpd.Server{Handler: f, Log: f.config.Log, Grace: time.Minute}).Serve(ctx, ln)
	}()
	srv := &httptest.Server{URL: "http://" + ln.Addr().String()}
	client := &http.Client{}
	r, err := http.NewRequest("GET", srv.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", "admin")
	r.Header.Set("Accept", "text/event-stream")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	stop()
	if _, err := io.ReadAll(answer.Body); err != nil {
		t.Errorf("stream ended with %v, want a clean end", err)
	}
	client.CloseIdleConnections()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not stop")
	}
}

func TestEventList(t *testing.T) {
	f := newFixture(t)
	f.happen("a", "b", "c", "d", "e", "f", "g", "h", "i") // the log keeps 8
	for name, test := range map[string]struct {
		query string
		want  string
	}{
		"newest":            {"?limit=2", "gap=false last=9: 8 9"},
		"all":               {"", "gap=false last=9: 2 3 4 5 6 7 8 9"},
		"page":              {"?after=" + id(3) + "&limit=2", "gap=false last=5: 4 5"},
		"from_the_oldest":   {"?after=0&limit=2", "gap=false last=3: 2 3"},
		"end":               {"?after=" + id(9), "gap=false last=9:"},
		"lost":              {"?after=" + strconv.FormatUint(epoch-1, 10) + "&limit=1", "gap=true last=2: 2"},
		"latest_is_nothing": {"?after=latest", "gap=false last=9:"},
	} {
		t.Run(name, func(t *testing.T) {
			w := f.call("GET", "/v1/events"+test.query, "")
			var list struct {
				Events []event.Event
				Gap    bool
				Last   uint64
			}
			body := strings.NewReader(strings.ReplaceAll(w.Body.String(), `"body":{`, `"ignored":{`))
			if err := json.NewDecoder(body).Decode(&list); err != nil {
				t.Fatalf("%d %v", w.Code, err)
			}
			got := fmt.Sprintf("gap=%v last=%d:", list.Gap, list.Last-epoch)
			for _, e := range list.Events {
				got += " " + strconv.FormatUint(e.ID-epoch, 10)
			}
			if got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

func TestEmptyEventListIsAList(t *testing.T) {
	if got := newFixture(t).call("GET", "/v1/events", "").Body.String(); got != `{"events":[],"gap":false,"last":0}`+"\n" {
		t.Errorf("%s", got)
	}
}

func TestIDsStayExactInJavaScript(t *testing.T) {
	if century := time.Date(2125, 1, 1, 0, 0, 0, 0, time.UTC); newEpoch(century)+1<<40 > 1<<53 {
		t.Error("ids are above 2^53 in a hundred years")
	}
}
