package netracktest

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/netrack/openflow/ofp"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// measure reports processor time beside wall-clock time, which means little on a shared machine.
func measure(b *testing.B) (done func()) {
	b.ReportAllocs()
	start := processorTime(b)
	return func() {
		b.ReportMetric(float64(processorTime(b)-start)/float64(b.N), "cpu-ns/op")
	}
}

func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkEncodeFlowMod(b *testing.B) {
	flow, mod := unicast()
	b.Run("heddle", func(b *testing.B) {
		m := wire.FlowMod{Flow: flow}
		buf := make([]byte, 0, 256)
		defer measure(b)()
		for b.Loop() {
			if _, err := wire.AppendFlowMod(buf, 1, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("netrack", func(b *testing.B) {
		var buf bytes.Buffer
		defer measure(b)()
		for b.Loop() {
			buf.Reset()
			if _, err := mod.WriteTo(&buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode100FlowStats(b *testing.B) {
	flow, _ := unicast()
	k, e, err := wire.Pack(flow)
	if err != nil {
		b.Fatal(err)
	}
	var body []byte
	for range 100 {
		stat := wire.FlowStat{Table: flow.Table, Priority: flow.Priority, Cookie: flow.Cookie, Match: []byte(k.Match), Instructions: []byte(e.Instructions)}
		if body, err = wire.AppendFlowStat(body, &stat); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("heddle", func(b *testing.B) {
		stats := make([]wire.FlowStat, 0, 100)
		defer measure(b)()
		for b.Loop() {
			if stats, err = wire.AppendFlowStats(stats[:0], body); err != nil || len(stats) != 100 {
				b.Fatal(len(stats), err)
			}
		}
	})
	b.Run("netrack", func(b *testing.B) {
		defer measure(b)()
		for b.Loop() {
			r := bytes.NewReader(body)
			for n := range 100 {
				var s ofp.FlowStats
				if _, err := s.ReadFrom(r); err != nil {
					b.Fatal(n, err)
				}
			}
		}
	})
}
