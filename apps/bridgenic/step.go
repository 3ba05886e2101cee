package bridgenic

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Step is one change. Its text is the command that makes it.
type Step interface{ String() string }

type (
	// Set writes a sysctl.
	Set struct{ Path, Value string }
	// LinkState sets a link up or down.
	LinkState struct {
		Link string
		Up   bool
	}
	// SetMAC gives the bridge a MAC address of its own, or with an empty one lets Open vSwitch choose.
	SetMAC struct{ Bridge, MAC string }
	// Plug makes the NIC a port of the bridge.
	Plug struct{ Bridge, NIC string }
	// Unplug takes it off.
	Unplug struct{ Bridge, NIC string }
	// Guard keeps the kernel's stack off a NIC that a userspace datapath reads.
	Guard struct{ NIC string }
	// Unguard lets it see frames again.
	Unguard struct{ NIC string }
	// AddAddress gives a link an address. Duplicates are not looked for: the host has it already.
	AddAddress struct{ Address }
	// DeleteAddress takes one away, and the routes that the kernel made for it.
	DeleteAddress struct{ Address }
	// PutRoute makes a route, at once in place of the one that has its place, or besides if Append is set.
	PutRoute struct {
		Route
		Append bool
	}
	// DeleteRoute takes one away.
	DeleteRoute struct{ Route }
	// AddRule makes a rule.
	AddRule struct{ Rule }
	// DeleteRule takes one away.
	DeleteRule struct{ Rule }
	// Announce tells the neighbours of addresses that moved, by gratuitous ARP and unsolicited neighbour
	// advertisements. It is the only step that is no command.
	Announce struct {
		Link      string
		Addresses []netip.Addr
	}
)

// GuardTable is the nftables table, of family netdev, of guards.
const GuardTable = "heddle-nic"

func (s Set) String() string { return fmt.Sprintf("sysctl -w %s=%s", s.Path, s.Value) }

func (s LinkState) String() string {
	if s.Up {
		return "ip link set " + s.Link + " up"
	}
	return "ip link set " + s.Link + " down"
}

func (s SetMAC) String() string {
	if s.MAC == "" {
		return "ovs-vsctl remove Bridge " + s.Bridge + " other_config hwaddr"
	}
	return fmt.Sprintf("ovs-vsctl set Bridge %s other_config:hwaddr=%q", s.Bridge, s.MAC)
}

func (s Plug) String() string {
	return fmt.Sprintf("ovs-vsctl --may-exist add-port %s %s", s.Bridge, s.NIC)
}
func (s Unplug) String() string {
	return fmt.Sprintf("ovs-vsctl --if-exists del-port %s %s", s.Bridge, s.NIC)
}

func (s Guard) String() string {
	return fmt.Sprintf(`nft add chain netdev %s guard-%s { type filter hook ingress device "%s" priority 0 ; policy drop ; }`, GuardTable, s.NIC, s.NIC)
}
func (s Unguard) String() string {
	return fmt.Sprintf("nft delete chain netdev %s guard-%s", GuardTable, s.NIC)
}

func (s AddAddress) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ip address replace %s", s.name())
	if s.Label != "" {
		fmt.Fprintf(&b, " label %s%s", s.Link, s.Label)
	}
	for _, w := range s.Words {
		b.WriteString(" " + w)
	}
	if s.Prefix.Addr().Is6() {
		b.WriteString(" nodad")
	}
	if s.Valid != nil {
		fmt.Fprintf(&b, " valid_lft %d", seconds(*s.Valid))
	}
	if s.Preferred != nil {
		fmt.Fprintf(&b, " preferred_lft %d", seconds(*s.Preferred))
	}
	return b.String()
}

func (s DeleteAddress) String() string { return "ip address delete " + s.name() }

// name is what makes an address one of its link.
func (a Address) name() string {
	if a.Peer.IsValid() {
		return fmt.Sprintf("%s peer %s dev %s", a.Prefix.Addr(), a.Peer, a.Link)
	}
	return fmt.Sprintf("%s dev %s", a.Prefix, a.Link)
}

func (s PutRoute) String() string {
	verb := "replace"
	if s.Append {
		verb = "append"
	}
	text := fmt.Sprintf("ip -%d route %s %s", s.Family, verb, s.Text)
	if s.Expires > 0 {
		// It goes before the next hops, which end a route.
		first, hops, multi := strings.Cut(text, " nexthop ")
		text = fmt.Sprintf("%s expires %d", first, seconds(s.Expires))
		if multi {
			text += " nexthop " + hops
		}
	}
	return text
}

func (s DeleteRoute) String() string { return fmt.Sprintf("ip -%d route delete %s", s.Family, s.Text) }
func (s AddRule) String() string     { return fmt.Sprintf("ip -%d rule add %s", s.Family, s.Text) }
func (s DeleteRule) String() string  { return fmt.Sprintf("ip -%d rule delete %s", s.Family, s.Text) }

func (s Announce) String() string {
	var b strings.Builder
	b.WriteString("announce")
	for _, a := range s.Addresses {
		b.WriteString(" " + a.String())
	}
	return b.String() + " dev " + s.Link
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
