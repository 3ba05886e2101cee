package cli

import (
	"strings"
	"testing"
)

// outputs are command lines whose output is kept in testdata, with what the API answered to them.
var outputs = map[string]string{
	"get_networks":         "get networks",
	"get_networks_wide":    "get net -o wide",
	"get_subnets":          "get subnets",
	"get_ports":            "get ports",
	"get_ports_of_network": "get ports --network blue --host cmp1",
	"get_routers_wide":     "get rt -o wide",
	"get_floatingips":      "get fip",
	"get_portforwardings":  "get pf -o wide",
	"get_hosts_wide":       "get hosts -o wide",
	"get_switches":         "get sw --host cmp1",
	"get_flows_of_table":   "get flows --host cmp1 --bridge br-tun --table to_unicast",
	"get_flows_of_port":    "get flows --object port/web --host cmp1",
	"get_namespaces":       "get ns",
	"get_tunnels":          "get tunnels --host cmp1",
	"get_leases":           "get leases --network blue",
	"get_agents":           "get agents",
	"get_macs":             "get macs",
	"get_several_kinds":    "get net,sub",
	"get_by_slash":         "get port/web router/edge",
	"get_port_yaml":        "get port web -o yaml",
	"get_port_json":        "get port web -o json",
	"get_names":            "get ports -o name --network blue",
	"get_without_titles":   "get networks --no-headers",
	"get_filter":           "get ports --filter device_owner=network:dhcp",
	"describe_port":        "describe port web",
	"describe_router":      "describe router edge",
	"describe_network":     "describe net blue",
	"describe_host":        "describe host net1",
	"describe_switch":      "describe switch 00000000000000a0",
	"describe_namespace":   "describe ns qrouter-b9216f41-bbc5-4a98-b7da-fc64deb68410",
	"describe_port_json":   "describe port web -o json",
	"explain":              "explain web db",
	"explain_wide":         "explain port/web 10.0.22.1 --protocol udp --port 53 -o wide",
	"trace":                "trace web db --state actual",
	"plan_of_delete":       "delete port web --plan",
	"plan_of_set":          "set router edge --route 192.168.7.0/24=10.0.22.207 --plan",
	"plan_of_create":       "create port new --network blue --ip 10.0.22.77 --plan",
}

// What commands print of recorded answers is as in testdata. With -update both are made anew by the real API.
func TestOutputs(t *testing.T) {
	for name, line := range outputs {
		t.Run(name, func(t *testing.T) {
			w := replay(t, name, newOffice)
			out, errs, code := w.run(strings.Fields(line)...)
			if code > exitNo {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			golden(t, name, out)
		})
	}
}

// The real API answers each of them, too, whatever it says by now.
func TestTheRealAPIAnswersEveryCommand(t *testing.T) {
	w := newOffice(t)
	for name, line := range outputs {
		if out, errs, code := w.run(strings.Fields(line)...); code > exitNo || out == "" {
			t.Errorf("%s: heddle %s: exit code %d: %s", name, line, code, errs)
		}
	}
}
