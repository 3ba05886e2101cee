package netns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// portsPerCommand bounds a command line: what ovs-vsctl needs for one grows faster than the number.
const portsPerCommand = 100

// Port is the host's end of a pair, as a port of br-int.
type Port struct {
	ID      string // iface-id: the API's port
	MAC     of.MAC // attached-mac
	Plugged bool   // it is on br-int, and the link there is now is the one that was plugged in
	Guarded bool   // the host's stack is kept off; netdev only
}

// ErrNoLink says that a port cannot be plugged in because its link was not made yet.
var ErrNoLink = errors.New("there is no such link yet")

// PortErrors are what went wrong with single ports, by the name of the link.
type PortErrors map[string]error

// Error names all ports, the first by name first.
func (e PortErrors) Error() string {
	var b strings.Builder
	for i, name := range sortedKeys(e) {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %v", name, e[name])
	}
	return b.String()
}

// Ports is the target of all ports that the agent has on br-int, by the name of the link.
type Ports struct{ host *Host }

var _ reconcile.Target[string, Port] = Ports{}

// Ports returns the ports of the host.
func (h *Host) Ports() Ports { return Ports{h} }

// Desired returns the ports that namespaces need.
func (p Ports) Desired(namespaces map[string]spec.Namespace) map[string]Port {
	out := map[string]Port{}
	for _, ns := range namespaces {
		for _, l := range ns.Links {
			out[l.Peer] = Port{ID: string(l.Port), MAC: l.MAC, Plugged: true, Guarded: !p.host.Offload()}
		}
	}
	return out
}

// Actual reads the ports with our mark and the guards of our table.
func (p Ports) Actual(ctx context.Context) (map[string]Port, error) {
	ports, datapath, bridge, err := p.host.ovs.read(ctx)
	if err != nil {
		return nil, err
	}
	if bridge {
		p.host.learn(datapath)
	}
	links, err := p.host.indices()
	if err != nil {
		return nil, err
	}
	guarded, chains, err := guards(ctx, guardTable)
	if err != nil {
		return nil, err
	}
	out := map[string]Port{}
	for name, o := range ports {
		mac, _ := of.ParseMAC(o.ids["attached-mac"])
		out[name] = Port{ID: o.ids["iface-id"], MAC: mac, Plugged: !o.stale(links[name]), Guarded: guarded[name]}
	}
	for name := range chains {
		if _, plugged := ports[name]; !plugged {
			out[name] = Port{Guarded: guarded[name]}
		}
	}
	return out, nil
}

// learn notes what kind of datapath br-int has.
func (h *Host) learn(datapath string) {
	if h.datapath == Auto {
		h.offload.Store(datapath != string(Netdev))
	}
}

// Equal reports whether a port is as wanted.
func (Ports) Equal(want, have Port) bool { return want == have }

// Apply plugs and unplugs. A link is guarded before it is plugged. Its error is a PortErrors unless all
// failed; a link that does not exist yet is one of its errors.
func (p Ports) Apply(ctx context.Context, c reconcile.Change[string, Port]) error {
	links, err := p.host.indices()
	if err != nil {
		return err
	}
	failed := PortErrors{}
	put := map[string]Port{}
	for _, m := range []map[string]Port{c.Add, c.Update} {
		for name, w := range m {
			if links[name] != 0 {
				put[name] = w
			} else {
				failed[name] = ErrNoLink
			}
		}
	}
	names := sortedKeys(put)
	gone := sortedKeys(c.Delete)
	if err := p.unplugStale(ctx, names, links); err != nil {
		return err
	}
	p.batches(ctx, gone, failed, func(name string) []string {
		return []string{"--", "--if-exists", "del-port", integrationBridge, name}
	})
	if err := p.guard(ctx, names, gone); err != nil {
		return err
	}
	p.batches(ctx, names, failed, func(name string) []string { return plugArgs(name, put[name], links[name]) })
	if len(failed) > 0 {
		return failed
	}
	return nil
}

// indices returns the indices of the host's links, by name.
func (h *Host) indices() (map[string]int, error) {
	links, err := again(func() ([]netlink.Link, error) { return h.link.LinkList() })
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	out := make(map[string]int, len(links))
	for _, l := range links {
		out[l.Attrs().Name] = l.Attrs().Index
	}
	return out, nil
}

// stale reports whether a port was made for another link than the one there is now; index 0 is none.
func (p ovsPort) stale(index int) bool { return index != 0 && p.ids[agentKey] != strconv.Itoa(index) }

// unplugStale takes those ports off that were made for other links of their names.
func (p Ports) unplugStale(ctx context.Context, names []string, links map[string]int) error {
	ports, _, _, err := p.host.ovs.read(ctx)
	if err != nil {
		return err
	}
	stale := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		o, plugged := ports[name]
		return !plugged || !o.stale(links[name])
	})
	for batch := range slices.Chunk(stale, portsPerCommand) {
		if err := p.host.ovs.unplug(ctx, batch); err != nil {
			return fmt.Errorf("unplug links of before: %w", err)
		}
	}
	return nil
}

// guard gives guards where the datapath needs them, and takes away those that nobody needs.
func (p Ports) guard(ctx context.Context, add, gone []string) error {
	p.host.nft.Lock()
	defer p.host.nft.Unlock()
	if p.host.Offload() {
		add, gone = nil, append(slices.Clone(add), gone...)
	}
	_, chains, err := guards(ctx, guardTable)
	if err != nil {
		return err
	}
	gone = slices.DeleteFunc(slices.Clone(gone), func(name string) bool { return !chains[name] })
	return setGuards(ctx, guardTable, add, gone)
}

// plugArgs are the commands that make a link a port of br-int.
func plugArgs(name string, p Port, index int) []string {
	return []string{"--", "--may-exist", "add-port", integrationBridge, name, "--", "set", "Interface", name,
		"external_ids:" + agentKey + "=" + strconv.Itoa(index), "external_ids:iface-id=" + quoted(p.ID), "external_ids:iface-status=active",
		"external_ids:attached-mac=" + quoted(p.MAC.String())}
}

// quoted is a string in ovs-vsctl's notation, where a colon or a comma would have a meaning.
func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// batches runs the commands of many ports in few transactions. A transaction that fails is repeated port
// by port, to find the one at fault and to have the others done.
func (p Ports) batches(ctx context.Context, names []string, failed PortErrors, args func(name string) []string) {
	for batch := range slices.Chunk(names, portsPerCommand) {
		var all []string
		for _, name := range batch {
			all = append(all, args(name)...)
		}
		_, err := p.host.ovs.vsctl(ctx, all[1:]...)
		if err == nil {
			continue
		}
		if len(batch) == 1 || ctx.Err() != nil {
			for _, name := range batch {
				failed[name] = err
			}
			continue
		}
		for _, name := range batch {
			if _, err := p.host.ovs.vsctl(ctx, args(name)[1:]...); err != nil {
				failed[name] = err
			}
		}
	}
}
