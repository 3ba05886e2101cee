package neutron

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsbinding"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/provider"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"github.com/gophercloud/gophercloud/v2/pagination"
)

// gopher is a gophercloud client of a server of its own.
func gopher(t *testing.T) *gophercloud.ServiceClient {
	t.Helper()
	srv := httptest.NewServer(newAPI(t).handler)
	t.Cleanup(srv.Close)
	return &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{HTTPClient: *srv.Client()},
		Endpoint:       srv.URL + "/",
		ResourceBase:   srv.URL + "/v2.0/",
	}
}

// ok fails the test for an error.
func ok[T any](t *testing.T, what string) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

func TestGophercloudKeepsNetworksSubnetsAndPorts(t *testing.T) {
	c, ctx := gopher(t), t.Context()
	yes, name := true, "renamed"

	type extended struct {
		networks.Network
		provider.NetworkProviderExt
	}
	var n extended
	if err := networks.Create(ctx, c, networks.CreateOpts{Name: "net", AdminStateUp: &yes}).ExtractInto(&n); err != nil {
		t.Fatal(err)
	}
	if n.NetworkType != "gre" || n.Status != "ACTIVE" || n.ProjectID == "" || n.SegmentationID == "" {
		t.Errorf("network: %+v", n)
	}

	gateway := "10.0.0.254"
	s := ok[*subnets.Subnet](t, "create subnet")(subnets.Create(ctx, c, subnets.CreateOpts{
		NetworkID: n.ID, CIDR: "10.0.0.0/24", IPVersion: 4, Name: "sub", GatewayIP: &gateway,
		DNSNameservers:  []string{"9.9.9.9"},
		AllocationPools: []subnets.AllocationPool{{Start: "10.0.0.10", End: "10.0.0.20"}},
		HostRoutes:      []subnets.HostRoute{{DestinationCIDR: "172.16.0.0/12", NextHop: "10.0.0.9"}},
	}).Extract())
	if s.GatewayIP != gateway || s.AllocationPools[0].End != "10.0.0.20" || s.HostRoutes[0].NextHop != "10.0.0.9" {
		t.Errorf("subnet: %+v", s)
	}
	s = ok[*subnets.Subnet](t, "update subnet")(subnets.Update(ctx, c, s.ID, subnets.UpdateOpts{Name: &name, DNSNameservers: &[]string{}}).Extract())
	if s.Name != name || len(s.DNSNameservers) != 0 {
		t.Errorf("updated subnet: %+v", s)
	}

	type bound struct {
		ports.Port
		portsbinding.PortsBindingExt
	}
	var p bound
	if err := ports.Create(ctx, c, portsbinding.CreateOptsExt{
		CreateOptsBuilder: ports.CreateOpts{
			NetworkID: n.ID, Name: "port", DeviceOwner: "compute:nova", DeviceID: "vm",
			FixedIPs: []ports.IP{{SubnetID: s.ID, IPAddress: "10.0.0.15"}},
		},
		HostID: "h1", VNICType: "normal",
	}).ExtractInto(&p); err != nil {
		t.Fatal(err)
	}
	if p.FixedIPs[0].IPAddress != "10.0.0.15" || p.HostID != "h1" || p.VIFType != "binding_failed" || p.Status != "DOWN" {
		t.Errorf("port: %+v", p)
	}
	pairs := []ports.AddressPair{{IPAddress: "10.0.0.99"}}
	u := ok[*ports.Port](t, "update port")(ports.Update(ctx, c, p.ID, ports.UpdateOpts{
		Name: &name, AllowedAddressPairs: &pairs, RevisionNumber: &p.RevisionNumber,
	}).Extract())
	if u.Name != name || u.AllowedAddressPairs[0].MACAddress != p.MACAddress || u.RevisionNumber <= p.RevisionNumber {
		t.Errorf("updated port: %+v", u)
	}
	_, err := ports.Update(ctx, c, p.ID, ports.UpdateOpts{Name: &name, RevisionNumber: &p.RevisionNumber}).Extract()
	if !gophercloud.ResponseCodeIs(err, http.StatusPreconditionFailed) {
		t.Errorf("update at an old revision: %v", err)
	}

	if err := networks.Delete(ctx, c, n.ID).ExtractErr(); !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		t.Errorf("delete a network with a port: %v", err)
	}
	if err := ports.Delete(ctx, c, p.ID).ExtractErr(); err != nil {
		t.Errorf("delete port: %v", err)
	}
	if err := subnets.Delete(ctx, c, s.ID).ExtractErr(); err != nil {
		t.Errorf("delete subnet: %v", err)
	}
	if err := networks.Delete(ctx, c, n.ID).ExtractErr(); err != nil {
		t.Errorf("delete network: %v", err)
	}
	if _, err := networks.Get(ctx, c, n.ID).Extract(); !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		t.Errorf("get a deleted network: %v", err)
	}
}

func TestGophercloudReadsPageAfterPage(t *testing.T) {
	c, ctx := gopher(t), t.Context()
	var want []string
	for _, name := range []string{"d", "a", "e", "c", "b"} {
		ok[*networks.Network](t, "create")(networks.Create(ctx, c, networks.CreateOpts{Name: name}).Extract())
		want = append(want, name)
	}
	slices.Sort(want)
	for _, limit := range []int{1, 2, 5, 6} {
		var got []string
		pages := 0
		err := networks.List(c, networks.ListOpts{Limit: limit, SortKey: "name", SortDir: "asc"}).EachPage(ctx,
			func(_ context.Context, page pagination.Page) (bool, error) {
				pages++
				found, err := networks.ExtractNetworks(page)
				for _, n := range found {
					got = append(got, n.Name)
				}
				return true, err
			})
		if err != nil || !slices.Equal(got, want) || pages < len(want)/limit {
			t.Errorf("limit %d: %v on %d pages, %v", limit, got, pages, err)
		}
	}
}

func TestGophercloudTags(t *testing.T) {
	c, ctx := gopher(t), t.Context()
	n := ok[*networks.Network](t, "create")(networks.Create(ctx, c, networks.CreateOpts{Name: "n"}).Extract())
	tags := ok[[]string](t, "replace")(attributestags.ReplaceAll(ctx, c, "networks", n.ID, attributestags.ReplaceAllOpts{Tags: []string{"a", "b"}}).Extract())
	if !slices.Equal(tags, []string{"a", "b"}) {
		t.Errorf("replaced: %v", tags)
	}
	if err := attributestags.Add(ctx, c, "networks", n.ID, "c d").ExtractErr(); err != nil {
		t.Errorf("add: %v", err)
	}
	if has, err := attributestags.Confirm(ctx, c, "networks", n.ID, "b").Extract(); err != nil || !has {
		t.Errorf("confirm: %v, %v", has, err)
	}
	if err := attributestags.Delete(ctx, c, "networks", n.ID, "b").ExtractErr(); err != nil {
		t.Errorf("delete: %v", err)
	}
	if has, err := attributestags.Confirm(ctx, c, "networks", n.ID, "b").Extract(); err != nil || has {
		t.Errorf("confirm a deleted tag: %v, %v", has, err)
	}
	page := ok[pagination.Page](t, "list")(networks.List(c, networks.ListOpts{Tags: "a"}).AllPages(ctx))
	if found := ok[[]networks.Network](t, "extract")(networks.ExtractNetworks(page)); len(found) != 1 {
		t.Errorf("tagged: %v", found)
	}
	if err := attributestags.DeleteAll(ctx, c, "networks", n.ID).ExtractErr(); err != nil {
		t.Errorf("delete all: %v", err)
	}
}

// openstack runs the stock command line client against a server and returns what it prints as JSON.
func openstack(t *testing.T, url string, args ...string) any {
	t.Helper()
	args = append([]string{"--os-auth-type", "none", "--os-endpoint", url}, args...)
	cmd := exec.CommandContext(t.Context(), "openstack", args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openstack %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	var doc any
	if len(bytes.TrimSpace(out)) > 0 {
		if err := json.Unmarshal(out, &doc); err != nil {
			t.Fatalf("openstack %s prints no JSON: %s", strings.Join(args, " "), out)
		}
	}
	return doc
}

func TestStockCommandLineClient(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the openstack client takes about a second for each command")
	}
	if _, err := exec.LookPath("openstack"); err != nil {
		t.Skip("openstack is not installed (Debian: python3-openstackclient)")
	}
	srv := httptest.NewServer(newAPI(t).handler)
	t.Cleanup(srv.Close)
	run := func(args ...string) any { t.Helper(); return openstack(t, srv.URL, args...) }
	field := func(doc any, name string) any {
		t.Helper()
		o, ok := doc.(map[string]any)
		if !ok {
			t.Fatalf("not an object: %v", doc)
		}
		return o[name]
	}

	n := run("network", "create", "net1", "--tag", "blue", "-f", "json")
	if field(n, "name") != "net1" || field(n, "status") != "ACTIVE" {
		t.Errorf("network create: %v", n)
	}
	s := run("subnet", "create", "sub1", "--network", "net1", "--subnet-range", "10.0.22.0/24", "-f", "json")
	if field(s, "gateway_ip") != "10.0.22.1" {
		t.Errorf("subnet create: %v", s)
	}
	p := run("port", "create", "port1", "--network", "net1", "--fixed-ip", "subnet=sub1,ip-address=10.0.22.5", "-f", "json")
	if field(p, "status") != "DOWN" {
		t.Errorf("port create: %v", p)
	}
	run("port", "set", "port1", "--name", "port2", "--host", "h1")
	if p := run("port", "show", "port2", "-f", "json"); field(p, "binding_vif_type") != "binding_failed" {
		t.Errorf("port show: %v", p)
	}
	if l := run("port", "list", "--network", "net1", "--long", "-f", "json").([]any); len(l) != 1 {
		t.Errorf("port list: %v", l)
	}
	if l := run("network", "list", "--tags", "blue", "-f", "json").([]any); len(l) != 1 {
		t.Errorf("network list: %v", l)
	}
	run("extension", "list", "--network", "-f", "json")
	run("port", "delete", "port2")
	run("subnet", "delete", "sub1")
	run("network", "delete", "net1")
	if l := run("network", "list", "-f", "json").([]any); len(l) != 0 {
		t.Errorf("network list after delete: %v", l)
	}
}
