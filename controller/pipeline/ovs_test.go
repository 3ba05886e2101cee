package pipeline_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// startBridges loads the golden files into br-int and br-tun of a real Open vSwitch, connected and with
// ports numbered as in the golden files.
func startBridges(t *testing.T) *ovstest.OVS {
	ovs := ovstest.Start(t)
	for _, br := range []string{pipeline.Int.Bridge, pipeline.Tun.Bridge, pipeline.Ext.Bridge} {
		ovs.AddBridge(br)
	}
	add := func(bridge, port, number string, iface ...string) {
		ovs.VSCtl(append([]string{"add-port", bridge, port, "--", "set", "Interface", port, "ofport_request=" + number}, iface...)...)
	}
	add("br-int", "patch-tun", "1", "type=patch", "options:peer=patch-int")
	add("br-tun", "patch-int", "1", "type=patch", "options:peer=patch-tun")
	add("br-int", "int-br-ex", "2", "type=patch", "options:peer=phy-br-ex")
	add("br-ex", "phy-br-ex", "1", "type=patch", "options:peer=int-br-ex")
	add("br-ex", "eth1", "2")
	for n, name := range map[string]string{"10": "vm10", "11": "vm11", "12": "vm12", "13": "vm13", "14": "vm14", "15": "vm15", "16": "vm16"} {
		add("br-int", name, n)
	}
	for n, tunnel := range map[string][2]string{"2": {"vxlan", "10.99.0.1"}, "3": {"gre", "10.99.0.1"}, "4": {"geneve", "10.99.0.1"}, "5": {"vxlan", "10.99.0.3"}} {
		add("br-tun", "tun"+n, n, "type="+tunnel[0], "options:remote_ip="+tunnel[1], "options:key=flow")
	}
	for bridge, file := range map[string]string{"br-int": "int", "br-tun": "tun", "br-ex": "ext"} {
		ovs.OFCtl("add-flows", bridge, filepath.Join("testdata", file+".flows"))
	}
	return ovs
}

func TestOVSHoldsTheGoldenFilesAsWritten(t *testing.T) {
	ovs := startBridges(t)
	for bridge, file := range map[string]string{"br-int": "int", "br-tun": "tun", "br-ex": "ext"} {
		if diff := ovs.OFCtl("diff-flows", bridge, filepath.Join("testdata", file+".flows")); diff != "" {
			t.Errorf("%s differs from %s.flows:\n%s", bridge, file, diff)
		}
	}
}

func TestPacketsTakeTheirWay(t *testing.T) {
	ovs := startBridges(t)
	const (
		vm10     = "in_port=vm10,dl_src=fa:16:3e:04:bd:fb"
		anyone   = "dl_src=0a:00:00:00:00:01"
		ipv4     = ",dl_type=0x0800,nw_src=10.1.0.9,nw_dst=10.1.0.1"
		whoHas   = ",dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x0806,arp_op=1,arp_spa=10.1.0.9,arp_sha=fa:16:3e:04:bd:fb,arp_tpa="
		tunneled = "tun_src=10.99.0.1,tun_dst=10.99.0.2,dl_src=fa:16:3e:9e:c2:b3,dl_dst="
	)
	for name, c := range map[string]struct {
		bridge, packet string
		tables         string // visited, of all bridges
		does           string // the last steps of the trace, a regular expression
	}{
		"unicast_to_port_on_other_host":      {"br-int", vm10 + ",dl_dst=fa:16:3e:9e:c2:b3" + ipv4, "0 61 0 2 20", `0x3e9->tun_id output:2 Final`},
		"unicast_to_port_on_same_host":       {"br-int", vm10 + ",dl_dst=fa:16:3e:04:bd:fc" + ipv4, "0 61", `pop_vlan output:11 Final`},
		"same_mac_in_other_network_is_apart": {"br-int", "in_port=vm12," + anyone + ",dl_dst=fa:16:3e:04:bd:fc" + ipv4, "0 60 61 62 0 2 20 22", `0x1->tun_id output:3 pop_vlan output:12 >> skipping output to input port Final`},
		"unknown_unicast_is_flooded":         {"br-int", vm10 + ",dl_dst=0a:00:00:00:00:09" + ipv4, "0 61 62 0 2 20 22", `0x3e9->tun_id output:2 output:5 pop_vlan output:10 >> skipping output to input port output:11 output:13 Final`},
		"arp_for_known_port_is_answered":     {"br-int", vm10 + whoHas + "10.1.0.1", "0 61 62 0 2 21 0 60 61", `(?s)fa:16:3e:9e:c2:b3->eth_src IN_PORT.*pop_vlan output:10 .*Final`},
		"arp_for_unknown_is_flooded":         {"br-int", vm10 + whoHas + "10.1.0.77", "0 61 62 0 2 21 22", `0x3e9->tun_id output:2 output:5 pop_vlan`},
		"multicast_is_flooded":               {"br-int", vm10 + ",dl_dst=01:00:5e:00:00:01" + ipv4, "0 61 62 0 2 22", `0x3e9->tun_id output:2 output:5 pop_vlan`},
		"tagged_frame_of_a_vm_is_dropped":    {"br-int", vm10 + ",dl_vlan=2,dl_dst=fa:16:3e:04:bd:fc" + ipv4, "0", `Datapath actions: drop$`},
		"port_of_nobody_is_dropped":          {"br-int", "in_port=LOCAL,dl_dst=fa:16:3e:04:bd:fc" + ipv4, "0", `Datapath actions: drop$`},
		"from_tunnel_to_port":                {"br-tun", "in_port=2,tun_id=0x3e9," + tunneled + "fa:16:3e:04:bd:fb", "0 4 10 0 60 61", `pop_vlan output:10 Final`},
		"unknown_key_is_dropped":             {"br-tun", "in_port=2,tun_id=0x7777," + tunneled + "fa:16:3e:04:bd:fb", "0 4", `Datapath actions: drop$`},
		"key_of_other_type_is_dropped":       {"br-tun", "in_port=3,tun_id=0x3e9," + tunneled + "fa:16:3e:04:bd:fb", "0 3", `Datapath actions: drop$`},
		"from_tunnel_never_back_to_tunnels":  {"br-tun", "in_port=2,tun_id=0x3e9," + tunneled + "ff:ff:ff:ff:ff:ff", "0 4 10 0 60 61 62", `output:1 >> skipping output to input port pop_vlan output:10 output:11 output:13 Final`},
		"flat_network_leaves_untagged":       {"br-int", "in_port=vm14,dl_src=fa:16:3e:00:00:05,dl_dst=0a:00:00:00:00:09" + ipv4, "0 61 62 0", `pop_vlan NORMAL`},
		"vlan_network_leaves_tagged":         {"br-int", "in_port=vm15,dl_src=fa:16:3e:00:00:06,dl_dst=0a:00:00:00:00:09" + ipv4, "0 61 62 0", `Datapath actions: push_vlan\(vid=100,pcp=0\),`},
		"vlan_network_arrives":               {"br-ex", "in_port=eth1,dl_vlan=100," + anyone + ",dl_dst=fa:16:3e:00:00:06" + ipv4, "0 0 60 61", `pop_vlan output:15 Final`},
		"other_vlans_of_the_wire_stay_out":   {"br-ex", "in_port=eth1,dl_vlan=101," + anyone + ",dl_dst=fa:16:3e:00:00:06" + ipv4, "0 0", `bridge\("br-int"\) -+ 0\. priority 0, cookie 0x5d01000000000000 drop`},
		"migrated_port_is_sent_after":        {"br-int", vm10 + ",dl_dst=fa:16:3e:04:bd:fd" + ipv4, "0 61 0 2 20 22", `0x3e9->tun_id output:2 output:5 Final`},
	} {
		t.Run(name, func(t *testing.T) {
			out := ovs.AppCtl("ofproto/trace", c.bridge, c.packet)
			if got := visited(out); got != c.tables {
				t.Errorf("tables %q, want %q\n%s", got, c.tables, out)
			}
			if !regexp.MustCompile(c.does).MatchString(strings.Join(strings.Fields(out), " ")) {
				t.Errorf("the trace does not say %q\n%s", c.does, out)
			}
		})
	}
}

// visited returns the tables of a trace in order. A line that starts with a number and a dot is a flow
// that was taken.
func visited(trace string) string {
	var tables []string
	for _, m := range regexp.MustCompile(`(?m)^ *(\d+)\. `).FindAllStringSubmatch(trace, -1) {
		tables = append(tables, m[1])
	}
	return strings.Join(tables, " ")
}

func TestDocumentIsOfTheseTables(t *testing.T) {
	doc := pipeline.Document()
	for _, b := range []string{"int", "tun", "ext"} {
		sample, err := os.ReadFile(filepath.Join("testdata", b+".flows"))
		if err != nil {
			t.Fatal(err)
		}
		doc = strings.Replace(doc, "{{"+b+"}}", string(sample), 1)
	}
	golden(t, filepath.Join("..", "..", "docs", "pipeline.md"), doc)
}
