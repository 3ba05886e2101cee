package lab

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

var (
	//go:embed scripts/vm-add.sh
	vmAddScript string
	//go:embed scripts/vm-del.sh
	vmDelScript string
)

// bridgeWait is how long Plug waits for the integration bridge if the context sets no deadline.
const bridgeWait = 30 * time.Second

// VMConfig describes a virtual machine.
type VMConfig struct {
	// Name of the virtual machine, unique in the lab: letters, digits, dots, dashes and underscores,
	// at most 63.
	Name string
	// Host it runs on.
	Host string
	// Port is the id of the network port its NIC is (iface-id). It may be unknown until Plug.
	Port string
	// MAC address of eth0, aa:bb:cc:dd:ee:ff.
	MAC string
	// Addresses of eth0 with their prefix lengths. None: the guest has to ask for one.
	Addresses []netip.Prefix
	// Gateways are next hops of default routes, one per address family.
	Gateways []netip.Addr
	// MTU of the NIC in bytes. Zero: 1450, which fits through every tunnel on the default underlay but
	// Geneve with options; a guest would be told by DHCP.
	MTU int
	// Bridge it is plugged into. Empty: br-int.
	Bridge string
	// Tap is the name of the NIC's end on the host. Empty: "tap" and the first 11 characters of Port,
	// as Nova has it, or of a hash of Name while there is no port.
	Tap string
	// UUID of the virtual machine (vm-uuid). Empty: derived from Name.
	UUID string
}

// VM is a virtual machine of a lab: a network namespace with one NIC, eth0.
type VM struct {
	VMConfig

	lab  *Lab
	host *Host
}

// vmRecord is what the lab's directory says of a virtual machine. The process number tells a record
// of before a power loss from one of after.
type vmRecord struct {
	VMConfig
	HostPID int
}

var (
	vmName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	tapName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,14}$`)
	uuid    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

func (c VMConfig) withDefaults() (VMConfig, error) {
	if !vmName.MatchString(c.Name) {
		return c, fmt.Errorf("name of virtual machine %q: want letters, digits, dots, dashes and underscores, at most 63", c.Name)
	}
	if c.Port != "" && !uuid.MatchString(c.Port) {
		return c, fmt.Errorf("port id %q of %s: want a UUID", c.Port, c.Name)
	}
	mac, err := net.ParseMAC(c.MAC)
	if err != nil || len(mac) != 6 {
		return c, fmt.Errorf("MAC address %q of %s: want aa:bb:cc:dd:ee:ff", c.MAC, c.Name)
	}
	if mac[0]&1 != 0 {
		return c, fmt.Errorf("MAC address %q of %s is a multicast address", c.MAC, c.Name)
	}
	c.MAC = mac.String()
	for _, a := range c.Addresses {
		if !a.IsValid() {
			return c, fmt.Errorf("address of %s: want ADDRESS/LENGTH", c.Name)
		}
	}
	if c.MTU == 0 {
		c.MTU = 1450
	}
	if c.MTU < 68 || c.MTU > 65535 {
		return c, fmt.Errorf("MTU %d of %s: want 68 to 65535", c.MTU, c.Name)
	}
	if c.Bridge == "" {
		c.Bridge = "br-int"
	}
	if c.UUID == "" {
		c.UUID = nameUUID("vm/" + c.Name)
	}
	if c.Tap == "" {
		id := c.Port
		if id == "" {
			id = nameUUID("tap/" + c.Name)
		}
		c.Tap = "tap" + id[:11]
	}
	if !tapName.MatchString(c.Tap) {
		return c, fmt.Errorf("interface name %q of %s: want letters, digits, dashes and underscores, at most 15", c.Tap, c.Name)
	}
	return c, nil
}

// PlugVM makes a virtual machine and plugs it in: PrepareVM and Plug.
func (l *Lab) PlugVM(ctx context.Context, cfg VMConfig) (*VM, error) {
	vm, err := l.PrepareVM(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := vm.Plug(ctx); err != nil {
		return nil, errors.Join(err, vm.Delete(context.WithoutCancel(ctx)))
	}
	return vm, nil
}

// PrepareVM makes a virtual machine whose NIC is complete but not plugged into a bridge yet.
func (l *Lab) PrepareVM(ctx context.Context, cfg VMConfig) (*VM, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h, err := l.findHost(cfg.Host)
	if err != nil {
		return nil, err
	}
	if !h.Alive() {
		return nil, h.noPower()
	}
	if old, err := l.VM(cfg.Name); err == nil {
		return nil, fmt.Errorf("virtual machine %s exists, on %s", old.Name, old.Host)
	}
	vm := &VM{VMConfig: cfg, lab: l, host: h}
	if err := vm.create(ctx); err != nil {
		return nil, err
	}
	return vm, vm.record()
}

// VM returns the virtual machine of a name; the error is fs.ErrNotExist if there is none, also if
// its host has lost power since.
func (l *Lab) VM(name string) (*VM, error) {
	var r vmRecord
	err := fs.ErrNotExist
	if vmName.MatchString(name) { // else it could name any file
		err = readJSON(l.vmFile(name), &r)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lab %s has no virtual machine %q: %w", l.cfg.Name, name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	h, err := l.findHost(r.Host)
	if err != nil {
		return nil, err
	}
	if !h.Alive() || h.PID() != r.HostPID {
		return nil, fmt.Errorf("virtual machine %s ended when %s lost power: %w", name, r.Host, fs.ErrNotExist)
	}
	return &VM{VMConfig: r.VMConfig, lab: l, host: h}, nil
}

// VMs returns the virtual machines of the lab, sorted by name.
func (l *Lab) VMs() ([]*VM, error) {
	names, err := l.vmNames()
	if err != nil {
		return nil, err
	}
	var vms []*VM
	for _, name := range names {
		vm, err := l.VM(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		vms = append(vms, vm)
	}
	return vms, nil
}

// forgetVMs removes the records of virtual machines that ended with their host.
func (h *Host) forgetVMs() error {
	names, err := h.lab.vmNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		var r vmRecord
		if err := readJSON(h.lab.vmFile(name), &r); err == nil && r.Host == h.Name {
			if err := os.Remove(h.lab.vmFile(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (vm *VM) record() error {
	return writeJSON(vm.lab.vmFile(vm.Name), vmRecord{vm.VMConfig, vm.host.PID()})
}

// create makes the namespace and the NIC on vm.host.
func (vm *VM) create(ctx context.Context) error {
	lines := []string{"link set lo up"}
	for _, a := range vm.Addresses {
		line := fmt.Sprintf("addr add %s dev eth0", a)
		if a.Addr().Is6() {
			line += " nodad" // the controller sees to it that addresses are given once
		}
		lines = append(lines, line)
	}
	lines = append(lines, "link set eth0 up")
	for _, g := range vm.Gateways {
		lines = append(lines, fmt.Sprintf("route add default via %s dev eth0", g))
	}
	env := []string{"NAME=" + vm.Name, "TAP=" + vm.Tap, "MAC=" + vm.MAC, fmt.Sprintf("MTU=%d", vm.MTU)}
	err := vm.host.process().script(ctx, "vm-add.sh", guardFunc+vmAddScript, env, strings.Join(lines, "\n")+"\n")
	if err != nil {
		return fmt.Errorf("virtual machine %s on %s: %w", vm.Name, vm.Host, err)
	}
	return nil
}

// Plug plugs the NIC into the bridge, as Nova does, in one database transaction of about a
// millisecond. It waits for the bridge, until the context ends or for 30 s, but not for
// ovs-vswitchd or the controller to act.
func (vm *VM) Plug(ctx context.Context) error {
	if vm.Port == "" {
		return fmt.Errorf("virtual machine %s: no port id to plug", vm.Name)
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, bridgeWait)
		defer cancel()
	}
	err := vm.host.addPort(ctx, vm.Bridge, vm.Tap, map[string]string{
		"iface-id": vm.Port, "iface-status": "active", "attached-mac": vm.MAC, "vm-uuid": vm.UUID,
	})
	if err != nil {
		return fmt.Errorf("plugging %s into %s: %w", vm.Name, vm.Bridge, err)
	}
	return nil
}

// PlugAs is Plug with a port id that was not known when the virtual machine was prepared.
func (vm *VM) PlugAs(ctx context.Context, port string) error {
	if !uuid.MatchString(port) {
		return fmt.Errorf("port id %q of %s: want a UUID", port, vm.Name)
	}
	vm.Port = port
	if err := vm.Plug(ctx); err != nil {
		return err
	}
	return vm.record()
}

// Unplug takes the NIC out of the bridge. The virtual machine stays.
func (vm *VM) Unplug(ctx context.Context) error {
	if err := vm.host.delPort(ctx, vm.Bridge, vm.Tap); err != nil {
		return fmt.Errorf("unplugging %s: %w", vm.Name, err)
	}
	return nil
}

// Delete unplugs the virtual machine and ends it with everything that runs in it.
func (vm *VM) Delete(ctx context.Context) error {
	if err := vm.remove(ctx); err != nil {
		return err
	}
	if err := os.Remove(vm.lab.vmFile(vm.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// remove takes the virtual machine off vm.host. A host without power has none any more.
func (vm *VM) remove(ctx context.Context) error {
	if !vm.host.Alive() {
		return nil
	}
	if err := vm.Unplug(ctx); err != nil {
		return err
	}
	env := []string{"NAME=" + vm.Name, "TAP=" + vm.Tap}
	if err := vm.host.process().script(ctx, "vm-del.sh", vmDelScript, env, ""); err != nil {
		return fmt.Errorf("virtual machine %s on %s: %w", vm.Name, vm.Host, err)
	}
	return nil
}

// Move moves the virtual machine to another host the way a live migration does: it is plugged
// there, then unplugged here. What runs in it does not move, and it announces nothing.
func (vm *VM) Move(ctx context.Context, to string) error {
	target, err := vm.lab.findHost(to)
	if err != nil {
		return err
	}
	if target == vm.host {
		return fmt.Errorf("virtual machine %s is on %s", vm.Name, to)
	}
	moved := &VM{VMConfig: vm.VMConfig, lab: vm.lab, host: target}
	moved.Host = to
	if err := moved.create(ctx); err != nil {
		return err
	}
	if err := moved.Plug(ctx); err != nil {
		return errors.Join(err, moved.remove(context.WithoutCancel(ctx)))
	}
	source := *vm
	*vm = *moved
	if err := vm.record(); err != nil {
		return err
	}
	return source.remove(ctx)
}

// netPath is where the network namespace is reached from outside.
func (vm *VM) netPath() string { return vm.host.Path("/run/netns/" + vm.Name) }

// Command returns a command that runs in the virtual machine: in its network namespace and in the
// other namespaces of its host. The end of the context kills it.
func (vm *VM) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := command(ctx, "nsenter", append(vm.enterArgs(name), args...)...)
	if !vm.host.Alive() {
		cmd.Err = vm.host.noPower()
	}
	return cmd
}

func (vm *VM) enterArgs(name string) []string {
	return append([]string{"--net=" + vm.netPath()}, withoutNet(vm.host.process().enterArgs(name))...)
}

// ExecArgs is Lab.ExecArgs for the inside of the virtual machine.
func (vm *VM) ExecArgs(name string, args ...string) []string {
	return append(append([]string{"nsenter"}, vm.enterArgs(name)...), args...)
}

// Output runs a command in the virtual machine and returns its standard output. The error is a
// *CommandError with its standard error.
func (vm *VM) Output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := run(vm.Command(ctx, name, args...))
	if err != nil {
		err = fmt.Errorf("in %s: %w", vm.Name, err)
	}
	return string(out), err
}

// Do runs a function on a thread of its own inside the network namespace of the virtual machine.
// Sockets it makes stay there; goroutines it starts do not.
func (vm *VM) Do(fn func() error) error { return inNetwork(vm.netPath(), fn) }
