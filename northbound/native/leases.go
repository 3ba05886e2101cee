package native

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// The states of a lease.
const (
	leaseReserved = "reserved" // the DHCP service gives the address to this port alone
	leaseLeased   = "leased"   // and has given it
)

// leaseView is an address that a DHCP service gives to a port.
type leaseView struct {
	Network  model.ID `json:"network_id"`
	Port     model.ID `json:"port_id"`
	MAC      of.MAC   `json:"mac"`
	IP       string   `json:"ip"`
	Hostname string   `json:"hostname,omitempty"`
	Host     string   `json:"host,omitempty"` // gateway host of the DHCP service; empty while it is on none
	State    string   `json:"state"`
	// Expires is when a leased one ends unless its host asks again.
	Expires time.Time `json:"expires,omitzero"`
}

// given are the leases that DHCP services have given out, where they are placed now.
type given map[givenKey]spec.Lease

type givenKey struct {
	host, namespace string
	ip              netip.Addr
}

func (s *server) given() given {
	out := given{}
	now := s.Now()
	for host, leases := range s.Fabric.Leases() {
		for _, l := range leases {
			if l.Expires.After(now) {
				out[givenKey{host, l.Namespace, l.IP}] = l
			}
		}
	}
	return out
}

func (s *server) listLeases(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "network", "port", "limit", "offset")
	if err != nil {
		return err
	}
	page, err := q.page()
	if err != nil {
		return err
	}
	m, who := s.Store.Snapshot(), identity.From(r.Context())
	views := []leaseView{}
	given := s.given()
	for _, id := range m.Networks.Sorted() {
		if q.has("network") && model.ID(q.text("network")) != id || !m.NeedsPlace(model.ServiceDHCP, id) {
			continue
		}
		for _, p := range m.PortsOf(id) {
			if who.Owns(p.Project) && (!q.has("port") || model.ID(q.text("port")) == p.ID) {
				views = append(views, leasesOf(m, given, p, who)...)
			}
		}
	}
	start, end := page.bounds(len(views))
	return writeJSON(w, http.StatusOK, map[string]any{"leases": views[start:end], "matched": len(views), "offset": start})
}

// leasesOf are the addresses that a port gets by DHCP.
func leasesOf(m *model.Model, given given, p *model.Port, who identity.Identity) []leaseView {
	if p.DeviceOwner == model.OwnerDHCP {
		return nil
	}
	var out []leaseView
	host := m.HostOfService(model.ServiceDHCP, p.Network)
	for _, f := range p.FixedIPs {
		if subnet, ok := m.Subnets.Get(f.Subnet); !ok || !subnet.ServesDHCP() || subnet.AddressMode == "dhcpv6-stateless" {
			continue
		}
		v := leaseView{Network: p.Network, Port: p.ID, MAC: p.MAC, IP: f.IP.String(), Hostname: p.DNSName, State: leaseReserved}
		if l, ok := given[givenKey{host, "qdhcp-" + string(p.Network), f.IP}]; ok {
			v.State, v.Expires = leaseLeased, l.Expires
			if v.Hostname == "" {
				v.Hostname = l.Hostname
			}
		}
		if who.Admin {
			v.Host = host
		}
		out = append(out, v)
	}
	return out
}
