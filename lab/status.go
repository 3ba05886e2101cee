package lab

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Status is what a lab looks like at a moment.
type Status struct {
	Name       string       `json:"name"`
	Dir        string       `json:"dir"`
	Complete   bool         `json:"complete"` // false: half-built, `lab down` removes it
	Address    string       `json:"address"`  // of this machine on the management plane
	Management netip.Prefix `json:"management"`
	Underlay   netip.Prefix `json:"underlay"`
	External   string       `json:"external,omitempty"` // subnet of the external plane, if there is one
	Hosts      []HostStatus `json:"hosts"`
	VMs        []VMStatus   `json:"vms"`
}

// HostStatus is what a host looks like.
type HostStatus struct {
	Name       string     `json:"name"`
	Power      bool       `json:"power"`
	PID        int        `json:"pid"`
	Management netip.Addr `json:"management"`
	Underlay   netip.Addr `json:"underlay"`
	OVS        string     `json:"ovs"` // version of the running ovs-vswitchd, empty if none answers
	Managers   []Manager  `json:"managers"`
	Bridges    []string   `json:"bridges"`
	Problem    string     `json:"problem,omitempty"` // why the database could not be asked
}

// Manager is a controller's OVSDB connection as the host sees it.
type Manager struct {
	Target    string `json:"target"`
	Connected bool   `json:"connected"`
}

// VMStatus is what a virtual machine looks like.
type VMStatus struct {
	Name      string         `json:"name"`
	Host      string         `json:"host"`
	Port      string         `json:"port"`
	MAC       string         `json:"mac"`
	Addresses []netip.Prefix `json:"addresses"`
	Tap       string         `json:"tap"`
	Plugged   bool           `json:"plugged"` // it is a port of a bridge
	OFPort    int            `json:"ofport"`  // its OpenFlow port number, 0 if it has none yet
}

// Status asks every host how it is. A host that does not answer within 2 s is described as far as
// it can be.
func (l *Lab) Status(ctx context.Context) (*Status, error) {
	s := &Status{Name: l.cfg.Name, Dir: l.dir, Complete: l.complete, Underlay: l.cfg.Underlay, Management: l.cfg.Management,
		Hosts: make([]HostStatus, len(l.hosts)), VMs: []VMStatus{}}
	if addr := l.Address(); addr.IsValid() {
		s.Address = addr.String()
	}
	if l.cfg.External {
		s.External = l.cfg.ExternalSubnet.String()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ofports := make([]map[string]int, len(l.hosts))
	var wg sync.WaitGroup
	for i, h := range l.hosts {
		wg.Go(func() { s.Hosts[i], ofports[i] = h.status(ctx) })
	}
	wg.Wait()
	vms, err := l.VMs()
	if err != nil {
		return nil, err
	}
	for _, vm := range vms {
		v := VMStatus{Name: vm.Name, Host: vm.Host, Port: vm.Port, MAC: vm.MAC, Addresses: vm.Addresses, Tap: vm.Tap}
		v.OFPort, v.Plugged = ofports[vm.host.index][vm.Tap]
		s.VMs = append(s.VMs, v)
	}
	return s, nil
}

// status also returns the OpenFlow port number of every interface, 0 for those without one.
func (h *Host) status(ctx context.Context) (HostStatus, map[string]int) {
	s := HostStatus{Name: h.Name, Power: h.Alive(), PID: h.PID(), Underlay: h.Underlay(), Managers: []Manager{}, Bridges: []string{}}
	if h.lab.cfg.Management.IsValid() {
		s.Management = h.Management()
	}
	if !s.Power {
		return s, nil
	}
	if version, err := h.Appctl(ctx, "version"); err == nil {
		first, _, _ := strings.Cut(version, "\n")
		s.OVS = first[strings.LastIndexByte(first, ' ')+1:]
	}
	all := func(table string, columns ...string) any {
		return map[string]any{"op": "select", "table": table, "where": []any{}, "columns": columns}
	}
	results, err := h.Transact(ctx, all("Bridge", "name"), all("Manager", "target", "is_connected"), all("Interface", "name", "ofport"))
	if err != nil {
		s.Problem = err.Error()
		return s, nil
	}
	var bridges, managers, interfaces struct {
		Rows []struct {
			Name        string
			Target      string
			IsConnected bool `json:"is_connected"`
			OFPort      any  `json:"ofport"` // a number or an empty set
		}
	}
	for i, into := range []any{&bridges, &managers, &interfaces} {
		if err := json.Unmarshal(results[i], into); err != nil {
			s.Problem = err.Error()
			return s, nil
		}
	}
	for _, r := range bridges.Rows {
		s.Bridges = append(s.Bridges, r.Name)
	}
	slices.Sort(s.Bridges)
	for _, r := range managers.Rows {
		s.Managers = append(s.Managers, Manager{r.Target, r.IsConnected})
	}
	ofports := map[string]int{}
	for _, r := range interfaces.Rows {
		n, _ := r.OFPort.(float64)
		ofports[r.Name] = max(0, int(n)) // -1: the interface could not be opened
	}
	return s, ofports
}
