package wire

import (
	"fmt"
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Bits of NXAST_CT's flags, and its recirc_table for "no recirculation".
const (
	ctCommit   = 1 << 0
	ctForce    = 1 << 1
	ctNoRecirc = 0xff
)

// Bits of NXAST_NAT's flags and range_present.
const (
	natSrc        = 1 << 0
	natDst        = 1 << 1
	natPersistent = 1 << 2
	natHash       = 1 << 3
	natRandom     = 1 << 4

	natIPv4Min  = 1 << 0
	natIPv4Max  = 1 << 1
	natIPv6Min  = 1 << 2
	natIPv6Max  = 1 << 3
	natProtoMin = 1 << 4
	natProtoMax = 1 << 5
)

func appendCT(dst []byte, a of.CT) ([]byte, error) {
	start := len(dst)
	flags := uint16(0)
	if a.Commit {
		flags |= ctCommit
	}
	if a.Force {
		flags |= ctForce
	}
	dst = put16(beginNicira(dst, 0, nxCT), flags)
	if a.ZoneSrc.Bits != 0 {
		if err := checkSubfield("ct zone", a.ZoneSrc, 16); err != nil {
			return dst[:start], err
		}
		dst = put16(put32(dst, rows[a.ZoneSrc.Field].sub), offsetBits(a.ZoneSrc))
	} else {
		dst = put16(pad(dst, 4), a.Zone)
	}
	table := byte(ctNoRecirc)
	if a.Recirc {
		table = byte(a.Table)
	}
	dst = put16(append(dst, table, 0, 0, 0), a.Alg)
	dst, err := AppendActions(dst, a.Actions)
	if err != nil {
		return dst[:start], fmt.Errorf("encode ct: %w", err)
	}
	return finishAction(dst, start)
}

func decodeCT(c *Cursor) of.Action {
	flags, src, zone := c.U16(), c.U32(), c.U16()
	table := c.U8()
	c.Skip(3)
	a := of.CT{Commit: flags&ctCommit != 0, Force: flags&ctForce != 0, Alg: c.U16()}
	if flags&^(ctCommit|ctForce) != 0 {
		return nil
	}
	if src == 0 {
		a.Zone = zone
	} else {
		a.ZoneSrc = unpackOffsetBits(zone, fieldOf(src, 0))
	}
	if table != ctNoRecirc {
		a.Recirc, a.Table = true, of.TableID(table)
	}
	if c.nested {
		return nil // OVS has no ct in a ct, and unbounded depth would be a trap
	}
	c.nested = true
	a.Actions = decodeActions(c, nil)
	return a
}

func appendNAT(dst []byte, a of.NAT) ([]byte, error) {
	if a.Src && a.Dst {
		return dst, fmt.Errorf("encode nat: %w: both src and dst", ErrAction)
	}
	if !a.AddrMin.IsValid() && (a.AddrMax.IsValid() || a.PortMin != 0 || a.PortMax != 0) {
		return dst, fmt.Errorf("encode nat: %w: a range without its first address", ErrAction)
	}
	if a.AddrMax.IsValid() && a.AddrMax.Is4() != a.AddrMin.Is4() {
		return dst, fmt.Errorf("encode nat: %w: %s and %s differ in family", ErrAction, a.AddrMin, a.AddrMax)
	}
	start := len(dst)
	var flags, present uint16
	for _, f := range [...]struct {
		set bool
		bit uint16
	}{{a.Src, natSrc}, {a.Dst, natDst}, {a.Persistent, natPersistent}, {a.Hash, natHash}, {a.Random, natRandom}} {
		if f.set {
			flags |= f.bit
		}
	}
	if a.AddrMin.IsValid() {
		present = natIPv6Min
		if a.AddrMin.Is4() {
			present = natIPv4Min
		}
		if a.AddrMax.IsValid() {
			present |= present << 1
		}
	}
	if a.PortMin != 0 {
		present |= natProtoMin
	}
	if a.PortMax != 0 {
		present |= natProtoMax
	}
	dst = put16(put16(pad(beginNicira(dst, 0, nxNAT), 2), flags), present)
	dst = appendAddr(appendAddr(dst, a.AddrMin), a.AddrMax)
	if a.PortMin != 0 {
		dst = put16(dst, a.PortMin)
	}
	if a.PortMax != 0 {
		dst = put16(dst, a.PortMax)
	}
	return finishAction(dst, start)
}

// appendAddr appends an address, or nothing for the zero Addr.
func appendAddr(dst []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		b := a.As4()
		return append(dst, b[:]...)
	case a.Is6():
		b := a.As16()
		return append(dst, b[:]...)
	}
	return dst
}

func decodeNAT(c *Cursor) of.Action {
	c.Skip(2)
	flags, present := c.U16(), c.U16()
	if flags>>5 != 0 || present>>6 != 0 || flags&natSrc != 0 && flags&natDst != 0 {
		return nil
	}
	a := of.NAT{
		Src: flags&natSrc != 0, Dst: flags&natDst != 0,
		Persistent: flags&natPersistent != 0, Hash: flags&natHash != 0, Random: flags&natRandom != 0,
	}
	if present&natIPv4Min != 0 {
		a.AddrMin = readValue(c.Bytes(4)).Addr4()
	}
	if present&natIPv4Max != 0 {
		a.AddrMax = readValue(c.Bytes(4)).Addr4()
	}
	if present&natIPv6Min != 0 {
		a.AddrMin = readValue(c.Bytes(16)).Addr6()
	}
	if present&natIPv6Max != 0 {
		a.AddrMax = readValue(c.Bytes(16)).Addr6()
	}
	if present&natProtoMin != 0 {
		a.PortMin = c.U16()
	}
	if present&natProtoMax != 0 {
		a.PortMax = c.U16()
	}
	return a
}
