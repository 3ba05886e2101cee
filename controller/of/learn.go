package of

// Learn adds or refreshes a flow that is made from the packet (NXAST_LEARN, ovs-actions(7)).
type Learn struct {
	Table                          TableID
	Priority                       uint16 // ovs-ofctl leaves out DefaultPriority
	IdleTimeout, HardTimeout       uint16 // of the learned flow, in seconds
	FinIdleTimeout, FinHardTimeout uint16 // once a FIN or RST was seen, in seconds
	Cookie                         Cookie
	SendFlowRem                    bool     // the learned flow has SendFlowRem
	DeleteLearned                  bool     // the learned flows go when this flow goes
	Limit                          uint32   // how many flows with this cookie may be in Table; 0 for no limit
	ResultDst                      Subfield // one bit that says whether the flow was learned; none if its Bits is 0
	Specs                          []LearnSpec
}

// LearnKind says what a LearnSpec contributes to the learned flow.
type LearnKind uint8

// The kinds of LearnSpec; the numbers are those of the wire (NX_LEARN_DST_*).
const (
	LearnMatch  LearnKind = iota // the learned flow matches Dst
	LearnLoad                    // the learned flow loads Dst
	LearnOutput                  // the learned flow outputs to the port in Src
)

// LearnSpec is one part of a learned flow: bits of the packet or a fixed number, and where they go.
type LearnSpec struct {
	Kind      LearnKind
	Immediate bool     // the bits are those of Value; otherwise they are copied from Src
	Src       Subfield // as many bits as Dst has
	Value     Value
	Dst       Subfield // not for LearnOutput
}

// LearnMatchSame makes the learned flow match the subfield as it is in the packet.
func LearnMatchSame(s Subfield) LearnSpec { return LearnSpec{Kind: LearnMatch, Src: s, Dst: s} }

// LearnMatchField makes the learned flow match in dst what the packet has in src.
func LearnMatchField(dst, src Subfield) LearnSpec {
	return LearnSpec{Kind: LearnMatch, Src: src, Dst: dst}
}

// LearnMatchValue makes the learned flow match a number in dst.
func LearnMatchValue(dst Subfield, v Value) LearnSpec {
	return LearnSpec{Kind: LearnMatch, Immediate: true, Value: v, Dst: dst}
}

// LearnLoadField makes the learned flow load into dst what the packet has in src.
func LearnLoadField(dst, src Subfield) LearnSpec {
	return LearnSpec{Kind: LearnLoad, Src: src, Dst: dst}
}

// LearnLoadValue makes the learned flow load a number into dst.
func LearnLoadValue(dst Subfield, v Value) LearnSpec {
	return LearnSpec{Kind: LearnLoad, Immediate: true, Value: v, Dst: dst}
}

// LearnOutputTo makes the learned flow output to the port whose number the packet has in src.
func LearnOutputTo(src Subfield) LearnSpec { return LearnSpec{Kind: LearnOutput, Src: src} }
