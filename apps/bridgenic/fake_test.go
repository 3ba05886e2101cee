package bridgenic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fake is a machine in memory that does with links, addresses and routes what the kernel and Open vSwitch
// do. Before and after every step it checks that the host is not cut off.
type fake struct {
	t    testing.TB
	s    State
	boot string
	down map[string]bool // steps that fail, by text
	fail int             // the step that fails, counted from 1; 0 for none
	kill bool            // it ends the process instead
	done int
	free bool // the host may be cut off

	afterwards []string // what was done
}

// killed is the panic of a process that ends in the middle.
type killed struct{}

func newFake(t testing.TB, s State) *fake { return &fake{t: t, s: s.clone(), boot: "1"} }

func (f *fake) Boot() (string, error) { return f.boot, nil }

func (f *fake) Read(_ context.Context, nic, bridge string) (State, error) {
	if nic != f.s.NIC || bridge != f.s.Bridge {
		return State{}, errors.New("no such link")
	}
	return f.s.clone(), nil
}

var errInjected = errors.New("injected failure")

func (f *fake) Do(_ context.Context, s Step) error {
	f.done++
	if f.down[s.String()] {
		return errInjected
	}
	if f.done == f.fail {
		if f.kill {
			panic(killed{})
		}
		return errInjected
	}
	if err := f.do(s); err != nil {
		f.t.Errorf("step %q: %v", s, err)
		return err
	}
	f.afterwards = append(f.afterwards, s.String())
	if err := f.reached(); err != nil && !f.free {
		f.t.Errorf("after %q: %v", s, err)
	}
	return nil
}

func (f *fake) do(s Step) error {
	switch s := s.(type) {
	case Set:
		f.s.Settings[s.Path] = s.Value
		if link := strings.Split(s.Path, "/")[3]; s.Path == setting(link, disableIPv6) && s.Value == "1" {
			f.s.Addresses = slices.DeleteFunc(f.s.Addresses, func(a Address) bool { return a.Link == link && a.Prefix.Addr().Is6() })
			f.s.Routes = slices.DeleteFunc(f.s.Routes, func(r Route) bool { return r.Family == 6 && r.on(link) })
		}
	case LinkState:
		f.s.BridgeUp = s.Up
	case SetMAC:
		f.s.HWAddr = s.MAC
	case Plug:
		f.s.Plugged = true
	case Unplug:
		f.s.Plugged = false
	case Guard:
		f.s.Guarded = true
	case Unguard:
		f.s.Guarded = false
	case AddAddress:
		if slices.ContainsFunc(f.s.Addresses, s.same) {
			return errors.New("it is there")
		}
		if s.Prefix.Addr().Is6() && f.s.Settings[setting(s.Link, disableIPv6)] == "1" {
			return errors.New("permission denied")
		}
		f.s.Addresses = append(f.s.Addresses, s.Address)
		if r := made(s.Address); !s.NoRoute && !slices.ContainsFunc(f.s.Routes, r.same) {
			f.s.Routes = append(f.s.Routes, r)
		}
	case DeleteAddress:
		if !slices.ContainsFunc(f.s.Addresses, s.same) {
			return errors.New("it is not there")
		}
		f.s.Addresses = slices.DeleteFunc(f.s.Addresses, s.same)
		f.s.Routes = slices.DeleteFunc(f.s.Routes, func(r Route) bool {
			return r.derived([]Address{s.Address}) && r.on(s.Link) && !r.derived(f.s.Addresses)
		})
	case PutRoute:
		i := slices.IndexFunc(f.s.Routes, func(r Route) bool { return r.place() == s.place() })
		if s.Append || i < 0 {
			f.s.Routes = append(f.s.Routes, s.Route)
		} else {
			f.s.Routes[i] = s.Route
		}
	case DeleteRoute:
		if !slices.ContainsFunc(f.s.Routes, s.same) {
			return errors.New("it is not there")
		}
		f.s.Routes = slices.DeleteFunc(f.s.Routes, s.same)
	case AddRule:
		f.s.Rules = append(f.s.Rules, s.Rule)
	case DeleteRule:
		f.s.Rules = slices.DeleteFunc(f.s.Rules, func(r Rule) bool { return r == s.Rule })
	case Announce:
	default:
		return fmt.Errorf("%T is not known", s)
	}
	return nil
}

// made is the route that the kernel makes for an address.
func made(a Address) Route {
	if a.Prefix.Addr().Is4() {
		r := Route{Family: 4, Text: fmt.Sprintf("unicast %s dev %s table main proto kernel scope link src %s", a.subnet(), a.Link, a.Prefix.Addr())}
		for i, w := range a.Words {
			if w == "metric" {
				r.Text += " metric " + a.Words[i+1]
			}
		}
		r.Text = strings.Replace(r.Text, "/32 ", " ", 1)
		return r
	}
	return Route{Family: 6, Text: fmt.Sprintf("unicast %s dev %s table main proto kernel scope global metric 256 pref medium", a.subnet(), a.Link)}
}

// reached says why somebody beyond the default gateway does not reach the host, for each family that has a
// default route.
func (f *fake) reached() error {
	in := f.s.NIC
	if f.s.Plugged {
		in = f.s.Bridge
		if f.s.HWAddr != f.s.MAC || !f.s.BridgeUp {
			return errors.New("the bridge does not answer to the NIC's MAC address")
		}
		if f.s.Netdev && !f.s.Guarded {
			in = f.s.NIC // it hears as well
		}
	} else if f.s.Guarded {
		return errors.New("the NIC hears nothing")
	}
	for _, family := range []int{4, 6} {
		var addresses int
		for _, a := range f.s.Addresses {
			if a.Prefix.Addr().Is4() == (family == 4) && !a.local() {
				addresses++
			}
		}
		i := slices.IndexFunc(f.s.Routes, func(r Route) bool {
			return r.Family == family && r.destination() == "default" && value(r.Text, "table") == "main"
		})
		if i < 0 {
			if addresses > 0 {
				return fmt.Errorf("there is no default route of IPv%d", family)
			}
			continue
		}
		out := value(f.s.Routes[i].Text, "dev")
		if addresses == 0 {
			return fmt.Errorf("it has no address of IPv%d", family)
		}
		if out == f.s.Bridge && !f.s.Plugged {
			return errors.New("frames go to a bridge without NIC")
		}
		if in != out && f.s.Settings[setting(in, reversePath)] == "1" {
			return errors.New("the reverse-path filter takes what comes in")
		}
	}
	return nil
}
