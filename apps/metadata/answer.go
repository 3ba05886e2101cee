package metadata

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// asker is an instance with all addresses that it is known by, in order.
type asker struct {
	spec.Instance
	addresses []netip.Addr
}

// id is the instance's id. A port without a device stands for itself.
func (a *asker) id() string {
	if a.Device != "" {
		return a.Device
	}
	return string(a.Port)
}

// first returns the first address of an IP version, empty if there is none.
func (a *asker) first(is func(netip.Addr) bool) string {
	if i := slices.IndexFunc(a.addresses, is); i >= 0 {
		return a.addresses[i].String()
	}
	return ""
}

const (
	typeText = "text/plain; charset=utf-8"
	typeJSON = "application/json"
)

// Versions of the trees that cloud-init asks for; all read the same.
var (
	versionsEC2       = []string{"2009-04-04", "latest"}
	versionsOpenStack = []string{"2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "latest"}
)

// dir is a directory of a tree: names with what is below them, a dir or a func() string. Names end in a
// slash if they are directories in listings.
type dir []entry

type entry struct {
	name  string
	below any
	// label is what a listing shows in place of name.
	label string
}

// answer returns what a path says about an instance, and its type. It is false if there is nothing.
func (a *asker) answer(path string) (body, contentType string, ok bool) {
	var at any = a.root()
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' }) {
		d, is := at.(dir)
		if !is {
			return "", "", false
		}
		i := slices.IndexFunc(d, func(e entry) bool { return e.name == name })
		if i < 0 {
			return "", "", false
		}
		at = d[i].below
	}
	switch at := at.(type) {
	case dir:
		return at.list(), typeText, true
	case func() string:
		if strings.HasSuffix(path, ".json") {
			return at(), typeJSON, true
		}
		return at(), typeText, true
	}
	return "", "", false
}

// list shows a directory as EC2 does.
func (d dir) list() string {
	var names []string
	for _, e := range d {
		name := e.name
		if _, is := e.below.(dir); is {
			name += "/"
		}
		if e.label != "" {
			name = e.label
		}
		names = append(names, name)
	}
	return strings.Join(names, "\n")
}

func text(s string) func() string { return func() string { return s } }

// file adds a file unless it would be empty.
func (d dir) file(name, content string) dir {
	if content == "" {
		return d
	}
	return append(d, entry{name: name, below: text(content)})
}

func (a *asker) root() dir {
	ec2 := dir{{name: "meta-data", below: a.ec2()}}.file("user-data", a.UserData)
	openstack := dir{{name: "meta_data.json", below: a.metaData}, {name: "network_data.json", below: a.networkData}}.
		file("user_data", a.UserData).file("vendor_data.json", "{}").file("vendor_data2.json", "{}")
	nocloud := dir{{name: "meta-data", below: a.noCloud}, {name: "user-data", below: text(a.UserData)}, {name: "vendor-data", below: text("")}}
	var root, versions dir
	for _, v := range versionsEC2 {
		root = append(root, entry{name: v, below: ec2})
	}
	for _, v := range versionsOpenStack {
		versions = append(versions, entry{name: v, below: openstack, label: v})
	}
	return append(root, entry{name: "openstack", below: versions}, entry{name: "nocloud", below: nocloud})
}

// ec2 is the tree of EC2's instance metadata, as far as there is something to say.
func (a *asker) ec2() dir {
	var keys dir
	for i, k := range a.PublicKey {
		n := strconv.Itoa(i)
		keys = append(keys, entry{name: n, below: dir{}.file("openssh-key", k), label: n + "=" + keyName(i)})
	}
	d := dir{}.file("hostname", a.Hostname).file("instance-id", a.id()).file("local-hostname", a.Hostname).
		file("local-ipv4", a.first(netip.Addr.Is4)).file("mac", a.MAC.String())
	if len(keys) > 0 {
		d = append(d, entry{name: "public-keys", below: keys})
	}
	return d
}

// keyName is what a key is called that came without a name.
func keyName(i int) string { return fmt.Sprintf("key-%d", i) }

// metaData is OpenStack's meta_data.json.
func (a *asker) metaData() string {
	type key struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Data string `json:"data"`
	}
	keys, named := []key{}, map[string]string{}
	for i, k := range a.PublicKey {
		keys = append(keys, key{keyName(i), "ssh", k})
		named[keyName(i)] = k
	}
	return encode(struct {
		UUID        string            `json:"uuid"`
		Name        string            `json:"name"`
		Hostname    string            `json:"hostname"`
		Project     string            `json:"project_id"`
		LaunchIndex int               `json:"launch_index"`
		Zone        string            `json:"availability_zone"`
		PublicKeys  map[string]string `json:"public_keys,omitempty"`
		Keys        []key             `json:"keys"`
		Devices     []string          `json:"devices"`
	}{a.id(), a.Hostname, a.Hostname, a.Project, 0, "nova", named, keys, []string{}})
}

// networkData is OpenStack's network_data.json. Addresses come by DHCP and router advertisements.
func (a *asker) networkData() string {
	type link struct {
		ID   string `json:"id"`
		MAC  string `json:"ethernet_mac_address"`
		MTU  int    `json:"mtu,omitempty"`
		Type string `json:"type"`
		VIF  string `json:"vif_id"`
	}
	type network struct {
		ID   string `json:"id"`
		Link string `json:"link"`
		Type string `json:"type"`
	}
	name := "tap" + string(a.Port[:min(11, len(a.Port))])
	networks := []network{}
	if a.first(netip.Addr.Is4) != "" {
		networks = append(networks, network{"network0", name, "ipv4_dhcp"})
	}
	if a.first(func(ip netip.Addr) bool { return ip.Is6() && !ip.IsLinkLocalUnicast() }) != "" {
		networks = append(networks, network{fmt.Sprintf("network%d", len(networks)), name, "ipv6_slaac"})
	}
	return encode(map[string]any{
		"links":    []link{{name, a.MAC.String(), a.MTU, "ovs", string(a.Port)}},
		"networks": networks, "services": []string{},
	})
}

// noCloud is the meta-data of cloud-init's NoCloud. It is YAML, of which JSON is a part.
func (a *asker) noCloud() string {
	m := map[string]any{"instance-id": a.id(), "local-hostname": a.Hostname}
	if len(a.PublicKey) > 0 {
		m["public-keys"] = a.PublicKey
	}
	return encode(m)
}

// encode writes what is made of texts and numbers, which cannot fail.
func encode(v any) string {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("metadata: " + err.Error())
	}
	return string(out) + "\n"
}
