package of

import (
	"fmt"
	"net/netip"
)

// MAC is an Ethernet address. It is comparable, so it can be a map key.
type MAC [6]byte

// Broadcast is the Ethernet broadcast address.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// ParseMAC reads six pairs of hexadecimal digits of either case, separated by colons: fa:16:3e:9e:c2:b3.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	if len(s) != 17 {
		return MAC{}, fmt.Errorf("mac address %q is not six pairs of hexadecimal digits", s)
	}
	for i := range m {
		hi, lo := unhex(s[3*i]), unhex(s[3*i+1])
		if hi > 15 || lo > 15 || i < 5 && s[3*i+2] != ':' {
			return MAC{}, fmt.Errorf("mac address %q is not six pairs of hexadecimal digits", s)
		}
		m[i] = hi<<4 | lo
	}
	return m, nil
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// IsZero reports whether the address is 00:00:00:00:00:00, which stands for "none".
func (m MAC) IsZero() bool { return m == MAC{} }

// IsMulticast reports whether the group bit is set; broadcast is multicast too.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }

// Value is the address as a number, the first byte most significant.
func (m MAC) Value() Value {
	return Value{Lo: uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])}
}

// String is the address in lower case with colons.
func (m MAC) String() string { return string(m.append(make([]byte, 0, 17))) }

const hexDigits = "0123456789abcdef"

func (m MAC) append(dst []byte) []byte {
	for i, b := range m {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// MarshalText writes the address as String does.
func (m MAC) MarshalText() ([]byte, error) { return m.append(nil), nil }

// UnmarshalText reads the address as ParseMAC does.
func (m *MAC) UnmarshalText(text []byte) error {
	v, err := ParseMAC(string(text))
	if err != nil {
		return err
	}
	*m = v
	return nil
}

// LinkLocal is the IPv6 address that an interface with the MAC gives itself: fe80::/64 and the modified
// EUI-64 of the MAC (RFC 4291 §2.5.6, appendix A).
func (m MAC) LinkLocal() netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}
