package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/northbound/identity"
)

// An object is meant by its id, its name or the beginning of its id, and by nothing that two have.
func TestObjectsAreMeantByNameAndID(t *testing.T) {
	w := newWorld(t, nil)
	w.must("create", "network", "blue", "--project", "acme")
	w.must("create", "network", "blue", "--project", "other")
	ids := strings.Fields(w.must("get", "networks", "-o", "jsonpath={.items[*].id}"))
	if len(ids) != 2 {
		t.Fatalf("two networks, and not %v", ids)
	}
	own := strings.TrimSpace(w.must("get", "net", "blue", "--project", "acme", "-o", "jsonpath={.id}"))
	for word, want := range map[string]string{ids[0]: ids[0], ids[1][:8]: ids[1], own: own} {
		if got := strings.TrimSpace(w.must("get", "network/"+word, "-o", "name")); got != "network/"+want {
			t.Errorf("%s is %s, want %s", word, got, want)
		}
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"get network blue", exitUsage, "2 networks are called \"blue\": " + ids[0] + ", " + ids[1]},
		{"get network green", exitNotFound, `there is no network "green"; heddle get networks lists`},
		{"get network 00000000-0000-4000-8000-000000000000", exitNotFound, "no network"},
		{"get host cmp9", exitNotFound, `no host "cmp9"`},
		{"get cats", exitUsage, `nothing called "cats"`},
		{"get", exitUsage, "what to get is missing"},
		{"get net,sub blue", exitUsage, "one kind"},
		{"get network/blue port", exitUsage, "KIND/NAME"},
		{"get routers --status UP", exitUsage, "--status is no filter of routers"},
		{"get networks --filter mtu", exitUsage, "MEMBER=VALUE"},
		{"get networks -o xml", exitUsage, "xml"},
		{"get networks -o jsonpath={", exitUsage, "jsonpath"},
		{"get networks --colour", exitUsage, "heddle get --help lists the flags"},
		{"get flows --host cmp9", exitNotFound, "heddle get switches"},
		{"nonsense", exitUsage, `unknown command "nonsense"`},
		{"create nonsense", exitUsage, `unknown command "nonsense" for "heddle create"`},
		{"create network", exitUsage, "accepts 1 arg"},
		{"create subnet s --network green --cidr 10.0.0.0/24", exitNotFound, `no network "green"`},
		{"create subnet s --network " + own + " --cidr 10", exitUsage, "prefix"},
		{"create network n --mtu 1", exitRefused, "MTU is too small"},
		{"create port p --network " + own + " --ip 1.2.3.4", exitRefused, "requires subnets"},
		{"create host cmp1 --gateway", exitRefused, "heddle set host cmp1 changes it"},
		{"get events --limit x", exitUsage, "no number"},
		{"get networks --external", 0, "nothing found"},
		{"create portforwarding --port x", exitNotFound, `no port "x"`},
		{"set network " + own, exitUsage, "nothing to change"},
		{"set network " + own + " --set mtu", exitUsage, "MEMBER=VALUE"},
		{"delete network", exitUsage, "which network"},
		{"delete flow x", exitUsage, "flows cannot be deleted"},
		{"delete network green", exitNotFound, `no network "green"`},
		{"delete network green --ignore-not-found", 0, ""},
		{"router add-interface r s", exitNotFound, `no router "r"`},
		{"get networks --server ftp://x", exitUsage, "ftp://x"},
		{"get networks --token-file /nonexistent", exitUsage, "/nonexistent"},
		{"get networks --server http://127.0.0.1:1", exitUnreachable, "http://127.0.0.1:1 cannot be reached"},
	} {
		_, errs, code := w.run(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("heddle %s: exit code %d: %s\nwant %d and %q", c.args, code, errs, c.code, c.says)
		}
	}
}

// people accepts names as tokens.
type people struct{}

func (people) Authenticate(r *http.Request) (identity.Identity, error) {
	switch token := r.Header.Get("X-Auth-Token"); token {
	case "":
		return identity.Identity{}, identity.ErrUnauthorized
	case "root":
		return identity.Identity{User: "root", Project: "ops", Roles: []string{"admin"}, Admin: true}, nil
	default:
		return identity.Identity{User: token, Project: "of-" + token, Roles: []string{"member"}}, nil
	}
}

func TestTokensSayWhoAsks(t *testing.T) {
	w := newWorld(t, people{})
	w.env["HEDDLE_TOKEN"] = "ann"
	w.must("create", "network", "blue")
	if out := w.must("get", "networks", "-o", "jsonpath={.items[*].project_id}"); strings.TrimSpace(out) != "of-ann" {
		t.Errorf("ann sees networks of %s", out)
	}
	w.must("describe", "network", "blue") // though ann may not see events
	w.env["HEDDLE_TOKEN"] = "bob"
	if out := w.must("get", "networks", "-o", "name"); out != "" {
		t.Errorf("bob sees %s", out)
	}
	for env, want := range map[string]int{"bob": exitForbidden, "": exitForbidden} {
		w.env["HEDDLE_TOKEN"] = env
		if _, errs, code := w.run("get", "hosts"); code != want {
			t.Errorf("get hosts as %q: exit code %d: %s", env, code, errs)
		}
	}
	delete(w.env, "HEDDLE_TOKEN")
	w.env["OS_TOKEN"], w.env["OS_ENDPOINT"] = "root", w.server.URL+"/v2.0"
	delete(w.env, "HEDDLE_SERVER")
	if out := w.must("get", "hosts", "-o", "name"); !strings.Contains(out, "host/cmp1") {
		t.Errorf("an administrator sees hosts %s", out)
	}
}

// What the command line changed is what the API holds then.
func TestObjectsAreChanged(t *testing.T) {
	w := newOffice(t)
	for _, c := range []struct{ change, get, want string }{
		{"set network blue --mtu 1400 --description office", "get network blue -o jsonpath={.mtu},{.description}", "1400,office"},
		{"set subnet blue-v4 --dns none --pool 10.0.22.5-10.0.22.9 --route 10.9.0.0/16=10.0.22.9",
			"get subnet blue-v4 -o jsonpath={.dns_nameservers},{.allocation_pools[0].end},{.host_routes[0].nexthop}", "[],10.0.22.9,10.0.22.9"},
		{"set port web --up=false --name www", "get port www -o jsonpath={.admin_state_up}", "false"},
		{"set port www --set binding:profile={\"x\":1} --set dns_name=www", "get port www -o jsonpath={.binding:profile.x},{.dns_name}", "1,www"},
		{"set floatingip 198.51.100.9 --port none", "get fip 198.51.100.9 -o jsonpath={.port_id}", "null"},
		{"set router edge --snat=false", "get router edge -o jsonpath={.external_gateway_info.enable_snat}", "false"},
		{"set host cmp1 --drained --bridge-mapping physnet1=br-ex", "get host cmp1 -o jsonpath={.drained},{.override.bridge_mappings.physnet1}", "true,br-ex"},
		{"set portforwarding " + strings.TrimSpace(w.must("get", "pf", "-o", "jsonpath={.items[0].id}")) + " --inside 2022", "get pf -o jsonpath={.items[0].internal_port}", "2022"},
		{"delete pf " + strings.TrimSpace(w.must("get", "pf", "-o", "jsonpath={.items[0].id}")), "get pf -o name", ""},
		{"delete fip 198.51.100.9 198.51.100.10", "get fip -o name", ""},
		{"router unset-gateway edge", "get router edge -o jsonpath={.external_gateway_info}", "null"},
		{"router set-gateway edge public", "get router edge -o jsonpath={.external_gateway_info.enable_snat}", "true"},
		{"router remove-interface edge blue-v4", "get ports --owner network:router_interface -o name", ""},
		{"delete router/edge port/www", "get routers -o name", ""},
		{"delete host cmp2", "get host --filter name=cmp2 -o name", ""},
	} {
		w.must(strings.Fields(c.change)...)
		if got := strings.TrimSpace(w.must(strings.Fields(c.get)...)); got != c.want {
			t.Errorf("after %s: %q, want %q", c.change, got, c.want)
		}
	}
}

// A plan is asked of a server that can plan only: another would do what was only to be shown.
func TestNothingIsDoneByAServerThatCannotPlan(t *testing.T) {
	w := newOffice(t)
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/v1") {
			http.NotFound(rw, r)
			return true
		}
		return false
	}
	if _, errs, code := w.run("delete", "port", "db", "--plan"); code != exitUsage || !strings.Contains(errs, "cannot plan") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if out := w.must("get", "port", "db"); !strings.Contains(out, "10.0.22.207") {
		t.Errorf("the port, of a server without /v1: %s", out)
	}
}

func TestCompletionKnowsNames(t *testing.T) {
	w := newOffice(t)
	for words, want := range map[string]string{
		"get ":                                   "networks\t",
		"get ports ":                             "web\t",
		"get port/":                              "port/web\t",
		"get ports --network ":                   "blue\t",
		"describe rt ":                           "edge\t",
		"delete fip ":                            "198.51.100.9\t",
		"set port ":                              "db\t",
		"create port x --network ":               "public\t",
		"router add-interface ":                  "edge\t",
		"router add-interface edge ":             "blue-v4\t",
		"router set-gateway edge ":               "public\t",
		"get hosts -o ":                          "yaml",
		"get flows --host ":                      "cmp1",
		"create floatingip --network public --p": "--port",
	} {
		args := strings.Split(words, " ")
		out, _, _ := w.run(append([]string{"__complete"}, args...)...)
		if !strings.Contains("\n"+out, "\n"+want) {
			t.Errorf("heddle %s<TAB> offers:\n%s", words, out)
		}
	}
	w.env["HEDDLE_SERVER"] = "http://127.0.0.1:1"
	if out, _, _ := w.run("__complete", "get", "ports", ""); strings.Contains(out, "web") {
		t.Errorf("a server that does not answer offers:\n%s", out)
	}
}
