// Package hostcheck looks at the host that it runs on: whether Open vSwitch, tunnels, underlay and programs
// are as Heddle needs them. It reads, sends pings, and changes nothing; it needs no server, and of Heddle
// nothing but this binary.
package hostcheck

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/internal/cli/checks"
)

// Host is what checks look at. System is the real one.
type Host interface {
	// Run runs a program and returns its standard output. Its error holds what the program said.
	Run(ctx context.Context, program string, args ...string) (string, error)
	// Has reports whether a program is installed.
	Has(program string) bool
	// Root reports whether checks run as root.
	Root() bool
	// Links returns the network interfaces.
	Links() ([]Link, error)
	// Free returns the free and the whole space of the file system of a path, in bytes.
	Free(path string) (free, total uint64, err error)
	// Synchronized reports whether the kernel's clock is kept by a time service.
	Synchronized() (bool, error)
	// Exists reports whether there is a file.
	Exists(path string) bool
}

// Link is a network interface.
type Link struct {
	Name      string
	MTU       int // bytes
	Up        bool
	Addresses []netip.Addr
}

// Options are what the host alone does not know.
type Options struct {
	// MTU is what the underlay has to carry, in bytes: heddle server's --underlay-mtu. Default 1500.
	MTU int
	// Gateway says that the host has to be able to run routers, though it may not say so itself.
	Gateway bool
}

// commandTimeout bounds every program that checks run.
const commandTimeout = 10 * time.Second

// doctor is one visit.
type doctor struct {
	checks.List
	host Host
	opts Options

	database database
	links    []Link
}

// Check looks at the host.
func Check(ctx context.Context, host Host, opts Options) checks.List {
	if opts.MTU == 0 {
		opts.MTU = 1500
	}
	d := &doctor{host: host, opts: opts}
	d.permissions()
	if !d.openVSwitch(ctx) {
		d.machine(ctx)
		return d.List
	}
	d.identity()
	d.managers()
	d.bridges()
	d.patches()
	d.underlay(ctx)
	d.gateway(ctx)
	d.machine(ctx)
	return d.List
}

func (d *doctor) run(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	return d.host.Run(ctx, program, args...)
}

func (d *doctor) permissions() {
	if d.host.Root() {
		d.OK("permissions", "root")
		return
	}
	d.Warn("permissions", "not root: Open vSwitch may not answer", "run it with sudo")
}

// testedWith is the version of Open vSwitch that Heddle's tests run on.
const testedWith = "3.1"

// openVSwitch looks at the daemons and reads the database. It reports whether there is one.
func (d *doctor) openVSwitch(ctx context.Context) bool {
	if !d.host.Has("ovs-vsctl") {
		d.Fail("Open vSwitch", "ovs-vsctl is not installed", "install Open vSwitch (Debian: apt install openvswitch-switch)")
		return false
	}
	var err error
	if d.database, err = readDatabase(ctx, d.run); err != nil {
		d.Fail("ovsdb-server", fmt.Sprintf("it does not answer: %v", err), "start it (Debian: systemctl start openvswitch-switch), or run this as root")
		return false
	}
	d.OK("ovsdb-server", "it answers")
	running, err := d.run(ctx, "ovs-appctl", "--timeout=5", "version")
	if err != nil {
		d.Fail("ovs-vswitchd", fmt.Sprintf("it does not answer: %v", err), "start it (Debian: systemctl restart openvswitch-switch) and read /var/log/openvswitch/ovs-vswitchd.log; flows are lost while it is away")
		return true
	}
	version := lastWord(firstLine(running))
	switch {
	case older(version, testedWith):
		d.Warn("ovs-vswitchd", "version "+version, "Heddle is tested with Open vSwitch "+testedWith+"; use that or a newer one")
	default:
		d.OK("ovs-vswitchd", "version %s", version)
	}
	if installed, err := d.run(ctx, "ovs-vswitchd", "--version"); err == nil && lastWord(firstLine(installed)) != version {
		d.Warn("ovs-vswitchd", fmt.Sprintf("version %s is installed and %s runs", lastWord(firstLine(installed)), version), "restart it when a moment without forwarding does no harm")
	}
	return true
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func lastWord(s string) string {
	words := strings.Fields(s)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// older compares versions number by number; what is no number counts as 0.
func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range y {
		m, n := 0, 0
		if i < len(x) {
			_, _ = fmt.Sscanf(x[i], "%d", &m)
		}
		_, _ = fmt.Sscanf(y[i], "%d", &n)
		if m != n {
			return m < n
		}
	}
	return false
}
