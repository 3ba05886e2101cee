package native

import (
	"context"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/apps/provenance"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// effectView is something on a host that an object causes.
type effectView struct {
	Host   string         `json:"host"`
	Where  string         `json:"where"` // bridge, "ovsdb" or a namespace
	Type   spec.LineType  `json:"type"`
	Text   string         `json:"text"`
	Says   string         `json:"says,omitempty"`
	State  view.FlowState `json:"state,omitempty"` // of flows
	Object string         `json:"object"`
}

// effects returns all that an object causes, on every host: flows, read from the bridges now, rows of
// OVSDBs, and lines of namespaces.
func (s *server) effects(ctx context.Context, m *model.Model, object model.Resource) ([]effectView, []unreadView) {
	out, unread := []effectView{}, []unreadView{}
	ports := map[string]map[string]of.Port{} // by host and bridge
	for _, sw := range s.Fabric.Switches() {
		ports[sw.Host+" "+sw.Bridge] = sw.Ports
	}
	for _, cookie := range cookiesOf(m, object) {
		for _, b := range s.Fabric.FlowsOf(ctx, cookie) {
			if b.Err != nil {
				unread = append(unread, unreadView{b.Host, b.Bridge, b.Err.Error()})
			}
			e := newFlowEncoder(m, view.Switch{Host: b.Host, Bridge: b.Bridge, Ports: ports[b.Host+" "+b.Bridge]})
			for _, f := range b.Flows {
				out = append(out, effectView{Host: b.Host, Where: b.Bridge, Type: spec.LineFlow, Text: f.Flow.String(), Says: string(e.says(nil, &f)),
					State: f.State, Object: f.Object})
			}
		}
	}
	wanted := causesOf(m, object)
	_, whole := object.(*model.Host) // whose rows are shown, whatever they are of
	for _, host := range m.Hosts.Sorted() {
		plan := s.Fabric.Planned(host)
		if plan == nil {
			unread = append(unread, unreadView{Host: host, Cause: "the host is not planned yet"})
			continue
		}
		for _, l := range linesOf(m, host, plan, object) {
			if whole || wanted[l.Object] {
				out = append(out, effectView{Host: host, Where: l.where, Type: l.Type, Text: l.Text, Says: l.Says, Object: l.Object})
			}
		}
	}
	return out, unread
}

// cookiesOf returns the cookies of the flows that an object causes: its own and, of a router, those of its
// ports.
func cookiesOf(m *model.Model, object model.Resource) []of.Cookie {
	switch r := object.(type) {
	case *model.Network:
		return []of.Cookie{pipeline.CookieOf(pipeline.KindNetwork, r.Tag)}
	case *model.Port:
		return []of.Cookie{pipeline.CookieOf(pipeline.KindPort, r.Tag)}
	case *model.Router:
		var out []of.Cookie
		for _, p := range m.PortsOfDevice(string(r.ID)) {
			out = append(out, pipeline.CookieOf(pipeline.KindPort, p.Tag))
		}
		return out
	}
	return nil
}

// causesOf returns the objects whose effects are an object's: itself, of a router its ports, and of a port
// the floating IPs and port forwardings that lead to it.
func causesOf(m *model.Model, object model.Resource) map[string]bool {
	out := map[string]bool{object.Kind() + "/" + object.Key(): true}
	switch r := object.(type) {
	case *model.Router:
		for _, p := range m.PortsOfDevice(string(r.ID)) {
			out["port/"+string(p.ID)] = true
		}
	case *model.Port:
		for _, f := range m.FloatingIPsTo(r.ID) {
			out["floatingip/"+string(f.ID)] = true
		}
		for _, w := range m.ForwardingsTo(r.ID) {
			out["portforwarding/"+string(w.ID)] = true
		}
	}
	return out
}

// placedLine is a line and where it is on its host.
type placedLine struct {
	spec.Line
	where string
}

// linesOf returns the lines of a host's plan that an object can have caused: rows, and the namespaces of
// the networks and routers that it has to do with.
func linesOf(m *model.Model, host string, plan *spec.Spec, object model.Resource) []placedLine {
	var out []placedLine
	switch r := object.(type) {
	case *model.Port:
		for _, plug := range m.PlugsOf(r.ID) {
			if tag := plan.Rows[row.Key{Kind: row.KindTag, Name: plug.Iface}]; tag != nil && plug.Host == host {
				out = append(out, placedLine{provenance.Row(m, host, tag), targetOVSDB})
			}
		}
	case *model.Host:
		if r.Name != host {
			return nil
		}
		for _, l := range provenance.Rows(m, host, plan.Rows) {
			out = append(out, placedLine{l, targetOVSDB})
		}
		return out
	}
	for _, name := range namespacesOf(m, object) {
		if ns, ok := plan.Namespaces[name]; ok {
			for _, l := range provenance.Namespace(m, host, ns) {
				out = append(out, placedLine{l, name})
			}
		}
	}
	return out
}

// targetOVSDB is where rows are.
const targetOVSDB = "ovsdb"

// namespacesOf returns the names of the namespaces in which an object can cause something.
func namespacesOf(m *model.Model, object model.Resource) []string {
	var out []string
	network := func(id model.ID) {
		out = append(out, "qdhcp-"+string(id))
		for _, p := range m.PortsOf(id) {
			if p.DeviceOwner == model.OwnerRouterInterface || p.DeviceOwner == model.OwnerRouterGateway {
				out = append(out, "qrouter-"+p.DeviceID)
			}
		}
	}
	router := func(id model.ID) { out = append(out, "qrouter-"+string(id)) }
	switch r := object.(type) {
	case *model.Network:
		network(r.ID)
	case *model.Subnet:
		network(r.Network)
	case *model.Port:
		network(r.Network)
		for _, f := range m.FloatingIPsTo(r.ID) {
			router(f.Router)
		}
		for _, w := range m.ForwardingsTo(r.ID) {
			if f, ok := m.FloatingIPs.Get(w.FloatingIP); ok {
				router(f.Router)
			}
		}
	case *model.Router:
		router(r.ID)
	case *model.FloatingIP:
		router(r.Router)
	case *model.PortForwarding:
		if f, ok := m.FloatingIPs.Get(r.FloatingIP); ok {
			router(f.Router)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return slices.Compact(out)
}
