package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/lab"
)

// Ethernet types (IEEE 802 numbers). experimental is for local use: no other frame has it.
const (
	etherIPv4    = 0x0800
	etherARP     = 0x0806
	experimental = 0x88b5
)

// capture holds the frames that come to a virtual machine: ARP, IPv4 and experimental ones. What
// guests send by themselves for IPv6 is left out.
type capture struct {
	mu     sync.Mutex
	frames [][]byte
	stop   chan struct{}
	done   chan struct{}
}

// captureOn starts to capture what a virtual machine receives; end ends it, and so does the test.
func captureOn(t testing.TB, v *lab.VM) *capture {
	t.Helper()
	var fd int
	ok(t, v.Do(func() (err error) {
		fd, err = packetSocket()
		return err
	}))
	c := &capture{stop: make(chan struct{}), done: make(chan struct{})}
	go c.read(fd)
	t.Cleanup(func() { c.end() })
	return c
}

// packetSocket is a socket for whole frames of eth0 in the network namespace of the thread.
func packetSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
	if err != nil {
		return -1, err
	}
	eth0, err := net.InterfaceByName("eth0")
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: eth0.Index})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	}
	if err == nil { // promiscuous: a frame that is not for this guest must be seen as well
		err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(eth0.Index), Type: unix.PACKET_MR_PROMISC})
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }

func (c *capture) read(fd int) {
	defer close(c.done)
	defer unix.Close(fd)
	buf := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == nil && n >= 14 {
			switch binary.BigEndian.Uint16(buf[12:14]) {
			case etherIPv4, etherARP, experimental:
				c.mu.Lock()
				c.frames = append(c.frames, bytes.Clone(buf[:n]))
				c.mu.Unlock()
			}
			continue
		}
		select {
		case <-c.stop: // only once nothing is left to read
			return
		default:
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// seen returns the frames so far that contain a text; all for an empty one.
func (c *capture) seen(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, f := range c.frames {
		if bytes.Contains(f, []byte(text)) {
			n++
		}
	}
	return n
}

// end stops capturing and returns all frames.
func (c *capture) end() [][]byte {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	<-c.done
	return c.frames
}

// sendFrame sends an experimental frame with a text from a virtual machine.
func sendFrame(t testing.TB, v *lab.VM, to, text string) {
	t.Helper()
	sendFrameFrom(t, v, v.MAC, to, text)
}

// sendFrameFrom is sendFrame with a source address of one's own choice.
func sendFrameFrom(t testing.TB, v *lab.VM, from, to, text string) {
	t.Helper()
	src, err := net.ParseMAC(from)
	ok(t, err)
	dst, err := net.ParseMAC(to)
	ok(t, err)
	frame := binary.BigEndian.AppendUint16(append(append([]byte{}, dst...), src...), experimental)
	frame = append(frame, text...)
	if len(frame) < 60 {
		frame = append(frame, make([]byte, 60-len(frame))...)
	}
	ok(t, v.Do(func() error {
		fd, err := packetSocket()
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.Write(fd, frame)
		return err
	}))
}

// probe sends ICMP echo requests at a steady rate and keeps account of the answers.
type probe struct {
	conn  net.PacketConn
	to    net.Addr
	every time.Duration
	stop  chan struct{}
	done  sync.WaitGroup

	mu       sync.Mutex
	sent     []time.Time
	answered map[uint16]bool
}

// probeFrom starts a probe from a virtual machine; it must not run for more than 65535 requests.
func probeFrom(t testing.TB, v *lab.VM, to netip.Addr, every time.Duration) *probe {
	t.Helper()
	p := &probe{to: &net.IPAddr{IP: to.AsSlice()}, every: every, stop: make(chan struct{}), answered: map[uint16]bool{}}
	ok(t, v.Do(func() (err error) {
		p.conn, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	}))
	id := uint16(randN(1 << 16))
	p.done.Go(func() { p.receive(id) })
	p.done.Go(func() { p.send(id) })
	t.Cleanup(func() { p.end() })
	return p
}

func (p *probe) send(id uint16) {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for seq := uint16(0); ; seq++ {
		m := make([]byte, 16)
		m[0] = 8 // echo request (RFC 792)
		binary.BigEndian.PutUint16(m[4:], id)
		binary.BigEndian.PutUint16(m[6:], seq)
		var sum uint32
		for i := 0; i < len(m); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(m[i:]))
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
		p.mu.Lock()
		p.sent = append(p.sent, time.Now())
		p.mu.Unlock()
		_, _ = p.conn.WriteTo(m, p.to) // what is not sent is not answered
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
	}
}

func (p *probe) receive(id uint16) {
	buf := make([]byte, 256)
	for {
		n, _, err := p.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if n < 16 || buf[0] != 0 || binary.BigEndian.Uint16(buf[4:]) != id {
			continue
		}
		p.mu.Lock()
		p.answered[binary.BigEndian.Uint16(buf[6:])] = true
		p.mu.Unlock()
	}
}

// account says how many requests were sent, and when those were sent that are not answered.
func (p *probe) account() (sent int, lost []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for seq, at := range p.sent {
		if !p.answered[uint16(seq)] {
			lost = append(lost, at)
		}
	}
	return len(p.sent), lost
}

// end stops the probe, a second after the last request at the latest, and says what account does.
func (p *probe) end() (sent int, lost []time.Time) {
	select {
	case <-p.stop:
		return p.account()
	default:
		close(p.stop)
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(pollInterval) {
		if _, lost := p.account(); len(lost) == 0 {
			break
		}
	}
	sent, lost = p.account()
	_ = p.conn.Close()
	p.done.Wait()
	return sent, lost
}
