package hostcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// System is this host.
type System struct{}

// Run runs a program in the C locale.
func (System) Run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("it took too long")
		}
		if text := strings.TrimSpace(said.String()); text != "" {
			return string(out), fmt.Errorf("%s: %s", program, strings.ReplaceAll(text, "\n", "; "))
		}
		return string(out), fmt.Errorf("%s: %w", program, err)
	}
	return string(out), nil
}

// Has looks for a program in PATH, and where distributions put those of the administrator.
func (System) Has(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if info, err := os.Stat(dir + "/" + program); err == nil && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

// Root reports whether the process has root's rights.
func (System) Root() bool { return os.Geteuid() == 0 }

// Links returns the interfaces of the network namespace that the process is in.
func (System) Links() ([]Link, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	out := make([]Link, 0, len(all))
	for _, i := range all {
		l := Link{Name: i.Name, MTU: i.MTU, Up: i.Flags&net.FlagUp != 0}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				l.Addresses = append(l.Addresses, p.Addr())
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// Free returns the space that unprivileged processes may still use, and the whole.
func (System) Free(path string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}

// Synchronized asks the kernel (adjtimex(2)): STA_UNSYNC is cleared by whoever keeps the clock.
func (System) Synchronized() (bool, error) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, fmt.Errorf("the kernel does not tell: %w", err)
	}
	return t.Status&unix.STA_UNSYNC == 0, nil
}

// Exists reports whether there is a file.
func (System) Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
