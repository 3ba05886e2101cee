package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Host is a host of a lab.
type Host struct {
	HostConfig

	lab   *Lab
	index int
	mu    sync.Mutex // guards proc
	proc  *process
}

// Management returns the host's address on the management plane.
func (h *Host) Management() netip.Addr { return nth(h.lab.cfg.Management, firstHostAddress+h.index) }

// Underlay returns the host's tunnel address.
func (h *Host) Underlay() netip.Addr { return nth(h.lab.cfg.Underlay, firstHostAddress+h.index) }

// PID returns the process whose end is the host's loss of power, 0 if it never had any.
func (h *Host) PID() int { return h.process().PID }

// process returns process 1 of the host, one with the number 0 if it never had any.
func (h *Host) process() *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.proc == nil {
		return &process{}
	}
	return h.proc
}

// Alive says whether the host has power.
func (h *Host) Alive() bool { return h.process().alive() }

// Path returns the path by which a file on the host is reached from outside, also where the host
// sees a file of its own: Path("/run/openvswitch/db.sock").
func (h *Host) Path(file string) string {
	return h.process().path(file)
}

// Command returns a command that runs on the host, in all its namespaces. The end of the context
// kills it. On a host without power it fails.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := command(ctx, "nsenter", append(h.process().enterArgs(name), args...)...)
	if !h.Alive() {
		cmd.Err = h.noPower()
	}
	return cmd
}

// noPower is the error of whatever needs power and has none.
func (h *Host) noPower() error { return fmt.Errorf("host %s has no power", h.Name) }

// Output runs a command on the host and returns its standard output. The error is a *CommandError
// with its standard error.
func (h *Host) Output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := run(h.Command(ctx, name, args...))
	if err != nil {
		err = fmt.Errorf("on %s: %w", h.Name, err)
	}
	return string(out), err
}

// Do runs a function on a thread of its own inside the host's network namespace. Sockets it makes
// stay there; goroutines it starts do not.
func (h *Host) Do(fn func() error) error {
	return inNetwork(fmt.Sprintf("/proc/%d/ns/net", h.PID()), fn)
}

// dir is where the host keeps what outlives its power.
func (h *Host) dir() string { return filepath.Join(h.lab.dir, "hosts", h.Name) }

// powerOn starts process 1 of the host.
func (h *Host) powerOn(ctx context.Context) error {
	for _, sub := range [...]string{"etc", "log"} {
		if err := os.MkdirAll(filepath.Join(h.dir(), sub), 0o755); err != nil {
			return err
		}
	}
	p, err := startProcess(ctx, h.lab.title(h.Name), h.lab.initPath(), h.dir(), h.Name)
	if err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	h.mu.Lock()
	h.proc = p
	h.mu.Unlock()
	return nil
}

// The ends of the host's NICs that are in the wires' namespace.
func (h *Host) underlayPort() string   { return h.Name + "-u" }
func (h *Host) managementPort() string { return h.Name + "-m" }
func (h *Host) externalPort() string   { return h.Name + "-x" }

// wireLines are the ip(8) commands that give the host its NICs.
func (h *Host) wireLines() []string {
	mtu, pid := h.lab.cfg.MTU, h.PID()
	lines := []string{
		fmt.Sprintf("link add %s type veth peer name mgmt0 netns %d", h.managementPort(), pid),
		fmt.Sprintf("link set %s master management up", h.managementPort()),
		fmt.Sprintf("link add %s mtu %d type veth peer name phy0 mtu %d netns %d", h.underlayPort(), mtu, mtu, pid),
		fmt.Sprintf("link set %s master underlay up", h.underlayPort()),
	}
	if h.lab.cfg.External {
		lines = append(lines,
			fmt.Sprintf("link add %s type veth peer name ext0 netns %d", h.externalPort(), pid),
			fmt.Sprintf("link set %s master external up", h.externalPort()))
	}
	return lines
}

// boot starts Open vSwitch on a host that has power and NICs.
func (h *Host) boot(ctx context.Context) error {
	external := "0"
	if h.lab.cfg.External {
		external = "1"
	}
	env := []string{
		"MANAGEMENT=" + at(h.lab.cfg.Management, firstHostAddress+h.index).String(),
		"VTEP=" + at(h.lab.cfg.Underlay, firstHostAddress+h.index).String(),
		fmt.Sprintf("MTU=%d", h.lab.cfg.MTU),
		"EXTERNAL=" + external,
	}
	if err := h.process().script(ctx, "boot.sh", guardFunc+vswitchdFunc+bootScript, env, "", h.externalIDs()...); err != nil {
		return fmt.Errorf("booting %s (logs in %s): %w", h.Name, filepath.Join(h.dir(), "log"), err)
	}
	return nil
}

// externalIDs is what the host says of itself, as arguments of ovs-vsctl set, sorted.
func (h *Host) externalIDs() []string {
	encaps := h.EncapTypes
	if len(encaps) == 0 {
		encaps = defaultEncapTypes
	}
	ids := map[string]string{
		"system-id":            nameUUID(h.lab.cfg.Name + "/" + h.Name),
		"hostname":             h.Name,
		"heddle-encap-ip":      h.Underlay().String(),
		"heddle-encap-type":    strings.Join(encaps, ","),
		"heddle-gateway":       fmt.Sprint(h.Gateway),
		"heddle-datapath-type": "netdev",
	}
	switch {
	case h.BridgeMappings != "":
		ids["heddle-bridge-mappings"] = h.BridgeMappings
	case h.lab.cfg.External:
		ids["heddle-bridge-mappings"] = "physnet1:br-ex"
	}
	for k, v := range h.ExternalIDs {
		ids[k] = v
	}
	var args []string
	for k, v := range ids {
		if v != "" {
			args = append(args, fmt.Sprintf("external_ids:%s=%q", k, v))
		}
	}
	slices.Sort(args)
	return args
}

// Kill takes the host's power: everything that runs on it ends at once, nothing is shut down. The
// virtual machines on it are gone; its OVSDB file survives, as on a disk.
func (h *Host) Kill() error {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	if err := h.process().kill(); err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	return h.forgetVMs()
}

// Boot gives power back to a host that lost it: Open vSwitch starts with the database it had, and
// flows are gone. In a lab that is not detached only its builder can.
func (h *Host) Boot(ctx context.Context) error {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	if h.Alive() {
		return fmt.Errorf("host %s has power", h.Name)
	}
	if !h.lab.cfg.Detached && h.lab.maker.PID != os.Getpid() {
		return fmt.Errorf("host %s: its lab ends with process %d, so only that one can give it power", h.Name, h.lab.maker.PID)
	}
	if err := h.forgetVMs(); err != nil {
		return err
	}
	// What is left of the old NICs goes with the old namespace, but not at a moment one could name.
	// Those that are gone already make ip complain, rightly and without interest.
	old := []string{"link del " + h.managementPort(), "link del " + h.underlayPort(), "link del " + h.externalPort()}
	cmd := command(ctx, "nsenter", "-t", fmt.Sprint(h.lab.wires.PID), "-n", "ip", "-force", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(old, "\n") + "\n")
	_ = cmd.Run()

	if err := h.powerOn(ctx); err != nil {
		return err
	}
	err := ipBatch(ctx, h.lab.wires, h.wireLines())
	if err == nil {
		err = h.boot(ctx)
	}
	if err == nil {
		err = h.lab.save(true)
	}
	if err == nil && h.lab.cfg.Detached {
		err = h.process().letGo()
	}
	if err != nil {
		return errors.Join(err, h.process().kill())
	}
	return nil
}

// CutUnderlay takes the cable of the host's uplink out, or puts it back.
func (h *Host) CutUnderlay(ctx context.Context, cut bool) error {
	return h.cut(ctx, h.underlayPort(), cut)
}

// CutManagement takes the cable of the host's management NIC out, or puts it back.
func (h *Host) CutManagement(ctx context.Context, cut bool) error {
	return h.cut(ctx, h.managementPort(), cut)
}

func (h *Host) cut(ctx context.Context, port string, cut bool) error {
	state := "up"
	if cut {
		state = "down"
	}
	if err := ipBatch(ctx, h.lab.wires, []string{"link set " + port + " " + state}); err != nil {
		return fmt.Errorf("cable of %s: %w", h.Name, err)
	}
	return nil
}
