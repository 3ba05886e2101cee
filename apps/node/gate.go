package node

import (
	"context"
	"errors"
	"maps"

	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/controller/reconcile"
)

// errNoRules is why a port is not plugged in yet.
var errNoRules = errors.New("the rules of its namespace are not in place yet")

// early reports whether a port is not plugged in because something before it is still being made.
func early(err error) bool { return errors.Is(err, netns.ErrNoLink) || errors.Is(err, errNoRules) }

// gated is the ports of br-int, of which those of a namespace are not plugged in before its rules are in
// place for the first time: until then it would forward packets as they are. Ports that are plugged in stay,
// whatever becomes of the rules.
type gated struct {
	reconcile.Target[string, netns.Port]
	waiting func() map[string]bool // ports whose rules are not in place
}

// Apply plugs in what may be, and reports the rest with the errors of single ports.
func (g gated) Apply(ctx context.Context, c reconcile.Change[string, netns.Port]) error {
	failed := netns.PortErrors{}
	if len(c.Add) > 0 {
		waiting := g.waiting()
		add := maps.Clone(c.Add)
		for port := range c.Add {
			if waiting[port] {
				failed[port] = errNoRules
				delete(add, port)
			}
		}
		c.Add = add
	}
	if c.Empty() {
		if len(failed) > 0 {
			return failed
		}
		return nil
	}
	err := g.Target.Apply(ctx, c)
	var some netns.PortErrors
	switch {
	case len(failed) == 0:
		return err
	case err == nil:
	case errors.As(err, &some):
		maps.Copy(failed, some)
	default:
		return err
	}
	return failed
}

// waiting returns the ports of the namespaces that have rules and whose rules were not in place yet, as far
// as this run of the agent knows.
func (r *Runner) waiting() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]bool{}
	for _, p := range r.parts {
		if p.part.Name() != r.cfg.Rules || r.node == nil {
			continue
		}
		for name, ns := range r.node.Namespaces {
			if ns.NFT == nil || p.state.revs[name] > 0 {
				continue
			}
			for _, link := range ns.Links {
				out[link.Peer] = true
			}
		}
	}
	return out
}
