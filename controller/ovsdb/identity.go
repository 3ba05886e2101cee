package ovsdb

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
)

// Keys of Open_vSwitch.external_ids in which a host says who it is. hostname and system-id are what the packages of
// OVS write themselves.
const (
	KeyHostname       = "hostname"
	KeySystemID       = "system-id"
	KeyEncapIP        = "heddle-encap-ip"
	KeyEncapType      = "heddle-encap-type"
	KeyBridgeMappings = "heddle-bridge-mappings"
	KeyGateway        = "heddle-gateway"
	KeyDatapathType   = "heddle-datapath-type"
)

// Identity is what a host says of itself. What it does not say is zero; what it says wrong is zero too and a problem.
type Identity struct {
	Name           string            // hostname, else system-id
	SystemID       string            // empty when not said
	EncapIP        netip.Addr        // end point of its tunnels
	EncapTypes     []string          // tunnel types it speaks, sorted; all of row.TunnelTypes when it does not say
	BridgeMappings map[string]string // physical network → bridge
	Gateway        *bool             // may run routers; nil when it does not say
	DatapathType   string            // "system" or "netdev"
	OVSVersion     string            // "3.1.0"
	ExternalIDs    map[string]string // everything, as it stands in the database
	Problems       []error           // in the order of the keys above
}

// ParseIdentity reads the external_ids of the Open_vSwitch table's row. It never fails: values that make no sense are
// listed in Problems.
func ParseIdentity(externalIDs map[string]string, ovsVersion string) Identity {
	id := Identity{
		Name:        strings.TrimSpace(externalIDs[KeyHostname]),
		SystemID:    strings.TrimSpace(externalIDs[KeySystemID]),
		OVSVersion:  ovsVersion,
		ExternalIDs: maps.Clone(externalIDs),
		EncapTypes:  slices.Sorted(slices.Values(row.TunnelTypes())),
	}
	if id.Name == "" {
		id.Name = id.SystemID
	}
	if id.Name == "" {
		id.problem("external_ids has neither %s nor %s", KeyHostname, KeySystemID)
	}
	parse := func(key string, f func(value string)) {
		if v := strings.TrimSpace(externalIDs[key]); v != "" {
			f(v)
		}
	}
	parse(KeyEncapIP, id.parseEncapIP)
	parse(KeyEncapType, id.parseEncapTypes)
	parse(KeyBridgeMappings, id.parseBridgeMappings)
	parse(KeyGateway, id.parseGateway)
	parse(KeyDatapathType, id.parseDatapathType)
	return id
}

func (id *Identity) problem(format string, args ...any) {
	id.Problems = append(id.Problems, fmt.Errorf(format, args...))
}

func (id *Identity) parseEncapIP(v string) {
	a, err := netip.ParseAddr(v)
	switch {
	case err != nil:
		id.problem("%s: %q is not an ip address", KeyEncapIP, v)
	case a.Zone() != "" || a.IsUnspecified() || a.IsMulticast():
		id.problem("%s: %s cannot be the end of a tunnel", KeyEncapIP, v)
	default:
		id.EncapIP = a.Unmap()
	}
}

func (id *Identity) parseEncapTypes(v string) {
	id.EncapTypes = nil
	for _, t := range fields(v) {
		switch {
		case !slices.Contains(row.TunnelTypes(), t):
			id.problem("%s: %q is not one of %s", KeyEncapType, t, strings.Join(row.TunnelTypes(), ", "))
		case !slices.Contains(id.EncapTypes, t):
			id.EncapTypes = append(id.EncapTypes, t)
		}
	}
	slices.Sort(id.EncapTypes)
}

func (id *Identity) parseBridgeMappings(v string) {
	m := map[string]string{}
	users := map[string]string{}
	for _, f := range fields(v) {
		network, bridge, ok := strings.Cut(f, ":")
		network, bridge = strings.TrimSpace(network), strings.TrimSpace(bridge)
		switch {
		case !ok || network == "":
			id.problem("%s: %q is not network:bridge", KeyBridgeMappings, f)
		case !row.ValidName(bridge) || bridge == row.IntBridge || bridge == row.TunBridge:
			id.problem("%s: %q cannot be the bridge of a physical network", KeyBridgeMappings, bridge)
		case m[network] != "" && m[network] != bridge:
			id.problem("%s: %s is both on %s and on %s", KeyBridgeMappings, network, m[network], bridge)
		case users[bridge] != "" && users[bridge] != network:
			id.problem("%s: %s is the bridge of both %s and %s", KeyBridgeMappings, bridge, users[bridge], network)
		default:
			m[network], users[bridge] = bridge, network
		}
	}
	if len(m) > 0 {
		id.BridgeMappings = m
	}
}

func (id *Identity) parseGateway(v string) {
	switch v {
	case "true":
		yes := true
		id.Gateway = &yes
	case "false":
		no := false
		id.Gateway = &no
	default:
		id.problem("%s: %q is neither true nor false", KeyGateway, v)
	}
}

func (id *Identity) parseDatapathType(v string) {
	if v != "system" && v != "netdev" {
		id.problem("%s: %q is neither system nor netdev", KeyDatapathType, v)
		return
	}
	id.DatapathType = v
}

// fields splits a list at its commas, trims each part and leaves empty ones out.
func fields(v string) []string {
	var fs []string
	for f := range strings.SplitSeq(v, ",") {
		if f = strings.TrimSpace(f); f != "" {
			fs = append(fs, f)
		}
	}
	return fs
}
