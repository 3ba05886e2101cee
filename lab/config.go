package lab

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Where labs are and what they are called unless the caller says otherwise.
const (
	DefaultDir  = "/run/heddle-lab"
	DefaultName = "lab"
)

// Addresses of the planes unless the configuration says otherwise. Underlay and external exist
// inside the lab only, so every lab can use the same; management is the first free /24 of its
// prefix, because the caller's namespace has a foot in it.
var (
	defaultUnderlay   = netip.MustParsePrefix("172.31.0.0/24")
	defaultExternal   = netip.MustParsePrefix("198.51.100.0/24")
	managementPool    = netip.MustParsePrefix("172.30.0.0/16")
	firstHostAddress  = 11 // the first host has .11 on every plane
	maxHosts          = 200
	defaultOVSDBPort  = "6640"
	defaultEncapTypes = []string{"gre", "vxlan", "geneve"}
)

// Config describes a lab. The zero value is a lab named DefaultName with one host.
type Config struct {
	// Name of the lab: lower-case letters, digits and dashes, at most 40. Empty: DefaultName.
	Name string
	// Dir is the directory under which the lab's own directory is made. Empty: DefaultDir.
	Dir string
	// Hosts of the lab, at most 200. Empty: one, as Hosts(1) has it.
	Hosts []HostConfig
	// Controllers are the OVSDB managers every host connects to, as host:port, host or :port; the
	// port defaults to 6640, and an empty host means this machine, at its address on the management
	// plane. None: the hosts join nobody until Host.Join.
	Controllers []string
	// Listen makes every host's OVSDB listen on port 6640 of all its addresses, for a controller
	// that dials.
	Listen bool
	// Management is the management plane's IPv4 subnet, at most a /24. Its first address is this machine's.
	// Zero: the first free 172.30.N.0/24.
	Management netip.Prefix
	// Underlay is the underlay's IPv4 subnet, at most a /24. Zero: 172.31.0.0/24.
	Underlay netip.Prefix
	// External adds a third plane: br-ex with a NIC on every host, physnet1 mapped to it, and a
	// namespace "internet" with the first address of ExternalSubnet.
	External bool
	// ExternalSubnet is the external plane's IPv4 subnet. Zero: 198.51.100.0/24.
	ExternalSubnet netip.Prefix
	// MTU of the underlay in bytes. Zero: 1500.
	MTU int
	// Detached lets the lab outlive the process that built it.
	Detached bool
	// Progress is told what was reached, a short line a call, one call at a time.
	// Nil: nobody is.
	Progress func(line string) `json:"-"`
}

// HostConfig describes a host: its name and what it says of itself in OVSDB.
type HostConfig struct {
	// Name of the host: lower-case letters, digits and dashes, at most 12.
	Name string
	// Gateway marks the host as one that may carry routers (heddle-gateway).
	Gateway bool
	// EncapTypes are the tunnel types the host offers, best first. Empty: gre, vxlan, geneve.
	EncapTypes []string
	// BridgeMappings is the value of heddle-bridge-mappings. Empty: physnet1:br-ex if the lab has an
	// external plane, else unset.
	BridgeMappings string
	// ExternalIDs are further external_ids of the host; an empty value removes a key the lab would set.
	ExternalIDs map[string]string
}

// Hosts returns n hosts as a small cloud names them: net1, which is a gateway, then cmp1, cmp2, …
func Hosts(n int) []HostConfig {
	hosts := make([]HostConfig, n)
	for i := range hosts {
		if i == 0 {
			hosts[i] = HostConfig{Name: "net1", Gateway: true}
			continue
		}
		hosts[i] = HostConfig{Name: "cmp" + strconv.Itoa(i)}
	}
	return hosts
}

var (
	labName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	hostName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,11}$`)
)

// withDefaults returns the configuration with every empty field filled but Management, which is
// chosen when the lab is built, or the first thing that is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		c.Name = DefaultName
	}
	if !labName.MatchString(c.Name) {
		return c, fmt.Errorf("lab name %q: want lower-case letters, digits and dashes, at most 40", c.Name)
	}
	if c.Dir == "" {
		c.Dir = DefaultDir
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("directory of the lab: %w", err)
	}
	c.Dir = dir
	if c.MTU == 0 {
		c.MTU = 1500
	}
	if c.MTU < 1280 || c.MTU > 65535 {
		return c, fmt.Errorf("underlay MTU %d: want 1280 to 65535", c.MTU)
	}
	if !c.Underlay.IsValid() {
		c.Underlay = defaultUnderlay
	}
	if !c.ExternalSubnet.IsValid() {
		c.ExternalSubnet = defaultExternal
	}
	if err := c.checkHosts(); err != nil {
		return c, err
	}
	if len(c.Hosts) == 0 {
		c.Hosts = Hosts(1)
	}
	if err := c.checkPlanes(); err != nil {
		return c, err
	}
	return c, nil
}

func (c Config) checkHosts() error {
	if len(c.Hosts) > maxHosts {
		return fmt.Errorf("%d hosts: at most %d fit into a lab", len(c.Hosts), maxHosts)
	}
	seen := map[string]bool{internetName: true}
	for _, h := range c.Hosts {
		if !hostName.MatchString(h.Name) {
			return fmt.Errorf("host name %q: want lower-case letters, digits and dashes, at most 12", h.Name)
		}
		if seen[h.Name] {
			return fmt.Errorf("host name %q is taken", h.Name)
		}
		seen[h.Name] = true
	}
	return nil
}

func (c Config) checkPlanes() error {
	planes := []struct {
		name   string
		prefix netip.Prefix
	}{{"underlay", c.Underlay}, {"external", c.ExternalSubnet}, {"management", c.Management}}
	for i, p := range planes {
		if !p.prefix.IsValid() {
			continue
		}
		last := firstHostAddress + len(c.Hosts)
		if !p.prefix.Addr().Is4() || p.prefix.Bits() < 24 || last >= 1<<(32-p.prefix.Bits())-1 {
			return fmt.Errorf("%s subnet %s: want an IPv4 subnet, /24 or smaller, with room for %d hosts", p.name, p.prefix, len(c.Hosts))
		}
		for _, q := range planes[:i] {
			if q.prefix.IsValid() && q.prefix.Overlaps(p.prefix) {
				return fmt.Errorf("%s subnet %s overlaps %s subnet %s", p.name, p.prefix, q.name, q.prefix)
			}
		}
	}
	return nil
}

// managers returns what ovs-vsctl set-manager takes for this configuration on a lab in which this
// machine has the address self.
func (c Config) managers(self netip.Addr) ([]string, error) {
	var targets []string
	for _, addr := range c.Controllers {
		t, err := managerTarget(addr, self)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	if c.Listen {
		targets = append(targets, "ptcp:"+defaultOVSDBPort)
	}
	return targets, nil
}

// managerTarget turns host:port, host or :port into an OVSDB target; whatever names a scheme
// itself (tcp:, ssl:, ptcp:, pssl:) stays as it is.
func managerTarget(addr string, self netip.Addr) (string, error) {
	for _, scheme := range []string{"tcp:", "ssl:", "ptcp:", "pssl:"} {
		if strings.HasPrefix(addr, scheme) {
			return addr, nil
		}
	}
	host, port, found := strings.Cut(addr, ":")
	if !found {
		port = defaultOVSDBPort
	}
	if host == "" {
		host = self.String()
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("controller address %q: want HOST:PORT, an IPv4 address or name and a port", addr)
	}
	return "tcp:" + host + ":" + port, nil
}

// nth returns the n-th address of a subnet.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr().As4()
	a[3] += byte(n)
	return netip.AddrFrom4(a)
}

// at returns the n-th address of a subnet with the subnet's length, as ip(8) takes it.
func at(p netip.Prefix, n int) netip.Prefix { return netip.PrefixFrom(nth(p, n), p.Bits()) }

// nameUUID derives a UUID from a name, as RFC 9562 §5.8 lets one.
func nameUUID(name string) string {
	b := sha256.Sum256([]byte(name))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
