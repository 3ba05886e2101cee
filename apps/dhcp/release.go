package dhcp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/internal/child"
)

// release tells the dnsmasq in a namespace that the clients of leases gave them back. The messages leave
// by the namespace's own interface to its own address, so they cannot get lost on the network.
func release(netns string, leases []Lease) error {
	return child.InNamespace(netns, func() error {
		link, ips, err := serverLink()
		if err != nil {
			return err
		}
		var errs []error
		for i, l := range leases {
			xid := uint32(i + 1)
			if l.IP.Is4() {
				if ip := onSubnet(ips, l.IP); ip.IsValid() {
					errs = append(errs, sendTo(link, &unix.SockaddrInet4{Port: 67, Addr: ip.As4()}, release4(l, ip, xid)))
				}
				continue
			}
			all := netip.MustParseAddr("ff02::1:2") // All_DHCP_Relay_Agents_and_Servers, RFC 8415 §7.1
			errs = append(errs, sendTo(link, &unix.SockaddrInet6{Port: 547, Addr: all.As16(), ZoneId: uint32(link.Index)}, release6(l, xid)))
		}
		return errors.Join(errs...)
	})
}

// serverLink returns the interface of the namespace that is not the loopback, and its prefixes.
func serverLink() (net.Interface, []netip.Prefix, error) {
	links, err := net.Interfaces()
	if err != nil {
		return net.Interface{}, nil, fmt.Errorf("interfaces: %w", err)
	}
	for _, l := range links {
		if l.Flags&(net.FlagLoopback|net.FlagUp) != net.FlagUp {
			continue
		}
		addrs, err := l.Addrs()
		if err != nil {
			return l, nil, fmt.Errorf("addresses of %s: %w", l.Name, err)
		}
		var out []netip.Prefix
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				out = append(out, p)
			}
		}
		return l, out, nil
	}
	return net.Interface{}, nil, errors.New("the namespace has no interface that is up")
}

// onSubnet returns which of a host's addresses shares a subnet with ip.
func onSubnet(own []netip.Prefix, ip netip.Addr) netip.Addr {
	for _, p := range own {
		if p.Masked().Contains(ip) {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// sendTo sends a datagram bound to an interface: to the server it then comes from that interface's
// network, even though it never left the machine.
func sendTo(link net.Interface, to unix.Sockaddr, b []byte) error {
	family := unix.AF_INET
	if _, six := to.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.BindToDevice(fd, link.Name); err != nil {
		return fmt.Errorf("bind to %s: %w", link.Name, err)
	}
	if err := unix.Sendto(fd, b, 0, to); err != nil {
		return fmt.Errorf("send a release: %w", os.NewSyscallError("sendto", err))
	}
	return nil
}

// release4 is a DHCPRELEASE (RFC 2131 §4.4.6) on behalf of a lease's client.
func release4(l Lease, server netip.Addr, xid uint32) []byte {
	b := make([]byte, 236, 300)
	b[0], b[1], b[2] = 1, 1, 6 // BOOTREQUEST, Ethernet, address length
	binary.BigEndian.PutUint32(b[4:], xid)
	copy(b[12:16], l.IP.AsSlice()) // ciaddr
	copy(b[28:34], l.MAC[:])       // chaddr
	b = append(b, 99, 130, 83, 99) // magic cookie
	b = append(b, 53, 1, 7)        // message type: DHCPRELEASE
	b = append(b, 54, 4)           // server identifier
	b = append(b, server.AsSlice()...)
	if n := len(l.ClientID); n > 0 && n < 256 {
		b = append(append(b, 61, byte(n)), l.ClientID...)
	}
	b = append(b, 255)
	return append(b, make([]byte, max(0, 300-len(b)))...) // BOOTP's least size
}

// release6 is a Release (RFC 8415 §18.2.7) on behalf of a lease's client.
func release6(l Lease, xid uint32) []byte {
	option := func(b []byte, code uint16, body []byte) []byte {
		b = binary.BigEndian.AppendUint16(b, code)
		b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
		return append(b, body...)
	}
	address := append(l.IP.AsSlice(), make([]byte, 8)...) // no lifetimes
	ia := binary.BigEndian.AppendUint32(nil, l.IAID)
	ia = append(ia, make([]byte, 8)...)                        // T1, T2
	ia = option(ia, 5, address)                                // OPTION_IAADDR
	b := []byte{8, byte(xid >> 16), byte(xid >> 8), byte(xid)} // RELEASE
	b = option(b, 1, l.ClientID)                               // OPTION_CLIENTID
	b = option(b, 2, l.Server)                                 // OPTION_SERVERID
	b = option(b, 3, ia)                                       // OPTION_IA_NA
	return option(b, 8, []byte{0, 0})                          // OPTION_ELAPSED_TIME
}
