package fakeswitch

import (
	"errors"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// bundle is messages that wait for a commit (ONF extension 230).
type bundle struct {
	flags  wire.BundleFlags
	closed bool
	mods   []added
}

type added struct {
	header wire.Header
	body   []byte
	mod    wire.FlowMod
}

// bundleError is an error of the bundle extension; on OpenFlow 1.3 those are
// experimenter errors, numbered from 2300.
func bundleError(code uint16) error {
	return wire.Error{Type: wire.ErrExperimenter, Experimenter: of.ExperimenterONF, Code: 2300 + code}
}

// Codes of bundleError.
const (
	badBundle     = 2
	bundleExists  = 3
	bundleClosed  = 4
	badControl    = 6
	badFlags      = 7
	badXID        = 9
	unsupported   = 10
	messageFailed = 13
)

func (k *conn) experimenter(h wire.Header, body []byte) error {
	x, err := wire.DecodeExperimenter(body)
	if err != nil {
		return err
	}
	switch {
	case x.ID == of.ExperimenterONF && x.Type == wire.ONFBundleControl:
		return k.bundleControl(h, x.Body)
	case x.ID == of.ExperimenterONF && x.Type == wire.ONFBundleAdd:
		return k.bundleAdd(h, x.Body)
	}
	return errBadExpType
}

func (k *conn) bundleControl(h wire.Header, body []byte) error {
	c, err := wire.DecodeBundleControl(body)
	if err != nil {
		return err
	}
	b := k.bundles[c.ID]
	switch {
	case c.Control == wire.BundleOpen:
		if b != nil {
			delete(k.bundles, c.ID)
			return bundleError(bundleExists)
		}
		k.bundles[c.ID] = &bundle{flags: c.Flags}
	case b == nil:
		return bundleError(badBundle)
	case b.flags != c.Flags:
		return bundleError(badFlags)
	case c.Control == wire.BundleClose:
		if b.closed {
			return bundleError(bundleClosed)
		}
		b.closed = true
	case c.Control == wire.BundleCommit:
		delete(k.bundles, c.ID)
		if err := k.commit(b); err != nil {
			return err
		}
	case c.Control == wire.BundleDiscard:
		delete(k.bundles, c.ID)
	default:
		return bundleError(badControl)
	}
	k.send(wire.AppendBundleControl(nil, h.XID, wire.Bundle{ID: c.ID, Control: c.Control + 1, Flags: c.Flags}))
	return nil
}

// bundleAdd checks a message and keeps it. One that is refused here is not part
// of the bundle, and does not make its commit fail: that is how OVS does it.
func (k *conn) bundleAdd(h wire.Header, body []byte) error {
	a, inner, err := wire.DecodeBundleAdd(body)
	if err != nil {
		return err
	}
	ih, err := wire.DecodeHeader(inner)
	if err != nil {
		return err
	}
	b := k.bundles[a.ID]
	if b == nil {
		b = &bundle{flags: a.Flags}
		k.bundles[a.ID] = b
	}
	switch {
	case b.closed:
		return bundleError(bundleClosed)
	case b.flags != a.Flags:
		return bundleError(badFlags)
	case ih.XID != h.XID:
		return bundleError(badXID)
	case ih.Type != wire.TypeFlowMod:
		return bundleError(unsupported)
	}
	m, err := wire.DecodeFlowMod(inner[wire.HeaderLen:])
	if err != nil {
		return err
	}
	if err := k.s.tables.check(&m); err != nil {
		return err
	}
	b.mods = append(b.mods, added{ih, inner[wire.HeaderLen:], m})
	return nil
}

// commit does all of a bundle or nothing. If a message fails, that message is
// refused first and the commit after it.
func (k *conn) commit(b *bundle) error {
	next := k.s.tables.clone()
	var changes [][]change
	for _, a := range b.mods {
		c, err := next.apply(&a.mod)
		var refused wire.Error
		if errors.As(err, &refused) {
			k.refuse(a.header, a.body, refused)
			return bundleError(messageFailed)
		}
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	k.s.tables = next
	for i, c := range changes {
		k.s.tellLocked(c, k, b.mods[i].header.XID)
	}
	return nil
}
