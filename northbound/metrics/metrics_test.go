package metrics

import (
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/heddle-sdn/heddle/store"
)

var update = flag.Bool("update", false, "rewrite the table in docs/metrics.md")

func fabric() Fabric {
	return Fabric{
		Revision: 42, Networks: 2, Subnets: 1, Ports: map[string]int{"ACTIVE": 3, "DOWN": 1}, Plugged: 3, Learned: 5, Events: 9,
		Switches: []Switch{{DPID: "00000000000000aa", Host: "h1", Bridge: "br-int", Ports: 4, Flows: 70}, {DPID: "00000000000000bb"}},
		Targets:  []Target{{Host: "h1", Target: "ovsdb", Connected: true, Revision: 41}, {Host: "h2", Target: "br-tun"}},
		Routers:  2, FloatingIPs: map[string]int{"ACTIVE": 7}, Agents: []Agent{{Host: "h1", Connected: true, Namespaces: 5, Failed: 1}, {Host: "h2"}}, StoreBytes: 65536,
		Tunnels: []Tunnels{{"h1", "up", 3}, {"h1", "down", 1}},
	}
}

// told returns metrics that were told of everything there is.
func told() *Metrics {
	m := New(Build{Version: "1.2.0", Revision: "abc"}, fabric)
	m.Pass("h1", "br-int", 2*time.Millisecond, 3, 2, 1, 4, nil)
	m.Pass("h1", "br-tun", time.Millisecond, 1, 0, 0, 0, nil)
	m.Pass("h1", "ovsdb", time.Millisecond, 7, 7, 7, 7, errors.New("broken"))
	m.Planned("h1", time.Millisecond)
	m.Converged(4 * time.Millisecond)
	m.Received(8)
	m.Received(16)
	m.Sent(80)
	m.Opened()
	m.Closed()
	m.Rejected()
	m.Committed(store.CommitStats{Updates: 2, Records: 5, Took: time.Millisecond})
	m.Committed(store.CommitStats{Updates: 2, Records: 5, Took: time.Millisecond, Err: errors.New("disk full")})
	m.Request("/v2.0/networks", "POST", 201, time.Millisecond)
	m.Request("", "BREW", 404, time.Millisecond)
	return m
}

func scrape(t testing.TB, m *Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 {
		t.Fatalf("scrape: %d %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func TestWhatIsToldIsScraped(t *testing.T) {
	got := strings.Split(scrape(t, told()), "\n")
	for _, want := range []string{
		`heddle_reconcile_passes_total{result="ok",target="bridge"} 2`,
		`heddle_reconcile_passes_total{result="error",target="ovsdb"} 1`,
		`heddle_reconcile_changes_total{op="add",target="bridge"} 4`,
		`heddle_reconcile_changes_total{op="delete",target="bridge"} 1`,
		`heddle_reconcile_duration_seconds_count{target="bridge"} 2`,
		`heddle_drift_total{host="h1",target="br-int"} 4`,
		`heddle_commit_to_barrier_seconds_bucket{le="0.005"} 1`,
		`heddle_commit_to_barrier_seconds_bucket{le="0.0025"} 0`,
		`heddle_openflow_messages_received_total 2`,
		`heddle_openflow_received_bytes_total 24`,
		`heddle_openflow_sent_bytes_total 80`,
		`heddle_openflow_sessions_rejected_total 1`,
		`heddle_store_commits_total{result="error"} 1`,
		`heddle_store_updates_total 2`,
		`heddle_store_records_total 5`,
		`heddle_store_tx_seconds_count 2`,
		`heddle_api_requests_total{code="201",method="POST",route="/v2.0/networks"} 1`,
		`heddle_api_requests_total{code="404",method="other",route=""} 1`,
		`heddle_store_revision 42`,
		`heddle_ports{status="ACTIVE"} 3`,
		`heddle_switch_connected{bridge="br-int",dpid="00000000000000aa",host="h1"} 1`,
		`heddle_switch_connected{bridge="",dpid="00000000000000bb",host=""} 1`,
		`heddle_target_connected{host="h2",target="br-tun"} 0`,
		`heddle_target_revision{host="h1",target="ovsdb"} 41`,
		`heddle_flows_wanted{bridge="br-int",dpid="00000000000000aa",host="h1"} 70`,
		`heddle_routers 2`,
		`heddle_floating_ips{status="ACTIVE"} 7`,
		`heddle_agent_connected{host="h2"} 0`,
		`heddle_agent_namespaces{host="h1"} 5`,
		`heddle_agent_failed_namespaces{host="h1"} 1`,
		`heddle_store_size_bytes 65536`,
		`heddle_tunnels{host="h1",state="down"} 1`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("scrape lacks %s", want)
		}
	}
	for _, line := range got {
		if strings.HasPrefix(line, `heddle_reconcile_changes_total{op="add",target="ovsdb"}`) {
			t.Errorf("a pass that failed counts as a change: %s", line)
		}
	}
}

func TestCountersCanBeRead(t *testing.T) {
	m := told()
	if m.Drifted() != 4 || m.Failed() != 1 {
		t.Errorf("drifted %d, failed %d; want 4 and 1", m.Drifted(), m.Failed())
	}
}

func TestTwoSessionsOfOneBridgeAreScrapedOnce(t *testing.T) {
	m := New(Build{}, func() Fabric {
		return Fabric{Switches: []Switch{{DPID: "00000000000000aa", Host: "h1"}, {DPID: "00000000000000aa", Host: "h2"}}}
	})
	if n := strings.Count(scrape(t, m), "\nheddle_switch_connected{"); n != 1 {
		t.Errorf("%d series, want 1", n)
	}
}

func TestWithoutFabricTheRestIsScraped(t *testing.T) {
	got := scrape(t, New(Build{Version: "1"}, nil))
	if strings.Contains(got, "heddle_switch_connected") || !strings.Contains(got, `version="1"} 1`) {
		t.Errorf("scrape:\n%s", got)
	}
}

func TestManyTellAtOnce(t *testing.T) {
	m := New(Build{}, fabric)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				m.Received(8)
				m.Pass("h1", "br-int", time.Millisecond, 1, 0, 0, 1, nil)
				m.Request("/v1/hosts", "GET", 200, time.Millisecond)
			}
		})
		wg.Go(func() { scrape(t, m) })
	}
	wg.Wait()
	if m.Drifted() != 1600 {
		t.Errorf("drifted %d, want 1600", m.Drifted())
	}
}

const docs = "../../docs/metrics.md"

// TestDocumentListsEveryMetric compares the table of the document with what is registered.
func TestDocumentListsEveryMetric(t *testing.T) {
	m := told()
	rows := table(t, m)
	for _, name := range described(m) {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, "| `"+name+"` ") }) {
			t.Errorf("%s is registered and has no value after everything was told", name)
		}
	}
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "| --- | --- | --- | --- |\n")
	if !ok {
		t.Fatalf("%s has no table of four columns", docs)
	}
	old, tail, _ := strings.Cut(rest, "\n\n")
	want := strings.Join(rows, "\n")
	if *update {
		if err := os.WriteFile(docs, []byte(head+"| --- | --- | --- | --- |\n"+want+"\n\n"+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if strings.TrimRight(old, "\n") != want {
		t.Errorf("%s is stale: run go test ./northbound/metrics -update\nhas:\n%s\nwant:\n%s", docs, old, want)
	}
}

// table returns a row for each metric of Heddle's.
func table(t *testing.T, m *Metrics) []string {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "heddle_") {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", f.GetName(), strings.ToLower(f.GetType().String()), labels(f), f.GetHelp()))
		}
	}
	return rows
}

func labels(f *dto.MetricFamily) string {
	var names []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		names = append(names, "`"+l.GetName()+"`")
	}
	return strings.Join(names, ", ")
}

// described returns the names of all metrics of Heddle's that are registered.
func described(m *Metrics) []string {
	out := make(chan *prometheus.Desc)
	go func() { m.registry.Describe(out); close(out) }()
	var names []string
	for d := range out {
		_, rest, _ := strings.Cut(d.String(), `fqName: "`)
		if name, _, _ := strings.Cut(rest, `"`); strings.HasPrefix(name, "heddle_") {
			names = append(names, name)
		}
	}
	return names
}

func BenchmarkReceived(b *testing.B) {
	m := New(Build{}, nil)
	for b.Loop() {
		m.Received(80)
	}
}
