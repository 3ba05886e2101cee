package hostcheck

import (
	"fmt"
	"slices"
	"strings"
)

// The bridges that every host of Heddle's has, and the ends of the cable between them.
const (
	intBridge, tunBridge = "br-int", "br-tun"
	patchTun, patchInt   = "patch-tun", "patch-int"
)

// identity looks at what the host says of itself.
func (d *doctor) identity() {
	name := d.database.id("hostname")
	switch {
	case name != "":
		d.OK("name of the host", "%s", name)
	case d.database.id("system-id") != "":
		d.Warn("name of the host", "external_ids:hostname is not set, so that system-id "+d.database.id("system-id")+" is the name",
			"ovs-vsctl set Open_vSwitch . external_ids:hostname=$(hostname)")
	default:
		d.Fail("name of the host", "neither hostname nor system-id is set in external_ids", "ovs-vsctl set Open_vSwitch . external_ids:hostname=$(hostname)")
	}
	for network, bridge := range d.database.mappings() {
		b := d.database.bridge(bridge)
		what := "physical network " + network
		switch {
		case b == nil:
			d.Fail(what, "its bridge "+bridge+" does not exist", "ovs-vsctl add-br "+bridge+", and add the NIC to it")
		case !slices.ContainsFunc(d.database.interfacesOf(b), func(i row) bool {
			return i.text("type") != "patch" && i.text("type") != "internal" && i.text("name") != bridge
		}):
			d.Warn(what, "its bridge "+bridge+" has no NIC", "ovs-vsctl add-port "+bridge+" NIC; heddle agent bridge-nic moves the NIC that the host is reached by")
		default:
			d.OK(what, "bridge %s", bridge)
		}
	}
}

// managers looks at the connections to Heddle: of the database, and of the bridges.
func (d *doctor) managers() {
	if len(d.database.managers) == 0 {
		d.Fail("manager", "Open vSwitch has no manager", "ovs-vsctl set-manager tcp:CONTROLLER:6640")
	}
	for _, m := range d.database.managers {
		target := m.text("target")
		what := "manager " + target
		switch {
		case m.text("is_connected") == "true":
			d.OK(what, "connected")
		case strings.HasPrefix(target, "ptcp:"), strings.HasPrefix(target, "pssl:"):
			d.Warn(what, "nobody is connected", "tell Heddle to dial it: heddle set host NAME --ovsdb tcp:ADDRESS:6640")
		default:
			says := "not connected"
			if why := m.at("status", "last_error"); why != "" {
				says += ": " + why
			}
			d.Fail(what, says, "is heddle server running there, with --listen-ovsdb on this port, and no firewall between? nc -vz tries it; of ssl: targets see ovs-vsctl get-ssl")
		}
	}
	for _, b := range d.database.bridges {
		name := b.text("name")
		if name != intBridge && name != tunBridge && !slices.Contains(mapped(d.database.mappings()), name) {
			continue
		}
		for _, c := range d.database.controllers {
			if !slices.Contains(b.list("controller"), c.text("_uuid")) {
				continue
			}
			what := fmt.Sprintf("controller %s of %s", c.text("target"), name)
			if c.text("is_connected") == "true" {
				d.OK(what, "connected, %s", c.text("role"))
				continue
			}
			says := "not connected"
			if why := c.at("status", "last_error"); why != "" {
				says += ": " + why
			}
			d.Fail(what, says, "flows stay, and change no more: is heddle server reachable on this port (--listen-openflow)?")
		}
	}
}

func mapped(m map[string]string) []string {
	var out []string
	for _, bridge := range m {
		out = append(out, bridge)
	}
	return out
}

// bridges looks at the bridges that Heddle makes.
func (d *doctor) bridges() {
	for _, name := range []string{intBridge, tunBridge} {
		b := d.database.bridge(name)
		what := "bridge " + name
		if b == nil {
			d.Fail(what, "there is none", "Heddle makes it once the manager is connected and the host has a tunnel address; heddle describe host NAME says what it waits for")
			continue
		}
		bad := false
		if mode := b.text("fail_mode"); mode != "secure" {
			bad = true
			d.Fail(what, fmt.Sprintf("fail_mode is %q: without a controller the bridge would forward as any switch, between all networks", mode),
				"ovs-vsctl set-fail-mode "+name+" secure; Heddle sets it as well while it is connected")
		}
		if len(b.list("controller")) == 0 {
			bad = true
			d.Fail(what, "it has no controller", "Heddle sets it once the manager is connected; until then flows do not change")
		}
		kind := b.text("datapath_type")
		if (kind == "" || kind == "system") && !d.host.Exists("/sys/module/openvswitch") {
			bad = true
			d.Fail(what, "the kernel's datapath is not loaded", "modprobe openvswitch")
		}
		for _, i := range d.database.interfacesOf(b) {
			if why := i.text("error"); why != "" {
				bad = true
				d.Fail(what, "port "+i.text("name")+": "+why, "ovs-vswitchd could not make it: does what it names exist? Remove it with ovs-vsctl del-port if it is not Heddle's")
			}
		}
		if !bad {
			if kind == "" {
				kind = "system"
			}
			d.OK(what, "fail_mode secure, datapath %s", kind)
		}
	}
	if wanted := d.database.id("heddle-datapath-type"); wanted != "" {
		for _, name := range []string{intBridge, tunBridge} {
			if b := d.database.bridge(name); b != nil && b.text("datapath_type") != wanted && (wanted != "system" || b.text("datapath_type") != "") {
				d.Fail("bridge "+name, fmt.Sprintf("its datapath is %q, and the host says %q", b.text("datapath_type"), wanted), "correct external_ids:heddle-datapath-type")
			}
		}
	}
}

// patches looks at the cable between the bridges.
func (d *doctor) patches() {
	for _, end := range []struct{ bridge, name, peer string }{{intBridge, patchTun, patchInt}, {tunBridge, patchInt, patchTun}} {
		b := d.database.bridge(end.bridge)
		if b == nil {
			continue // said already
		}
		what := "cable " + end.name + " on " + end.bridge
		ports := d.database.interfacesOf(b)
		i := slices.IndexFunc(ports, func(r row) bool { return r.text("name") == end.name })
		switch {
		case i < 0:
			d.Fail(what, "it is missing: "+intBridge+" and "+tunBridge+" are not connected, no tunnel is reached",
				"Heddle makes it while the manager is connected; why it cannot is in heddle describe host NAME")
		case ports[i].text("type") != "patch" || ports[i].at("options", "peer") != end.peer:
			d.Fail(what, fmt.Sprintf("it is of type %q with peer %q, and should be a patch port with peer %s", ports[i].text("type"), ports[i].at("options", "peer"), end.peer),
				"ovs-vsctl del-port "+end.name+"; Heddle makes it anew")
		default:
			d.OK(what, "peer %s", end.peer)
		}
	}
}
