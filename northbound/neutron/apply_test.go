package neutron

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

var (
	operator = identity.Identity{User: "root", Project: "ops", Roles: []string{"admin"}, Admin: true}
	member   = identity.Identity{User: "ann", Project: "acme", Roles: []string{"member"}}
)

// tenant is a document with an object of every kind.
const tenant = `{
	"networks": [{"name": "blue", "description": "of the shop", "tags": ["shop"]}],
	"subnets": [
		{"name": "blue4", "network": "blue", "cidr": "10.0.0.0/24", "dns_nameservers": ["192.0.2.53"]},
		{"name": "blue6", "network": "blue", "cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}],
	"routers": [{"name": "r", "external_gateway": "outside", "interfaces": ["blue4", "blue6"],
		"routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]}],
	"ports": [
		{"name": "web", "network": "blue", "fixed_ips": [{"subnet": "blue4"}], "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]},
		{"name": "db", "network": "blue", "fixed_ips": [{"subnet": "blue4", "ip_address": "10.0.0.50"}]}],
	"floatingips": [{"network": "outside", "port": "web", "router": "r"}]
}`

func parseDoc(t testing.TB, text string) map[string]any {
	t.Helper()
	doc, ok := decodeJSON([]byte(text)).(map[string]any)
	if !ok {
		t.Fatalf("not an object: %s", text)
	}
	return doc
}

func (a *api) apply(who identity.Identity, d change.Document) (change.Applied, error) {
	return a.handler.(*API).Apply(a.t.Context(), who, d)
}

// applies applies a document that must be taken, and checks the model.
func (a *api) applies(who identity.Identity, d change.Document) change.Applied {
	a.t.Helper()
	got, err := a.apply(who, d)
	if err != nil {
		a.t.Fatal(err)
	}
	a.sound()
	return got
}

// did lists changes as "create network/blue".
func did(changes []change.Object) []string {
	var out []string
	for _, c := range changes {
		kind, id, _ := strings.Cut(c.Object, "/")
		name := c.Name
		if name == "" {
			name = id
		}
		out = append(out, c.Op+" "+kind+"/"+name)
	}
	return out
}

func TestDocumentIsAppliedOnce(t *testing.T) {
	a := newAPI(t)
	a.external("outside", "203.0.113.0/24")
	doc := change.Document{Body: parseDoc(t, tenant)}
	first := a.applies(member, doc)
	want := []string{"create network/blue", "create subnet/blue4", "create subnet/blue6", "create router/r", "create port/web", "create port/db"}
	if got := did(first.Changes); !slices.Equal(slices.DeleteFunc(got, func(s string) bool {
		return strings.Contains(s, "create port/") && len(s) > 20 || strings.Contains(s, "floatingip")
	}), want) ||
		first.Unchanged != 0 || first.Rev != a.store.Snapshot().Rev {
		t.Errorf("first: %+v", first)
	}
	m := a.store.Snapshot()
	for _, f := range m.FloatingIPs.All() {
		if p, ok := m.Ports.Get(f.Target); !ok || p.Name != "web" || f.Project != "acme" {
			t.Errorf("floating IP %+v", f)
		}
	}
	again := a.applies(member, doc)
	if len(again.Changes) != 0 || again.Unchanged != 7 || a.store.Snapshot().Rev != m.Rev {
		t.Errorf("again: %d unchanged, %v, revision %d after %d", again.Unchanged, again.Changes, again.Rev, m.Rev)
	}
	// Without an address and a MAC to name them, they stay. What the document does not say is left alone.
	for _, p := range m.Ports.All() {
		if p.Name == "web" {
			a.must(200, "PUT", "/ports/"+string(p.ID), `{"port":{"description":"by hand"}}`)
		}
	}
	if got := a.applies(member, doc); len(got.Changes) != 0 {
		t.Errorf("after an edit of something else: %v", did(got.Changes))
	}
}

// TestExampleIsADocument keeps the file that users begin with in order.
func TestExampleIsADocument(t *testing.T) {
	text, err := os.ReadFile("../../examples/tenant.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(t)
	a.external("public", "203.0.113.0/24")
	first := a.applies(member, change.Document{Body: parseDoc(t, string(doc)), Prune: true})
	again := a.applies(member, change.Document{Body: parseDoc(t, string(doc)), Prune: true})
	if len(first.Changes) < 7 || len(again.Changes) != 0 || again.Unchanged != 7 {
		t.Errorf("first %v, again %v", did(first.Changes), did(again.Changes))
	}
}

func TestDocumentChangesOnlyWhatDiffers(t *testing.T) {
	a := newAPI(t)
	a.external("outside", "203.0.113.0/24")
	a.applies(member, change.Document{Body: parseDoc(t, tenant)})
	for _, c := range []struct {
		name, old, now string
		want           []string
	}{
		{"attribute", `"of the shop"`, `"of the office"`, []string{"update network/blue description"}},
		{"tags", `["shop"]`, `["office"]`, []string{"update network/blue tags"}},
		{"list", `["192.0.2.53"]`, `["192.0.2.54"]`, []string{"update subnet/blue4 dns_nameservers"}},
		{"option_is_removed", `[{"opt_name": "mtu", "opt_value": "1400"}]`, `[]`, []string{"update port/web extra_dhcp_opts"}},
		{"routes", `"10.9.0.0/16"`, `"10.8.0.0/16"`, []string{"update router/r routes"}},
		{"floating_ip_moves", `"port": "web", "router": "r"`, `"port": "db"`, []string{"create floatingip/203.0.113"}},
		{"interface_leaves", `["blue4", "blue6"]`, `["blue4"]`, []string{"delete port/"}},
		{"gateway", `"external_gateway": "outside"`, `"external_gateway": {"network": "outside", "enable_snat": true}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(tenant, c.old, c.now, 1)
			if text == tenant {
				t.Fatalf("the document has no %s", c.old)
			}
			got := a.applies(member, change.Document{Body: parseDoc(t, text)})
			var all []string
			for _, o := range got.Changes {
				line := o.Op + " " + o.Object[:strings.Index(o.Object, "/")+1] + o.Name
				for _, f := range o.Fields {
					line += " " + f.Field
				}
				all = append(all, line)
			}
			if len(all) != len(c.want) {
				t.Errorf("changes %q, want %q", all, c.want)
			}
			for i, want := range c.want {
				if i < len(all) && !strings.HasPrefix(all[i], want) {
					t.Errorf("change %q, want %q", all[i], want)
				}
			}
			a.applies(member, change.Document{Body: parseDoc(t, tenant)})
		})
	}
}

func TestDocumentErrorsNameTheirPlace(t *testing.T) {
	a := newAPI(t)
	a.external("outside", "203.0.113.0/24")
	a.applies(member, change.Document{Body: parseDoc(t, tenant)})
	a.applies(operator, change.Document{Project: "other", Body: parseDoc(t, `{"networks": [{"name": "secret"}, {"name": "everybody's", "shared": true}]}`)})
	for _, c := range []struct {
		name, doc string
		who       identity.Identity
		set       change.Document
		want      string
		reason    model.Reason
	}{
		{name: "unknown_member", doc: `{"vms": []}`, want: `vms: a document has no such member, only floatingips, networks, ports, routers, set, subnets`},
		{name: "no_list", doc: `{"networks": {}}`, want: "networks: it is a list of networks"},
		{name: "no_object", doc: `{"networks": ["x"]}`, want: "networks[0]: it is an object, with the attributes of a network"},
		{name: "no_name", doc: `{"networks": [{}]}`, want: "networks[0]: a name or an id is needed, to find it again the next time"},
		{name: "name_twice", doc: `{"networks": [{"name": "x"}, {"name": "x"}]}`, want: "networks[1].name: 'x' is the name of networks[0] as well"},
		{name: "unknown_attribute", doc: `{"networks": [{"name": "x", "colour": "blue"}]}`, want: "networks[0].colour: a network has no such attribute"},
		{name: "unknown_attribute_of_a_change", doc: `{"networks": [{"name": "blue", "colour": "blue"}]}`, want: "networks[0].colour: a network has no such attribute"},
		{name: "derived_attribute", doc: `{"networks": [{"name": "x", "status": "ACTIVE"}]}`, want: "networks[0].status: it cannot be set"},
		{name: "value", doc: `{"subnets": [{"name": "blue4"}, {"name": "x", "network": "blue", "cidr": "10.0.0.300/24"}]}`, want: "subnets[1].cidr: "},
		{name: "missing", doc: `{"subnets": [{"name": "x", "cidr": "10.7.0.0/24"}]}`, want: "subnets[0]: network_id is needed to make a subnet"},
		{name: "no_such_network", doc: `{"subnets": [{"name": "x", "network": "green", "cidr": "10.7.0.0/24"}]}`, want: "subnets[0].network: there is no network 'green'", reason: model.NotFound},
		{name: "hidden_network", doc: `{"ports": [{"name": "x", "network": "secret"}]}`, want: "ports[0].network: there is no network 'secret'", reason: model.NotFound},
		{name: "fixed", doc: `{"subnets": [{"name": "blue4", "cidr": "10.0.0.0/23"}]}`, want: `subnets[0].cidr: it is "10.0.0.0/24" and cannot be changed to 10.0.0.0/23`},
		{name: "address_in_use", doc: `{"ports": [{"name": "x", "network": "blue", "fixed_ips": [{"subnet": "blue4", "ip_address": "10.0.0.50"}]}]}`, want: "ports[0]: ", reason: model.Conflict},
		{name: "subnet_of_address", doc: `{"ports": [{"name": "x", "network": "blue", "fixed_ips": [{"subnet": "blue5"}]}]}`, want: "ports[0].fixed_ips[0].subnet: there is no subnet 'blue5'", reason: model.NotFound},
		{name: "interface", doc: `{"routers": [{"name": "r", "interfaces": ["blue4", "blue5"]}]}`, want: "routers[0].interfaces[1]: there is no subnet 'blue5'", reason: model.NotFound},
		{name: "gateway_in_use", doc: `{"routers": [{"name": "r", "external_gateway": null}]}`, want: "routers[0]: Gateway cannot be updated", reason: model.InUse},
		{name: "gateway_inside", doc: `{"routers": [{"name": "q", "external_gateway": "blue"}]}`, want: "routers[0]: Bad router request: Network"},
		{name: "routes", doc: `{"routers": [{"name": "r", "routes": [{"destination": "10.9.0.0/16", "nexthop": "192.0.2.1"}]}]}`, want: "routers[0]: Invalid format for routes"},
		{name: "router_of_address", doc: `{"routers": [{"name": "q"}], "floatingips": [{"port": "web", "router": "q"}]}`, want: "floatingips[0].router: it follows from the port"},
		{name: "nameless_address", doc: `{"floatingips": [{"network": "outside"}]}`, want: "floatingips[0]: floating_ip_address, port or id is needed"},
		{name: "unknown_id", doc: `{"networks": [{"id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}]}`, want: "networks[0].id: Network 6ba7b810-9dad-11d1-80b4-00c04fd430c8 could not be found.", reason: model.NotFound},
		{name: "another_project", doc: `{"networks": [{"name": "x", "project_id": "other"}]}`, want: "networks[0].project_id: ", reason: model.Forbidden},
		{name: "another_project_for_all", doc: `{}`, set: change.Document{Project: "other"}, want: "project_id: rule:apply:project_id is disallowed by policy", reason: model.Forbidden},
		{name: "not_allowed", doc: `{"networks": [{"name": "x", "shared": true}]}`, want: "networks[0]: rule:create_network:shared is disallowed by policy", reason: model.Forbidden},
		{name: "change_not_allowed", doc: `{"networks": [{"name": "blue", "shared": true}]}`, want: "networks[0]: rule:update_network:shared is disallowed by policy", reason: model.Forbidden},
		{name: "reader", doc: `{"networks": [{"name": "x"}]}`, who: identity.Identity{Project: "acme", Roles: []string{"reader"}}, want: "networks[0]: rule:create_network is disallowed by policy", reason: model.Forbidden},
		{name: "prune_of_no_set", doc: `{}`, set: change.Document{Prune: true}, want: "prune: it takes the name of a set"},
		{name: "two_sets", doc: `{"set": "a"}`, set: change.Document{Set: "b"}, want: "set: the document says a, the request b"},
		{name: "set", doc: `{"set": "a b"}`, want: "set: 'a b' cannot be the name of a set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.who.Project == "" {
				c.who = member
			}
			if c.reason == 0 {
				c.reason = model.Invalid
			}
			c.set.Body = parseDoc(t, c.doc)
			before := a.store.Snapshot()
			_, err := a.apply(c.who, c.set)
			var refused *model.Error
			if !errors.As(err, &refused) || !strings.HasPrefix(refused.Msg, c.want) || refused.Reason != c.reason {
				t.Errorf("%v, want %q for reason %d", err, c.want, c.reason)
			}
			if a.store.Snapshot() != before {
				t.Error("a document that was refused changed something")
			}
		})
	}
	// To name what is as it is already takes no right to change it.
	got := a.applies(member, change.Document{Body: parseDoc(t, `{"networks": [{"name": "blue", "shared": false, "admin_state_up": "true"}]}`)})
	if got.Unchanged != 1 {
		t.Errorf("%+v", got)
	}
}

func TestNamesThatAreAmbiguousAreRefused(t *testing.T) {
	a := newAPI(t)
	for range 2 {
		a.network(`{"name":"twin","project_id":"acme"}`)
	}
	for doc, want := range map[string]string{
		`{"networks": [{"name": "twin"}]}`:              "networks[0]: more than one network is meant",
		`{"ports": [{"name": "p", "network": "twin"}]}`: "ports[0].network: more than one network is named 'twin'",
	} {
		if _, err := a.apply(member, change.Document{Body: parseDoc(t, doc)}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestPruneDeletesWhatLeftTheSet(t *testing.T) {
	a := newAPI(t)
	a.external("outside", "203.0.113.0/24")
	whole := change.Document{Body: parseDoc(t, tenant), Set: "shop", Prune: true}
	a.applies(member, whole)
	kept := a.applies(member, change.Document{Body: parseDoc(t, `{"networks": [{"name": "by hand"}], "routers": [{"name": "r", "description": "adopted"}]}`)})
	if len(kept.Changes) != 2 {
		t.Errorf("beside the set: %v", did(kept.Changes))
	}
	if again := a.applies(member, whole); len(again.Changes) != 0 {
		t.Errorf("again: %v", did(again.Changes))
	}
	// Another project's set of the same name is another set.
	if got := a.applies(identity.Identity{User: "bob", Project: "other", Roles: []string{"member"}}, change.Document{Body: map[string]any{}, Set: "shop", Prune: true}); len(got.Changes) != 0 {
		t.Errorf("another project pruned %v", did(got.Changes))
	}
	half := change.Document{Set: "shop", Prune: true, Body: parseDoc(t, `{
		"networks": [{"name": "blue"}], "subnets": [{"name": "blue4", "network": "blue", "cidr": "10.0.0.0/24"}],
		"ports": [{"name": "cache", "network": "blue", "fixed_ips": [{"subnet": "blue4", "ip_address": "10.0.0.50"}]}]}`)}
	a.applies(member, half)
	m := a.store.Snapshot()
	if m.Routers.Len() != 0 || m.FloatingIPs.Len() != 0 || m.Subnets.Len() != 2 || m.Networks.Len() != 3 {
		t.Errorf("%d routers, %d floating IPs, %d subnets, %d networks", m.Routers.Len(), m.FloatingIPs.Len(), m.Subnets.Len(), m.Networks.Len())
	}
	a.applies(member, change.Document{Set: "shop", Prune: true, Body: map[string]any{}})
	if m := a.store.Snapshot(); m.Networks.Len() != 2 || m.Ports.Len() != 0 {
		t.Errorf("all pruned: %d networks, %d ports", m.Networks.Len(), m.Ports.Len())
	}
}

// TestDocumentsLeadAnywhere: whatever was there of a set, a document leads to the state that it leads to
// from nothing, and a second time it changes nothing.
func TestDocumentsLeadAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a := newAPI(t)
	a.external("outside", "203.0.113.0/24")
	for i := range 60 {
		text := randomDocument(rng)
		doc := change.Document{Body: parseDoc(t, text), Set: "all", Prune: true}
		if _, err := a.apply(operator, doc); err != nil {
			t.Fatalf("document %d: %v\n%s", i, err, text)
		}
		a.sound()
		if again := a.applies(operator, doc); len(again.Changes) != 0 {
			t.Fatalf("document %d changes %+v the second time\n%s", i, again.Changes, text)
		}
		fresh := newAPI(t)
		fresh.external("outside", "203.0.113.0/24")
		fresh.applies(operator, doc)
		if got, want := outline(a.store.Snapshot()), outline(fresh.store.Snapshot()); got != want {
			t.Fatalf("document %d: state\n%s\nwant\n%s\n%s", i, got, want, text)
		}
	}
}

// randomDocument makes a document of a few objects; those of one name always have the same attributes
// where the API lets nobody change them.
func randomDocument(rng *rand.Rand) string {
	coin := func() bool { return rng.IntN(2) == 0 }
	doc := map[string][]any{}
	add := func(member string, attrs map[string]any) { doc[member] = append(doc[member], attrs) }
	routed := map[int]bool{}
	var subnets []int
	for n := range 3 {
		if rng.IntN(4) == 0 {
			continue
		}
		network := fmt.Sprintf("n%d", n)
		add("networks", map[string]any{"name": network, "description": fmt.Sprint("d", rng.IntN(3)), "admin_state_up": coin(), "tags": []string{"t" + fmt.Sprint(rng.IntN(2))}})
		add("subnets", map[string]any{"name": fmt.Sprintf("s%d", n), "network": network, "cidr": fmt.Sprintf("10.0.%d.0/24", n),
			"enable_dhcp": coin(), "dns_nameservers": []string{"192.0.2." + fmt.Sprint(rng.IntN(3))}})
		subnets = append(subnets, n)
	}
	gateway := coin()
	if coin() {
		r := map[string]any{"name": "r", "external_gateway": nil, "routes": []any{}}
		if gateway {
			r["external_gateway"] = map[string]any{"network": "outside", "fixed_ips": []any{map[string]any{"ip_address": "203.0.113.200"}}, "enable_snat": coin()}
		}
		interfaces := []any{}
		for _, n := range subnets {
			if coin() {
				interfaces = append(interfaces, fmt.Sprintf("s%d", n))
				routed[n] = gateway
				if coin() {
					r["routes"] = append(r["routes"].([]any), map[string]any{"destination": fmt.Sprintf("10.1.%d.0/24", rng.IntN(3)), "nexthop": fmt.Sprintf("10.0.%d.99", n)})
				}
			}
		}
		r["interfaces"] = interfaces
		r["routes"] = slices.CompactFunc(r["routes"].([]any), func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
		add("routers", r)
	}
	free := rng.Perm(3)
	for _, n := range subnets {
		for p := range 2 {
			if coin() {
				continue
			}
			name := fmt.Sprintf("p%d-%d", n, p)
			// Ports exchange addresses with each other, which a third one may have had.
			add("ports", map[string]any{"name": name, "network": fmt.Sprintf("n%d", n), "admin_state_up": coin(),
				"fixed_ips": []any{map[string]any{"subnet": fmt.Sprintf("s%d", n), "ip_address": fmt.Sprintf("10.0.%d.%d", n, 10+2*p+rng.IntN(2))}}})
			if routed[n] && len(free) > 0 && coin() {
				add("floatingips", map[string]any{"network": "outside", "floating_ip_address": fmt.Sprintf("203.0.113.1%d", free[0]), "port": name})
				free = free[1:]
			}
		}
	}
	if len(free) > 0 && coin() {
		add("floatingips", map[string]any{"network": "outside", "floating_ip_address": fmt.Sprintf("203.0.113.1%d", free[0]), "port": nil})
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // maps and texts always encode
	}
	return string(b)
}

// outline tells of a model what documents say, with names in place of ids.
func outline(m *model.Model) string {
	subnet := func(id model.ID) string { s, _ := m.Subnets.Get(id); return s.Name }
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, n := range m.Networks.All() {
		add("network %s %s %t %v", n.Name, n.Description, n.AdminUp, n.Tags)
	}
	for _, s := range m.Subnets.All() {
		add("subnet %s %s dhcp %t dns %v %v", s.Name, s.CIDR, s.EnableDHCP, s.DNS, s.Tags)
	}
	for _, p := range m.Ports.All() {
		line := fmt.Sprintf("port %s %s %t", p.Name, p.DeviceOwner, p.AdminUp)
		for _, f := range p.FixedIPs {
			line += fmt.Sprintf(" %s %s", subnet(f.Subnet), f.IP)
		}
		if p.DeviceOwner == "network:dhcp" {
			line = fmt.Sprintf("dhcp port of %d addresses", len(p.FixedIPs)) // which ones are chosen
		}
		add("%s", line)
	}
	for _, r := range m.Routers.All() {
		snat := r.Gateway != nil && r.Gateway.SNAT
		routes := slices.Clone(r.Routes)
		slices.SortFunc(routes, func(a, b model.Route) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		add("router %s gateway %t snat %t %v %v", r.Name, r.Gateway != nil, snat, routes, r.Tags)
	}
	for _, f := range m.FloatingIPs.All() {
		p, _ := m.Ports.Get(f.Target)
		if p == nil {
			p = &model.Port{}
		}
		add("floatingip %s %s %s %v", f.IP, p.Name, f.FixedIP, f.Tags)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
