package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func load(t *testing.T, file string, environ, args []string) (serverConfig, error) {
	t.Helper()
	flags := pflag.NewFlagSet("server", pflag.ContinueOnError)
	serverFlags(flags)
	if file != "" {
		path := filepath.Join(t.TempDir(), "heddle.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return loadServerConfig(flags, environ)
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	c, err := load(t, "data-dir: /file\nresync: 7s\nlog-level: warn\ntenant-types: [gre, vxlan]\n",
		[]string{"HEDDLE_DATA_DIR=/env", "HEDDLE_LOG_LEVEL=error", "HEDDLE_PHYSNETS=a:1:9,b", "PATH=/bin"}, []string{"--data-dir", "/flag"})
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/flag" || c.LogLevel != "error" || c.Resync != 7*time.Second || c.ListenOVSDB != ":6640" {
		t.Errorf("settings %+v", c)
	}
	if strings.Join(c.TenantTypes, " ") != "gre vxlan" || strings.Join(c.Physnets, " ") != "a:1:9 b" {
		t.Errorf("lists: tenant types %q, physnets %q", c.TenantTypes, c.Physnets)
	}
}

func TestWrongSettingsSayWhatAndWhere(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		environ []string
		args    []string
		want    []string
	}{
		"unknown_key_in_file":           {file: "data-dir: /x\ndata-dri: /y\n", want: []string{"heddle.yaml", "[2:1]", "data-dri"}},
		"wrong_type_in_file":            {file: "underlay-mtu: many\n", want: []string{"heddle.yaml", "[1:"}},
		"file_is_missing":               {args: []string{"--config", "/nonexistent/heddle.yaml"}, want: []string{"/nonexistent/heddle.yaml"}},
		"wrong_value_in_a_variable":     {environ: []string{"HEDDLE_RESYNC=fast"}, want: []string{"HEDDLE_RESYNC=fast"}},
		"address_without_a_port":        {args: []string{"--listen-ovsdb", "127.0.0.1"}, want: []string{"--listen-ovsdb", `"127.0.0.1"`}},
		"client_ca_without_certificate": {args: []string{"--client-ca", "x"}, want: []string{"--tls-cert"}},
		"unknown_listener_of_client_ca": {args: []string{"--client-ca-on", "api,web"}, want: []string{"--client-ca-on", `"web"`}},
		"resync_never":                  {args: []string{"--resync", "0"}, want: []string{"--resync"}},
		"domain_with_an_underscore":     {args: []string{"--dns-domain", "my_cloud.test"}, want: []string{"--dns-domain", "my_cloud.test"}},
		"tunnels_probed_too_often":      {args: []string{"--tunnel-probe", "10ms"}, want: []string{"--tunnel-probe", "10ms", "100ms"}},
		"no_snapshots":                  {environ: []string{"HEDDLE_SNAPSHOTS=0"}, want: []string{"--snapshots"}},
		"unknown_variable":              {environ: []string{"HEDDLE_DATADIR=/x"}, want: []string{"HEDDLE_DATADIR"}},
		"noauth_for_all_the_world":      {args: []string{"--listen-api", "0.0.0.0:9696"}, want: []string{"noauth", "--allow-remote-noauth"}},
		"noauth_on_a_host_name":         {args: []string{"--listen-api", "controller:9696"}, want: []string{"noauth"}},
		"tokens_without_a_file":         {args: []string{"--auth", "tokens"}, want: []string{"--token-file"}},
		"unknown_auth":                  {args: []string{"--auth", "maybe"}, want: []string{`"maybe"`}},
		"certificate_without_key":       {args: []string{"--tls-cert", "x"}, want: []string{"--tls-key"}},
		"unknown_listener":              {args: []string{"--tls-on", "ftp"}, want: []string{`"ftp"`, "openflow"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.file, c.environ, c.args)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not mention %q", err, w)
				}
			}
		})
	}
}

func TestListsCanBeEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		file          string
		environ, args []string
	}{
		"in_the_file":        {file: "client-ca-on: []\n"},
		"in_the_environment": {environ: []string{"HEDDLE_CLIENT_CA_ON="}},
		"on_the_command":     {args: []string{"--client-ca-on", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := load(t, c.file, append(c.environ, "HEDDLE_CLIENT_CA=ca", "HEDDLE_TLS_CERT=cert", "HEDDLE_TLS_KEY=key"), c.args)
			if err != nil {
				t.Fatal(err)
			}
			if s.clientCA("api") != "" || !s.tls("api") {
				t.Errorf("api: clients need a certificate of %q, TLS %t", s.clientCA("api"), s.tls("api"))
			}
		})
	}
}

func TestNetworkSettingsAreRead(t *testing.T) {
	c := serverConfig{TenantTypes: []string{"gre"}, SegmentRanges: []string{"vxlan:1:1000", "gre:5:6"}, Physnets: []string{"ext", "prov:100:199:9000"}, UnderlayMTU: 9000}
	n, err := c.network()
	if err != nil {
		t.Fatal(err)
	}
	if r := n.Ranges["vxlan"]; len(r) != 1 || r[0].Last != 1000 || n.Physnets[1].VLANs[0].First != 100 || n.Physnets[1].MTU != 9000 || n.Physnets[0].Name != "ext" {
		t.Errorf("%+v", n)
	}
	for _, bad := range []serverConfig{
		{SegmentRanges: []string{"vxlan"}}, {SegmentRanges: []string{"vxlan:1:x"}}, {Physnets: []string{"a:1"}}, {Physnets: []string{"a:1:2:x"}},
	} {
		if _, err := bad.network(); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
}

// The variables of the commands that ask a server are no settings of one, and no mistake either.
func TestVariablesOfTheCommandLineAreNoSettings(t *testing.T) {
	if err := checkEnv([]string{"HEDDLE_SERVER=http://127.0.0.1:9696", "HEDDLE_TOKEN=x", "HEDDLE_PROJECT=p"}); err != nil {
		t.Error(err)
	}
	if err := checkEnv([]string{"HEDDLE_SERVERS=x"}); err == nil {
		t.Error("a variable that does not exist is accepted")
	}
}
