package metrics

import "github.com/prometheus/client_golang/prometheus"

// Fabric is the state of everything at one moment.
type Fabric struct {
	Revision uint64 // of the store
	Networks int
	Subnets  int
	Ports    map[string]int // by status: "ACTIVE"
	Plugged  int            // interfaces of ports on hosts
	Learned  int            // addresses that bridges learned
	Events   uint64         // id of the newest event
	Switches []Switch
	Targets  []Target

	Routers     int
	FloatingIPs map[string]int // by status
	Agents      []Agent
	StoreBytes  int64 // of the file; 0 if there is none
	Tunnels     []Tunnels
}

// Switch is a connected bridge.
type Switch struct {
	DPID, Host, Bridge string // host and bridge are empty if no host claims it
	Ports              int
	Flows              int // that Heddle wants on it
}

// Target is an OVSDB or bridge that a host has or should have.
type Target struct {
	Host, Target string // "ovsdb", "br-int"
	Connected    bool
	Revision     uint64 // newest that it confirmed
}

// Tunnels are those of a host that are in one state.
type Tunnels struct {
	Host, State string // "up", "down", "unknown"
	Number      int
}

// Agent is a gateway host's node agent that has reported.
type Agent struct {
	Host       string
	Connected  bool
	Namespaces int // that it has, or should have
	Failed     int // of these, that are not as wanted for an error
}

// fabricCollector asks for the state at each scrape, so that nothing has to be kept in step and what is
// gone has no stale series.
type fabricCollector struct{ ask func() Fabric }

var (
	descRevision  = desc("heddle_store_revision", "Revision of the store.")
	descNetworks  = desc("heddle_networks", "Networks.")
	descSubnets   = desc("heddle_subnets", "Subnets.")
	descPorts     = desc("heddle_ports", "Ports by status.", "status")
	descPlugged   = desc("heddle_ports_plugged", "Interfaces of ports that were seen on hosts.")
	descLearned   = desc("heddle_learned_macs", "MAC addresses that bridges learned by themselves.")
	descEvents    = desc("heddle_events_total", "Events since the start.")
	descSwitch    = desc("heddle_switch_connected", "Connected bridges; always 1.", "dpid", "host", "bridge")
	descPortsOf   = desc("heddle_switch_ports", "Ports of connected bridges.", "dpid")
	descTarget    = desc("heddle_target_connected", "Whether an OVSDB or bridge of a host is connected.", "host", "target")
	descWanted    = desc("heddle_flows_wanted", "Flows that Heddle wants on connected bridges.", "dpid", "host", "bridge")
	descRouters   = desc("heddle_routers", "Routers.")
	descFloating  = desc("heddle_floating_ips", "Floating IPs by status.", "status")
	descAgent     = desc("heddle_agent_connected", "Whether the node agent of a host reports.", "host")
	descSpaces    = desc("heddle_agent_namespaces", "Namespaces that the node agent of a host has or should have.", "host")
	descFailed    = desc("heddle_agent_failed_namespaces", "Namespaces that the node agent of a host cannot make as wanted.", "host")
	descTunnels   = desc("heddle_tunnels", "Tunnels of a host to others by state.", "host", "state")
	descBytes     = desc("heddle_store_size_bytes", "Size of the store's file.")
	descConfirmed = desc("heddle_target_revision", "Newest revision that an OVSDB or bridge of a host confirmed.", "host", "target")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe sends what Collect can send.
func (fabricCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRevision, descNetworks, descSubnets, descPorts, descPlugged, descLearned, descEvents,
		descSwitch, descPortsOf, descTarget, descConfirmed, descWanted, descRouters, descFloating, descAgent, descSpaces, descFailed, descTunnels, descBytes} {
		out <- d
	}
}

// Collect sends the state of now.
func (c fabricCollector) Collect(out chan<- prometheus.Metric) {
	f := c.ask()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descRevision, float64(f.Revision))
	gauge(descNetworks, float64(f.Networks))
	gauge(descSubnets, float64(f.Subnets))
	for status, n := range f.Ports {
		gauge(descPorts, float64(n), status)
	}
	gauge(descPlugged, float64(f.Plugged))
	gauge(descLearned, float64(f.Learned))
	out <- prometheus.MustNewConstMetric(descEvents, prometheus.CounterValue, float64(f.Events))
	seen := map[string]bool{} // one of two sessions with one datapath id is about to end
	for _, sw := range f.Switches {
		if !seen[sw.DPID] {
			seen[sw.DPID] = true
			gauge(descSwitch, 1, sw.DPID, sw.Host, sw.Bridge)
			gauge(descPortsOf, float64(sw.Ports), sw.DPID)
			gauge(descWanted, float64(sw.Flows), sw.DPID, sw.Host, sw.Bridge)
		}
	}
	for _, t := range f.Targets {
		gauge(descTarget, truth(t.Connected), t.Host, t.Target)
		gauge(descConfirmed, float64(t.Revision), t.Host, t.Target)
	}
	gauge(descRouters, float64(f.Routers))
	for status, n := range f.FloatingIPs {
		gauge(descFloating, float64(n), status)
	}
	for _, a := range f.Agents {
		gauge(descAgent, truth(a.Connected), a.Host)
		gauge(descSpaces, float64(a.Namespaces), a.Host)
		gauge(descFailed, float64(a.Failed), a.Host)
	}
	for _, t := range f.Tunnels {
		gauge(descTunnels, float64(t.Number), t.Host, t.State)
	}
	if f.StoreBytes > 0 {
		gauge(descBytes, float64(f.StoreBytes))
	}
}

// truth is 1 or 0.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
