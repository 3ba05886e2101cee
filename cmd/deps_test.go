package cmd_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/heddle-sdn/heddle/"

// rule bans what packages may depend on, and says why.
type rule struct {
	of     []string // packages under the module, with all below them
	except []string // packages of those that are free of the rule
	banned []string // import paths, or prefixes that end in a slash
	direct bool     // only the packages' own imports count; otherwise all that comes along counts
	why    string
}

var everything = []string{"controller", "apps", "northbound", "store", "cmd", "internal", "lab"}

var rules = []rule{
	{of: []string{"controller/of", "controller/wire", "controller/reconcile", "controller/pipeline", "controller/interp", "controller/spec", "controller/status",
		"controller/difference", "controller/nft", "controller/kernel", "controller/view", "apps/explain", "controller/ovsdb/row", "store/model", "apps/provenance"},
		banned: []string{"os", "net", "github.com/sirupsen/logrus"}, direct: true,
		why: "they are pure: values in, values out, and quick to test"},
	{of: everything, except: []string{"controller/ofconn"}, banned: []string{"github.com/netrack/openflow", "github.com/netrack/openflow/"}, direct: true,
		why: "one package knows the OpenFlow library, so that it can be replaced there"},
	{of: everything, except: []string{"controller/ovsdb"}, banned: []string{"github.com/ovn-kubernetes/libovsdb/"}, direct: true,
		why: "one package knows the OVSDB library"},
	{of: everything, except: []string{"store/bolt"}, banned: []string{"go.etcd.io/bbolt"}, direct: true,
		why: "the store's file is one backend's business"},
	{of: everything, except: []string{"apps/netns"}, banned: []string{"github.com/vishvananda/netlink", "github.com/vishvananda/netns"}, direct: true,
		why: "entering namespaces is easy to get wrong; it is done in one place"},
	{of: everything, except: []string{"apps/nat"}, banned: []string{"github.com/ti-mo/conntrack", "github.com/mdlayher/netlink"}, direct: true,
		why: "only who translates addresses ends sessions"},
	{of: everything, except: []string{"northbound", "cmd"}, banned: []string{"github.com/gorilla/mux"}, direct: true,
		why: "only northbounds speak HTTP"},
	{of: []string{"northbound"}, banned: []string{module + "controller/ofconn", module + "controller/ovsdb"}, direct: true,
		why: "a request changes the store; loops change switches"},
	{of: []string{"apps"}, banned: []string{module + "controller"}, direct: true,
		why: "features are given to the controller, they do not call it"},
	{of: []string{"controller"}, banned: []string{module + "apps/l2", module + "northbound/"}, direct: true,
		why: "the controller knows switches and loops, and no feature"},
	{of: []string{"internal/cli"}, banned: []string{module + "controller/", module + "store/", module + "apps/", module + "northbound/"}, direct: true,
		why: "the command line knows what the REST API tells everybody, and no more"},
	{of: []string{"lab"}, banned: []string{module + "controller", module + "northbound/", module + "apps/", module + "store"},
		why: "the lab knows nothing of the controller but its address"},
	{of: everything, banned: []string{module + "cmd/"}, direct: true, why: "commands are the top"},
}

func TestImportsKeepToTheLayers(t *testing.T) {
	for _, p := range packages(t) {
		for _, r := range rules {
			if !within(p.path, r.of) || within(p.path, r.except) {
				continue
			}
			deps := p.deps
			if r.direct {
				deps = p.imports
			}
			for _, d := range deps {
				if slices.ContainsFunc(r.banned, func(b string) bool { return d == b || strings.HasSuffix(b, "/") && strings.HasPrefix(d, b) }) {
					t.Errorf("%s depends on %s: %s", p.path, d, r.why)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if p.doc == "" && p.files != "0" {
			t.Errorf("%s has no package comment", p.path)
		}
	}
}

type pkg struct {
	path, files, doc string
	imports, deps    []string
}

// packages lists the module's packages without their tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-f", "{{.ImportPath}}\t{{len .GoFiles}}\t{{.Doc}}\t{{join .Imports \" \"}}\t{{join .Deps \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []pkg
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		pkgs = append(pkgs, pkg{path: strings.TrimPrefix(f[0], module), files: f[1], doc: f[2], imports: strings.Fields(f[3]), deps: strings.Fields(f[4])})
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list found %d packages", len(pkgs))
	}
	return pkgs
}

func within(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
}
