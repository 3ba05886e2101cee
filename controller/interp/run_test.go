package interp_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/store/model"
)

func mac(t testing.TB, s string) of.MAC {
	t.Helper()
	m, err := of.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUnicastGoesThroughThePatchCableIntoTheTunnel(t *testing.T) {
	vm, remote := mac(t, "fa:16:3e:00:00:01"), mac(t, "fa:16:3e:00:00:02")
	tap := interp.NewBridge(interp.Config{Name: "br-int", Ports: []interp.Port{{No: 10, Name: "tap1"}},
		Flows: pipeline.IntFlows(pipeline.IntInput{PatchTun: 1, Networks: []pipeline.IntNetwork{{Tag: 1, VLAN: 5, Way: 1,
			Ports:  []pipeline.LocalPort{{Tag: 1, OFPort: 10, MAC: vm, Home: true}},
			Remote: []pipeline.Remote{{Tag: 2, MAC: remote}}}}})})
	tun := interp.NewBridge(interp.Config{Name: "br-tun", Ports: []interp.Port{{No: 2, Name: "vxlan-h2"}},
		Flows: pipeline.TunFlows(pipeline.TunInput{PatchInt: 1, Tunnels: []pipeline.Tunnel{{Port: 2, Type: model.TypeVXLAN}},
			Networks: []pipeline.TunNetwork{{Tag: 1, VLAN: 5, Type: model.TypeVXLAN, Key: 1001, Flood: []of.PortNo{2}, Remote: []pipeline.Remote{{Tag: 2, MAC: remote, Via: 2}}}}})})
	interp.Patch(tap, 1, tun, 1)
	trace := tap.Run(interp.Packet{InPort: 10, EthSrc: vm, EthDst: remote, EthType: of.EthTypeIPv4})
	out := trace.Outputs()
	if len(out) != 1 || out[0].Bridge != tun || out[0].Port != 2 || out[0].Packet.Tunnel.ID != 1001 || out[0].Packet.Tags() != 0 {
		t.Fatalf("outputs %+v", out)
	}
}

// bridge has ports 1, 2 and 3 and a name.
func bridge(flows ...of.Flow) *interp.Bridge {
	return interp.NewBridge(interp.Config{Name: "br0", Ports: []interp.Port{{No: 1, Name: "p1"}, {No: 2, Name: "p2"}, {No: 3, Name: "p3"}}, Flows: flows})
}

func output(p of.PortNo) of.Action { return of.Output{Port: p} }

// ports lists the ports that a packet leaves by.
func ports(t *interp.Trace) []of.PortNo {
	var out []of.PortNo
	for _, o := range t.Outputs() {
		out = append(out, o.Port)
	}
	return out
}

// reasons lists why copies of a packet went no further.
func reasons(t *interp.Trace) []interp.Reason {
	var out []interp.Reason
	for _, s := range t.Drops() {
		out = append(out, s.Reason)
	}
	return out
}

func TestWhyNothingLeaves(t *testing.T) {
	group := []of.GroupEntry{{ID: 1, Type: of.GroupTypeFastFailover, Buckets: []of.Bucket{{WatchPort: 3, Actions: []of.Action{output(2)}}}}}
	down := []interp.Port{{No: 1}, {No: 2, VLANMode: interp.Access, VLAN: 7}, {No: 3, Down: true}}
	for name, c := range map[string]struct {
		actions []of.Action
		macs    []interp.MAC
		change  func(*interp.Packet)
		want    interp.Reason
	}{
		"flow_drops":        {nil, nil, nil, interp.FlowDrops},
		"no_flow":           {[]of.Action{of.GotoTable{Table: 5}}, nil, nil, interp.NoFlow},
		"no_output":         {[]of.Action{of.SetReg(0, 1)}, nil, nil, interp.NoOutput},
		"same_link":         {[]of.Action{output(1)}, nil, nil, interp.SameLink},
		"no_port":           {[]of.Action{output(9)}, nil, nil, interp.NoPort},
		"register_too_high": {[]of.Action{of.SetReg(0, 0x10000), of.OutputReg{Src: of.Whole(of.FieldReg0)}}, nil, nil, interp.NoPort},
		"port_down":         {[]of.Action{output(3)}, nil, nil, interp.PortDown},
		"no_group":          {[]of.Action{of.Group{ID: 9}}, nil, nil, interp.NoGroup},
		"no_bucket":         {[]of.Action{of.Group{ID: 1}}, nil, nil, interp.NoBucket},
		"wrong_vlan":        {[]of.Action{output(of.PortNormal)}, nil, func(p *interp.Packet) { p.InPort, p.VLANs[0] = 2, interp.Tag(8) }, interp.WrongVLAN},
		"vlan_of_no_port":   {[]of.Action{output(of.PortNormal)}, nil, func(p *interp.Packet) { p.InPort = 2 }, interp.PortDown},
		"reserved_address":  {[]of.Action{output(of.PortNormal)}, nil, func(p *interp.Packet) { p.EthDst = of.MAC{1, 0x80, 0xc2, 0, 0, 0xe} }, interp.ReservedMAC},
		"learned_back":      {[]of.Action{output(of.PortNormal)}, []interp.MAC{{Address: of.MAC{2}, Port: 1}}, nil, interp.LearnedBack},
		"learned_port_gone": {[]of.Action{output(of.PortNormal)}, []interp.MAC{{Address: of.MAC{2}, Port: 9}}, nil, interp.NoPort},
		"mpls":              {[]of.Action{of.PushMPLS{EthType: of.EthTypeMPLS}, output(2)}, nil, nil, interp.NotModelled},
		"field_of_mpls":     {[]of.Action{of.SetField{Field: of.FieldMPLSLabel}, output(2)}, nil, nil, interp.NotModelled},
		"unknown_action":    {[]of.Action{of.Unknown{Bytes: []byte{0, 99, 0, 8, 0, 0, 0, 0}}, output(2)}, nil, nil, interp.NotModelled},
		"action_set_dies":   {[]of.Action{of.WriteActions{Actions: []of.Action{output(2)}}, of.ClearActions{}}, nil, nil, interp.NoOutput},
		"set_without_end":   {[]of.Action{of.WriteActions{Actions: []of.Action{of.SetReg(0, 1)}}}, nil, nil, interp.NoOutput},
	} {
		t.Run(name, func(t *testing.T) {
			b := interp.NewBridge(interp.Config{Name: "br0", Ports: down, Groups: group, MACs: c.macs, Flows: []of.Flow{{Actions: c.actions}}})
			p := interp.Packet{InPort: 1, EthDst: of.MAC{2}}
			if c.change != nil {
				c.change(&p)
			}
			trace := b.Run(p)
			got := reasons(trace)
			if len(got) == 0 || got[len(got)-1] != c.want {
				t.Errorf("reasons %v, want %v in the end of\n%s", got, c.want, trace)
			}
			if s := c.want.String(); s == "" || s == "unknown" {
				t.Errorf("the reason has no name: %q", s)
			}
		})
	}
}

func TestFlowsOfEqualPriorityAreTold(t *testing.T) {
	a := of.Flow{Priority: 5, Match: of.Match{of.InPort(1)}, Actions: []of.Action{output(2)}}
	b := of.Flow{Priority: 5, Match: of.Match{of.NoVLAN()}, Actions: []of.Action{output(3)}}
	p := interp.Packet{InPort: 1}
	first, second := bridge(a, b).Run(p), bridge(b, a).Run(p)
	if ports(first)[0] != ports(second)[0] {
		t.Error("which one is taken depends on the order in which they came")
	}
	if first.Steps[0].Rival == nil {
		t.Errorf("the other flow is not named:\n%s", first)
	}
	if trace := bridge(a, b, of.Flow{Priority: 6, Actions: []of.Action{output(2)}}).Run(p); trace.Steps[0].Rival != nil {
		t.Errorf("a flow of lower priority is called a rival:\n%s", trace)
	}
}

func TestAFlowIsFoundByWhatItMeans(t *testing.T) {
	pair := of.Is(of.FieldXReg0, 5<<32|6)
	for name, c := range map[string]struct{ flow, same of.Match }{
		"tag":       {of.Match{of.VLAN(5)}, of.Match{of.Masked(of.FieldVLANTCI, of.Num(of.VLANPresent|5), of.Num(0x1fff))}},
		"priority":  {of.Match{of.VLAN(5), of.VLANPCP(3)}, of.Match{of.Is(of.FieldVLANTCI, 0x7005)}},
		"registers": {of.Match{pair}, of.Match{of.Reg(0, 5), of.Reg(1, 6)}},
		"four":      {of.Match{{Field: of.FieldXXReg0, Value: of.Value{Hi: 1<<32 | 2, Lo: 3<<32 | 4}}}, of.Match{of.Reg(3, 4), of.Reg(2, 3), of.Reg(1, 2), of.Reg(0, 1)}},
		"port":      {of.Match{of.InPort(of.PortLocal)}, of.Match{of.Is(of.FieldInPortNXM, 0xfffe)}},
		"dscp":      {of.Match{of.IPv4(), of.IPDSCP(5), of.IPECN(1)}, of.Match{of.IPv4(), of.Is(of.FieldIPTOS, 20), of.IPECN(1)}},
		"any":       {of.Match{of.FieldMatch{}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := bridge(of.Flow{Priority: 5, Match: c.flow}, of.Flow{Priority: 5, Match: c.same, Cookie: 7}, of.Flow{Priority: 9, Match: c.flow}, of.Flow{Priority: 7, Match: c.flow}, of.Flow{Priority: 2, Match: c.flow, Cookie: 2})
			for _, priority := range []uint16{9, 7} {
				if !b.Remove(of.Flow{Priority: priority, Match: c.same}) {
					t.Errorf("the flow of priority %d is not there", priority)
				}
			}
			if b.Remove(of.Flow{Priority: 3, Match: c.same}) || b.Remove(of.Flow{Priority: 5, Match: of.Match{of.EthDst(of.Broadcast)}}) {
				t.Error("a flow that is not there was removed")
			}
			var p interp.Packet
			for _, m := range c.flow {
				if m.Field == of.FieldEthType {
					p.EthType = uint16(m.Value.Lo)
				}
			}
			for _, m := range c.same {
				p.Set(m.Field, m.Value)
			}
			if got := b.Run(p).Steps[0].Flow; got == nil || got.Cookie != 7 {
				t.Errorf("took %v, want the flow that came last with this priority", got)
			}
			if !b.Remove(of.Flow{Priority: 5, Match: c.flow}) || b.Run(p).Steps[0].Flow.Cookie != 2 {
				t.Error("the flow of the next lower priority does not take the packet")
			}
			if !b.Remove(of.Flow{Priority: 2, Match: c.same}) || b.Run(p).Steps[0].Flow != nil {
				t.Error("the last flow is still there")
			}
		})
	}
}

// TestAFewLooksFindWhatManyDo compares tables that were not looked at yet with those that are made for it, with flows of
// few priorities.
func TestAFewLooksFindWhatManyDo(t *testing.T) {
	for seed := range uint64(40) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), tables: 1, ports: []of.PortNo{1, 2, 3}}
		var flows []of.Flow
		for range 300 {
			m, _ := g.match()
			flows = append(flows, of.Flow{Priority: uint16(g.IntN(4)), Match: m, Cookie: of.Cookie(g.Uint64())})
		}
		many := bridge(flows...)
		many.Remove(of.Flow{Priority: 99})
		for range 20 {
			few := bridge(flows...)
			for range 4 {
				p := g.packet()
				got, want := few.Run(p).Steps[0], many.Run(p).Steps[0]
				if (got.Flow == nil) != (want.Flow == nil) || got.Flow != nil && got.Flow.String() != want.Flow.String() || (got.Rival == nil) != (want.Rival == nil) {
					t.Fatalf("seed %d: %s takes\n%v, or %v; want\n%v, or %v", seed, p, got.Flow, got.Rival, want.Flow, want.Rival)
				}
			}
		}
	}
}

func TestRunsMayBeUnderWayAtOnce(t *testing.T) {
	var flows []of.Flow
	for n := range of.PortNo(100) {
		flows = append(flows, of.Flow{Match: of.Match{of.InPort(n)}, Actions: []of.Action{output(2)}})
	}
	b := bridge(flows...)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range of.PortNo(20) {
				if got := b.Run(interp.Packet{InPort: 10 + n}).Outputs(); len(got) != 1 {
					t.Errorf("a packet from port %d leaves %d times", 10+n, len(got))
				}
			}
		})
	}
	wg.Wait()
}

func TestMatchesOnWhatIsNotModelledAreTold(t *testing.T) {
	mpls := of.Flow{Match: of.Match{of.EthType(of.EthTypeMPLS), of.Is(of.FieldMPLSLabel, 7)}, Actions: []of.Action{output(2)}}
	b := bridge(mpls, of.Flow{Match: of.Match{{Raw: "\x00\x01\x0c\x01x"}}})
	if got := b.Unknown(); len(got) != 2 || got[0].String() != mpls.String() {
		t.Errorf("unknown flows %v", got)
	}
	if got := ports(b.Run(interp.Packet{InPort: 1, EthType: of.EthTypeMPLS})); got != nil {
		t.Errorf("a packet leaves by %v through a flow that is not modelled", got)
	}
}

func TestSelectGroupsChooseByWeightUnlessTold(t *testing.T) {
	bucket := func(weight uint16, port of.PortNo) of.Bucket {
		return of.Bucket{Weight: weight, Actions: []of.Action{output(port)}}
	}
	c := interp.Config{Ports: []interp.Port{{No: 2}, {No: 3}, {No: 4}}, Flows: []of.Flow{{Actions: []of.Action{of.Group{ID: 1}}}},
		Groups: []of.GroupEntry{{ID: 1, Type: of.GroupTypeSelect, Buckets: []of.Bucket{bucket(0, 4), bucket(1, 2), bucket(5, 3)}}}}
	if got := ports(interp.NewBridge(c).Run(interp.Packet{InPort: 1})); !slices.Equal(got, []of.PortNo{3}) {
		t.Errorf("leaves by %v, want the port of the highest weight", got)
	}
	c.Choose = func(_ of.GroupEntry, _ interp.Packet, live []int) int { return live[0] }
	if got := ports(interp.NewBridge(c).Run(interp.Packet{InPort: 1})); !slices.Equal(got, []of.PortNo{2}) {
		t.Errorf("leaves by %v, want the port that was chosen; weight 0 is not live", got)
	}
}

// TestTheTrackerDecides lets a tracker translate addresses, as a router's would.
func TestTheTrackerDecides(t *testing.T) {
	outside := netip.MustParseAddr("203.0.113.1")
	b := interp.NewBridge(interp.Config{
		Ports: []interp.Port{{No: 1}, {No: 2}, {No: 3}},
		Track: func(p interp.Packet, a of.CT) interp.Packet {
			if p.CT.Zone != 9 || p.CT.Mark != 7 || !a.Commit {
				t.Errorf("the tracker is given zone %d, mark %d, %v", p.CT.Zone, p.CT.Mark, a)
			}
			p.CT.State = of.CTTrk | of.CTEst
			p.IP.Src = outside
			return p
		},
		Flows: []of.Flow{
			{Match: of.Match{of.IPv4()}, Actions: []of.Action{of.SetReg(0, 9), of.CT{Commit: true, ZoneSrc: of.Bits(of.FieldReg0, 0, 15), Recirc: true, Table: 1,
				Actions: []of.Action{of.NAT{Src: true}, of.SetField{Field: of.FieldCTMark, Value: of.Num(7)}}}, output(3)}},
			{Table: 1, Match: of.Match{of.IPv4(), of.CTState(of.CTTrk|of.CTEst, of.CTNew)}, Actions: []of.Action{output(2)}},
		},
	})
	inside := netip.MustParseAddr("10.0.0.1")
	out := b.Run(interp.Packet{InPort: 1, EthType: of.EthTypeIPv4, IP: interp.IP{Src: inside}}).Outputs()
	if len(out) != 2 || out[0].Port != 2 || out[0].Packet.IP.Src != outside || out[1].Packet.IP.Src != inside || out[1].Packet.CT != (interp.Connection{}) {
		t.Errorf("outputs %+v", out)
	}
}

func TestWhatIsLearnedCountsWhenItIsApplied(t *testing.T) {
	learn := of.Learn{Table: 1, Priority: 1, Specs: []of.LearnSpec{of.LearnMatchField(of.Whole(of.FieldEthDst), of.Whole(of.FieldEthSrc)), of.LearnOutputTo(of.Whole(of.FieldInPort))}}
	b := bridge(of.Flow{Actions: []of.Action{learn, of.GotoTable{Table: 1}}}, of.Flow{Table: 1, Actions: []of.Action{output(of.PortNormal)}})
	hello := interp.Packet{InPort: 1, EthSrc: of.MAC{2}, EthDst: of.MAC{4}}
	answer := interp.Packet{InPort: 2, EthSrc: of.MAC{4}, EthDst: of.MAC{2}}
	if got := ports(b.Run(answer)); !slices.Equal(got, []of.PortNo{1, 3}) {
		t.Fatalf("an answer to nobody known leaves by %v", got)
	}
	trace := b.Run(hello)
	if len(trace.Learned) != 2 || trace.Learned[0].Flow == nil || trace.Learned[1].MAC != (interp.MAC{Address: of.MAC{2}, Port: 1}) {
		t.Fatalf("learned %+v", trace.Learned)
	}
	if got := ports(b.Run(answer)); len(got) != 2 {
		t.Errorf("Run has learned: the answer leaves by %v", got)
	}
	trace.Learned[1].Apply()
	if got := ports(b.Run(answer)); !slices.Equal(got, []of.PortNo{1}) {
		t.Errorf("with the address known the answer leaves by %v", got)
	}
	b.Learn(interp.MAC{Address: of.MAC{2}, Port: 3})
	trace.Learned[0].Apply()
	if got := ports(b.Run(answer)); !slices.Equal(got, []of.PortNo{1}) {
		t.Errorf("with the flow learned the answer leaves by %v", got)
	}
}

func TestNothingLeavesOfAPacketInACircle(t *testing.T) {
	trace := bridge(of.Flow{Actions: []of.Action{output(2), of.Resubmit{Table: 0}}}).Run(interp.Packet{InPort: 1})
	if trace.Limit != interp.TooDeep || trace.Outputs() != nil {
		t.Errorf("limit %q, outputs %v", trace.Limit, trace.Outputs())
	}
	voided := 0
	trace.Walk(func(s *interp.Step, above []*interp.Step) {
		if s.Void {
			voided++
			if above[0] != trace.Steps[0] {
				t.Error("a step is not below the first one")
			}
		}
	})
	if voided != interp.MaxDepth+1 {
		t.Errorf("%d outputs are void, want one for each look-up", voided)
	}
}

func TestCirclesEnd(t *testing.T) {
	tracked := of.CT{Recirc: true, Table: 0}
	var fan []of.Action
	for range 4000 {
		fan = append(fan, output(2))
	}
	for name, c := range map[string]struct {
		actions []of.Action
		want    interp.Reason
		outputs int
	}{
		"through_the_tracker":         {[]of.Action{output(2), tracked}, interp.TooDeep, 1 + interp.MaxTracked},
		"many_through_the_tracker":    {[]of.Action{tracked, tracked, tracked, tracked, tracked, tracked, output(2)}, interp.TooLong, 0},
		"more_copies_than_there_are":  {append(fan, of.Resubmit{Table: 0}), interp.TooWide, 3 * 4000},
		"groups_that_name_each_other": {[]of.Action{of.Group{ID: 1}}, interp.TooDeep, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := interp.NewBridge(interp.Config{Ports: []interp.Port{{No: 1}, {No: 2}}, Flows: []of.Flow{{Actions: c.actions}},
				Groups: []of.GroupEntry{{ID: 1, Buckets: []of.Bucket{{Actions: []of.Action{of.Group{ID: 2}}}}}, {ID: 2, Buckets: []of.Bucket{{Actions: []of.Action{of.Group{ID: 1}}}}}}})
			trace := b.Run(interp.Packet{InPort: 1, EthType: of.EthTypeIPv4})
			if got := reasons(trace); !slices.Contains(got, c.want) {
				t.Errorf("no copy ends by %s", c.want)
			}
			if got := len(trace.Outputs()); got != c.outputs && c.outputs > 0 {
				t.Errorf("%d copies, want %d", got, c.outputs)
			}
		})
	}
}

func TestPortsComeAndGo(t *testing.T) {
	b := bridge(of.Flow{Actions: []of.Action{output(of.PortFlood)}})
	p := interp.Packet{InPort: 1}
	b.SetPort(interp.Port{No: 2, NoFlood: true})
	b.SetPort(interp.Port{No: 9, Name: "p9"})
	b.RemovePort(3)
	b.RemovePort(3)
	if got := ports(b.Run(p)); !slices.Equal(got, []of.PortNo{9}) {
		t.Errorf("flooded to %v", got)
	}
	if no, ok := b.PortNamed("p9"); !ok || no != 9 {
		t.Errorf("p9 has number %d, %v", no, ok)
	}
	other := bridge(of.Flow{Actions: []of.Action{output(2)}})
	interp.Patch(b, 9, other, 7)
	if out := b.Run(p).Outputs(); len(out) != 1 || out[0].Bridge != other || out[0].Port != 2 || out[0].Packet.InPort != 7 {
		t.Errorf("outputs through a cable %+v", out)
	}
	if port, _ := b.Port(9); port.Name != "p9" {
		t.Errorf("with a cable the port is %+v", port)
	}
	if peer, no := must(b.Port(9)).Peer(); peer != other || no != 7 {
		t.Errorf("peer %v, %d", peer, no)
	}
	// Who comes out of a cable into a port that is down gets no further.
	other.SetPort(interp.Port{No: 7, Down: true})
	interp.Patch(b, 9, other, 7)
	if got := reasons(b.Run(p)); !slices.Equal(got, []interp.Reason{interp.PortDown}) {
		t.Errorf("into a port that is down: %v", got)
	}
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("not found")
	}
	return v
}
