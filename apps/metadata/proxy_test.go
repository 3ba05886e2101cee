package metadata_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/heddle-sdn/heddle/apps/metadata"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

const (
	service = "qdhcp-a"
	gateway = "qrouter-a"
)

// site is a network with a machine, vm, behind a DHCP namespace and a router.
type site struct {
	t     *testing.T
	proxy *metadata.Proxy
	want  map[string]spec.Metadata
}

// lingering is how net/http ends some connections: the goroutine waits half a second, longer than goleak
// does, for the peer to read the answer, and ends.
var lingering = goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait")

func newSite(t *testing.T, cfg metadata.Config) *site {
	t.Helper()
	nstest.Need(t, "curl")
	t.Cleanup(func() { goleak.VerifyNone(t, lingering) })
	log := logrus.New()
	log.SetOutput(io.Discard)
	cfg.Log = logrus.NewEntry(log)
	p, err := metadata.NewProxy(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	nstest.IP(t, "link set lo up") // where the tests' endpoint is
	nstest.Namespace(t, "vm")
	nstest.Namespace(t, service)
	nstest.Namespace(t, gateway)
	nstest.Cable(t, "vm", "eth0", service, "ns-1")
	nstest.Cable(t, "vm", "eth1", gateway, "qr-1")
	for _, a := range []string{"vm 10.0.0.9/24 eth0", service + " 10.0.0.2/24 ns-1", service + " 169.254.169.254/32 ns-1", "vm 10.0.1.9/24 eth1", gateway + " 10.0.1.1/24 qr-1"} {
		f := strings.Fields(a)
		nstest.IP(t, "-n %s addr add %s dev %s", f[0], f[1], f[2])
	}
	nstest.IP(t, "-n vm route add 169.254.169.254/32 via 10.0.0.2 src 10.0.0.9")
	instance := spec.Instance{Port: "port-1", Device: "inst-1", Project: "p1", Hostname: "web", PublicKey: []string{"ssh-rsa AAAA"}, UserData: "#!/bin/sh\n"}
	s := &site{t: t, proxy: p, want: map[string]spec.Metadata{
		service: {Network: "a", Instances: map[string]spec.Instance{"10.0.0.9": instance}},
		gateway: {Router: "a", Instances: map[string]spec.Instance{"10.0.1.9": instance}},
	}}
	return s
}

// pass makes one pass and returns how much it changed.
func (s *site) pass() (int, error) {
	s.t.Helper()
	have, err := s.proxy.Actual(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	want := map[string]spec.Metadata{}
	for k, v := range s.want {
		want[k] = v
	}
	c := reconcile.Diff(want, have, s.proxy.Equal)
	return c.Len(), s.proxy.Apply(context.Background(), c)
}

func (s *site) apply() {
	s.t.Helper()
	if _, err := s.pass(); err != nil {
		s.t.Fatal(err)
	}
	if n, err := s.pass(); n != 0 || err != nil {
		s.t.Fatalf("a second pass changes %d: %v", n, err)
	}
}

// curl returns the status and the body of an answer to the machine.
func (s *site) curl(args ...string) (status, body string) {
	s.t.Helper()
	out, err := nstest.In("vm", append([]string{"curl", "-s", "--path-as-is", "--max-time", "5", "-w", "\n%{http_code}"}, args...)...).Output()
	i := bytes.LastIndexByte(out, '\n')
	if i < 0 {
		s.t.Fatalf("curl %v: %v", args, err)
	}
	return string(out[i+1:]), string(out[:i])
}

func (s *site) expect(status, body string, args ...string) {
	s.t.Helper()
	if gotStatus, got := s.curl(args...); gotStatus != status || body != "" && got != body {
		s.t.Errorf("curl %v: %s %q, want %s %q", args, gotStatus, got, status, body)
	}
}

const (
	byDHCP   = "http://169.254.169.254"
	byRouter = "http://10.0.1.1:9697" // where nftables leads 169.254.169.254 to
)

func TestInstanceIsToldAboutItself(t *testing.T) {
	s := newSite(t, metadata.Config{})
	s.apply()
	for _, at := range []string{byDHCP, byRouter} {
		s.expect("200", "inst-1", at+"/latest/meta-data/instance-id")
		s.expect("200", "ssh-rsa AAAA", at+"/latest/meta-data/public-keys/0/openssh-key")
		s.expect("200", "#!/bin/sh\n", at+"/openstack/latest/user_data")
		s.expect("404", "", at+"/latest/meta-data/nothing")
		s.expect("400", "", at+"/latest/../latest/user-data")
		s.expect("405", "", "-X", "PUT", at+"/latest/api/token")
	}
	s.expect("200", "inst-1", "-H", "X-Forwarded-For: 10.0.0.10", byDHCP+"/latest/meta-data/instance-id")
}

func TestUnknownAddressIsToldNothing(t *testing.T) {
	s := newSite(t, metadata.Config{})
	s.apply()
	nstest.IP(t, "-n vm addr add 10.0.0.10/24 dev eth0")
	s.expect("404", "", "--interface", "10.0.0.10", byDHCP+"/latest/meta-data/instance-id")
	s.expect("404", "", "--interface", "10.0.0.10", "-H", "X-Forwarded-For: 10.0.0.9", "-H", "X-Instance-ID: inst-1", byDHCP+"/latest/meta-data/instance-id")
	m := s.want[service]
	m.Instances = map[string]spec.Instance{"10.0.0.9": m.Instances["10.0.0.9"], "10.0.0.10": {Port: "port-2", Device: "inst-2"}}
	s.want[service] = m
	s.apply()
	s.expect("200", "inst-2", "--interface", "10.0.0.10", byDHCP+"/latest/meta-data/instance-id")
}

func TestQuestionsAreForwardedAsNeutronDoes(t *testing.T) {
	type seen struct {
		header http.Header
		uri    string
		body   string
	}
	asked := make(chan seen, 1)
	nova := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- seen{r.Header.Clone(), r.RequestURI, string(body)}
		_, _ = io.WriteString(w, "from nova")
	}))
	t.Cleanup(nova.Close)
	endpoint, err := url.Parse(nova.URL + "/base")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, metadata.Config{Endpoint: endpoint, Secret: "s3cret"})
	s.apply()
	s.expect("200", "from nova", "-A", "cloud-init/1", "-H", "X-Forwarded-For: 9.9.9.9", "-H", "X_Instance_ID: evil", "-H", "X-Instance-ID: evil", "-H", "X-Tenant-ID: evil",
		"-H", "X-Instance-ID-Signature: evil", "-H", "Forwarded: for=9.9.9.9", "-H", "Connection: X-Tenant-ID, X-Instance-ID", "-H", "Accept: */*", "-H", "Authorization: evil", "-H", "Cookie: evil",
		"-d", "secret", byRouter+"/openstack/latest/password?x=1")
	var got seen
	select {
	case got = <-asked:
	default:
		t.Fatal("nobody asked the endpoint")
	}
	h := hmac.New(sha256.New, []byte("s3cret"))
	h.Write([]byte("inst-1"))
	want := map[string]string{"X-Forwarded-For": "10.0.1.9", "X-Instance-Id": "inst-1", "X-Tenant-Id": "p1", "X-Instance-Id-Signature": hex.EncodeToString(h.Sum(nil)),
		"Accept": "*/*", "User-Agent": "cloud-init/1", "Content-Type": "application/x-www-form-urlencoded", "Content-Length": "6"}
	for name, value := range want {
		if v := got.header.Values(name); len(v) != 1 || v[0] != value {
			t.Errorf("%s is %q, want %q", name, v, value)
		}
	}
	for name, value := range got.header {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %q reached the endpoint", name, value)
		}
	}
	if got.uri != "/base/openstack/latest/password?x=1" || got.body != "secret" {
		t.Errorf("asked %s with %q", got.uri, got.body)
	}
	big := t.TempDir() + "/big"
	if err := os.WriteFile(big, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s.expect("413", "", "-H", "Expect:", "--data-binary", "@"+big, byRouter+"/openstack/latest/password")
	nova.Close()
	s.expect("502", "", byRouter+"/latest/")
}

func TestNamespaceMadeAnewIsListenedInAgain(t *testing.T) {
	s := newSite(t, metadata.Config{})
	s.apply()
	nstest.IP(t, "-n vm link del eth1") // the kernel would remove it with the namespace, but some time later
	nstest.IP(t, "netns del %s", gateway)
	nstest.IP(t, "netns add %s", gateway)
	if n, err := s.pass(); n != 1 || err != nil {
		t.Fatalf("%d namespaces changed, want one: %v", n, err)
	}
	nstest.IP(t, "-n %s link set lo up", gateway)
	nstest.Cable(t, "vm", "eth2", gateway, "qr-2")
	nstest.IP(t, "-n vm addr add 10.0.1.9/24 dev eth2")
	nstest.IP(t, "-n %s addr add 10.0.1.1/24 dev qr-2", gateway)
	s.expect("200", "inst-1", byRouter+"/latest/meta-data/instance-id")
}

func TestBrokenNamespaceStopsNoOther(t *testing.T) {
	s := newSite(t, metadata.Config{})
	s.want["qdhcp-gone"] = spec.Metadata{Network: "gone"}
	if _, err := s.pass(); err == nil || !strings.Contains(err.Error(), "qdhcp-gone") {
		t.Errorf("got %v, want an error of the namespace that is not there", err)
	}
	s.expect("200", "inst-1", byDHCP+"/latest/meta-data/instance-id")
}

func TestNamespaceThatIsNotWantedEnds(t *testing.T) {
	s := newSite(t, metadata.Config{})
	s.apply()
	delete(s.want, service)
	s.apply()
	if status, _ := s.curl(byDHCP + "/latest/"); status != "000" {
		t.Errorf("somebody still answers: %s", status)
	}
	s.expect("200", "inst-1", byRouter+"/latest/meta-data/instance-id")
}

func TestEndpointMustBeHTTP(t *testing.T) {
	for _, text := range []string{"ftp://192.0.2.1/", "http:///x", "192.0.2.1:8775"} {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if _, err := metadata.NewProxy(metadata.Config{Endpoint: u}); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
