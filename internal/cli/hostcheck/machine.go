package hostcheck

import (
	"context"
	"fmt"
)

// Little free space: below the first nobody should rest, below the second things break (bytes).
const (
	littleSpace = 1 << 30
	noSpace     = 64 << 20
)

// gatewayPrograms are what a gateway host's agent runs, and Debian's packages of them.
var gatewayPrograms = []struct{ program, pkg, needs string }{
	{"ip", "iproute2", "namespaces"}, {"nft", "nftables", "NAT and floating IPs"}, {"dnsmasq", "dnsmasq-base", "DHCP"}, {"radvd", "radvd", "IPv6 router advertisements"},
}

// gateway looks for the programs that a gateway host needs.
func (d *doctor) gateway(ctx context.Context) {
	if !d.opts.Gateway && d.database.id("heddle-gateway") != "true" {
		return
	}
	for _, p := range gatewayPrograms {
		if d.host.Has(p.program) {
			d.OK("program "+p.program, "installed")
			continue
		}
		d.Fail("program "+p.program, "not installed, and needed for "+p.needs, "apt install "+p.pkg+", or what the distribution calls it")
	}
	if !d.host.Has("nft") {
		return
	}
	if _, err := d.run(ctx, "nft", "list", "tables"); err != nil {
		d.Fail("nftables", fmt.Sprintf("the kernel does not answer nft: %v", err), "run this as root; modprobe nf_tables")
	} else {
		d.OK("nftables", "the kernel answers")
	}
}

// machine looks at the clock and the disks.
func (d *doctor) machine(context.Context) {
	switch kept, err := d.host.Synchronized(); {
	case err != nil:
		d.Warn("clock", err.Error(), "look whether a time service runs: timedatectl")
	case !kept:
		d.Warn("clock", "no time service keeps it: times in logs and events of hosts do not compare", "run chrony or systemd-timesyncd")
	default:
		d.OK("clock", "kept by a time service")
	}
	for _, path := range []string{"/etc/openvswitch", "/var/lib/openvswitch", "/var/log/openvswitch", "/run/openvswitch", "/var/lib/heddle-agent"} {
		free, total, err := d.host.Free(path)
		if err != nil {
			continue // it need not be there
		}
		what := "disk of " + path
		says := fmt.Sprintf("%s of %s free", megabytes(free), megabytes(total))
		switch {
		case free < noSpace:
			d.Fail(what, says, "make room: without it the database of Open vSwitch and the agent cannot remember changes")
		case free < littleSpace && free < total/20:
			d.Warn(what, says, "make room before it is needed")
		default:
			d.OK(what, "%s", says)
		}
	}
}

func megabytes(bytes uint64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
