package neutron

import (
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// ops says what lists may do with an attribute, and whether a create must name it. Whether requests
// may set it at all is said by attr.post and attr.put.
type ops uint8

// The operations, combined with |.
const (
	required ops = 1 << iota // must be named on create
	filtered                 // lists can be filtered by it
	sorted                   // lists can be sorted by it
)

// gate says who may read or write an attribute, beyond who may read or write the object.
type gate uint8

const (
	anyone       gate = iota
	admins            // administrators
	services          // administrators and cloud services
	networkOwner      // these, and who owns the network that the object is on
)

// attr is one row of a resource's table: an attribute of objects of type T, which creates C and
// updates U may set. One of get and json is set, or neither for attributes that are never returned.
type attr[T, C, U any] struct {
	name string
	ops  ops

	get  func(v *view, t T) scalar              // a scalar
	json func(dst []byte, v *view, t T) []byte  // anything else
	as   func(s string) (scalar, error)         // reads a filter's value; nil: text
	pick func(values []string) (pick[T], error) // filters what get cannot

	post func(q *C, v any) error       // sets it in a create; nil: not allowed
	put  func(q *U, v any) error       // sets it in an update; nil: read-only
	see  gate                          // who sees it
	sets gate                          // who may set it
	free func(v any, create bool) bool // values that anybody may set in spite of sets; nil: none
	key  []byte                        // the name as a JSON key, made by newResource
}

// pick selects objects.
type pick[T any] func(v *view, t T) bool

// view is what attributes are computed from: a snapshot and who looks at it. It belongs to one
// goroutine.
type view struct {
	model  *model.Model
	status Status
	who    identity.Identity
	parent model.ID // object that the path names before the collection: the floating IP of port forwardings

	second  int64  // Unix time of written
	written string // by timestamp
}

// passes reports whether the viewer gets through a gate; network is the one that the object is on, nil
// if there is none.
func (v *view) passes(g gate, network *model.Network) bool {
	switch g {
	case admins:
		return v.who.Admin
	case services:
		return v.who.Service()
	case networkOwner:
		return v.who.Service() || network != nil && v.who.Owns(network.Project)
	}
	return true
}

// asBool, asInt, asMAC and asAddr read filter values as the attribute's own converter does.
func asBool(s string) (scalar, error) {
	b, err := toBool(s)
	return boolean(b), err
}

func asInt(s string) (scalar, error) {
	n, err := toInt(s)
	return integer(n), err
}

// asMAC takes what is no address as text that matches nothing.
func asMAC(s string) (scalar, error) {
	if mac, err := parseMAC(s); err == nil {
		s = mac.String()
	}
	return text(s), nil
}

func asAddr(s string) (scalar, error) {
	if a, err := toAddr(s); err == nil {
		s = a.String()
	}
	return text(s), nil
}

// whenFalse lets anybody send false on create: it is the default, and clients send it.
func whenFalse(v any, create bool) bool {
	b, err := toBool(v)
	return create && err == nil && !b
}

// into, opt and optNull make the setter of an attribute from its parser and its place in a request:
// a plain field, one that remembers that it was given, and one that may be given as null.
func into[Q, V any](parse parser[V], at func(q *Q) *V) func(*Q, any) error {
	return func(q *Q, v any) error {
		out, err := parse(v)
		if err == nil {
			*at(q) = out
		}
		return err
	}
}

func opt[Q, V any](parse parser[V], at func(q *Q) *l2.Opt[V]) func(*Q, any) error {
	return func(q *Q, v any) error {
		out, err := parse(v)
		if err == nil {
			*at(q) = l2.Val(out)
		}
		return err
	}
}

func optNull[Q, V any](parse parser[V], at func(q *Q) *l2.Opt[V]) func(*Q, any) error {
	set := opt(parse, at)
	return func(q *Q, v any) error {
		if v == nil {
			*at(q) = l2.Null[V]()
			return nil
		}
		return set(q, v)
	}
}

// checked makes the setter of an attribute that is accepted and has no effect.
func checked[Q, V any](parse parser[V]) func(*Q, any) error {
	return func(_ *Q, v any) error {
		_, err := parse(v)
		return err
	}
}
