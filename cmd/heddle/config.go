package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/internal/cli"
	"github.com/heddle-sdn/heddle/store/model"
)

// envPrefix begins the name of every setting in the environment: --data-dir is HEDDLE_DATA_DIR.
const envPrefix = "HEDDLE_"

const defaultDataDir = "/var/lib/heddle"

// serverConfig are the settings of heddle server. A setting is a flag, a variable of the environment
// or a key of the file; the first of these that is given wins.
type serverConfig struct {
	DataDir        string        `koanf:"data-dir" yaml:"data-dir"`
	ListenAPI      string        `koanf:"listen-api" yaml:"listen-api"`
	ListenOpenFlow string        `koanf:"listen-openflow" yaml:"listen-openflow"`
	ListenOVSDB    string        `koanf:"listen-ovsdb" yaml:"listen-ovsdb"`
	Auth           string        `koanf:"auth" yaml:"auth"`
	TokenFile      string        `koanf:"token-file" yaml:"token-file"`
	RemoteNoAuth   bool          `koanf:"allow-remote-noauth" yaml:"allow-remote-noauth"`
	TLSCert        string        `koanf:"tls-cert" yaml:"tls-cert"`
	TLSKey         string        `koanf:"tls-key" yaml:"tls-key"`
	ClientCA       string        `koanf:"client-ca" yaml:"client-ca"`
	TLSOn          []string      `koanf:"tls-on" yaml:"tls-on"`
	ClientCAOn     []string      `koanf:"client-ca-on" yaml:"client-ca-on"`
	TenantTypes    []string      `koanf:"tenant-types" yaml:"tenant-types"`
	SegmentRanges  []string      `koanf:"segment-ranges" yaml:"segment-ranges"`
	Physnets       []string      `koanf:"physnets" yaml:"physnets"`
	UnderlayMTU    int           `koanf:"underlay-mtu" yaml:"underlay-mtu"`
	UnderlayIPv6   bool          `koanf:"underlay-ipv6" yaml:"underlay-ipv6"`
	TunnelProbe    time.Duration `koanf:"tunnel-probe" yaml:"tunnel-probe"`
	DNSDomain      string        `koanf:"dns-domain" yaml:"dns-domain"`
	Resync         time.Duration `koanf:"resync" yaml:"resync"`
	Snapshots      int           `koanf:"snapshots" yaml:"snapshots"`
	SnapshotEvery  time.Duration `koanf:"snapshot-every" yaml:"snapshot-every"`
	LogLevel       string        `koanf:"log-level" yaml:"log-level"`
	LogFormat      string        `koanf:"log-format" yaml:"log-format"`
	OTLPEndpoint   string        `koanf:"otlp-endpoint" yaml:"otlp-endpoint"`
	DebugSocket    string        `koanf:"debug-socket" yaml:"debug-socket"`
	Agent          bool          `koanf:"agent" yaml:"agent"`
	AgentHost      string        `koanf:"agent-host" yaml:"agent-host"`
	AgentStateDir  string        `koanf:"agent-state-dir" yaml:"agent-state-dir"`
	AgentTokenFile string        `koanf:"agent-token-file" yaml:"agent-token-file"`
	MetadataEnd    string        `koanf:"metadata-endpoint" yaml:"metadata-endpoint"`
	MetadataSecret string        `koanf:"metadata-secret-file" yaml:"metadata-secret-file"`
}

// leastProbe is the shortest interval of --tunnel-probe: what is sent more often costs hosts more than it
// tells.
const leastProbe = 100 * time.Millisecond

// domainName is a DNS domain (RFC 1123 §2.1), with or without the final dot.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?$`)

// tlsListeners are what --tls-on and --client-ca-on can name.
var tlsListeners = []string{"api", "openflow", "ovsdb"}

func serverFlags(f *pflag.FlagSet) {
	f.String("config", "", "YAML `file` with settings; its keys are the names of these flags")
	f.String("data-dir", defaultDataDir, "`directory` of the store and its snapshots")
	f.String("listen-api", "127.0.0.1:9696", "`address` of the REST API")
	f.String("listen-openflow", ":6653", "`address` that bridges connect to")
	f.String("listen-ovsdb", ":6640", "`address` that OVSDB managers connect to")
	f.String("auth", "noauth", "who may use the API: noauth (everyone, as admin; loopback only) or tokens")
	f.String("token-file", "", "YAML `file` of tokens, for --auth tokens")
	f.Bool("allow-remote-noauth", false, "allow --auth noauth on an address that others can reach")
	f.String("tls-cert", "", "certificate `file` (PEM); it is read again when it changes")
	f.String("tls-key", "", "key `file` of the certificate")
	f.String("client-ca", "", "`file` of authorities (PEM): clients, and hosts dialled by ssl:, must show a certificate of theirs")
	f.StringSlice("tls-on", tlsListeners, "`listeners` that use TLS once --tls-cert is given")
	f.StringSlice("client-ca-on", tlsListeners, "`listeners` whose clients must show a certificate once --client-ca is given")
	f.StringSlice("tenant-types", []string{"vxlan"}, "types of networks whose creator names none, in order of preference")
	f.StringSlice("segment-ranges", nil, "segment ids to choose from, as `type:first:last` (vxlan:1:10000)")
	f.StringSlice("physnets", nil, "physical networks, as `name[:first:last[:mtu]]` with the VLAN ids to choose from")
	f.Int("underlay-mtu", 1500, "MTU in bytes of the network between hosts")
	f.Bool("underlay-ipv6", false, "tunnels run over IPv6")
	f.Duration("tunnel-probe", time.Second, "how often the ends of a tunnel tell each other that they are there (BFD); 0 does not watch tunnels")
	f.String("dns-domain", dhcp.DefaultDomain, "DNS `domain` of hosts on networks that have none (dns_domain)")
	f.Duration("resync", 30*time.Second, "how often a host is read though nothing happened")
	f.Int("snapshots", 24, "snapshots of the store to keep")
	f.Duration("snapshot-every", time.Hour, "how often the store is snapshotted, if it changed")
	f.String("log-level", "info", "debug, info, warn or error")
	f.String("log-format", "text", "text or json")
	name, _ := os.Hostname() // empty, and so to be given, where there is none
	f.Bool("agent", false, "be the agent of this host, too: what heddle agent does, in this process")
	f.String("agent-host", name, "`name` of this host in its OVSDB, for --agent")
	f.String("agent-state-dir", defaultAgentStateDir, "`directory` of what the agent remembers, for --agent")
	f.String("agent-token-file", "", "`file` with the agent's token, for --agent with --auth tokens")
	f.String("metadata-endpoint", "", "`URL` of Nova's metadata service, for --agent; without one it answers from what ports say")
	f.String("metadata-secret-file", "", "`file` with the secret shared with it (metadata_proxy_shared_secret)")
	f.String("otlp-endpoint", "", "`URL` of an OpenTelemetry collector (OTLP/HTTP), http://127.0.0.1:4318, that gets traces of changes")
	f.String("debug-socket", "", "unix socket `path` that serves Go's profiles (/debug/pprof/) to the server's user")
}

// loadServerConfig reads the settings in order of precedence: flag, environment, file, default.
func loadServerConfig(flags *pflag.FlagSet, environ []string) (serverConfig, error) {
	var c serverConfig
	k := koanf.New(".")
	path := flags.Lookup("config").Value.String()
	if path == "" {
		path = lookupEnv(environ, envPrefix+"CONFIG")
	}
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("read settings: %w", err)
		}
		if err := k.Load(rawbytes.Provider(text), strictYAML{path}); err != nil {
			return c, err
		}
	}
	if err := checkEnv(environ); err != nil {
		return c, err
	}
	if err := k.Load(env.Provider(".", env.Opt{Prefix: envPrefix, EnvironFunc: func() []string { return environ }, TransformFunc: envSetting(flags)}), nil); err != nil {
		return c, fmt.Errorf("read settings from the environment: %w", err)
	}
	if err := k.Load(posflag.Provider(flags, ".", k), nil); err != nil {
		return c, fmt.Errorf("read settings from flags: %w", err)
	}
	if err := k.Unmarshal("", &c); err != nil {
		return c, fmt.Errorf("read settings: %w", err)
	}
	return c, c.check()
}

// strictYAML is a koanf.Parser that refuses unknown keys and says in which line they are.
type strictYAML struct{ path string }

// Unmarshal reads the file's text.
func (p strictYAML) Unmarshal(text []byte) (map[string]any, error) {
	var known serverConfig
	out := map[string]any{}
	if err := yaml.UnmarshalWithOptions(text, &known, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("settings in %s: %s", p.path, yaml.FormatError(err, false, true))
	}
	if err := yaml.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("settings in %s: %w", p.path, err)
	}
	return out, nil
}

// Marshal is a part of koanf.Parser that nothing here calls for.
func (strictYAML) Marshal(map[string]any) ([]byte, error) {
	return nil, errors.New("settings are not written")
}

// envSetting turns HEDDLE_DATA_DIR into data-dir; lists are separated by commas.
func envSetting(flags *pflag.FlagSet) func(key, value string) (string, any) {
	return func(key, value string) (string, any) {
		name := settingOf(key)
		f := flags.Lookup(name)
		if f == nil {
			return "", nil
		}
		if f.Value.Type() == "stringSlice" {
			return name, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		}
		return name, value
	}
}

func settingOf(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, envPrefix), "_", "-"))
}

// checkEnv refuses variables that are no setting, and values that the flag of their name would refuse.
func checkEnv(environ []string) error {
	flags := pflag.NewFlagSet("environment", pflag.ContinueOnError)
	serverFlags(flags)
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(cli.Variables(), name) {
			continue
		}
		f := flags.Lookup(settingOf(name))
		if f == nil {
			return fmt.Errorf("environment variable %s is no setting: heddle server --help lists them", name)
		}
		if err := f.Value.Set(value); err != nil {
			return fmt.Errorf("environment variable %s: %w", e, err)
		}
	}
	return nil
}

func lookupEnv(environ []string, name string) string {
	for _, e := range environ {
		if n, v, _ := strings.Cut(e, "="); n == name {
			return v
		}
	}
	return ""
}

// check refuses settings that contradict each other or would open more than was meant.
func (c serverConfig) check() error {
	for flag, address := range map[string]string{"--listen-api": c.ListenAPI, "--listen-openflow": c.ListenOpenFlow, "--listen-ovsdb": c.ListenOVSDB} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%s %q is not HOST:PORT or :PORT", flag, address)
		}
	}
	switch c.Auth {
	case "noauth":
		if !c.RemoteNoAuth && !loopback(c.ListenAPI) {
			return fmt.Errorf("--auth noauth makes everyone who reaches %s an admin: listen on 127.0.0.1, use --auth tokens --token-file FILE, or say --allow-remote-noauth", c.ListenAPI)
		}
	case "tokens":
		if c.TokenFile == "" {
			return errors.New("--auth tokens needs --token-file FILE")
		}
	default:
		return fmt.Errorf("--auth %q is neither noauth nor tokens", c.Auth)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	if c.ClientCA != "" && c.TLSCert == "" {
		return errors.New("--client-ca needs --tls-cert and --tls-key")
	}
	for flag, listeners := range map[string][]string{"--tls-on": c.TLSOn, "--client-ca-on": c.ClientCAOn} {
		for _, l := range listeners {
			if !slices.Contains(tlsListeners, l) {
				return fmt.Errorf("%s %q is none of %s", flag, l, strings.Join(tlsListeners, ", "))
			}
		}
	}
	if err := c.checkAgent(); err != nil {
		return err
	}
	if c.TunnelProbe != 0 && (c.TunnelProbe < leastProbe || c.TunnelProbe%time.Millisecond != 0) {
		return fmt.Errorf("--tunnel-probe %s is neither 0 nor a whole number of milliseconds, %s or more", c.TunnelProbe, leastProbe)
	}
	if !domainName.MatchString(c.DNSDomain) {
		return fmt.Errorf("--dns-domain %q is no domain: want labels of letters, digits and inner hyphens, with dots between", c.DNSDomain)
	}
	if c.Resync <= 0 || c.SnapshotEvery <= 0 {
		return errors.New("--resync and --snapshot-every are longer than 0")
	}
	if c.Snapshots < 1 {
		return errors.New("--snapshots is at least 1: what else would a damaged store be restored from")
	}
	return nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// tls reports whether a listener uses TLS.
func (c serverConfig) tls(listener string) bool {
	return c.TLSCert != "" && slices.Contains(c.TLSOn, listener)
}

// secured names the listeners that use TLS, for people.
func (c serverConfig) secured() string {
	var on []string
	for _, l := range tlsListeners {
		if c.tls(l) {
			on = append(on, l)
		}
	}
	if len(on) == 0 {
		return "off"
	}
	return strings.Join(on, ",")
}

// clientCA is the file of authorities that a listener's clients must have a certificate of, empty if
// they need none.
func (c serverConfig) clientCA(listener string) string {
	if !slices.Contains(c.ClientCAOn, listener) {
		return ""
	}
	return c.ClientCA
}

// network returns what the settings say about networks.
func (c serverConfig) network() (l2.Config, error) {
	out := l2.Config{UnderlayMTU: c.UnderlayMTU, UnderlayIPv6: c.UnderlayIPv6, Ranges: map[model.NetworkType][]l2.SegmentRange{}}
	for _, t := range c.TenantTypes {
		out.TenantTypes = append(out.TenantTypes, model.NetworkType(t))
	}
	for _, s := range c.SegmentRanges {
		kind, ids, _ := strings.Cut(s, ":")
		r, err := segmentRange(strings.Split(ids, ":"))
		if err != nil {
			return out, fmt.Errorf("--segment-ranges %q: %w", s, err)
		}
		out.Ranges[model.NetworkType(kind)] = append(out.Ranges[model.NetworkType(kind)], r)
	}
	for _, s := range c.Physnets {
		p, err := physnet(s)
		if err != nil {
			return out, fmt.Errorf("--physnets %q: %w", s, err)
		}
		out.Physnets = append(out.Physnets, p)
	}
	return out, nil
}

func physnet(s string) (l2.Physnet, error) {
	parts := strings.Split(s, ":")
	p := l2.Physnet{Name: parts[0]}
	switch len(parts) {
	case 1:
		return p, nil
	case 4:
		mtu, err := strconv.Atoi(parts[3])
		if err != nil {
			return p, fmt.Errorf("mtu %q is not a number", parts[3])
		}
		p.MTU = mtu
		fallthrough
	case 3:
		r, err := segmentRange(parts[1:3])
		p.VLANs = []l2.SegmentRange{r}
		return p, err
	}
	return p, errors.New("not of the form name[:first:last[:mtu]]")
}

func segmentRange(parts []string) (l2.SegmentRange, error) {
	if len(parts) != 2 {
		return l2.SegmentRange{}, errors.New("not of the form first:last")
	}
	first, err1 := strconv.ParseUint(parts[0], 10, 32)
	last, err2 := strconv.ParseUint(parts[1], 10, 32)
	if err1 != nil || err2 != nil {
		return l2.SegmentRange{}, errors.New("first and last must be numbers")
	}
	return l2.SegmentRange{First: uint32(first), Last: uint32(last)}, nil
}
