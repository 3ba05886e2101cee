package of

import (
	"math/bits"
	"net/netip"
	"strconv"
)

// Value is an unsigned number of up to 128 bits: the content of any field, or a mask over it.
type Value struct{ Hi, Lo uint64 }

// Num is the value of a field of at most 64 bits.
func Num(v uint64) Value { return Value{Lo: v} }

// AddrValue is an address as a number; an IPv4 address takes the low 32 bits. The zone of an IPv6 address is dropped.
func AddrValue(a netip.Addr) Value {
	if a.Is4() {
		b := a.As4()
		return Value{Lo: uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])}
	}
	var v Value
	for i, b := range a.As16() {
		if i < 8 {
			v.Hi = v.Hi<<8 | uint64(b)
		} else {
			v.Lo = v.Lo<<8 | uint64(b)
		}
	}
	return v
}

// Ones is the mask of the n low bits, n from 0 to 128.
func Ones(n int) Value {
	switch {
	case n <= 0:
		return Value{}
	case n < 64:
		return Value{Lo: 1<<n - 1}
	case n < 128:
		return Value{Hi: 1<<(n-64) - 1, Lo: ^uint64(0)}
	}
	return Value{Hi: ^uint64(0), Lo: ^uint64(0)}
}

// IsZero reports whether no bit is set.
func (v Value) IsZero() bool { return v == Value{} }

// And is the bits set in both.
func (v Value) And(w Value) Value { return Value{v.Hi & w.Hi, v.Lo & w.Lo} }

// Or is the bits set in either.
func (v Value) Or(w Value) Value { return Value{v.Hi | w.Hi, v.Lo | w.Lo} }

// AndNot is the bits set in v but not in w.
func (v Value) AndNot(w Value) Value { return Value{v.Hi &^ w.Hi, v.Lo &^ w.Lo} }

// Shl is v shifted left by n bits, 0 to 128; bits above 128 are lost.
func (v Value) Shl(n int) Value {
	if n >= 64 {
		return Value{Hi: v.Lo << (n - 64)}
	}
	return Value{Hi: v.Hi<<n | v.Lo>>(64-n), Lo: v.Lo << n}
}

// Shr is v shifted right by n bits, 0 to 128.
func (v Value) Shr(n int) Value {
	if n >= 64 {
		return Value{Lo: v.Hi >> (n - 64)}
	}
	return Value{Hi: v.Hi >> n, Lo: v.Lo>>n | v.Hi<<(64-n)}
}

// Len is the number of bits needed to write v.
func (v Value) Len() int {
	if v.Hi != 0 {
		return 64 + bits.Len64(v.Hi)
	}
	return bits.Len64(v.Lo)
}

// MAC is the low 48 bits as an Ethernet address.
func (v Value) MAC() MAC {
	return MAC{byte(v.Lo >> 40), byte(v.Lo >> 32), byte(v.Lo >> 24), byte(v.Lo >> 16), byte(v.Lo >> 8), byte(v.Lo)}
}

// Addr4 is the low 32 bits as an IPv4 address.
func (v Value) Addr4() netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v.Lo >> 24), byte(v.Lo >> 16), byte(v.Lo >> 8), byte(v.Lo)})
}

// Addr6 is the value as an IPv6 address.
func (v Value) Addr6() netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[i] = byte(v.Hi >> (56 - 8*i))
		b[8+i] = byte(v.Lo >> (56 - 8*i))
	}
	return netip.AddrFrom16(b)
}

// prefixLen is the length of the network prefix that v is the mask of, in a field of the given width; ok is false if
// the ones of v are not all at the left.
func (v Value) prefixLen(width int) (n int, ok bool) {
	ones := bits.OnesCount64(v.Hi) + bits.OnesCount64(v.Lo)
	return ones, v == Ones(ones).Shl(width-ones)
}

// String is the value in hexadecimal with 0x before it; zero is "0", as C's %#x writes it.
func (v Value) String() string { return string(v.appendHex(nil)) }

// appendHex writes v the way OVS writes hexadecimal values in actions and metadata: zero has no prefix.
func (v Value) appendHex(dst []byte) []byte {
	if v.IsZero() {
		return append(dst, '0')
	}
	return v.appendHex0x(dst)
}

// appendHex0x writes v with the prefix even if it is zero.
func (v Value) appendHex0x(dst []byte) []byte {
	dst = append(dst, '0', 'x')
	if v.Hi == 0 {
		return strconv.AppendUint(dst, v.Lo, 16)
	}
	dst = strconv.AppendUint(dst, v.Hi, 16)
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[v.Lo>>shift&15])
	}
	return dst
}
