package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/internal/tlstest"
	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// authority is a CA and a directory for what it signs.
type authority struct {
	t   testing.TB
	ca  *tlstest.CA
	dir string
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	return &authority{t, tlstest.NewCA(t, name), t.TempDir()}
}

// issue writes a certificate for name, over the one that name had.
func (a *authority) issue(name string) tlstest.Files {
	a.t.Helper()
	dir := filepath.Join(a.dir, name)
	ok(a.t, os.MkdirAll(dir, 0o700))
	return a.ca.Write(a.t, dir, name)
}

// tlsFlags are the flags of a server with a certificate, whose peers must have one of the same CA.
func tlsFlags(f tlstest.Files, more ...string) []string {
	return append([]string{"--tls-cert", f.Cert, "--tls-key", f.Key, "--client-ca", f.CA}, more...)
}

// clientTLS trusts the CA of some files; with own set, it also shows the certificate.
func clientTLS(t testing.TB, f tlstest.Files, own bool) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(f.CA)
	ok(t, err)
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(pem)
	if own {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		ok(t, err)
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// over returns a client of the same server that speaks TLS.
func (c *client) over(secure *tls.Config) *client {
	return &client{base: strings.Replace(c.base, "http:", "https:", 1), token: c.token,
		http: http.Client{Timeout: c.http.Timeout, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: secure}}}
}

// startWith starts the server and waits until its API answers a client.
func (s *server) startWith(c *client) {
	s.t.Helper()
	s.launch()
	eventually(s.t, 20*time.Second, "server answers", func() error {
		if s.process.ended() {
			s.t.Fatalf("server ended by itself: %v\n%s", s.process.err, s.logTail(4000))
		}
		return c.get("/livez", nil)
	})
}

// awaitLog waits for a line of the server's log that contains all of some texts.
func (s *server) awaitLog(limit time.Duration, texts ...string) {
	s.t.Helper()
	s.awaitLogOf(limit, func() {}, texts...)
}

// awaitLogOf is awaitLog for a line that the server writes when it is asked for something.
func (s *server) awaitLogOf(limit time.Duration, ask func(), texts ...string) {
	s.t.Helper()
	eventually(s.t, limit, fmt.Sprintf("a line of the log with %q", texts), func() error {
		ask()
		text, err := os.ReadFile(s.logFile)
		if err != nil {
			return err
		}
		for _, line := range lines(string(text)) {
			found := true
			for _, want := range texts {
				found = found && strings.Contains(line, want)
			}
			if found {
				return nil
			}
		}
		return fmt.Errorf("there is none")
	})
}

// newSecureFabric builds a lab of two hosts beside a server with a certificate of a CA; hosts do not
// join yet. The API takes a client with any certificate of the CA.
func newSecureFabric(t *testing.T, ca *authority, flags ...string) *fabric {
	t.Helper()
	f := unstarted(t, 2, tlsFlags(ca.issue("heddle"), flags...)...)
	f.api = f.api.over(clientTLS(t, ca.issue("operator"), true))
	f.server.startWith(f.api)
	return f
}

// setSSL gives a host its key, its certificate and the CA it trusts.
func (f *fabric) setSSL(host string, files tlstest.Files) {
	f.t.Helper()
	f.vsctl(host, "--no-wait", "set-ssl", files.Key, files.Cert, files.CA)
}

func TestTLSEverywhere(t *testing.T) {
	labtest.Skip(t)
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	f := newSecureFabric(t, ours)
	f.setSSL("net1", ours.issue("net1"))
	// cmp1 trusts us, and shows a certificate that we do not trust.
	stranger := theirs.issue("cmp1")
	stranger.CA = ours.issue("unused").CA
	f.setSSL("cmp1", stranger)
	for _, h := range f.lab.Hosts() {
		ok(t, h.Join(t.Context(), "ssl:"+f.server.ovsdb))
	}
	f.awaitHost("net1")

	t.Run("host_of_another_CA_is_refused_and_logged", func(t *testing.T) {
		f := f.in(t)
		f.server.awaitLog(10*time.Second, "connection did not become a session", f.host("cmp1").Management().String(), "certificate")
		if h, err := f.hostState("cmp1"); err == nil {
			t.Errorf("the host is known: %+v", h)
		}
		f.vsctl("cmp1", "--no-wait", "add-br", "br-x", "--", "set", "Bridge", "br-x", "datapath_type=netdev",
			"--", "set-controller", "br-x", "ssl:"+f.server.openFlow)
		f.server.awaitLog(10*time.Second, "switch rejected", f.host("cmp1").Management().String(), "certificate")
		f.vsctl("cmp1", "--no-wait", "del-br", "br-x")
	})
	t.Run("host_without_TLS_is_refused_and_logged", func(t *testing.T) {
		f := f.in(t)
		ok(t, f.host("cmp1").Join(t.Context(), "tcp:"+f.server.ovsdb))
		f.server.awaitLog(10*time.Second, "connection did not become a session", "does not look like a TLS handshake")
	})
	t.Run("host_joins_once_its_certificate_is_right", func(t *testing.T) {
		f := f.in(t)
		f.setSSL("cmp1", ours.issue("cmp1"))
		ok(t, f.host("cmp1").Join(t.Context(), "ssl:"+f.server.ovsdb))
		f.awaitHost("cmp1")
		for _, bridge := range []string{"br-int", "br-tun"} {
			if got, want := f.vsctl("cmp1", "get-controller", bridge), "ssl:"+f.server.openFlow; got != want {
				t.Errorf("controller of %s is %s, want %s", bridge, got, want)
			}
		}
	})
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	a, b := f.vm("a", "net1", red), f.vm("b", "cmp1", red)
	f.active(a, b)
	f.reaches(5*time.Second, a, b.IP())

	t.Run("api_wants_a_certificate", func(t *testing.T) { f.in(t).testAPICertificate(ours, theirs) })
	t.Run("new_certificate_is_used_without_restart", func(t *testing.T) { f.in(t).testRotation(ours) })
}

func (f *fabric) testAPICertificate(ours, theirs *authority) {
	right := ours.issue("someone")
	wrong := theirs.issue("someone")
	wrong.CA = right.CA
	plain := newClient(f.server.api)
	for name, c := range map[string]struct {
		client *client
		says   string
	}{
		"none":          {plain.over(clientTLS(f.t, right, false)), "certificate required"},
		"of another CA": {plain.over(clientTLS(f.t, wrong, true)), "certificate"},
		"plain HTTP":    {plain, "HTTPS server"},
	} {
		if err := c.client.get("/v2.0/networks", nil); err == nil || !strings.Contains(err.Error(), c.says) {
			f.t.Errorf("certificate %s: %v, want a refusal with %q", name, err, c.says)
		}
	}
	ok(f.t, plain.over(clientTLS(f.t, right, true)).get("/v2.0/networks", nil))
}

// presented is the common name of the certificate that a listener shows to a client with a certificate.
func presented(addr string, c *tls.Config) (string, error) {
	c = c.Clone()
	c.InsecureSkipVerify = true // hosts check the CA and no name; the name is what is asked for here
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// testRotation replaces the certificate of the server while hosts are connected.
func (f *fabric) testRotation(ca *authority) {
	t := f.t
	me := clientTLS(t, ca.issue("observer"), true)
	everywhere := func(want string) {
		t.Helper()
		for _, addr := range []string{f.server.api, f.server.openFlow, f.server.ovsdb} {
			if got, err := presented(addr, me); err != nil || got != want {
				t.Errorf("%s shows %q, %v; want %q", addr, got, err, want)
			}
		}
	}
	everywhere("heddle")
	before, err := f.api.lastEvent()
	ok(t, err)
	dir := filepath.Join(ca.dir, "heddle")
	files := ca.ca.Write(t, dir, "heddle-2")
	everywhere("heddle-2")
	ok(t, os.WriteFile(files.Key, []byte("half a ke"), 0o600))
	everywhere("heddle-2")
	f.server.awaitLog(5*time.Second, "new TLS files cannot be used", files.Key)
	ca.ca.Write(t, dir, "heddle-3")
	everywhere("heddle-3")

	events, err := f.api.events(before)
	ok(t, err)
	for _, e := range events {
		if e.Host != "" && strings.Contains(strings.ToLower(e.Kind), "down") {
			t.Errorf("a connection was lost: %s of %s", e.Kind, e.Host)
		}
	}
	// A host that comes back after the change is served too.
	ok(t, f.host("cmp1").Leave(t.Context()))
	f.awaitTarget("cmp1", "ovsdb", false)
	ok(t, f.host("cmp1").Join(t.Context(), "ssl:"+f.server.ovsdb))
	f.awaitHost("cmp1")
}

// awaitTarget waits until a target of a host is connected, or is not.
func (f *fabric) awaitTarget(host, target string, connected bool) {
	f.t.Helper()
	eventually(f.t, 20*time.Second, fmt.Sprintf("%s of %s connected: %t", target, host, connected), func() error {
		h, err := f.hostState(host)
		if err != nil {
			return err
		}
		return wantEqual("connected", h.Targets[target].Connected, connected)
	})
}

// Hosts that listen are dialled, over TLS, both their OVSDB and, where there is none, their bridges.
func TestHeddleDialsOverTLS(t *testing.T) {
	labtest.Skip(t)
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	f := newSecureFabric(t, ours)
	net1, cmp1 := f.host("net1"), f.host("cmp1")

	// net1's manager listens, first with a certificate that Heddle has no reason to trust.
	f.setSSL("net1", theirs.issue("net1"))
	ok(t, net1.Join(t.Context(), "pssl:6640"))
	ok(t, f.api.put("/v1/hosts/net1", object{"ovsdb": fmt.Sprintf("ssl:%s:6640", net1.Management())}, nil))
	f.server.awaitLog(10*time.Second, "cannot reach host", net1.Management().String(), "certificate")
	f.setSSL("net1", ours.issue("net1"))
	f.awaitHost("net1")
	if got, want := f.vsctl("net1", "get-controller", "br-tun"), "ssl:"+f.server.openFlow; got != want {
		t.Errorf("controller of net1's br-tun is %s, want %s", got, want)
	}

	// cmp1's bridges listen, and nobody manages its OVSDB.
	f.setSSL("cmp1", ours.issue("cmp1"))
	f.vsctl("cmp1", "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "protocols=OpenFlow13", "fail_mode=secure",
		"--", "add-br", "br-tun", "--", "set", "Bridge", "br-tun", "datapath_type=netdev", "protocols=OpenFlow13", "fail_mode=secure",
		"--", "add-port", "br-int", "patch-tun", "--", "set", "Interface", "patch-tun", "type=patch", "options:peer=patch-int",
		"--", "add-port", "br-tun", "patch-int", "--", "set", "Interface", "patch-int", "type=patch", "options:peer=patch-tun",
		"--", "add-port", "br-tun", tunnelName("vxlan", net1), "--", "set", "Interface", tunnelName("vxlan", net1), "type=vxlan",
		"options:in_key=flow", "options:out_key=flow", "options:df_default=true", "options:local_ip="+cmp1.Underlay().String(), "options:remote_ip="+net1.Underlay().String(),
		"--", "set-controller", "br-int", "pssl:6653", "--", "set-controller", "br-tun", "pssl:6654")
	ok(t, f.api.put("/v1/hosts/cmp1", object{"encap_ip": cmp1.Underlay().String(), "encap_types": []string{"vxlan"},
		"openflow": object{"br-int": fmt.Sprintf("ssl:%s:6653", cmp1.Management()), "br-tun": fmt.Sprintf("ssl:%s:6654", cmp1.Management())}}, nil))
	f.awaitTarget("cmp1", "br-int", true)
	f.awaitTarget("cmp1", "br-tun", true)

	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	a, b := f.vm("a", "net1", red), f.vm("b", "cmp1", red)
	f.active(a)
	// Without OVSDB nobody tags the port but who plugs it; that there are flows is what counts here.
	f.awaitPort(15*time.Second, b.port.ID, "ACTIVE", "")
}

func TestServerWithoutCertificatesDialsNoHostByTLS(t *testing.T) {
	labtest.Skip(t)
	s := newServer(t, loopback)
	s.start()
	ok(t, newClient(s.api).put("/v1/hosts/h1", object{"ovsdb": "ssl:127.0.0.1:1", "openflow": object{"br-int": "ssl:127.0.0.1:2"}}, nil))
	for _, target := range []string{"ssl:127.0.0.1:1", "ssl:127.0.0.1:2"} {
		s.awaitLog(5*time.Second, "cannot be dialled", "--tls-cert", target, "h1")
	}
}

// Open vSwitch comes with a tool for certificates, which has one CA for controllers and one for switches.
func TestCertificatesOfOVSPKI(t *testing.T) {
	labtest.Skip(t)
	if _, err := exec.LookPath("ovs-pki"); err != nil {
		t.Skip("needs ovs-pki")
	}
	dir := t.TempDir()
	pki := filepath.Join(dir, "pki")
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "ovs-pki", append([]string{"--batch", "--bits=2048", "--dir=" + pki, "--log=" + filepath.Join(dir, "log")}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ovs-pki %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("init")
	run("req+sign", "heddle", "controller")
	run("req+sign", "net1", "switch")
	files := func(name, trusts string) tlstest.Files {
		return tlstest.Files{Cert: filepath.Join(dir, name+"-cert.pem"), Key: filepath.Join(dir, name+"-privkey.pem"), CA: filepath.Join(pki, trusts, "cacert.pem")}
	}
	f := newFabric(t, lab.Config{Hosts: lab.Hosts(1)}, tlsFlags(files("heddle", "switchca"), "--tls-on", "openflow,ovsdb")...)
	f.setSSL("net1", files("net1", "controllerca"))
	ok(t, f.host("net1").Join(t.Context(), "ssl:"+f.server.ovsdb))
	f.awaitHost("net1")
}

// The certificates that the manual makes, with tokens: hosts show theirs, clients of the API do not.
func TestCertificatesOfTheManual(t *testing.T) {
	labtest.Skip(t)
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs openssl")
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(within(t, 20*time.Second), "sh", "-ec", documented(t, "operations.md", "openssl req"))
	cmd.Dir = dir
	if out, code := exitOf(t, cmd); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	files := func(name string) tlstest.Files {
		return tlstest.Files{Cert: filepath.Join(dir, name+"-cert.pem"), Key: filepath.Join(dir, name+"-key.pem"), CA: filepath.Join(dir, "cacert.pem")}
	}
	tokens := filepath.Join(dir, "tokens.yaml")
	ok(t, os.WriteFile(tokens, []byte("- {token: t, user: op, project_id: admin, roles: [admin]}\n"), 0o600))
	f := unstarted(t, 1, tlsFlags(files("heddle"), "--client-ca-on", "openflow,ovsdb", "--auth", "tokens", "--token-file", tokens)...)
	f.api = f.api.as("t").over(clientTLS(t, files("heddle"), false))
	f.server.startWith(f.api)
	f.server.awaitLog(time.Second, "heddle serves", "tls=\"api,openflow,ovsdb\"")
	f.setSSL("net1", files("cmp1"))
	ok(t, f.host("net1").Join(t.Context(), "ssl:"+f.server.ovsdb))
	f.awaitHost("net1")
	f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")

	if _, err := exec.LookPath("openstack"); err != nil {
		t.Skip("the rest needs the openstack command")
	}
	cmd = exec.CommandContext(within(t, time.Minute), "openstack", "--os-auth-type", "admin_token", "--os-token", "t",
		"--os-endpoint", "https://"+f.server.api, "--os-cacert", files("heddle").CA, "network", "list", "-f", "value", "-c", "Name")
	if out, code := exitOf(t, cmd); code != 0 || strings.TrimSpace(out) != "red" {
		t.Errorf("openstack network list: exit code %d\n%s", code, out)
	}
}

// What --tls-on and --client-ca-on make of each listener.
func TestListenersChooseTLS(t *testing.T) {
	labtest.Skip(t)
	ca := newAuthority(t, "ca")
	files := ca.issue("heddle")
	for name, c := range map[string]struct {
		flags                []string
		api, openFlow, ovsdb string
	}{
		"all":                          {tlsFlags(files), "certificate", "certificate", "certificate"},
		"api_only":                     {tlsFlags(files, "--tls-on", "api"), "certificate", "plain", "plain"},
		"api_without_certificates":     {tlsFlags(files, "--client-ca-on", "openflow,ovsdb"), "tls", "certificate", "certificate"},
		"no_client_ca":                 {tlsFlags(files)[:4], "tls", "tls", "tls"},
		"hosts_only":                   {tlsFlags(files, "--tls-on", "openflow,ovsdb"), "plain", "certificate", "certificate"},
		"nothing":                      {nil, "plain", "plain", "plain"},
		"api_only_and_no_certificates": {tlsFlags(files, "--tls-on", "api", "--client-ca-on", ""), "tls", "plain", "plain"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, loopback, c.flags...)
			s.launch()
			s.awaitLog(10*time.Second, "heddle serves")
			for _, l := range []struct{ name, addr, want string }{{"api", s.api, c.api}, {"openflow", s.openFlow, c.openFlow}, {"ovsdb", s.ovsdb, c.ovsdb}} {
				if got := asks(t, l.addr, files); got != l.want {
					t.Errorf("%s asks for %s, want %s", l.name, got, l.want)
				}
			}
			s.stop()
		})
	}
}

// asks says what a listener asks of its clients: "plain" TCP, "tls", or a "certificate" on top.
func asks(t testing.TB, addr string, files tlstest.Files) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, clientTLS(t, files, false))
	if err != nil {
		return "plain"
	}
	defer conn.Close()
	// In TLS 1.3 a client learns only from the first read that its certificate is missing. A listener
	// that is content says nothing before it is asked, or says hello.
	ok(t, conn.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	if _, err = conn.Read(make([]byte, 1)); err != nil && strings.Contains(err.Error(), "certificate required") {
		return "certificate"
	}
	return "tls"
}
