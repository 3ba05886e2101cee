// Package spec is what one host should be: the flows of its bridges and the rows of its OVSDB. A Spec
// is planned from a model and from what was observed of the host, and is compared with the host by
// reconcile loops; nothing in it knows how the host is reached.
package spec

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/store/model"
)

// Spec is the desired state of one host at one revision.
type Spec struct {
	Rev     uint64
	Host    string
	Needs   map[string]bool     // bridges that must be connected for the host to be whole
	Bridges map[string]*Bridge  // by name; a bridge that is missing here is not programmed
	Rows    map[row.Key]row.Row // of its OVSDB
	// Namespaces are those of a gateway host, by name.
	Namespaces map[string]Namespace
	// Pending says, by network, what keeps the host from holding it as planned: a port number that
	// OVS has not given yet, a bridge that is missing.
	Pending map[model.ID]Pending
}

// Bridge is the desired state of one bridge.
type Bridge struct {
	Parts []*Part                        // all its flows
	Learn map[uint16]pipeline.LearnScope // by local VLAN: what learned flows may stay
	// Err says why the flows could not be planned. Such a bridge is left as it is.
	Err error
}

// Pending is a reason, for programs and for people.
type Pending struct {
	Reason string // "TunnelPortMissing"
	Msg    string
}

// Observed is what is known of a host beside the model.
type Observed struct {
	// Ports are the ports of each connected bridge, by bridge and interface name. They come from the
	// same connection as the bridge's flows go to, so they are never ahead of or behind it.
	Ports map[string]map[string]of.Port
	// Rows says what the host's OVSDB tells; nil if it is not connected or not in sync.
	Rows *Rows
}

// Rows is what a host's OVSDB tells of things that others made.
type Rows struct {
	Controller string            // how the host's bridges reach Heddle, "tcp:192.0.2.1:6653"
	Bridges    map[string]bool   // the bridges there are
	Plugged    map[string]string // interfaces on br-int that carry an iface-id, by name
}

// Planner writes one feature's part of a host's Spec. It reads the model, what was observed, and
// nothing else: equal arguments give equal specs.
type Planner func(m *model.Model, o Observed, s *Spec) error

// Plan returns the desired state of a host. An error means that nothing is known of it.
func Plan(m *model.Model, o Observed, host string, planners ...Planner) (*Spec, error) {
	s := &Spec{Rev: m.Rev, Host: host, Needs: map[string]bool{}, Bridges: map[string]*Bridge{}, Rows: map[row.Key]row.Row{}, Namespaces: map[string]Namespace{}, Pending: map[model.ID]Pending{}}
	for _, p := range planners {
		if err := p(m, o, s); err != nil {
			return nil, fmt.Errorf("plan of host %s at revision %d: %w", host, m.Rev, err)
		}
	}
	return s, nil
}

// Want adds a row.
func (s *Spec) Want(rows ...row.Row) {
	for _, r := range rows {
		s.Rows[r.Key()] = r
	}
}
