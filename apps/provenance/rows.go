package provenance

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Rows tells of the rows that Heddle wants in a host's OVSDB, by kind and name: of tags which port they
// are of, of tunnels to which host they lead.
func Rows(m *model.Model, host string, rows map[row.Key]row.Row) []spec.Line {
	out := make([]spec.Line, 0, len(rows))
	for _, k := range slices.SortedFunc(maps.Keys(rows), func(a, b row.Key) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	}) {
		out = append(out, Row(m, host, rows[k]))
	}
	return out
}

// Row tells of one row.
func Row(m *model.Model, host string, r row.Row) spec.Line {
	l := spec.Line{Type: spec.LineRow, Text: r.Key().String(), Object: "host/" + host}
	switch r := r.(type) {
	case row.Bridge:
		l.Text = fmt.Sprintf("bridge %s fail_mode=secure controller=%s", r.Name, strings.Join(r.Targets(), ","))
		l.Says = "bridge " + r.Name + " takes its flows from Heddle, and keeps them while Heddle is away"
	case row.Patch:
		l.Text = fmt.Sprintf("port %s on %s type=patch options:peer=%s", r.Name, r.Bridge, r.Peer)
		l.Says = "one end of the cable from " + r.Bridge + "; the other is " + r.Peer
	case row.Tunnel:
		l.Text = fmt.Sprintf("port %s on %s type=%s options:local_ip=%s options:remote_ip=%s options:key=flow", r.Name, r.Bridge, r.Type, r.Local, r.Remote)
		l.Says = fmt.Sprintf("the %s tunnel to %s at %s, for all networks of that type", r.Type, strings.Join(hostsAt(m, host, r.Remote), " and "), r.Remote)
	case row.Tag:
		l.Text = fmt.Sprintf("port %s on br-int tag=%d", r.Port, r.VLAN)
		l.Object = "port/" + r.IfaceID
		title := "a port"
		if p, ok := m.Ports.Get(model.ID(r.IfaceID)); ok {
			title = model.Title(p)
			if n, ok := m.Networks.Get(p.Network); ok {
				title += " of " + model.Title(n)
			}
		}
		l.Says = fmt.Sprintf("interface %s, of %s, is in local VLAN %d", r.Port, title, r.VLAN)
	}
	return l
}

// hostsAt are the other hosts with a tunnel address: one, if all is well.
func hostsAt(m *model.Model, host string, ip netip.Addr) []string {
	var out []string
	for _, name := range m.Hosts.Sorted() {
		if h, ok := m.Hosts.Get(name); ok && name != host && h.Settings().EncapIP.Unmap() == ip.Unmap() {
			out = append(out, "host "+name)
		}
	}
	if len(out) == 0 {
		return []string{"no known host"}
	}
	return out
}
