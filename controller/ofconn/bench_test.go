package ofconn_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// The benchmarks load one bridge of a real Open vSwitch three ways in turn, so
// that noise of the machine hits all alike:
//
//	session    Session.Commit, one atomic bundle, confirmed
//	raw        the same bundle as bytes made beforehand, written to a net.Conn
//	ovs-ofctl  ovs-ofctl --bundle add-flows of the same flows from a file
//
// All go over loopback TCP. Each begins with an empty table; the time to empty
// it is not counted.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{50000, 200000} {
		b.Run(fmt.Sprintf("flows=%d", n), func(b *testing.B) {
			o := ovstest.Start(b)
			o.AddBridge("br0")
			flows := packed(b, n)
			file := filepath.Join(b.TempDir(), "flows")
			var text strings.Builder
			for i := range n {
				text.WriteString(unicast(i).String() + "\n")
			}
			if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			port := freePort(b)
			o.VSCtl("set-controller", "br0", fmt.Sprintf("ptcp:%d:127.0.0.1", port),
				// The raw connection answers no echo while it waits for its turn.
				"--", "set", "controller", "br0", "inactivity_probe=0")
			addr := fmt.Sprintf("127.0.0.1:%d", port)
			s := receive(b, "session", dial(b, ofconn.Dialer{Addr: addr}))
			raw := newRawBundle(b, addr, flows)
			times := map[string][]time.Duration{}
			measure := func(name string, load func() error) {
				began := time.Now()
				if err := load(); err != nil {
					b.Fatal(err)
				}
				times[name] = append(times[name], time.Since(began))
				if sum, err := s.CountFlows(b.Context(), of.TableAll, 0, 0); err != nil || int(sum.Flows) != n {
					b.Fatalf("%s: %d flows, %v", name, sum.Flows, err)
				}
				if err := s.Commit(b.Context(), ofconn.Change{Purge: []ofconn.Purge{{Table: of.TableAll}}}); err != nil {
					b.Fatal(err)
				}
				// OVS frees deleted flows in the background, which would slow down
				// whoever is next.
				time.Sleep(settle)
			}
			loads := []struct {
				name string
				load func() error
			}{
				{"session", func() error { return s.Commit(b.Context(), ofconn.Change{Add: flows}) }},
				{"raw", raw.load},
				{"ovs-ofctl", func() error {
					_, err := o.Run("ovs-ofctl", "-O", "OpenFlow13", "--bundle", "add-flows", "tcp:"+addr, file)
					return err
				}},
			}
			measure("warm-up", loads[0].load)
			b.ResetTimer()
			for i := range b.N {
				for j := range loads {
					l := loads[(i+j)%len(loads)] // each is first in turn
					measure(l.name, l.load)
				}
			}
			b.StopTimer()
			for _, l := range loads {
				b.ReportMetric(float64(n)/median(times[l.name]), l.name+"-flows/s")
			}
			b.ReportMetric(median(times["raw"])/median(times["session"]), "of-raw")
			b.ReportMetric(median(times["ovs-ofctl"])/median(times["session"]), "×ofctl")
			b.ReportMetric(0, "ns/op") // of all three together, which says nothing
		})
	}
}

// median is in seconds. One slow round, when the machine does something else,
// does not move it.
func median(times []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2].Seconds()
}

// settle is how long OVS is left alone after a large deletion.
const settle = 2 * time.Second

// rawBundle is a connection without a session and a bundle as bytes.
type rawBundle struct {
	c              net.Conn
	mods, finish   []byte
	modsAt, doneAt uint32 // xids of the two barriers
}

func newRawBundle(b *testing.B, addr string, flows []ofconn.Flow) *rawBundle {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	r := &rawBundle{c: c}
	if _, err := c.Write(wire.AppendHello(nil, 1, 1<<wire.Version)); err != nil {
		b.Fatal(err)
	}
	const flags = wire.BundleAtomic | wire.BundleOrdered
	r.mods = wire.AppendBundleControl(nil, 2, wire.Bundle{ID: 1, Control: wire.BundleOpen, Flags: flags})
	xid := uint32(2)
	for _, f := range flows {
		xid++
		start := len(r.mods)
		r.mods = wire.BeginBundleAdd(r.mods, xid, 1, flags)
		if r.mods, err = wire.AppendEntryMod(r.mods, xid, wire.Add, f.Key, f.Entry); err != nil {
			b.Fatal(err)
		}
		if r.mods, err = wire.EndBundleAdd(r.mods, start); err != nil {
			b.Fatal(err)
		}
	}
	r.modsAt, r.doneAt = xid+1, xid+3
	r.mods = wire.AppendBarrierRequest(r.mods, r.modsAt)
	r.finish = wire.AppendBundleControl(nil, xid+2, wire.Bundle{ID: 1, Control: wire.BundleCommit, Flags: flags})
	r.finish = wire.AppendBarrierRequest(r.finish, r.doneAt)
	return r
}

func (r *rawBundle) load() error {
	if _, err := r.c.Write(r.mods); err != nil {
		return err
	}
	if err := r.await(r.modsAt); err != nil {
		return err
	}
	if _, err := r.c.Write(r.finish); err != nil {
		return err
	}
	return r.await(r.doneAt)
}

// await reads until the barrier reply with the xid.
func (r *rawBundle) await(xid uint32) error {
	head := make([]byte, wire.HeaderLen)
	for {
		if _, err := io.ReadFull(r.c, head); err != nil {
			return err
		}
		h, err := wire.DecodeHeader(head)
		if err != nil {
			return err
		}
		body := make([]byte, int(h.Length)-wire.HeaderLen)
		if _, err := io.ReadFull(r.c, body); err != nil {
			return err
		}
		switch {
		case h.Type == wire.TypeError:
			e, err := wire.DecodeErrorMessage(body)
			if err != nil {
				return err
			}
			return e
		case h.Type == wire.TypeEchoRequest:
			reply, err := wire.AppendEchoReply(nil, h.XID, body)
			if err != nil {
				return err
			}
			if _, err := r.c.Write(reply); err != nil {
				return err
			}
		case h.XID == xid:
			return nil
		}
	}
}

// BenchmarkDump reads 200,000 flows and compares them with those wanted, beside
// what ovs-ofctl takes to dump them.
func BenchmarkDump(b *testing.B) {
	const n = 200000
	o := ovstest.Start(b)
	o.AddBridge("br0")
	flows := packed(b, n)
	want := make(map[of.Key]wire.Entry, n)
	for _, f := range flows {
		want[f.Key] = f.Entry
	}
	s := receive(b, "session", dial(b, ofconn.Dialer{Network: "unix", Addr: o.MgmtSocket("br0")}))
	if err := s.Commit(b.Context(), ofconn.Change{Add: flows}); err != nil {
		b.Fatal(err)
	}
	var dump, compare, ofctl time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		have, err := s.Flows(context.Background(), of.TableAll, 0x5d<<56, 0xff<<56)
		if err != nil {
			b.Fatal(err)
		}
		dump += time.Since(began)
		began = time.Now()
		for k, e := range want {
			if have[k] != e {
				b.Fatal("flow differs")
			}
		}
		compare += time.Since(began)
		began = time.Now()
		if _, err := o.Run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", "--no-stats", "br0"); err != nil {
			b.Fatal(err)
		}
		ofctl += time.Since(began)
	}
	b.ReportMetric(dump.Seconds()*1000/float64(b.N), "dump-ms")
	b.ReportMetric(compare.Seconds()*1000/float64(b.N), "compare-ms")
	b.ReportMetric(ofctl.Seconds()*1000/float64(b.N), "ovs-ofctl-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBridges has all bridges of one ovs-vswitchd connect at once and get
// a pipeline of 30 flows each: role, watch, dump, commit. It reports the time
// from the moment they learn our address to the last confirmed commit, and the
// memory of the whole process.
func BenchmarkBridges(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			o := ovstest.Start(b)
			for from := 0; from < n; from += 100 { // ovs-vsctl takes longer for more at a time
				var args []string
				for i := from; i < from+100; i++ {
					br := fmt.Sprint("br", i)
					args = append(args, "--", "add-br", br, "--", "set-fail-mode", br, "secure", "--", "set", "bridge", br, "protocols=OpenFlow13",
						fmt.Sprintf("other_config:datapath-id=%016x", i+1))
				}
				o.VSCtl(args[1:]...)
			}
			flows := packed(b, 30)
			ready := make(chan error, n)
			addr := serve(b, ofconn.Config{}, func(ctx context.Context, s *ofconn.Session) {
				ready <- base(ctx, s, flows)
				<-ctx.Done()
			})
			forAll := func(command string, more ...string) {
				for from := 0; from < n; from += 100 {
					args := []string{"--no-wait"}
					for i := from; i < from+100; i++ {
						args = append(append(args, "--", command, fmt.Sprint("br", i)), more...)
					}
					o.VSCtl(args...)
				}
			}
			for range b.N {
				forAll("del-controller")
				b.ResetTimer()
				began := time.Now()
				forAll("set-controller", "tcp:"+addr)
				told := time.Now()
				for range n {
					if err := <-ready; err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(time.Since(began).Seconds(), "s-in-all")
				b.ReportMetric(time.Since(told).Seconds(), "s-after-ovs-vsctl")
				b.ReportMetric(float64(residentBytes(b))/1e6, "MB-resident")
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapInuse+m.StackInuse)/1e3/float64(n), "kB/session")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// base is what a controller does first with a bridge.
func base(ctx context.Context, s *ofconn.Session, flows []ofconn.Flow) error {
	if err := s.Role(ctx, true, 1); err != nil {
		return err
	}
	if err := s.Watch(ctx, ofconn.Monitor{Table: 20}, func(wire.MonitorUpdate) {}); err != nil {
		return err
	}
	if _, err := s.Flows(ctx, of.TableAll, 0x5d<<56, 0xff<<56); err != nil {
		return err
	}
	return s.Commit(ctx, ofconn.Change{Add: flows})
}

func residentBytes(b *testing.B) int {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * os.Getpagesize()
}
