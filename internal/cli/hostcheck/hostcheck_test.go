package hostcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/internal/cli/checks"
)

// fake is a host as a test describes it.
type fake struct {
	tables   map[string][]row
	programs []string
	links    []Link
	answers  map[string]string // of programs, by command line
	broken   map[string]string // errors of programs, by command line
	root     bool
	kept     bool
	free     uint64
	files    []string
}

func (f *fake) Run(_ context.Context, program string, args ...string) (string, error) {
	line := program + " " + strings.Join(args, " ")
	if why := f.broken[line]; why != "" {
		return "", errors.New(program + ": " + why)
	}
	if program == "ovs-vsctl" {
		return encode(f.tables[args[len(args)-1]]), nil
	}
	return f.answers[line], nil
}

func (f *fake) Has(program string) bool     { return slices.Contains(f.programs, program) }
func (f *fake) Root() bool                  { return f.root }
func (f *fake) Links() ([]Link, error)      { return f.links, nil }
func (f *fake) Synchronized() (bool, error) { return f.kept, nil }
func (f *fake) Exists(path string) bool     { return slices.Contains(f.files, path) }
func (f *fake) Free(path string) (uint64, uint64, error) {
	if path != "/etc/openvswitch" {
		return 0, 0, errors.New("no such file or directory")
	}
	return f.free, 100 << 30, nil
}

// encode prints rows as ovs-vsctl --format=json does.
func encode(rows []row) string {
	var headings []string
	for _, r := range rows {
		for name := range r {
			if !slices.Contains(headings, name) {
				headings = append(headings, name)
			}
		}
	}
	data := make([][]any, len(rows))
	for i, r := range rows {
		for _, name := range headings {
			data[i] = append(data[i], notation(r[name]))
		}
	}
	b, err := json.Marshal(map[string]any{"headings": headings, "data": data})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func notation(v any) any {
	switch v := v.(type) {
	case nil:
		return []any{"set", []any{}}
	case []any:
		out := []any{}
		for _, x := range v {
			out = append(out, []any{"uuid", x})
		}
		return []any{"set", out}
	case map[string]any:
		pairs := []any{}
		for k, x := range v {
			pairs = append(pairs, []any{k, x})
		}
		return []any{"map", pairs}
	}
	return v
}

// healthy is a gateway host as it should be, with tunnels to two others.
func healthy() *fake {
	tunnel := func(name, remote string) row {
		return row{"_uuid": "i-" + name, "name": name, "type": "vxlan", "options": map[string]any{"local_ip": "10.0.0.1", "remote_ip": remote},
			"bfd": map[string]any{"enable": "true"}, "bfd_status": map[string]any{"state": "up"}}
	}
	patch := func(name, peer string) row {
		return row{"_uuid": "i-" + name, "name": name, "type": "patch", "options": map[string]any{"peer": peer}}
	}
	interfaces := []row{patch("patch-tun", "patch-int"), patch("patch-int", "patch-tun"), tunnel("vxlan-0a000002", "10.0.0.2"), tunnel("vxlan-0a000003", "10.0.0.3"),
		{"_uuid": "i-eth1", "name": "eth1", "type": ""}}
	var ports []row
	for _, i := range interfaces {
		name := i.text("name")
		ports = append(ports, row{"_uuid": "p-" + name, "name": name, "interfaces": []any{"i-" + name}})
	}
	bridge := func(name string, ports ...any) row {
		return row{"_uuid": "b-" + name, "name": name, "fail_mode": "secure", "datapath_type": "", "controller": []any{"c-" + name}, "ports": ports}
	}
	controller := func(name string) row {
		return row{"_uuid": "c-" + name, "target": "tcp:10.0.0.9:6653", "is_connected": true, "role": "master"}
	}
	return &fake{root: true, kept: true, free: 50 << 30, files: []string{"/sys/module/openvswitch"},
		programs: []string{"ovs-vsctl", "ping", "ip", "nft", "dnsmasq", "radvd"},
		links:    []Link{{Name: "eth0", MTU: 1500, Up: true, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}},
		answers:  map[string]string{"ovs-appctl --timeout=5 version": "ovs-vswitchd (Open vSwitch) 3.1.0\n", "ovs-vswitchd --version": "ovs-vswitchd (Open vSwitch) 3.1.0\n"},
		broken:   map[string]string{},
		tables: map[string][]row{
			"Open_vSwitch": {{"_uuid": "o", "external_ids": map[string]any{"hostname": "cmp1", "heddle-encap-ip": "10.0.0.1", "heddle-gateway": "true", "heddle-bridge-mappings": "physnet1:br-ex"}}},
			"Manager":      {{"_uuid": "m", "target": "tcp:10.0.0.9:6640", "is_connected": true}},
			"Controller":   {controller("br-int"), controller("br-tun"), controller("br-ex")},
			"Bridge":       {bridge("br-int", "p-patch-tun"), bridge("br-tun", "p-patch-int", "p-vxlan-0a000002", "p-vxlan-0a000003"), bridge("br-ex", "p-eth1")},
			"Port":         ports,
			"Interface":    interfaces,
		}}
}

func (f *fake) row(table, column, value string) row {
	for _, r := range f.tables[table] {
		if r.text(column) == value {
			return r
		}
	}
	panic(fmt.Sprintf("%s has no row with %s=%s", table, column, value))
}

func TestAHealthyHostHasNothingWrong(t *testing.T) {
	l := Check(t.Context(), healthy(), Options{})
	for _, c := range l.All {
		if c.State != checks.OK || c.Do != "" {
			t.Errorf("%+v", c)
		}
	}
	for _, what := range []string{"manager tcp:10.0.0.9:6640", "controller tcp:10.0.0.9:6653 of br-tun", "bridge br-int", "cable patch-tun on br-int", "tunnel address",
		"tunnel vxlan-0a000002 to 10.0.0.2", "underlay to 10.0.0.3", "physical network physnet1", "program dnsmasq", "clock", "disk of /etc/openvswitch", "name of the host"} {
		if !slices.ContainsFunc(l.All, func(c checks.Check) bool { return c.What == what }) {
			t.Errorf("%s was not looked at", what)
		}
	}
}

func TestWhatIsWrongIsFoundAndSaidWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(f *fake)
		opts  Options
		state checks.State
		says  string // "what: says"
		do    string
	}{
		"no_open_vswitch": {harm: func(f *fake) { f.programs = nil }, state: checks.Fail, says: "Open vSwitch: ovs-vsctl is not installed", do: "apt install openvswitch-switch"},
		"ovsdb_down": {harm: func(f *fake) {
			f.broken["ovs-vsctl --timeout=5 --format=json list Open_vSwitch"] = "database connection failed"
		}, state: checks.Fail,
			says: "ovsdb-server: it does not answer: ovs-vsctl: database connection failed", do: "systemctl start"},
		"vswitchd_down":              {harm: func(f *fake) { f.broken["ovs-appctl --timeout=5 version"] = "cannot connect" }, state: checks.Fail, says: "ovs-vswitchd: it does not answer", do: "systemctl restart"},
		"old_vswitchd":               {harm: func(f *fake) { f.answers["ovs-appctl --timeout=5 version"] = "ovs-vswitchd (Open vSwitch) 2.17.9" }, state: checks.Warn, says: "ovs-vswitchd: version 2.17.9", do: "3.1"},
		"upgraded_and_not_restarted": {harm: func(f *fake) { f.answers["ovs-vswitchd --version"] = "ovs-vswitchd (Open vSwitch) 3.3.1" }, state: checks.Warn, says: "3.3.1 is installed and 3.1.0 runs", do: "restart"},
		"no_root":                    {harm: func(f *fake) { f.root = false }, state: checks.Warn, says: "permissions: not root", do: "sudo"},
		"no_manager":                 {harm: func(f *fake) { f.tables["Manager"] = nil }, state: checks.Fail, says: "manager: Open vSwitch has no manager", do: "ovs-vsctl set-manager"},
		"manager_unreachable": {harm: func(f *fake) {
			m := f.tables["Manager"][0]
			m["is_connected"], m["status"] = false, map[string]any{"last_error": "Connection refused"}
		}, state: checks.Fail, says: "manager tcp:10.0.0.9:6640: not connected: Connection refused", do: "--listen-ovsdb"},
		"manager_that_listens": {harm: func(f *fake) {
			m := f.tables["Manager"][0]
			m["is_connected"], m["target"] = false, "ptcp:6640"
		}, state: checks.Warn, says: "manager ptcp:6640: nobody is connected", do: "heddle set host"},
		"controller_unreachable": {harm: func(f *fake) { f.row("Controller", "_uuid", "c-br-tun")["is_connected"] = false }, state: checks.Fail,
			says: "controller tcp:10.0.0.9:6653 of br-tun: not connected", do: "--listen-openflow"},
		"no_controller": {harm: func(f *fake) { f.row("Bridge", "name", "br-int")["controller"] = nil }, state: checks.Fail, says: "bridge br-int: it has no controller", do: "manager"},
		"fail_mode":     {harm: func(f *fake) { f.row("Bridge", "name", "br-int")["fail_mode"] = "standalone" }, state: checks.Fail, says: `bridge br-int: fail_mode is "standalone"`, do: "set-fail-mode br-int secure"},
		"no_bridge":     {harm: func(f *fake) { f.tables["Bridge"] = f.tables["Bridge"][1:] }, state: checks.Fail, says: "bridge br-int: there is none", do: "manager"},
		"no_datapath":   {harm: func(f *fake) { f.files = nil }, state: checks.Fail, says: "bridge br-int: the kernel's datapath is not loaded", do: "modprobe openvswitch"},
		"other_datapath": {harm: func(f *fake) {
			f.tables["Open_vSwitch"][0]["external_ids"].(map[string]any)["heddle-datapath-type"] = "netdev"
		}, state: checks.Fail, says: `its datapath is "", and the host says "netdev"`, do: "heddle-datapath-type"},
		"port_error":         {harm: func(f *fake) { f.row("Interface", "name", "patch-tun")["error"] = "could not open" }, state: checks.Fail, says: "bridge br-int: port patch-tun: could not open", do: "del-port"},
		"patch_port_missing": {harm: func(f *fake) { f.row("Bridge", "name", "br-int")["ports"] = []any{} }, state: checks.Fail, says: "cable patch-tun on br-int: it is missing", do: "describe host"},
		"wrong_peer":         {harm: func(f *fake) { f.row("Interface", "name", "patch-int")["options"] = map[string]any{"peer": "x"} }, state: checks.Fail, says: `cable patch-int on br-tun: it is of type "patch" with peer "x"`, do: "del-port patch-int"},
		"no_name":            {harm: func(f *fake) { f.tables["Open_vSwitch"][0]["external_ids"] = map[string]any{} }, state: checks.Fail, says: "name of the host: neither hostname", do: "external_ids:hostname"},
		"wrong_tunnel_address": {harm: func(f *fake) { f.links[0].Addresses = []netip.Addr{netip.MustParseAddr("10.0.0.7")} }, state: checks.Fail,
			says: "tunnel address: 10.0.0.1 (external_ids:heddle-encap-ip) is on no interface", do: "heddle-encap-ip=ADDRESS"},
		"no_tunnel_address": {harm: func(f *fake) { delete(f.tables["Open_vSwitch"][0]["external_ids"].(map[string]any), "heddle-encap-ip") }, state: checks.Warn, says: "tunnel address: external_ids:heddle-encap-ip is not set", do: "ovs-vsctl set"},
		"link_down":         {harm: func(f *fake) { f.links[0].Up = false }, state: checks.Fail, says: "tunnel address: 10.0.0.1 is on eth0, which is down", do: "ip link set eth0 up"},
		"small_mtu":         {harm: func(f *fake) { f.links[0].MTU = 1400 }, state: checks.Fail, says: "eth0 has MTU 1400, and the underlay has to carry 1500", do: "ip link set eth0 mtu 1500"},
		"mtu_asked_for":     {opts: Options{MTU: 9000}, state: checks.Fail, says: "has to carry 9000", do: "--underlay-mtu 1500"},
		"small_path_mtu": {harm: func(f *fake) {
			f.broken["ping -n -c 2 -i 0.2 -W 2 -M do -s 1472 10.0.0.3"] = "message too long, mtu=1400"
		}, state: checks.Fail,
			says: "underlay to 10.0.0.3: packets of 1500 bytes do not get there, smaller ones do; the path carries 1400", do: "MTU of every link"},
		"end_unreachable": {harm: func(f *fake) { f.broken["ping -n -c 2 -i 0.2 -W 2 10.0.0.2"] = "exit status 1" }, state: checks.Fail, says: "underlay to 10.0.0.2: it does not answer pings", do: "ip route get 10.0.0.2"},
		"bfd_down": {harm: func(f *fake) {
			f.row("Interface", "name", "vxlan-0a000002")["bfd_status"] = map[string]any{"state": "down", "diagnostic": "Control Detection Time Expired"}
		}, state: checks.Fail,
			says: "tunnel vxlan-0a000002 to 10.0.0.2: BFD says down: Control Detection Time Expired", do: "UDP port 4789"},
		"no_ping":                {harm: func(f *fake) { f.programs = slices.DeleteFunc(f.programs, func(p string) bool { return p == "ping" }) }, state: checks.Warn, says: "other ends of tunnels: ping is not installed", do: "iputils-ping"},
		"physnet_bridge_missing": {harm: func(f *fake) { f.tables["Bridge"] = f.tables["Bridge"][:2] }, state: checks.Fail, says: "physical network physnet1: its bridge br-ex does not exist", do: "add-br br-ex"},
		"physnet_without_nic":    {harm: func(f *fake) { f.row("Bridge", "name", "br-ex")["ports"] = nil }, state: checks.Warn, says: "its bridge br-ex has no NIC", do: "add-port br-ex"},
		"no_dnsmasq": {harm: func(f *fake) {
			f.programs = slices.DeleteFunc(f.programs, func(p string) bool { return p == "dnsmasq" })
		}, state: checks.Fail, says: "program dnsmasq: not installed, and needed for DHCP", do: "dnsmasq-base"},
		"no_nftables":     {harm: func(f *fake) { f.broken["nft list tables"] = "Operation not permitted" }, state: checks.Fail, says: "nftables: the kernel does not answer nft", do: "modprobe nf_tables"},
		"no_time_service": {harm: func(f *fake) { f.kept = false }, state: checks.Warn, says: "clock: no time service keeps it", do: "chrony"},
		"disk_full":       {harm: func(f *fake) { f.free = 1 << 20 }, state: checks.Fail, says: "disk of /etc/openvswitch: 1 MiB of 102400 MiB free", do: "make room"},
		"disk_filling":    {harm: func(f *fake) { f.free = 512 << 20 }, state: checks.Warn, says: "disk of /etc/openvswitch: 512 MiB", do: "make room"},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			if c.harm != nil {
				c.harm(f)
			}
			l := Check(t.Context(), f, c.opts)
			for _, x := range l.All {
				if (x.State != checks.OK) != (x.Do != "") {
					t.Errorf("%+v: what is not ok says what to do, and nothing else does", x)
				}
			}
			if !slices.ContainsFunc(l.All, func(x checks.Check) bool {
				return x.State == c.state && strings.Contains(x.What+": "+x.Says, c.says) && strings.Contains(x.Do, c.do)
			}) {
				t.Errorf("no %s %q with %q:\n%+v", c.state, c.says, c.do, l.All)
			}
		})
	}
}

// A host that is no gateway needs no programs of one.
func TestComputeHostsNeedNoGatewayPrograms(t *testing.T) {
	f := healthy()
	delete(f.tables["Open_vSwitch"][0]["external_ids"].(map[string]any), "heddle-gateway")
	f.programs = []string{"ovs-vsctl", "ping"}
	if l := Check(t.Context(), f, Options{}); l.Count(checks.Fail) != 0 {
		t.Errorf("%+v", l.All)
	}
	if l := Check(t.Context(), f, Options{Gateway: true}); l.Count(checks.Fail) != 4 {
		t.Errorf("%+v", l.All)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(encode(healthy().tables["Interface"]))
	f.Add(`{"headings":["a"],"data":[[["map",[["k"]]]]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseTable(text)
		if err != nil {
			return
		}
		for _, r := range rows {
			for name := range r {
				_, _, _ = r.text(name), r.list(name), r.at(name, "k")
			}
		}
	})
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"2.17.9", "3.1", true}, {"3.1.0", "3.1", false}, {"3.10", "3.9", false}, {"3", "3.1", true}, {"", "3.1", true}, {"4.0", "3.1", false}} {
		if older(c.a, c.b) != c.want {
			t.Errorf("%s older than %s: %v", c.a, c.b, !c.want)
		}
	}
}
