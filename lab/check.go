package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// ErrNotRoot says that the caller may not make namespaces.
var ErrNotRoot = errors.New("building a lab makes namespaces and needs root: run it with sudo")

// MissingError says what this machine lacks for a lab.
type MissingError struct {
	Files    []string // commands and files that are not there
	Packages []string // the Debian packages that bring them, where a package does
}

func (e *MissingError) Error() string {
	s := "a lab needs " + strings.Join(e.Files, ", ")
	if len(e.Packages) > 0 {
		s += ": apt-get install " + strings.Join(e.Packages, " ")
	}
	return s
}

// Check says whether labs can be built here: nil, ErrNotRoot or a *MissingError.
func Check() error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	missing := &MissingError{}
	add := func(file, pkg string) {
		missing.Files = append(missing.Files, file)
		if pkg != "" && !slices.Contains(missing.Packages, pkg) {
			missing.Packages = append(missing.Packages, pkg)
		}
	}
	for _, c := range [...]struct{ command, pkg string }{
		{"ip", "iproute2"},
		{"nft", "nftables"},
		{"ethtool", "ethtool"},
		{"nsenter", "util-linux"},
		{"mount", "mount"},
		{"ovs-vswitchd", "openvswitch-switch"},
		{"ovsdb-server", "openvswitch-switch"},
		{"ovsdb-tool", "openvswitch-common"},
		{"ovs-vsctl", "openvswitch-switch"},
	} {
		if _, err := exec.LookPath(c.command); err != nil {
			add(c.command, c.pkg)
		}
	}
	for _, f := range [...]struct{ path, pkg string }{
		{"/usr/share/openvswitch/vswitch.ovsschema", "openvswitch-switch"},
		{"/etc/openvswitch", "openvswitch-switch"},
		{"/var/log/openvswitch", "openvswitch-switch"},
		{"/dev/net/tun", ""}, // the bridges of the userspace datapath are tap devices
	} {
		if _, err := os.Stat(f.path); err != nil {
			add(f.path, f.pkg)
		}
	}
	if len(missing.Files) > 0 {
		return missing
	}
	return nil
}

// explainClone adds the likely reason to a failure to make namespaces.
func explainClone(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w (in a container this needs --privileged)", err)
	}
	return err
}
