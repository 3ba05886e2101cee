package wire_test

import (
	"syscall"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// unicastFlow is the flow of table 20 of br-tun, of which a host has one for each remote port.
func unicastFlow(i int) of.Flow {
	m := of.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)}
	return of.Flow{
		Table: 20, Priority: 2, Cookie: 0x5d01000000000007,
		Match:   of.Match{of.EthDst(m), of.VLAN(uint16(i%4000 + 1))},
		Actions: []of.Action{of.PopVLAN{}, of.SetTunnel(uint64(i)), of.Output{Port: 2}},
	}
}

// flowStatsBody is the body of a flow statistics reply with n flows of table 20.
func flowStatsBody(n int) []byte {
	var body []byte
	for i := range n {
		f := unicastFlow(i)
		k, e, err := wire.Pack(f)
		if err != nil {
			panic(err)
		}
		body = must(wire.AppendFlowStat(body, &wire.FlowStat{
			Table: f.Table, Priority: f.Priority, Cookie: f.Cookie, Packets: uint64(i), Bytes: uint64(100 * i),
			Match: []byte(k.Match), Instructions: []byte(e.Instructions),
		}))
	}
	return body
}

// measure reports processor time beside wall-clock time, which means little on a shared machine. Call it when the
// set-up is done, and what it returns when the loop is.
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
	mod := wire.FlowMod{Flow: unicastFlow(1)}
	buf := make([]byte, 0, 256)
	defer measure(b)()
	for b.Loop() {
		out, err := wire.AppendFlowMod(buf[:0], 1, &mod)
		if err != nil || len(out) != 120 {
			b.Fatal(len(out), err)
		}
	}
}

func BenchmarkEncodeEntryMod(b *testing.B) {
	k, e, err := wire.Pack(unicastFlow(1))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	defer measure(b)()
	for b.Loop() {
		if _, err := wire.AppendEntryMod(buf[:0], 1, wire.Add, k, e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode100FlowStats(b *testing.B) {
	body := flowStatsBody(100)
	stats := make([]wire.FlowStat, 0, 100)
	defer measure(b)()
	for b.Loop() {
		var err error
		if stats, err = wire.AppendFlowStats(stats[:0], body); err != nil || len(stats) != 100 {
			b.Fatal(len(stats), err)
		}
	}
}

func BenchmarkDecode100FlowStatsToKeysAndEntries(b *testing.B) {
	body := flowStatsBody(100)
	stats := make([]wire.FlowStat, 0, 100)
	defer measure(b)()
	for b.Loop() {
		var err error
		if stats, err = wire.AppendFlowStats(stats[:0], body); err != nil {
			b.Fatal(err)
		}
		for i := range stats {
			if _, err := stats[i].Key(); err != nil {
				b.Fatal(err)
			}
			if e := stats[i].Entry(); e.Cookie == 0 {
				b.Fatal("no cookie")
			}
		}
	}
}

func BenchmarkPack(b *testing.B) {
	f := unicastFlow(1)
	defer measure(b)()
	for b.Loop() {
		if _, _, err := wire.Pack(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	k, e, err := wire.Pack(unicastFlow(1))
	if err != nil {
		b.Fatal(err)
	}
	defer measure(b)()
	for b.Loop() {
		if _, err := wire.Unpack(k, e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFlowText(b *testing.B) {
	f := unicastFlow(1)
	defer measure(b)()
	for b.Loop() {
		if f.String() == "" {
			b.Fatal("no text")
		}
	}
}
