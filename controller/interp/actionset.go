package interp

import (
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// write adds actions to the packet's action set.
func (r *run) write(actions []of.Action) {
	for _, a := range actions {
		if r.setGroup {
			break
		}
		switch a := a.(type) {
		case of.Output:
			r.packet.ActsetOutput = a.Port
		case of.Group:
			r.packet.ActsetOutput, r.setGroup = 0, true
		}
	}
	r.actionSet = append(slices.Clip(r.actionSet), actions...)
}

// finish does the action set when the pipeline has ended.
func (r *run) finish() {
	set := inOrder(r.actionSet)
	r.actionSet = nil
	if len(set) == 0 || r.stopped != NoReason {
		return
	}
	s := r.add(Step{Kind: KindSet})
	r.below(s, func() { r.actions(set) })
}

// inOrder returns the actions of an action set as they are executed (OpenFlow 1.3.5 §5.10, and ofp-actions.c): first
// those of which only the last counts, then what writes fields in the order it was written, then the one that sends
// the packet on: a group, or else an output, and so on. A set that sends the packet nowhere does nothing.
func inOrder(set []of.Action) []of.Action {
	var once [6]of.Action
	var writes []of.Action
	var final of.Action
	rank := -1
	for _, a := range set {
		switch a.(type) {
		case of.PopVLAN:
			once[0] = a
		case of.PopMPLS:
			once[1] = a
		case of.PushMPLS:
			once[2] = a
		case of.PushVLAN:
			once[3] = a
		case of.DecTTL:
			once[4] = a
		case of.DecMPLSTTL:
			once[5] = a
		default:
			if n := finalRank(a); n < 0 {
				writes = append(writes, a)
			} else if n >= rank {
				final, rank = a, n
			}
		}
	}
	if final == nil {
		return nil
	}
	out := slices.DeleteFunc(once[:], func(a of.Action) bool { return a == nil })
	return append(append(out, writes...), final)
}

// finalRank says which of the actions that send a packet on is done, the one of highest rank; -1 for other actions.
func finalRank(a of.Action) int {
	switch a.(type) {
	case of.CT:
		return 0
	case of.CTClear:
		return 1
	case of.Resubmit:
		return 2
	case of.Output:
		return 3
	case of.Group:
		return 4
	}
	return -1
}
