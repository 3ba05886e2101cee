package netns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/controller/reconcile"
)

// Apply changes the namespace. What fails does not keep the rest from being done; the error tells all
// that failed.
//
// Links that go, go first: another may be waiting for their names. Then come additions, each after what
// it needs. Other deletions are last and in reverse, so that a subnet's new address is there before its
// old one goes.
func (t *Target) Apply(ctx context.Context, c reconcile.Change[Path, Object]) error {
	if mark, ok := c.Delete[pathMark]; ok {
		return t.remove(mark.(Mark), c)
	}
	if err := t.establish(c); err != nil {
		return err
	}
	ns, err := t.host.openNamed(t.name)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	t.exists.Store(true)

	put := slices.Collect(maps.Values(c.Add))
	put = slices.AppendSeq(put, maps.Values(c.Update))
	gone := slices.Collect(maps.Values(c.Delete))
	slices.SortFunc(put, inOrder)
	slices.SortFunc(gone, func(a, b Object) int { return inOrder(b, a) })

	var errs []error
	var fresh []Address
	err = t.host.look(ns, func(v *view) error {
		e := &editor{view: v, host: t.host, ns: ns}
		do := func(err error) {
			if err != nil {
				errs = append(errs, err)
			}
		}
		for _, o := range gone {
			if l, ok := o.(Veth); ok {
				do(e.removeVeth(l))
			}
		}
		for _, o := range put {
			if err := ctx.Err(); err != nil {
				do(err)
				break
			}
			err := e.put(o)
			do(err)
			if a, ok := o.(Address); ok && err == nil {
				fresh = append(fresh, a)
			}
		}
		for _, o := range gone {
			do(e.remove(o))
		}
		do(e.announce(fresh))
		return nil
	})
	t.host.track(t.name, ns)
	return errors.Join(append(errs, err)...)
}

// inOrder compares by rank. Of addresses those of wide subnets are first: the kernel speaks from the
// first address where none fits better, and that must not be a floating IP's.
func inOrder(a, b Object) int {
	x, ok := a.(Address)
	y, also := b.(Address)
	if !ok || !also {
		return cmp.Compare(a.rank(), b.rank())
	}
	return cmp.Or(cmp.Compare(x.Prefix.Bits(), y.Prefix.Bits()), x.Prefix.Addr().Compare(y.Prefix.Addr()))
}

// establish makes the namespace if it is to be made.
func (t *Target) establish(c reconcile.Change[Path, Object]) error {
	if o, ok := c.Add[pathMark]; ok {
		return t.host.create(t.name, o.(Mark).Object)
	}
	if o, ok := c.Update[pathMark]; ok && !t.exists.Load() {
		return t.host.create(t.name, o.(Mark).Object)
	}
	return nil
}

// remove ends the namespace and all of its pairs. They are removed by name: the namespace itself lasts
// as long as a process is in it, and with it the names that its pairs have on the host.
func (t *Target) remove(m Mark, c reconcile.Change[Path, Object]) error {
	if m.Mounted {
		ns, err := t.host.openNamed(t.name)
		if err != nil {
			return err
		}
		defer unix.Close(ns)
		err = t.host.look(ns, func(v *view) error {
			var errs []error
			e := &editor{view: v, host: t.host, ns: ns}
			for _, o := range c.Delete {
				if l, ok := o.(Veth); ok {
					errs = append(errs, e.removeVeth(l))
				}
			}
			return errors.Join(errs...)
		})
		if err != nil {
			return err
		}
	}
	t.host.tracker.forget(t.name)
	if err := t.host.Remove(t.name); err != nil {
		return err
	}
	t.exists.Store(false)
	return nil
}

// editor changes a namespace from inside.
type editor struct {
	*view
	host *Host
	ns   int
}

func (e *editor) put(o Object) error {
	switch o := o.(type) {
	case Mark:
		return setMark(o.Object)
	case Loopback:
		return e.nl.LinkSetUp(e.links[loopback])
	case Sysctl:
		return writeSysctl(o)
	case Veth:
		return e.putVeth(o)
	case Address:
		return e.putAddress(o)
	case Route:
		return e.putRoute(o)
	}
	panic(fmt.Sprintf("object of type %T", o))
}

// remove removes what removeVeth does not. What is gone already is fine: it went with its link.
func (e *editor) remove(o Object) error {
	switch o := o.(type) {
	case Address:
		link, ok := e.links[o.Link]
		if !ok {
			return nil
		}
		err := e.nl.AddrDel(link, &netlink.Addr{IPNet: ipNet(o.Prefix)})
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("remove address %s from %s: %w", o.Prefix, o.Link, err)
		}
	case Route:
		r := &netlink.Route{Dst: ipNet(o.Destination), Priority: o.Metric, Protocol: Protocol, Table: unix.RT_TABLE_MAIN,
			Scope: netlink.SCOPE_NOWHERE} // of whatever scope
		if err := e.nl.RouteDel(r); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("remove route to %s: %w", o.Destination, err)
		}
	}
	return nil
}

func (e *editor) putAddress(a Address) error {
	link, ok := e.links[a.Link]
	if !ok {
		return fmt.Errorf("address %s: there is no link %s", a.Prefix, a.Link)
	}
	addr := &netlink.Addr{IPNet: ipNet(a.Prefix)}
	if a.Prefix.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD
	} else if bits := a.Prefix.Bits(); bits < 31 {
		addr.Broadcast = broadcast(a.Prefix)
	}
	if err := e.nl.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add address %s to %s: %w", a.Prefix, a.Link, err)
	}
	return nil
}

// broadcast is the subnet's last address.
func broadcast(p netip.Prefix) net.IP {
	ip := p.Addr().As4()
	mask := net.CIDRMask(p.Bits(), 32)
	for i := range ip {
		ip[i] |= ^mask[i]
	}
	return ip[:]
}

func (e *editor) putRoute(r Route) error {
	out := &netlink.Route{Dst: ipNet(r.Destination), Priority: r.Metric, Protocol: Protocol, Table: unix.RT_TABLE_MAIN}
	if r.Via.IsValid() {
		out.Gw = r.Via.AsSlice()
	} else if r.Destination.Addr().Is4() {
		out.Scope = netlink.SCOPE_LINK
	}
	if r.OnLink {
		out.Flags = int(netlink.FLAG_ONLINK)
	}
	if r.Link != "" {
		link, ok := e.links[r.Link]
		if !ok {
			return fmt.Errorf("route to %s: there is no link %s", r.Destination, r.Link)
		}
		out.LinkIndex = link.Attrs().Index
	}
	if err := e.nl.RouteReplace(out); err != nil {
		return fmt.Errorf("route to %s via %s: %w", r.Destination, r.Via, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	ip := p.Addr()
	return &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(p.Bits(), ip.BitLen())}
}

// missing reports whether an error says that what was to be changed is not there.
func missing(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.As(err, &netlink.LinkNotFoundError{})
}
