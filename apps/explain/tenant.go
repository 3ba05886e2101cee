package explain

import "slices"

// withoutHosts leaves out what speaks of hosts, bridges and tunnels.
func (a *Answer) withoutHosts() {
	kept := map[int]int{} // new ids by old; of a step that is left out, its nearest one above, or start
	var steps []Step
	for _, s := range a.Steps {
		parent := start
		if s.Parent != nil {
			parent = kept[*s.Parent]
		}
		if !slices.Contains([]Kind{KindStart, KindNeighbour, KindNamespace, KindRoute, KindNFT, KindDeliver, KindDrop}, s.Kind) {
			kept[s.ID] = parent
			continue
		}
		out := Step{ID: len(steps), Kind: s.Kind, Says: s.Says, Object: s.Object, ObjectName: s.ObjectName, Reason: s.Reason}
		if parent != start {
			out.Parent = &parent
		}
		kept[s.ID] = out.ID
		steps = append(steps, out)
	}
	a.Steps, a.Packet = steps, ""
	for i := range a.Delivered {
		a.Delivered[i].Host, a.Delivered[i].Interface = "", ""
	}
	if a.Reply != nil {
		a.Reply.withoutHosts()
	}
}
