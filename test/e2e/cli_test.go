package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab/labtest"
)

// loopback is the address of a server that no host uses.
var loopback = netip.MustParseAddr("127.0.0.1")

func TestCommandLine(t *testing.T) {
	labtest.Skip(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"help_of_the_server_lists_settings", []string{"server", "--help"}, 0, []string{"HEDDLE_DATA_DIR", "--listen-ovsdb", "--client-ca-on", `(default "127.0.0.1:9696")`}},
		{"help", []string{"help"}, 0, []string{"server", "lab", "restore", "version", "completion"}},
		{"completion", []string{"completion", "bash"}, 0, []string{"__start_heddle"}},
		{"version", []string{"version"}, 0, []string{"heddle ", "go1."}},
		{"version_flag", []string{"--version"}, 0, []string{"heddle version "}},
		{"version_in_an_unknown_format", []string{"version", "-o", "yaml"}, 2, []string{`"yaml"`, "json"}},
		{"unknown_command", []string{"srever"}, 2, []string{`unknown command "srever"`, "Did you mean this?\n\tserver"}},
		{"unknown_command_of_the_lab", []string{"lab", "dwon"}, 2, []string{`unknown command "dwon"`, "Did you mean this?\n\tdown"}},
		{"unknown_flag", []string{"server", "--datadir", "/x"}, 2, []string{"--datadir", "heddle server --help"}},
		{"argument_that_means_nothing", []string{"server", "now"}, 2, []string{`"now"`}},
		{"restore_of_nothing", []string{"restore"}, 1, []string{"--snapshot FILE", "--list"}},
		{"list_of_nothing", []string{"restore", "--list", "--data-dir", "/nonexistent"}, 0, []string{"no snapshots in /nonexistent"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := heddle(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(out, w) {
					t.Errorf("%q is not in:\n%s", w, out)
				}
			}
		})
	}
	out, code := heddle(t, "version", "-o", "json")
	var v struct{ Version, Revision, Go string }
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Version == "" || !strings.HasPrefix(v.Go, "go") {
		t.Errorf("version -o json: %v, exit code %d: %s", err, code, out)
	}
}

func TestRestoreKnowsTheDataDirectoryOfTheEnvironment(t *testing.T) {
	labtest.Skip(t)
	cmd := exec.CommandContext(t.Context(), program, "restore", "--list")
	cmd.Env = []string{"HEDDLE_DATA_DIR=/nonexistent/a"}
	if out, code := exitOf(t, cmd); code != 0 || !strings.Contains(out, "/nonexistent/a") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// bash completes commands and flags by what the program says.
func TestBashCompletes(t *testing.T) {
	labtest.Skip(t)
	for words, want := range map[string]string{"ser": "server", "server --listen-o": "--listen-openflow", "lab d": "down"} {
		out, _ := heddle(t, append([]string{"__complete"}, strings.Fields(words)...)...)
		if !slices.ContainsFunc(lines(out), func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("heddle %s<TAB> offers:\n%s", words, out)
		}
	}
	script, _ := heddle(t, "completion", "bash")
	file := filepath.Join(t.TempDir(), "heddle")
	ok(t, os.WriteFile(file, []byte(script), 0o600))
	if out, code := exitOf(t, exec.CommandContext(t.Context(), "bash", "-n", file)); code != 0 {
		t.Errorf("bash does not read the script:\n%s", out)
	}
}

// A server is told by a flag, a variable and a file, in this order, where to listen and to keep its data.
func TestSettingsOfTheServer(t *testing.T) {
	labtest.Skip(t)
	s := newServer(t, loopback)
	dir := t.TempDir()
	file := filepath.Join(dir, "heddle.yaml")
	other := "127.0.0.1:" + freePort(t, "127.0.0.1")
	ok(t, os.WriteFile(file, fmt.Appendf(nil, "# the file\ndata-dir: %s\nlisten-api: 127.0.0.1:1\nlisten-ovsdb: %s\nlisten-openflow: 127.0.0.1:2\nlog-format: json\n",
		s.dataDir, s.ovsdb), 0o600))
	cmd := exec.Command(program, "server", "--config", file, "--listen-api", s.api)
	cmd.Env = append(s.command().Env, "HEDDLE_LISTEN_OPENFLOW="+s.openFlow, "HEDDLE_LISTEN_API="+other, "HEDDLE_TENANT_TYPES=geneve,gre")
	log, err := os.Create(s.logFile)
	ok(t, err)
	defer log.Close()
	cmd.Stderr = log
	s.process, err = startProcess(cmd)
	ok(t, err)
	s.awaitLog(10*time.Second, "heddle serves", `"api":"`+s.api, `"openflow":"`+s.openFlow, `"ovsdb":"`+s.ovsdb)
	var made struct{ Network network }
	ok(t, newClient(s.api).post("/v2.0/networks", object{"network": object{}}, &made))
	if made.Network.Type != "geneve" {
		t.Errorf("a network without a type is %s, want geneve", made.Network.Type)
	}
	if _, err := os.Stat(filepath.Join(s.dataDir, "heddle.db")); err != nil {
		t.Error(err)
	}
	s.stop()
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	labtest.Skip(t)
	first := newServer(t, loopback)
	first.start()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		ok(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	plain := file("plain", "")
	for _, c := range []struct {
		name   string
		change func(s *server)
		env    string
		want   []string
	}{
		{"port_in_use", func(s *server) { s.ovsdb = first.ovsdb }, "", []string{"--listen-ovsdb", first.ovsdb, "address already in use"}},
		{"api_port_in_use", func(s *server) { s.api = first.api }, "", []string{"--listen-api", first.api, "address already in use"}},
		{"data_in_use", func(s *server) { s.dataDir = first.dataDir }, "", []string{first.dataDir, "in use", fmt.Sprintf("process %d ", first.process.pid)}},
		{"no_directory_there", func(s *server) { s.dataDir = plain + "/data" }, "", []string{"data directory", plain}},
		{"cannot_be_written", func(s *server) { s.dataDir = "/proc/self/fd" }, "", []string{"data directory", "/proc/self/fd"}},
		{"api_open_to_all", func(s *server) { s.api = "0.0.0.0:0" }, "", []string{"noauth", "0.0.0.0:0", "--auth tokens --token-file FILE", "--allow-remote-noauth"}},
		{"no_token_file", func(s *server) { s.flags = []string{"--auth", "tokens", "--token-file", dir + "/none"} }, "", []string{"--token-file", dir + "/none"}},
		{"bad_token_file", func(s *server) {
			s.flags = []string{"--auth", "tokens", "--token-file", file("tokens", "- token: x\n  usr: y\n")}
		}, "", []string{dir + "/tokens", "line 2", "usr"}},
		{"no_certificate", func(s *server) { s.flags = []string{"--tls-cert", dir + "/none", "--tls-key", plain} }, "", []string{"TLS", dir + "/none"}},
		{"unknown_key_in_the_file", func(s *server) {
			s.flags = []string{"--config", file("config", "log-level: info\nlisten-apii: x\n")}
		}, "", []string{dir + "/config", "[2:1]", "listen-apii"}},
		{"unknown_variable", func(*server) {}, "HEDDLE_LISTEN=x", []string{"HEDDLE_LISTEN", "heddle server --help"}},
		{"wrong_value_in_a_variable", func(*server) {}, "HEDDLE_UNDERLAY_MTU=big", []string{"HEDDLE_UNDERLAY_MTU=big"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, loopback)
			c.change(s)
			cmd := s.command()
			if c.env != "" {
				cmd.Env = append(cmd.Env, c.env)
			}
			text := s.refusalOf(cmd)
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("%q is not in:\n%s", w, text)
				}
			}
			if !strings.HasPrefix(text, "heddle: ") {
				t.Errorf("it says more than why:\n%s", text)
			}
		})
	}
	ok(t, newClient(first.api).get("/v2.0/networks", &struct{}{})) // it was not disturbed
}

// openstack runs the OpenStack client against a server without authentication.
func openstack(t testing.TB, api string, args ...string) string {
	t.Helper()
	out, code := exitOf(t, exec.CommandContext(within(t, time.Minute), "openstack", append([]string{"--os-auth-type", "none", "--os-endpoint", "http://" + api}, args...)...))
	if code != 0 {
		t.Fatalf("openstack %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return strings.TrimSpace(out)
}

// The commands of a tenant's day, as they are in every tutorial. One of them takes a second or two, so
// that there are few.
func TestOpenStackClient(t *testing.T) {
	labtest.Skip(t)
	if _, err := exec.LookPath("openstack"); err != nil {
		t.Skip("needs the openstack command (Debian: python3-openstackclient)")
	}
	s := newServer(t, loopback)
	s.start()
	os := func(args ...string) string {
		t.Helper()
		return openstack(t, s.api, args...)
	}
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	value := func(columns ...string) []string {
		flags := []string{"-f", "value"}
		for _, c := range columns {
			flags = append(flags, "-c", c)
		}
		return flags
	}
	id := os(append([]string{"network", "create", "red", "--provider-network-type", "vxlan", "--provider-segment", "77"}, value("id")...)...)
	is(os(append([]string{"subnet", "create", "red-v4", "--network", "red", "--subnet-range", "10.0.22.0/24", "--gateway", "10.0.22.254"}, value("network_id")...)...), id)
	is(os(append([]string{"port", "create", "web", "--network", "red", "--fixed-ip", "subnet=red-v4,ip-address=10.0.22.7"}, value("status")...)...), "DOWN")
	os("network", "set", "red", "--name", "rouge", "--mtu", "1400")
	os("subnet", "set", "red-v4", "--dns-nameserver", "9.9.9.9")
	os("port", "set", "web", "--name", "www", "--device-owner", "compute:nova")
	is(os(append([]string{"network", "show", "rouge"}, value("mtu", "provider:segmentation_id")...)...), "1400\n77")
	is(os(append([]string{"subnet", "show", "red-v4"}, value("dns_nameservers")...)...), "['9.9.9.9']")
	if got := os(append([]string{"port", "list", "--network", "rouge"}, value("Name", "Fixed IP Addresses")...)...); !strings.HasPrefix(got, "www ") || !strings.Contains(got, "10.0.22.7") {
		t.Errorf("port list: %s", got)
	}
	is(os(append([]string{"network", "list"}, value("ID", "Name")...)...), id+" rouge")
	is(os(append([]string{"subnet", "list"}, value("Name", "Subnet")...)...), "red-v4 10.0.22.0/24")
	os("port", "delete", "www")
	os("subnet", "delete", "red-v4")
	os("network", "delete", "rouge")
	is(os(append([]string{"network", "list"}, value("ID")...)...), "")
}
