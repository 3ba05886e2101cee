package lab

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// The scripts that run inside of the namespaces.
var (
	//go:embed scripts/init.sh
	initScript string
	//go:embed scripts/boot.sh
	bootScript string
	//go:embed scripts/internet.sh
	internetScript string
	//go:embed scripts/guard.sh
	guardFunc string
	//go:embed scripts/vswitchd.sh
	vswitchdFunc string
)

// Up builds a lab. It returns when every host runs Open vSwitch, has its addresses and — if the
// configuration names controllers — has been told to join them; whether they answer is not waited
// for. When it fails, or the context ends before it is done, nothing is left.
func Up(ctx context.Context, cfg Config) (*Lab, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := Check(); err != nil {
		return nil, err
	}
	dir, err := claimDir(cfg)
	if err != nil {
		return nil, err
	}
	l := &Lab{cfg: cfg, dir: dir}
	for i, hc := range cfg.Hosts {
		l.hosts = append(l.hosts, &Host{HostConfig: hc, lab: l, index: i})
	}
	err = l.build(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		err = fmt.Errorf("building lab %s: %w", cfg.Name, err)
		return nil, errors.Join(err, l.Down())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context) error {
	begin := time.Now()
	self := os.Getpid()
	start, err := startTime(self)
	if err != nil {
		return err
	}
	l.maker = &process{PID: self, Start: start}
	if err := l.save(false); err != nil {
		return err
	}
	for _, sub := range [...]string{"vms", "hosts"} {
		if err := os.Mkdir(filepath.Join(l.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(l.initPath(), []byte(initScript), 0o644); err != nil {
		return err
	}
	if err := l.startNamespaces(ctx); err != nil {
		return err
	}
	if err := l.save(false); err != nil {
		return err
	}
	l.progress("namespaces of %d hosts", len(l.hosts))

	if err := l.attachRoot(ctx); err != nil {
		return err
	}
	if err := l.save(false); err != nil {
		return err
	}
	if err := l.wire(ctx); err != nil {
		return err
	}
	l.progress("underlay %s, management %s, this machine is %s", l.cfg.Underlay, l.cfg.Management, l.Address())

	g, gctx := errgroup.WithContext(ctx)
	for _, h := range l.hosts {
		g.Go(func() error {
			if err := h.boot(gctx); err != nil {
				return err
			}
			l.progress("%s runs Open vSwitch, management %s, tunnels %s", h.Name, h.Management(), h.Underlay())
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := l.join(ctx); err != nil {
		return err
	}
	// The record is complete before anything outlives this process, so that there is no moment at
	// which a lab runs that `lab down` cannot find.
	l.complete = true
	if err := l.save(true); err != nil {
		return err
	}
	if l.cfg.Detached {
		for _, p := range l.processes() {
			if err := p.letGo(); err != nil {
				return err
			}
		}
	}
	l.progress("lab %s is up after %.1f s", l.cfg.Name, time.Since(begin).Seconds())
	return nil
}

func (l *Lab) progress(format string, args ...any) {
	if l.cfg.Progress != nil {
		l.progressMu.Lock()
		defer l.progressMu.Unlock()
		l.cfg.Progress(fmt.Sprintf(format, args...))
	}
}

func (l *Lab) initPath() string { return filepath.Join(l.dir, "init.sh") }

// processes returns all processes the lab stands on.
func (l *Lab) processes() []*process {
	ps := []*process{l.wires}
	for _, h := range l.hosts {
		ps = append(ps, h.proc)
	}
	return ps
}

// startNamespaces starts process 1 of every host and of the wires.
func (l *Lab) startNamespaces(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		dir := filepath.Join(l.dir, "wires")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		l.wires, err = startProcess(gctx, l.title("wires"), l.initPath(), dir, "wires", l.cfg.Name)
		return err
	})
	for _, h := range l.hosts {
		g.Go(func() error { return h.powerOn(gctx) })
	}
	return g.Wait()
}

// title is what ps shows for a process of the lab.
func (l *Lab) title(name string) string { return "heddle-lab-" + l.cfg.Name + "-" + name }

// attachRoot gives the caller's namespace its address on the management plane and, unless it is
// configured, finds out which subnet that plane gets.
func (l *Lab) attachRoot(ctx context.Context) error {
	taken, err := localPrefixes()
	if err != nil {
		return err
	}
	if p := l.cfg.Management; p.IsValid() {
		for _, t := range taken {
			if t.Overlaps(p) {
				return fmt.Errorf("management subnet %s: this machine has the address %s", p, t)
			}
		}
		l.cfg.Management = netip.Prefix{} // not ours before it is attached
		return l.attachRootAs(ctx, p)
	}
	base := managementPool.Addr().As4()
candidates:
	for n := range 256 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{base[0], base[1], byte(n), 0}), 24)
		for _, t := range taken {
			if t.Overlaps(p) {
				continue candidates
			}
		}
		err := l.attachRootAs(ctx, p)
		if errors.Is(err, errSubnetTaken) {
			continue // by a lab that is being built right now
		}
		return err
	}
	return fmt.Errorf("no /24 of %s is free for the management plane", managementPool)
}

var errSubnetTaken = errors.New("management subnet is taken by another lab")

func (l *Lab) attachRootAs(ctx context.Context, p netip.Prefix) error {
	link := rootLink(p)
	err := ipBatch(ctx, nil, []string{
		fmt.Sprintf("link add %s type veth peer name self netns %d", link, l.wires.PID),
		fmt.Sprintf("link set %s alias %s addrgenmode none", link, l.rootAlias()),
		fmt.Sprintf("addr add %s dev %s", at(p, 1), link),
		fmt.Sprintf("link set %s up", link),
	})
	if cmdErr := (*CommandError)(nil); errors.As(err, &cmdErr) &&
		strings.Contains(cmdErr.Stderr, "File exists") && strings.Contains(cmdErr.Stderr, "-:1") {
		return fmt.Errorf("%s: %w", p, errSubnetTaken)
	}
	if err == nil {
		l.cfg.Management = p
	}
	return err
}

// localPrefixes returns the IPv4 prefixes of this machine's addresses.
func localPrefixes() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of this machine: %w", err)
	}
	var ps []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			ps = append(ps, p.Masked())
		}
	}
	return ps, nil
}

// wire makes the planes and the NICs of all hosts.
func (l *Lab) wire(ctx context.Context) error {
	lines := []string{
		"link set lo up",
		"link add management type bridge mcast_snooping 0",
		"link set management up",
		"link set self master management up",
		fmt.Sprintf("link add underlay mtu %d type bridge mcast_snooping 0", l.cfg.MTU),
		"link set underlay up",
	}
	if l.cfg.External {
		lines = append(lines, "link add external type bridge mcast_snooping 0", "link set external up")
	}
	for _, h := range l.hosts {
		lines = append(lines, h.wireLines()...)
	}
	if err := ipBatch(ctx, l.wires, lines); err != nil {
		return err
	}
	if !l.cfg.External {
		return nil
	}
	return l.wires.script(ctx, "internet.sh", internetScript, []string{"ADDRESS=" + at(l.cfg.ExternalSubnet, 1).String()}, "")
}

// join tells every host its controllers.
func (l *Lab) join(ctx context.Context) error {
	targets, err := l.cfg.managers(l.Address())
	if err != nil || len(targets) == 0 {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, h := range l.hosts {
		g.Go(func() error { return h.Join(gctx, targets...) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	l.progress("hosts join %s", strings.Join(targets, ", "))
	return nil
}
