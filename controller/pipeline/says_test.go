package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
)

// names calls everything by its number.
type names struct{}

func (names) Port(no of.PortNo) string { return "[port " + no.String() + "]" }
func (names) Network(vlan uint16) string {
	if vlan > 100 {
		return ""
	}
	return fmt.Sprintf("[network of VLAN %d]", vlan)
}
func (names) Object(c of.Cookie) string {
	kind, tag := pipeline.Cause(c)
	return fmt.Sprintf("[%s %d]", kind, tag)
}

func TestEveryFlowSaysWhatItDoes(t *testing.T) {
	for _, bridge := range []struct {
		name   string
		tables *pipeline.Pipeline
		flows  []of.Flow
	}{
		{"int", &pipeline.Int, pipeline.IntFlows(intInput(t))},
		{"tun", &pipeline.Tun, pipeline.TunFlows(tunInput(t))},
		{"ext", &pipeline.Ext, pipeline.ExtFlows(extInput())},
	} {
		var b strings.Builder
		for _, f := range bridge.flows {
			says := bridge.tables.Says(&f, names{})
			if says == "" {
				t.Errorf("nothing says what flow %q of %s does", f, bridge.tables.Bridge)
			}
			fmt.Fprintf(&b, "%s\n    %s\n", f, says)
		}
		path := filepath.Join("testdata", bridge.name+".says")
		if *update {
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("flows of %s say otherwise than in %s:\n%s", bridge.tables.Bridge, path, b.String())
		}
	}
}

func TestALearnedFlowSaysWhereTheAddressIs(t *testing.T) {
	learned := of.Flow{Table: pipeline.ToUnicast, Priority: 1, Cookie: pipeline.Learned,
		Match:   of.Match{of.VLAN(3), of.EthDst(of.MAC{2, 0, 0, 0, 0, 9})},
		Actions: []of.Action{of.Load{Dst: of.Whole(of.FieldVLANTCI)}, of.Load{Dst: of.Whole(of.FieldTunID), Value: 1001}, of.Output{Port: 5}}}
	want := "frames for 02:00:00:00:00:09 in local VLAN 3 of [network of VLAN 3] leave by [port 5] with key 1001, where a frame from it came from"
	if got := pipeline.Tun.Says(&learned, names{}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAForeignFlowIsNotExplained(t *testing.T) {
	if got := pipeline.Tun.Says(&of.Flow{Table: pipeline.ToUnicast, Cookie: 7}, names{}); got != "" {
		t.Errorf("%q", got)
	}
}

func BenchmarkSays(b *testing.B) {
	flows := pipeline.TunFlows(tunInput(b))
	var buf []byte
	for b.Loop() {
		for i := range flows {
			buf = pipeline.Tun.AppendSays(buf[:0], &flows[i], names{})
		}
	}
}
