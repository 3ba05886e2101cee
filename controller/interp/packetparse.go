package interp

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
)

// ErrPacket says that a text is not a packet.
var ErrPacket = errors.New("not a packet")

// ParsePacket reads a packet as ofproto/trace takes and prints it: "in_port=1,tcp,nw_src=10.0.0.1,tcp_dst=80".
// Members may come in any order. Beside what ofproto/trace takes it knows, since ofproto/trace prints them, tp_src,
// tp_dst, icmp_type and icmp_code for every protocol, and vlan_tci1, dl_vlan1 and dl_vlan_pcp1 for the inner tag.
// Members for what a Packet does not hold, such as recirc_id, are passed over.
func ParsePacket(text string) (Packet, error) { return parsePacket(text, nil) }

// ParsePacket reads a packet as the function of this name does; ports may be given by their names.
func (b *Bridge) ParsePacket(text string) (Packet, error) { return parsePacket(text, b.PortNamed) }

func parsePacket(text string, ports func(string) (of.PortNo, bool)) (Packet, error) {
	r := packetReader{ports: ports, seen: map[string]bool{}}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, isField := strings.Cut(item, "=")
		if err := r.read(name, value, isField); err != nil {
			return Packet{}, fmt.Errorf("%w: %s: %w", ErrPacket, item, err)
		}
	}
	// What decides about the headers comes first, so that the rest finds its header.
	slices.SortStableFunc(r.later, func(a, b pending) int { return cmp.Compare(stage(a.field), stage(b.field)) })
	for _, x := range r.later {
		if err := r.set(x); err != nil {
			return Packet{}, fmt.Errorf("%w: %s: %w", ErrPacket, x.name, err)
		}
	}
	return r.p, nil
}

// packetReader reads members of a text: those that say which headers there are at once, the others later.
type packetReader struct {
	p     Packet
	typed bool // the Ethernet type is known
	ports func(string) (of.PortNo, bool)
	seen  map[string]bool
	later []pending
}

// pending is a member that waits for its header.
type pending struct {
	name  string
	field of.Field
	value of.Value
}

// stage orders members: the protocol, whether there is a transport header, the type of ICMP, the rest.
func stage(f of.Field) int {
	switch f {
	case of.FieldIPProto:
		return 0
	case of.FieldIPFrag:
		return 1
	case of.FieldICMPType, of.FieldICMPCode, of.FieldICMP6Type, of.FieldICMP6Code:
		return 2
	}
	return 3
}

// words are ovs-ofctl's names of protocols.
var words = map[string]struct {
	ethType uint16
	proto   uint8
}{
	"ip": {of.EthTypeIPv4, 0}, "ipv4": {of.EthTypeIPv4, 0}, "ip4": {of.EthTypeIPv4, 0},
	"ipv6": {of.EthTypeIPv6, 0}, "ip6": {of.EthTypeIPv6, 0},
	"arp": {of.EthTypeARP, 0}, "rarp": {of.EthTypeRARP, 0},
	"icmp": {of.EthTypeIPv4, of.ProtoICMP}, "icmp4": {of.EthTypeIPv4, of.ProtoICMP}, "icmp6": {of.EthTypeIPv6, of.ProtoICMP6},
	"tcp": {of.EthTypeIPv4, of.ProtoTCP}, "tcp4": {of.EthTypeIPv4, of.ProtoTCP}, "tcp6": {of.EthTypeIPv6, of.ProtoTCP},
	"udp": {of.EthTypeIPv4, of.ProtoUDP}, "udp4": {of.EthTypeIPv4, of.ProtoUDP}, "udp6": {of.EthTypeIPv6, of.ProtoUDP},
	"sctp": {of.EthTypeIPv4, of.ProtoSCTP}, "sctp4": {of.EthTypeIPv4, of.ProtoSCTP}, "sctp6": {of.EthTypeIPv6, of.ProtoSCTP},
}

// passedOver are members that ofproto/trace prints of what a Packet does not hold.
var passedOver = []string{"eth", "recirc_id", "dp_hash", "skb_priority", "packet_type", "tun_tos", "tun_ttl", "tun_erspan_ver",
	"tun_erspan_idx", "tun_erspan_dir", "tun_erspan_hwid", "gtpu_flags", "gtpu_msgtype"}

var (
	errTwice   = errors.New("said twice")
	errUnknown = errors.New("no such field or protocol")
	errValue   = errors.New("bad value")
)

func (r *packetReader) read(name, value string, isField bool) error {
	if slices.Contains(passedOver, name) {
		return nil
	}
	if r.seen[name] {
		return errTwice
	}
	r.seen[name] = true
	if !isField {
		return r.word(name)
	}
	switch name {
	case "in_port", "in_port_oxm", "actset_output":
		return r.port(name, value)
	case "dl_type", "eth_type":
		v, err := number(value, 16)
		if err != nil {
			return err
		}
		return r.etherType(uint16(v.Lo))
	case "vlan_tci", "vlan_tci1", "dl_vlan", "dl_vlan1", "dl_vlan_pcp", "dl_vlan_pcp1":
		return r.tag(name, value)
	}
	f, ok := r.field(name)
	if !ok {
		return errUnknown
	}
	v, err := parseValue(f, value)
	if err != nil {
		return err
	}
	r.later = append(r.later, pending{name, f, v})
	return nil
}

func (r *packetReader) word(name string) error {
	w, ok := words[name]
	if !ok {
		return errUnknown
	}
	if err := r.etherType(w.ethType); err != nil {
		return err
	}
	r.p.IP.Proto = w.proto
	return nil
}

func (r *packetReader) etherType(t uint16) error {
	if r.typed {
		return errTwice
	}
	r.typed, r.p.EthType = true, t
	return nil
}

func (r *packetReader) port(name, value string) error {
	no, err := r.portNo(value)
	if err != nil {
		return err
	}
	if name == "actset_output" {
		if no != of.PortUnset {
			r.p.ActsetOutput = no
		}
		return nil
	}
	r.p.InPort = no
	return nil
}

// reservedPorts are the ports that text names by a word.
var reservedPorts = [...]of.PortNo{of.PortUnset, of.PortInPort, of.PortTable, of.PortNormal, of.PortFlood, of.PortAll, of.PortController, of.PortLocal, of.PortAny}

func (r *packetReader) portNo(text string) (of.PortNo, error) {
	for _, no := range reservedPorts {
		if strings.EqualFold(text, no.String()) {
			return no, nil
		}
	}
	if v, err := number(text, 32); err == nil {
		return of.PortNo(v.Lo), nil
	}
	if r.ports != nil {
		if no, ok := r.ports(text); ok {
			return no, nil
		}
	}
	return 0, fmt.Errorf("%w: no such port", errValue)
}

// tag reads parts of a VLAN tag.
func (r *packetReader) tag(name, value string) error {
	tag := &r.p.VLANs[0]
	if strings.HasSuffix(name, "1") {
		tag = &r.p.VLANs[1]
	}
	width := map[string]int{"vlan_tci": 16, "dl_vlan": 12, "dl_vlan_pcp": 3}[strings.TrimSuffix(name, "1")]
	v, err := number(value, width)
	if err != nil {
		return err
	}
	switch width {
	case 16:
		tag.TCI |= uint16(v.Lo)
	case 12:
		tag.TCI |= of.VLANPresent | uint16(v.Lo)
	case 3:
		tag.TCI |= of.VLANPresent | uint16(v.Lo)<<13
	}
	if tag.Present() {
		tag.TPID = of.EthTypeVLAN
	}
	return nil
}

// field finds a field by a name. Those that text shares among protocols stand for TCP's and ICMP's until the protocol
// is known.
func (r *packetReader) field(name string) (of.Field, bool) {
	switch name {
	case "tp_src":
		return of.FieldTCPSrc, true
	case "tp_dst":
		return of.FieldTCPDst, true
	case "vlan_vid", "vlan_pcp":
		return of.FieldUnknown, false
	}
	f, ok := of.FieldByName(name)
	return f, ok && modelled(f)
}

// set writes a member into the header that is there for it by now.
func (r *packetReader) set(x pending) error {
	switch x.field {
	case of.FieldIPProto:
		if !r.p.isIP() {
			return errors.New("the packet is not IP")
		}
		if r.p.IP.Proto != 0 && r.p.IP.Proto != uint8(x.value.Lo) {
			return errTwice
		}
		r.p.IP.Proto = uint8(x.value.Lo)
		return nil
	case of.FieldIPFrag:
		if !r.p.isIP() {
			return errors.New("the packet is not IP")
		}
		r.p.IP.Frag = Frag(x.value.Lo)
		return nil
	case of.FieldTCPFlags:
		if !r.p.has(of.NeedTCP) {
			return errors.New("the packet is not TCP")
		}
		r.p.Transport.TCPFlags = uint16(x.value.Lo)
		return nil
	}
	if r.state(x.field, x.value) {
		return nil
	}
	if x.value.IsZero() {
		switch x.field {
		case of.FieldNDSLL, of.FieldNDTLL:
			if r.p.has(of.NeedND) {
				return nil // printed of a message that does not have the option
			}
		case of.FieldTunSrc, of.FieldTunDst, of.FieldTunIPv6Src, of.FieldTunIPv6Dst:
			return nil // printed beside the addresses of the other family
		}
	}
	f := x.field
	switch x.name {
	case "tp_src", "icmp_type":
		f = r.shared(f, of.FieldTCPSrc, of.FieldUDPSrc, of.FieldSCTPSrc, of.FieldICMPType, of.FieldICMP6Type)
	case "tp_dst", "icmp_code":
		f = r.shared(f, of.FieldTCPDst, of.FieldUDPDst, of.FieldSCTPDst, of.FieldICMPCode, of.FieldICMP6Code)
	}
	if !r.p.set(f, x.value, of.Ones(128)) {
		return fmt.Errorf("the packet has no %s", f)
	}
	return nil
}

// shared is the one of some fields that share a name that the packet has; f if it has none.
func (r *packetReader) shared(f of.Field, fields ...of.Field) of.Field {
	for _, x := range fields {
		if r.p.has(x.Info().Prereq) {
			return x
		}
	}
	return f
}

// state writes what no action writes: what the connection tracker says. It reports false for other fields.
func (r *packetReader) state(f of.Field, v of.Value) bool {
	ct := &r.p.CT
	switch f {
	case of.FieldCTState:
		ct.State = of.CTStateFlags(v.Lo)
	case of.FieldCTZone:
		ct.Zone = uint16(v.Lo)
	case of.FieldCTNWSrc:
		ct.Src = v.Addr4()
	case of.FieldCTNWDst:
		ct.Dst = v.Addr4()
	case of.FieldCTIPv6Src:
		ct.Src = v.Addr6()
	case of.FieldCTIPv6Dst:
		ct.Dst = v.Addr6()
	case of.FieldCTNWProto:
		ct.Proto = uint8(v.Lo)
	case of.FieldCTTPSrc:
		ct.SrcPort = uint16(v.Lo)
	case of.FieldCTTPDst:
		ct.DstPort = uint16(v.Lo)
	default:
		return false
	}
	return true
}

// parseValue reads the value of a field in its format.
func parseValue(f of.Field, text string) (of.Value, error) {
	info := f.Info()
	switch info.Format {
	case of.Ethernet:
		m, err := of.ParseMAC(text)
		return m.Value(), err
	case of.IPv4Addr, of.IPv6Addr:
		a, err := netip.ParseAddr(text)
		if err != nil || a.Is4() != (info.Format == of.IPv4Addr) || a.Zone() != "" {
			return of.Value{}, fmt.Errorf("%w: not an address of the field's family", errValue)
		}
		return of.AddrValue(a), nil
	case of.CTStateFormat:
		return flags(text, []string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"})
	case of.TCPFlagsFormat:
		return flags(text, []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns"})
	case of.TunFlagsFormat:
		return flags(text, []string{"oam"})
	case of.FragFormat:
		if i := slices.Index([]string{"no", "first", "", "later"}, strings.ToLower(text)); i >= 0 && text != "" {
			return of.Num(uint64(i)), nil
		}
		return of.Value{}, fmt.Errorf("%w: one of no, first, later is needed", errValue)
	}
	return number(text, f.Bits())
}

// flags reads names joined by bars, or each with its sign; numbers stand for the bits without a name.
func flags(text string, names []string) (of.Value, error) {
	var v of.Value
	signed := strings.ContainsAny(text, "+-")
	text = strings.NewReplacer("+", "|+", "-", "|-").Replace(text)
	for item := range strings.SplitSeq(strings.TrimPrefix(text, "|"), "|") {
		name := strings.TrimLeft(item, "+-")
		var bit of.Value
		if i := slices.Index(names, name); i >= 0 {
			bit = of.Num(1 << i)
		} else if n, err := number(name, 12); err == nil && !signed {
			bit = n
		} else {
			return of.Value{}, fmt.Errorf("%w: no flag %q", errValue, name)
		}
		if !strings.HasPrefix(item, "-") {
			v = v.Or(bit)
		}
	}
	return v, nil
}

// number reads a number of up to 128 bits, in decimal or with 0x before it in hexadecimal.
func number(text string, width int) (of.Value, error) {
	digits, hex := strings.CutPrefix(text, "0x")
	base := 10
	if hex {
		base = 16
	}
	var v of.Value
	var err error
	if split := len(digits) - 16; hex && split > 0 {
		if v.Hi, err = strconv.ParseUint(digits[:split], 16, 64); err == nil {
			v.Lo, err = strconv.ParseUint(digits[split:], 16, 64)
		}
	} else {
		v.Lo, err = strconv.ParseUint(digits, base, 64)
	}
	if err != nil {
		return of.Value{}, fmt.Errorf("%w: not a number", errValue)
	}
	if v.Len() > width {
		return of.Value{}, fmt.Errorf("%w: more than %d bits", errValue, width)
	}
	return v, nil
}
