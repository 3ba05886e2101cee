package controller

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// BenchmarkReconcileUnchanged is a whole pass over a bridge of 200,000 flows of which none differs: dump
// and comparison, as a loop does it, and ovs-ofctl diff-flows with a file of the same flows.
func BenchmarkReconcileUnchanged(b *testing.B) {
	const flows = 200000
	o := ovstest.Start(b)
	o.AddBridge("br0")
	want := make(map[of.Key]wire.Entry, flows)
	change := ofconn.Change{}
	var text strings.Builder
	for i := range flows {
		f := of.Flow{Table: pipeline.ToUnicast, Priority: 2, Cookie: pipeline.CookieOf(pipeline.KindPort, uint32(i+1)),
			Match:   of.Match{of.VLAN(uint16(1 + i%4000)), of.EthDst(of.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)})},
			Actions: []of.Action{of.PopVLAN{}, of.SetTunnel(uint64(1000 + i%4000)), of.Output{Port: of.PortNo(1 + i%3)}}}
		k, e, err := wire.Pack(f)
		if err != nil {
			b.Fatal(err)
		}
		want[k] = e
		change.Add = append(change.Add, ofconn.Flow{Key: k, Entry: e})
		text.WriteString(f.String() + "\n")
	}
	file := filepath.Join(b.TempDir(), "flows")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	sessions := make(chan *ofconn.Session)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	d := ofconn.Dialer{Network: "unix", Addr: o.MgmtSocket("br0")}
	go func() {
		ended <- d.Run(ctx, func(ctx context.Context, s *ofconn.Session) {
			sessions <- s
			<-ctx.Done()
		})
	}()
	defer func() {
		cancel()
		<-ended
	}()
	sw := <-sessions
	if err := sw.Commit(ctx, change); err != nil {
		b.Fatal(err)
	}
	target := flowTarget{sw: sw, learn: func() map[uint16]pipeline.LearnScope { return nil }}
	var pass, ofctl []time.Duration
	for b.Loop() {
		begin := time.Now()
		have, err := target.Actual(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if c := reconcile.Diff(want, have, target.Equal); !c.Empty() {
			b.Fatalf("%d flows differ", c.Len())
		}
		pass = append(pass, time.Since(begin))
		begin = time.Now()
		if _, err := o.Run("ovs-ofctl", "-O", "OpenFlow13", "diff-flows", "br0", file); err != nil {
			b.Fatal(err)
		}
		ofctl = append(ofctl, time.Since(begin))
	}
	median := func(times []time.Duration) float64 { slices.Sort(times); return times[len(times)/2].Seconds() }
	b.ReportMetric(median(pass), "pass-s")
	b.ReportMetric(median(ofctl), "diff-flows-s")
	b.ReportMetric(0, "ns/op")
}
