package native

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/view"
)

// manyFlows are as many unicast flows of port db.
func manyFlows(n int) []view.Flow {
	flows := make([]view.Flow, n)
	for i := range flows {
		flows[i] = view.Flow{State: view.FlowOK, Table: "to_unicast", Kind: "port", Object: "port/" + bluePt2, Packets: uint64(i), Bytes: uint64(64 * i),
			Age: time.Duration(i) * time.Millisecond, Flow: of.Flow{Table: pipeline.ToUnicast, Priority: 2, Cookie: pipeline.CookieOf(pipeline.KindPort, 4),
				Match:   of.Match{of.VLAN(1), of.EthDst(of.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)})},
				Actions: []of.Action{of.PopVLAN{}, of.SetTunnel(uint64(i)), of.Output{Port: 5}}}}
	}
	return flows
}

func TestLongAnswerIsWhole(t *testing.T) {
	const n = 2000
	f := newFixture(t)
	f.fabric.flows = manyFlows(n)
	srv := httptest.NewServer(f)
	defer srv.Close()
	r, err := http.NewRequest("GET", srv.URL+"/v1/switches/a2/flows", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", "admin")
	answer, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct {
		Matched int
		Flows   []struct{ Packets int }
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if list.Matched != n || len(list.Flows) != n {
		t.Fatalf("%d of %d flows, want %d", len(list.Flows), list.Matched, n)
	}
	for i, flow := range list.Flows {
		if flow.Packets != i {
			t.Fatalf("flow %d is flow %d", i, flow.Packets)
		}
	}
}

// gone is a client that closes its connection in the middle of an answer.
type gone struct {
	http.ResponseWriter
	writes int
}

func (g *gone) Write(b []byte) (int, error) {
	if g.writes++; g.writes > 1 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func (g *gone) Flush() {}

func TestAnswerToAClientThatLeftIsNotFinished(t *testing.T) {
	f := newFixture(t)
	f.fabric.flows = manyFlows(5000)
	r := httptest.NewRequest("GET", "/v1/switches/a2/flows", nil)
	r.Header.Set("X-Auth-Token", "admin")
	w := &gone{ResponseWriter: httptest.NewRecorder()}
	f.ServeHTTP(w, r)
	if w.writes != 2 {
		t.Errorf("%d writes, want the one that failed to be the last", w.writes)
	}
}

func FuzzFlowQuery(f *testing.F) {
	f.Add("state=ok,missing&table=4&kind=port&object=port/x&q=a&limit=1&offset=2")
	f.Add("table=to_unicast&limit=18446744073709551615&offset=9223372036854775808")
	f.Add("table=255")
	f.Add("q=%")
	f.Fuzz(func(t *testing.T, query string) {
		fix := newFixture(t)
		r := httptest.NewRequest("GET", "/v1/switches/a2/flows", nil)
		r.URL = &url.URL{Path: "/v1/switches/a2/flows", RawQuery: query}
		r.Header.Set("X-Auth-Token", "admin")
		w := httptest.NewRecorder()
		fix.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("?%s: %d %s", query, w.Code, w.Body)
		}
	})
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", `"\`, "\x00\x1f\x7f", "h\u00f6st", "\u2028<>&", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != want {
			t.Errorf("%q comes back as %q", s, got)
		}
	})
}

// sink is a client that takes everything.
type sink struct {
	header http.Header
	bytes  int64
}

func (s *sink) Header() http.Header                { return s.header }
func (s *sink) WriteHeader(int)                    {}
func (s *sink) Flush()                             {}
func (s *sink) SetWriteDeadline(t time.Time) error { return nil }
func (s *sink) Write(b []byte) (int, error)        { s.bytes += int64(len(b)); return len(b), nil }

// BenchmarkFlows answers for a bridge of 50,000 flows: all of them, those of one port by text, and the
// summary alone.
func BenchmarkFlows(b *testing.B) {
	for name, query := range map[string]string{"all": "", "text": "?q=fa:16:3e:00:10:01", "summary": "?limit=0"} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(b)
			f.fabric.flows = manyFlows(50_000)
			r := httptest.NewRequest("GET", "/v1/switches/a2/flows"+query, nil)
			r.Header.Set("X-Auth-Token", "admin")
			for b.Loop() {
				w := &sink{header: http.Header{}}
				f.ServeHTTP(w, r)
				b.SetBytes(w.bytes)
			}
		})
	}
}

func TestFlowsAreFoundByWhatIsToldOfThem(t *testing.T) {
	f := newFixture(t)
	for query, want := range map[string]int{"": 7, "TUN_ID=0x3EA": 1, "network BLUE": 3, "req-blue": 2, "ann": 3, "vni 1001": 1, "nobody": 0} {
		w := f.call("GET", "/v1/switches/a2/flows?q="+url.QueryEscape(query), "")
		var list struct{ Matched int }
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if list.Matched != want {
			t.Errorf("q=%s: %d flows, want %d", query, list.Matched, want)
		}
	}
}
