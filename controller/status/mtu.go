package status

import (
	"fmt"
	"strings"

	"github.com/heddle-sdn/heddle/store/model"
)

// UnderlayMTU says that frames of a network, with a tunnel's header, are longer than what a host sends them
// through takes: long packets are lost, short ones are not.
const UnderlayMTU Reason = "UnderlayMTU"

// Fits is the condition that a tunnel takes the longest frames of a network.
func (p Path) Fits(n *model.Network) Condition {
	c, _ := fits(n, []Path{p})
	return c
}

// fits is the condition that what some tunnels of a network leave by takes its longest frames; needed is
// false if there are none.
func fits(n *model.Network, paths []Path) (c Condition, needed bool) {
	c = Condition{Type: "MTU", OK: true}
	for _, p := range paths {
		need := n.MTU + n.Type.Overhead(p.Remote.Is6())
		switch {
		case p.MTU == 0:
			if c.OK {
				c.OK, c.Unknown, c.Host = false, true, p.From
				c.Msg = fmt.Sprintf("what the tunnels of host %s leave by is no interface of its OVSDB, so its MTU is not known: it has to be at least %d bytes", p.From, need)
			}
		case p.MTU < need:
			over := n.Type.Overhead(p.Remote.Is6())
			return Condition{Type: "MTU", Reason: UnderlayMTU, Host: p.From, Msg: fmt.Sprintf(
				"%s has MTU %d and %s needs %d bytes more; %s of host %s carries %d: lower the network's MTU to %d (openstack network set --mtu %d), or raise that of %s, and of all between the hosts, to %d",
				model.Title(n), n.MTU, strings.ToUpper(string(n.Type)), over, p.Egress, p.From, p.MTU, p.MTU-over, p.MTU-over, p.Egress, need)}, true
		}
	}
	return c, len(paths) > 0
}

// narrowest is the least MTU of what the tunnels of a host leave by; 0 if one is not known.
func (h Host) narrowest() int {
	least := 0
	for _, t := range h.Tunnels {
		if t.MTU == 0 {
			return 0
		}
		if least == 0 || t.MTU < least {
			least = t.MTU
		}
	}
	return least
}
