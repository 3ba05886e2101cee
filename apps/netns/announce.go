package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/controller/of"
)

// announcer tells neighbours of new addresses: at once, and a second time after announceGap, when a link
// that is new itself is plugged in.
type announcer struct {
	log  *logrus.Entry
	mu   sync.Mutex
	next map[*time.Timer]func() // what is to be closed if the timer is stopped
	done sync.WaitGroup
	shut bool
}

func newAnnouncer(log *logrus.Entry) *announcer {
	return &announcer{log: log, next: map[*time.Timer]func(){}}
}

// close drops what has not been said yet.
func (a *announcer) close() {
	a.mu.Lock()
	a.shut = true
	for t, drop := range a.next {
		if t.Stop() {
			drop()
			a.done.Done()
		}
	}
	a.next = nil
	a.mu.Unlock()
	a.done.Wait()
}

// repeat sends frames again later, and then closes the socket.
func (a *announcer) repeat(fd int, frames []frame) {
	drop := func() { _ = unix.Close(fd) }
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shut {
		drop()
		return
	}
	a.done.Add(1)
	var t *time.Timer
	t = time.AfterFunc(announceGap, func() {
		defer a.done.Done()
		defer drop()
		a.mu.Lock()
		delete(a.next, t)
		a.mu.Unlock()
		if err := send(fd, frames); err != nil {
			a.log.WithError(err).Debug("addresses were announced once only")
		}
	})
	a.next[t] = drop
}

// frame is one Ethernet frame and the link it leaves by.
type frame struct {
	link  int
	bytes []byte
}

// announce tells the neighbours of addresses. The thread is in the namespace.
func (e *editor) announce(addrs []Address) error {
	var frames []frame
	for _, a := range addrs {
		if link, ok := e.links[a.Link]; ok {
			frames = append(frames, announcements(link.Attrs(), a.Prefix.Addr())...)
		}
	}
	return e.host.voices.say(frames)
}

// announcements are the frames that tell the neighbours of a link of an address; none if it has no
// neighbours.
func announcements(link *netlink.LinkAttrs, ip netip.Addr) []frame {
	if ip.IsMulticast() || len(link.HardwareAddr) != 6 {
		return nil
	}
	mac := of.MAC(link.HardwareAddr)
	if ip.Is4() {
		return []frame{{link.Index, gratuitousARP(mac, ip)}}
	}
	return []frame{{link.Index, unsolicitedNA(mac, ip)}}
}

// say sends frames now and once more later, in the namespace of the calling thread.
func (a *announcer) say(frames []frame) error {
	if len(frames) == 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("announce addresses: %w", err)
	}
	if err := send(fd, frames); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("announce addresses: %w", err)
	}
	a.repeat(fd, frames)
	return nil
}

// send gives frames to their links. A link that is down or gone has no neighbours.
func send(fd int, frames []frame) error {
	var errs []error
	for _, f := range frames {
		err := unix.Sendto(fd, f.bytes, 0, &unix.SockaddrLinklayer{Ifindex: f.link})
		if err != nil && !errors.Is(err, unix.ENETDOWN) && !errors.Is(err, unix.ENXIO) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOBUFS) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// gratuitousARP is an ARP announcement (RFC 5227 §3): a request for the sender's own address.
func gratuitousARP(mac of.MAC, ip netip.Addr) []byte {
	a := ip.As4()
	b := ethernet(of.Broadcast, mac, 0x0806)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1) // Ethernet, IPv4, request
	b = append(b, mac[:]...)
	b = append(b, a[:]...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = append(b, a[:]...)
	return append(b, make([]byte, 60-len(b))...) // the least that Ethernet carries
}

// unsolicitedNA is a neighbour advertisement to all nodes with the override flag (RFC 4861 §7.2.6).
func unsolicitedNA(mac of.MAC, ip netip.Addr) []byte {
	src := ip.As16()
	all := netip.MustParseAddr("ff02::1").As16()
	icmp := []byte{136, 0, 0, 0, 0x20, 0, 0, 0}
	icmp = append(icmp, src[:]...)
	icmp = append(icmp, 2, 1) // option: target link-layer address
	icmp = append(icmp, mac[:]...)
	pseudo := append(append(src[:], all[:]...), 0, 0, 0, byte(len(icmp)), 0, 0, 0, unix.IPPROTO_ICMPV6)
	binary.BigEndian.PutUint16(icmp[2:], checksum(append(pseudo, icmp...)))

	b := ethernet(of.MAC{0x33, 0x33, 0, 0, 0, 1}, mac, 0x86dd)
	b = append(b, 0x60, 0, 0, 0, 0, byte(len(icmp)), unix.IPPROTO_ICMPV6, 255)
	b = append(b, src[:16]...)
	b = append(b, all[:]...)
	return append(b, icmp...)
}

func ethernet(dst, src of.MAC, kind uint16) []byte {
	b := make([]byte, 0, 128)
	b = append(append(b, dst[:]...), src[:]...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
