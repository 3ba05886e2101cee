package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/internal/ovstest"
	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// host is an Open vSwitch that is measured, of either kind.
type host struct {
	name    string
	runDir  string // its sockets, seen from here
	restart func() // kills ovs-vswitchd and starts it again
	db      *database
}

// labHosts builds a lab of n hosts.
func labHosts(b *testing.B, n int) (*lab.Lab, []*host) {
	b.Helper()
	l := labtest.Up(b, lab.Config{Hosts: lab.Hosts(n)})
	var hosts []*host
	for _, h := range l.Hosts() {
		hosts = append(hosts, newHost(b, h.Name, h.Path("/run/openvswitch"), func() {
			ok(b, h.KillVswitchd(b.Context()))
			ok(b, h.StartVswitchd(b.Context()))
		}))
	}
	return l, hosts
}

// memoryHosts starts n hosts whose datapath is in memory.
func memoryHosts(b *testing.B, n int) []*host {
	b.Helper()
	var hosts []*host
	for i := range n {
		o := ovstest.Start(b)
		must[string](b)(o.Run("ovs-appctl", "-t", filepath.Join(o.RunDir, "ovsdb-server.ctl"), "ovsdb-server/add-remote", "db:Open_vSwitch,Open_vSwitch,manager_options"))
		name := fmt.Sprint("host", i)
		o.VSCtl("set", "open_vswitch", ".", "external_ids:hostname="+name, fmt.Sprintf("external_ids:heddle-encap-ip=192.0.2.%d", i+1),
			"external_ids:heddle-encap-type=gre,vxlan,geneve")
		hosts = append(hosts, newHost(b, name, o.RunDir, o.RestartVswitchd))
	}
	return hosts
}

func newHost(b *testing.B, name, runDir string, restart func()) *host {
	b.Helper()
	h := &host{name: name, runDir: runDir, restart: restart}
	c := must[net.Conn](b)(net.Dial("unix", filepath.Join(runDir, "db.sock")))
	b.Cleanup(func() { _ = c.Close() })
	h.db = &database{conn: c, in: json.NewDecoder(c), out: json.NewEncoder(c)}
	return h
}

// join tells hosts where the server is and waits until each has an OVSDB and the bridges confirmed.
func join(b *testing.B, s *server, hosts []*host) {
	b.Helper()
	for _, h := range hosts {
		ok(b, h.db.transact(
			object{"op": "insert", "table": "Manager", "uuid-name": "m", "row": object{"target": "tcp:" + s.ovsdb}},
			object{"op": "update", "table": "Open_vSwitch", "where": []any{}, "row": object{"manager_options": []any{"named-uuid", "m"}}}))
	}
	await(b, 30*time.Second, "hosts have joined", func() error { return s.confirmed(targetsOf(hosts), 0) })
}

// targetsOf is how many targets hosts have: each an OVSDB, br-int and br-tun.
func targetsOf(hosts []*host) int { return 3 * len(hosts) }

// plugsAtOnce is how many interfaces are plugged in one transaction at most. ovs-vswitchd goes through
// all its ports for each transaction: plugged one by one, 700 ports cost it 8 s of processor time, in
// fifties half a second.
const plugsAtOnce = 50

// plugAll makes the interfaces of ports in br-int, fifty at a time, until the channel is closed.
func (h *host) plugAll(ports <-chan string, kind string) error {
	var batch []string
	for id := range ports {
		if batch = append(batch, id); len(batch) == plugsAtOnce {
			if err := h.plug(batch, kind); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return h.plug(batch, kind)
}

// plug makes the interfaces of ports in br-int, in one transaction.
func (h *host) plug(ports []string, kind string) error {
	var ops, made []any
	for i, id := range ports {
		name, iface, port := "tap"+id[:11], fmt.Sprint("i", i), fmt.Sprint("p", i)
		ops = append(ops,
			object{"op": "insert", "table": "Interface", "uuid-name": iface, "row": object{"name": name, "type": kind,
				"options": []any{"map", []any{[]any{"peer", fmt.Sprint(name, "-")}}}, "external_ids": []any{"map", []any{[]any{"iface-id", id}}}}},
			object{"op": "insert", "table": "Port", "uuid-name": port, "row": object{"name": name, "interfaces": []any{"named-uuid", iface}}})
		made = append(made, []any{"named-uuid", port})
	}
	return h.db.transact(append(ops, object{"op": "mutate", "table": "Bridge", "where": []any{[]any{"name", "==", "br-int"}},
		"mutations": []any{[]any{"ports", "insert", []any{"set", made}}}})...)
}

// database is a connection to a host's ovsdb-server (RFC 7047).
type database struct {
	mu   sync.Mutex
	conn net.Conn
	in   *json.Decoder
	out  *json.Encoder
}

// transact runs operations as one transaction. It does not wait until ovs-vswitchd has acted.
func (d *database) transact(ops ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.out.Encode(object{"method": "transact", "params": append([]any{"Open_vSwitch"}, ops...), "id": 1}); err != nil {
		return err
	}
	for {
		var m struct {
			Method    string
			Params    any
			Result    []struct{ Error, Details string }
			Error, ID any
		}
		if err := d.in.Decode(&m); err != nil {
			return err
		}
		if m.Method == "echo" {
			if err := d.out.Encode(object{"result": m.Params, "error": nil, "id": m.ID}); err != nil {
				return err
			}
			continue
		}
		if m.Error != nil {
			return fmt.Errorf("transaction: %v", m.Error)
		}
		for _, r := range m.Result {
			if r.Error != "" {
				return fmt.Errorf("transaction: %s: %s", r.Error, r.Details)
			}
		}
		return nil
	}
}

// gauge counts the flows of one bridge all the time, over the bridge's management socket.
type gauge struct {
	host, bridge string

	mu      sync.Mutex
	flows   int       // newest count
	least   int       // smallest count since expect
	full    int       // the count that expect found
	listens time.Time // when the bridge was reached last
	back    time.Time // when it had the full count first, since then
}

// watch counts the flows of the bridges of hosts until the benchmark ends, with a pause between counts.
func watch(b *testing.B, hosts []*host, pause time.Duration) []*gauge {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	b.Cleanup(func() { cancel(); wg.Wait() })
	var gauges []*gauge
	for _, h := range hosts {
		for _, bridge := range []string{"br-int", "br-tun"} {
			g := &gauge{host: h.name, bridge: bridge}
			gauges = append(gauges, g)
			d := ofconn.Dialer{Network: "unix", Addr: filepath.Join(h.runDir, bridge+".mgmt"), MinBackoff: 4 * time.Millisecond, MaxBackoff: 5 * time.Millisecond}
			wg.Go(func() { _ = d.Run(ctx, func(ctx context.Context, s *ofconn.Session) { g.count(ctx, s, pause) }) })
		}
	}
	await(b, 10*time.Second, "flows are counted", func() error {
		for _, g := range gauges {
			if n, _ := g.read(); n == 0 {
				return errors.New("no flows on " + g.bridge + " of " + g.host)
			}
		}
		return nil
	})
	return gauges
}

func (g *gauge) count(ctx context.Context, s *ofconn.Session, pause time.Duration) {
	g.mu.Lock()
	g.listens, g.back = time.Now(), time.Time{}
	g.mu.Unlock()
	for {
		sum, err := s.CountFlows(ctx, of.TableAll, 0, 0)
		if err != nil {
			return
		}
		g.mu.Lock()
		g.flows, g.least = int(sum.Flows), min(g.least, int(sum.Flows))
		if g.flows >= g.full && g.back.IsZero() {
			g.back = time.Now()
		}
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// expect makes the flows of now those that the bridge should have from now on.
func (g *gauge) expect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.least, g.full = g.flows, g.flows
}

func (g *gauge) read() (flows, least int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.flows, g.least
}

// returned tells, once a bridge that began to listen after a moment has its flows again, how long it
// was without.
func (g *gauge) returned(after time.Time) (time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listens.Before(after) || g.back.IsZero() {
		return 0, fmt.Errorf("%s of %s has %d of %d flows", g.bridge, g.host, g.flows, g.full)
	}
	return g.back.Sub(g.listens), nil
}

func total(gauges []*gauge) (flows, least int) {
	for _, g := range gauges {
		f, l := g.read()
		flows, least = flows+f, least+l
	}
	return flows, least
}
