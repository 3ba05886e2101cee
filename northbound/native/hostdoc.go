package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/store/model"
)

// A host's document is what an operator says of it: the body of PUT, and what PATCH merges into.
// Values are those of encoding/json.
type document = map[string]any

// hostFields are the members of a host's document, each with how it is read.
var hostFields = map[string]func(p *l2.HostPut, v any) error{
	"encap_ip":        readEncapIP,
	"encap_types":     readEncapTypes,
	"bridge_mappings": readBridgeMappings,
	"gateway":         readGateway,
	"drained":         readDrained,
	"datapath_type":   readDatapathType,
	"ovsdb":           readOVSDB,
	"openflow":        readOpenFlow,
	"bridges":         readBridges,
}

// hostFieldNames are the members of a host's document, sorted.
var hostFieldNames = slices.Sorted(maps.Keys(hostFields))

// readDocument reads the body of a request.
func readDocument(r *http.Request) (document, error) {
	dec := json.NewDecoder(r.Body)
	var d document
	if err := dec.Decode(&d); err != nil {
		return nil, badBody(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, badRequest("body: there is more after the JSON object")
	}
	if d == nil {
		return nil, badRequest("body: null where a JSON object is wanted")
	}
	return d, nil
}

func badBody(err error) error {
	var large *http.MaxBytesError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &large):
		return err
	case errors.As(err, &syntax):
		return badRequest("body: not JSON at byte %d: %v", syntax.Offset, err)
	case errors.As(err, &kind):
		return badRequest("body: %s where a JSON object is wanted", kind.Value)
	case err == io.EOF:
		return badRequest("body: empty where a JSON object is wanted")
	}
	return badRequest("body: not JSON: %v", err)
}

// parse reads the document of a host. A member that is null is as if it were not there.
func parse(d document) (l2.HostPut, error) {
	var p l2.HostPut
	for _, name := range slices.Sorted(maps.Keys(d)) {
		read, ok := hostFields[name]
		if !ok {
			return l2.HostPut{}, badRequest("body: there is no field %q, only %s", name, strings.Join(hostFieldNames, ", "))
		}
		if d[name] == nil {
			continue
		}
		if err := read(&p, d[name]); err != nil {
			return l2.HostPut{}, err
		}
	}
	return p, nil
}

// documentOf is the document that PUT would have to send for the host to be as it is.
func documentOf(h *model.Host) (document, error) {
	b, err := json.Marshal(struct {
		model.HostSettings
		OVSDB    string            `json:"ovsdb,omitempty"`
		OpenFlow map[string]string `json:"openflow,omitempty"`
		Bridges  map[string]string `json:"bridges,omitempty"`
		Drained  bool              `json:"drained,omitempty"`
	}{h.Override, h.OVSDB, h.OpenFlow, bridgeIDs(h.Bridges), h.Drained})
	if err != nil {
		return nil, err
	}
	var d document
	return d, json.NewDecoder(bytes.NewReader(b)).Decode(&d)
}

func bridgeIDs(bridges map[string]of.DPID) map[string]string {
	out := make(map[string]string, len(bridges))
	for name, id := range bridges {
		out[name] = id.String()
	}
	return out
}

// merge applies a JSON merge patch (RFC 7386): null removes a member, objects are merged, everything
// else replaces. An object that loses its last member goes with it, so that the override it was is
// cleared. Neither argument is changed.
func merge(d, patch document) document {
	out := maps.Clone(d)
	if out == nil {
		out = document{}
	}
	for name, v := range patch {
		inner, isObject := v.(document)
		switch {
		case v == nil:
			delete(out, name)
		case isObject:
			before, _ := out[name].(document) // what is no object is replaced by one
			merged := merge(before, inner)
			if out[name] = merged; len(merged) == 0 && len(inner) > 0 {
				delete(out, name)
			}
		default:
			out[name] = v
		}
	}
	return out
}

func readEncapIP(p *l2.HostPut, v any) error {
	s, err := text("encap_ip", v)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return badRequest("encap_ip: %q is not an IP address", s)
	case ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() || ip.Zone() != "" || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return badRequest("encap_ip: %s cannot be the end of a tunnel", s)
	}
	p.Override.EncapIP = ip.Unmap()
	return nil
}

func readEncapTypes(p *l2.HostPut, v any) error {
	list, ok := v.([]any)
	if !ok {
		return badRequest("encap_types: %s where a list of tunnel types is wanted", kindOf(v))
	}
	if len(list) == 0 {
		return badRequest("encap_types: empty; null takes back the override")
	}
	for _, e := range list {
		s, err := text("encap_types", e)
		if err != nil {
			return err
		}
		t := model.NetworkType(s)
		if !t.Tunnel() {
			return badRequest("encap_types: %q is not one of %s", s, strings.Join(row.TunnelTypes(), ", "))
		}
		if !slices.Contains(p.Override.EncapTypes, t) {
			p.Override.EncapTypes = append(p.Override.EncapTypes, t)
		}
	}
	slices.Sort(p.Override.EncapTypes)
	return nil
}

func readBridgeMappings(p *l2.HostPut, v any) error {
	m, err := texts("bridge_mappings", v)
	if err != nil {
		return err
	}
	if len(m) == 0 {
		return badRequest("bridge_mappings: empty; null takes back the override")
	}
	users := map[string]string{}
	for _, physnet := range slices.Sorted(maps.Keys(m)) {
		bridge := m[physnet]
		switch {
		case physnet == "":
			return badRequest("bridge_mappings: a physical network needs a name")
		case !row.ValidName(bridge) || bridge == row.IntBridge || bridge == row.TunBridge:
			return badRequest("bridge_mappings.%s: %q cannot be the bridge of a physical network", physnet, bridge)
		case users[bridge] != "":
			return badRequest("bridge_mappings.%s: %s is the bridge of %s already", physnet, bridge, users[bridge])
		}
		users[bridge] = physnet
	}
	p.Override.BridgeMappings = m
	return nil
}

func readGateway(p *l2.HostPut, v any) error {
	b, ok := v.(bool)
	if !ok {
		return badRequest("gateway: %s where true or false is wanted", kindOf(v))
	}
	p.Override.Gateway = &b
	return nil
}

func readDrained(p *l2.HostPut, v any) error {
	b, ok := v.(bool)
	if !ok {
		return badRequest("drained: %s where true or false is wanted", kindOf(v))
	}
	p.Drained = b
	return nil
}

func readDatapathType(p *l2.HostPut, v any) error {
	s, err := text("datapath_type", v)
	if err != nil {
		return err
	}
	if s != "system" && s != "netdev" {
		return badRequest("datapath_type: %q is neither system nor netdev", s)
	}
	p.Override.DatapathType = s
	return nil
}

func readOVSDB(p *l2.HostPut, v any) error {
	s, err := text("ovsdb", v)
	if err != nil {
		return err
	}
	p.OVSDB, err = parseTarget("ovsdb", s, ovsdbPort)
	return err
}

func readOpenFlow(p *l2.HostPut, v any) error {
	m, err := texts("openflow", v)
	if err != nil || len(m) == 0 {
		return err
	}
	p.OpenFlow = m
	for _, bridge := range slices.Sorted(maps.Keys(m)) {
		where := "openflow." + bridge
		if !row.ValidName(bridge) {
			return badRequest("%s: %q cannot be the name of a bridge", where, bridge)
		}
		if m[bridge], err = parseTarget(where, m[bridge], openFlowPort); err != nil {
			return err
		}
	}
	return nil
}

func readBridges(p *l2.HostPut, v any) error {
	m, err := texts("bridges", v)
	if err != nil || len(m) == 0 {
		return err
	}
	p.Bridges = map[string]of.DPID{}
	users := map[of.DPID]string{}
	for _, bridge := range slices.Sorted(maps.Keys(m)) {
		where := "bridges." + bridge
		id, err := of.ParseDPID(m[bridge])
		switch {
		case !row.ValidName(bridge):
			return badRequest("%s: %q cannot be the name of a bridge", where, bridge)
		case err != nil:
			return badRequest("%s: %v", where, err)
		case id == 0:
			return badRequest("%s: 0 is not a datapath id", where)
		case users[id] != "":
			return badRequest("%s: %s has datapath id %v already", where, users[id], id)
		}
		p.Bridges[bridge], users[id] = id, bridge
	}
	return nil
}
