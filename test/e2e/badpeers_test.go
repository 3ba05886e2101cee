package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/lab"
)

// TestBadPeersDelayNobody measures how long ports of good hosts take to become ACTIVE and to pass the
// first ping, alone and beside peers that do everything wrong.
func TestBadPeersDelayNobody(t *testing.T) {
	f := newJoinedFabric(t, 2)
	well := f.network("well", "vxlan", "tenant-a", "10.0.22.0/24")
	witness := f.vm("witness", "cmp1", well, fixed(well, "10.0.22.2"))
	f.active(witness)
	before := f.portLatency("before", well, witness)

	t.Run("raw_peers", func(t *testing.T) {
		f := f.in(t)
		startRawPeers(t, f.server)
		f.notSlower(before, f.portLatency("raw", well, witness))
	})
	t.Run("switches_of_hosts", func(t *testing.T) {
		f := f.in(t)
		sick := f.network("sick", "vxlan", "tenant-b", "10.0.33.0/24")
		for i, c := range []struct {
			name  string
			fault fakeswitch.Fault
		}{
			{"stalls", onDump(fakeswitch.Reaction{Stall: true})},
			{"garbage", onDump(fakeswitch.Reaction{Send: []byte("\x04\x13\x00\x09garbage that is no OpenFlow at all")})},
			{"refuses", onDump(fakeswitch.Reaction{Refuse: &wire.Error{Type: wire.ErrBadRequest, Code: wire.BadRequestType}})},
			{"ignores", onDump(fakeswitch.Reaction{Ignore: true})},
			{"hangs_up", onDump(fakeswitch.Reaction{Close: true})},
			{"slow", fakeswitch.Always(fakeswitch.Reaction{Delay: 300 * time.Millisecond})},
		} {
			f.fakeHost(c.name, i, sick, c.fault)
			f.api.awaitEvent(t, 15*time.Second, 0, "switch_up", c.name, "br-tun")
		}
		f.api.awaitEvent(t, 5*time.Second, 0, "reconcile_failed", "refuses", "br-int")
		f.notSlower(before, f.portLatency("fakes", well, witness))
		// On the network that the bad hosts hold too, good hosts reach each other no later.
		a := f.vm("sick-a", "net1", sick)
		b := f.vm("sick-b", "cmp1", sick)
		f.reaches(2*time.Second, a, b.IP())
	})
	f.asWanted(repairLimit, "net1", "cmp1")
}

// onDump is a fault that waits for the first dump: the switch looks well until then.
func onDump(r fakeswitch.Reaction) fakeswitch.Fault {
	return fakeswitch.OnMultipart(wire.MultipartFlow, r)
}

// portLatency makes ports, plugs them at net1, and returns the median time from the request until the
// port is ACTIVE and the first ping is answered.
func (f *fabric) portLatency(name string, n network, to *vm) time.Duration {
	f.t.Helper()
	var took []time.Duration
	for i := range 7 {
		// The guest is there before its port: its making is not measured.
		ip := fmt.Sprintf("10.0.22.%d", 100+10*len(name)+i)
		v, err := f.lab.PrepareVM(f.t.Context(), lab.VMConfig{Name: fmt.Sprint(name, i), Host: "net1", MAC: fmt.Sprintf("fa:16:3e:%02x:00:%02x", len(name), i),
			Addresses: []netip.Prefix{netip.MustParsePrefix(ip + "/24")}})
		ok(f.t, err)
		begin := time.Now()
		p := f.port(v.Name, n, object{"mac_address": v.MAC}, fixed(n, ip))
		ok(f.t, v.PlugAs(f.t.Context(), p.ID))
		f.awaitPort(10*time.Second, p.ID, "ACTIVE", "")
		f.reaches(2*time.Second, &vm{v, p}, to.IP())
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	f.t.Logf("%s: from POST to the first ping %v", name, took)
	return took[len(took)/2]
}

// notSlower compares medians. The machine is shared, so only what a waiting peer would cause counts.
func (f *fabric) notSlower(before, now time.Duration) {
	f.t.Helper()
	if now > 2*before+200*time.Millisecond {
		f.t.Errorf("ports take %v beside bad peers, %v without", now, before)
	}
}

// startRawPeers connects peers that speak neither OpenFlow nor OVSDB, until the test ends.
func startRawPeers(t *testing.T, s *server) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var peers sync.WaitGroup
	t.Cleanup(func() { cancel(); peers.Wait() })
	hello := []byte{4, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x10} // OpenFlow 1.3.5 §7.5.1, bitmap of 1.3
	random := func() []byte {
		b := make([]byte, 4096)
		for i := range b {
			b[i] = byte(rand.N(256))
		}
		return b
	}
	for _, c := range []struct {
		name, addr string
		says       func() []byte
	}{
		{"silent switch", s.openFlow, func() []byte { return nil }},
		{"silent host", s.ovsdb, func() []byte { return nil }},
		{"garbage switch", s.openFlow, random},
		{"garbage host", s.ovsdb, random},
		{"hello and garbage", s.openFlow, func() []byte { return append(slices.Clone(hello), random()...) }},
		{"hello and nothing", s.openFlow, func() []byte { return hello }},
		{"half a message", s.openFlow, func() []byte { return append(slices.Clone(hello), 4, 6, 0, 32, 0, 0) }},
		{"version of tomorrow", s.openFlow, func() []byte { return []byte{9, 0, 0, 8, 0, 0, 0, 1} }},
		{"http switch", s.openFlow, func() []byte { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
		{"http host", s.ovsdb, func() []byte { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
		{"endless JSON", s.ovsdb, func() []byte { return []byte(strings.Repeat("[", 100000)) }},
		{"answers nobody asked for", s.ovsdb, func() []byte {
			return []byte(`{"id":7,"result":{},"error":null}{"id":null,"method":"update","params":[1,2]}`)
		}},
		{"flood of echoes", s.ovsdb, func() []byte {
			return []byte(strings.Repeat(`{"id":"echo","method":"echo","params":[]}`, 5000))
		}},
	} {
		for range 4 {
			peers.Go(func() {
				for ctx.Err() == nil {
					speak(ctx, c.addr, c.says())
				}
			})
		}
	}
}

// speak connects, says something, reads nothing, and stays until it is thrown out or the context ends.
func speak(ctx context.Context, addr string, text []byte) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		wait(ctx, 10*pollInterval)
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	if _, err := conn.Write(text); err != nil {
		return
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(1)
	for ctx.Err() == nil {
		// Only whether it still stands is of interest: what the server sent stays unread as far as
		// possible.
		if _, err := conn.Write([]byte(" ")); err != nil {
			return
		}
		wait(ctx, 500*time.Millisecond)
	}
}

// fakeHost is a host without OVSDB whose bridges are fake switches with a fault. A port of the network
// is plugged there.
func (f *fabric) fakeHost(name string, n int, held network, fault fakeswitch.Fault) {
	f.t.Helper()
	p := f.port("on-"+name, held)
	ids := object{}
	ctx, cancel := context.WithCancel(f.t.Context())
	var switches sync.WaitGroup
	f.t.Cleanup(func() { cancel(); switches.Wait() })
	for i, br := range []struct {
		name  string
		ports []of.Port
	}{
		{"br-int", []of.Port{{No: 1, Name: "patch-tun"}, {No: 2, Name: "tap" + p.ID[:11]}}},
		{"br-tun", []of.Port{{No: 1, Name: "patch-int"}, {No: 2, Name: tunnelName("vxlan", f.host("net1"))}, {No: 3, Name: tunnelName("vxlan", f.host("cmp1"))}}},
	} {
		dpid := of.DPID(0xfa00 + 16*n + i)
		ids[br.name] = dpid.String()
		sw := fakeswitch.New(fakeswitch.Options{DPID: dpid, Bridge: br.name, Ports: br.ports, Fault: fault})
		switches.Go(func() {
			for ctx.Err() == nil {
				_ = sw.Dial(ctx, f.server.openFlow) // it is bad on purpose
				wait(ctx, 100*time.Millisecond)
			}
		})
	}
	ok(f.t, f.api.put("/v1/hosts/"+name, object{"encap_ip": fmt.Sprintf("172.31.0.%d", 200+n), "encap_types": []string{"vxlan"}, "bridges": ids}, nil))
}

// TestRefusedFlowIsNamedAndChangesNothing lets a real bridge refuse a flow.
func TestRefusedFlowIsNamedAndChangesNothing(t *testing.T) {
	f := newJoinedFabric(t, 2)
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	a, b := f.vm("a", "net1", red), f.vm("b", "cmp1", red)
	f.active(a, b)
	f.allReach(5*time.Second, a, b)
	f.asWanted(5*time.Second, "net1", "cmp1")

	// Table 20 of net1's br-tun takes no more flows than it has.
	full := len(f.dump("net1", "br-tun", "table=20"))
	f.vsctl("net1", "--", "--id=@full", "create", "Flow_Table", fmt.Sprint("flow_limit=", full), "overflow_policy=refuse",
		"--", "set", "Bridge", "br-tun", "flow_tables:20=@full")
	unchanged := f.untouched("net1")
	p := probeFrom(t, a.VM, b.IP(), 10*time.Millisecond)
	last, err := f.api.lastEvent()
	ok(t, err)
	c := f.port("c", red)
	v, err := f.lab.PrepareVM(t.Context(), guest("cmp1", red, c))
	ok(t, err)
	sent, lost := p.end() // plugging makes Open vSwitch itself lose packets
	ok(t, v.Plug(t.Context()))

	e := f.api.awaitEvent(t, 5*time.Second, last, "reconcile_failed", "net1", "br-tun")
	for _, want := range []string{"table=20", c.MAC, "port/" + c.ID} {
		if !strings.Contains(string(e.Body), want) {
			t.Errorf("event %s does not name %s", e.Body, want)
		}
	}
	s := f.awaitPort(5*time.Second, c.ID, "BUILD", "ApplyFailed")
	if text := fmt.Sprint(s.Conditions); !strings.Contains(text, "table=20") || !strings.Contains(text, c.MAC) || !strings.Contains(text, "net1") {
		t.Errorf("condition does not name host and flow: %s", text)
	}
	always(t, time.Second, "nothing of the refused bundle is there", func() error {
		for _, line := range f.dump("net1", "br-tun", "") {
			if strings.Contains(line, c.IP().String()) {
				return fmt.Errorf("br-tun has %s", line)
			}
		}
		return nil
	})
	unchanged(t, func(flow string) bool {
		return strings.Contains(flow, "table=62,") || strings.Contains(flow, "table=61,")
	})
	f.reaches(2*time.Second, a, b.IP())
	if len(lost) > 0 {
		t.Errorf("%d of %d pings were lost", len(lost), sent)
	}
	evs, err := f.api.events(last)
	ok(t, err)
	failures := 0
	for _, e := range evs {
		if e.Kind == "reconcile_failed" {
			failures++
		}
	}
	if failures != 1 {
		t.Errorf("%d events of the one failure, want one when it begins", failures)
	}

	f.vsctl("net1", "clear", "Bridge", "br-tun", "flow_tables")
	f.awaitPort(15*time.Second, c.ID, "ACTIVE", "")
	f.api.awaitEvent(t, time.Second, last, "reconcile_recovered", "net1", "br-tun")
	f.allReach(2*time.Second, a, b, &vm{v, c})
	f.asWanted(repairLimit, "net1", "cmp1")
}
