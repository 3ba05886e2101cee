package kernel_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/child"
	"github.com/heddle-sdn/heddle/internal/nstest"
)

// realSpace is a namespace of this machine, made from a spec, whose links are TUN devices: what a test
// writes to one arrives by the link, and what leaves by the link the test reads. There is no ARP.
type realSpace struct {
	t     *testing.T
	ns    string
	links map[string]*os.File
	mark  uint32 // of the packet sent last
	echo  uint16 // identifier that the ICMP echo which left last had
}

func newRealSpace(t *testing.T, ns spec.Namespace) *realSpace {
	nstest.Need(t, "nft", "sysctl")
	nstest.Namespace(t, ns.Name)
	r := &realSpace{t: t, ns: ns.Name, links: map[string]*os.File{}}
	for _, l := range ns.Links {
		r.addLink(l)
	}
	for _, route := range ns.Routes {
		on := ""
		if route.Link != "" {
			on = " dev " + route.Link
		}
		nstest.IP(t, "-n %s route add %s via %s%s", ns.Name, route.Destination, route.Via, on)
	}
	for name, value := range ns.Sysctls {
		r.run("sysctl", "-qw", name+"="+value)
	}
	file := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(file, []byte("table "+ns.NFT.Family+" "+ns.NFT.Table+" {\n"+ns.NFT.Text+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.run("nft", "-f", file)
	return r
}

func (r *realSpace) run(args ...string) {
	r.t.Helper()
	if out, err := nstest.In(r.ns, args...).CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %v: %s", args, err, out)
	}
}

func (r *realSpace) addLink(l spec.Link) {
	r.t.Helper()
	if out, err := exec.Command("ip", "-n", r.ns, "tuntap", "add", "dev", l.Name, "mode", "tun").CombinedOutput(); err != nil {
		r.t.Skipf("no TUN devices here: %v: %s", err, out)
	}
	for _, a := range l.Addresses {
		if a.Addr().Is4() {
			nstest.IP(r.t, "-n %s addr add %s dev %s", r.ns, a, l.Name)
		}
	}
	nstest.IP(r.t, "-n %s link set %s up", r.ns, l.Name)
	err := child.InNamespace("/run/netns/"+r.ns, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		ifr, err := unix.NewIfreq(l.Name)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
			return err
		}
		r.links[l.Name] = os.NewFile(uintptr(fd), l.Name)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.links[l.Name].Close() })
}

// cross sends a packet in by a link and returns by which it left and as what, or that it did not leave.
// After it, a packet is sent that does leave: once that is out, so is the first, if it gets out at all.
func (r *realSpace) cross(link string, p kernel.Packet, answer bool) (out string, left kernel.Packet) {
	r.t.Helper()
	r.mark += 2
	r.send(link, p, r.mark, answer)
	fence := ask(nft.UDP, fmt.Sprintf("10.0.0.250:%d > 10.0.1.250:7", r.mark%50000+10000))
	r.send("qr-1", fence, r.mark+1, false)
	deadline := time.Now().Add(5 * time.Second)
	for fenced, last := false, false; !last; {
		last = fenced // once more, for what came by a link that was read before
		for name, f := range r.links {
			for _, b := range r.drain(f) {
				got, mark, ok := decode(b)
				switch {
				case ok && mark == r.mark:
					out, left, r.echo = name, got, binary.BigEndian.Uint16(b[24:])
				case ok && mark == r.mark+1:
					fenced = true
				}
			}
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the packet behind it is not forwarded")
		}
	}
	return out, left
}

// drain returns the packets that wait on a link.
func (r *realSpace) drain(f *os.File) (packets [][]byte) {
	r.t.Helper()
	for {
		b := make([]byte, 2048)
		if err := f.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			r.t.Fatal(err)
		}
		n, err := f.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return packets
		}
		if err != nil {
			r.t.Fatal(err)
		}
		packets = append(packets, b[:n])
	}
}

func (r *realSpace) send(link string, p kernel.Packet, mark uint32, answer bool) {
	r.t.Helper()
	id := uint16(mark)
	if answer {
		id = r.echo
	}
	if _, err := r.links[link].Write(encode(p, mark, id, answer)); err != nil {
		r.t.Fatal(err)
	}
}

// kernelTTL is what the kernel gives to packets that it makes.
const kernelTTL = 64

const (
	flagsSYN    = 0x02
	flagsSYNACK = 0x12
)

// encode makes an IPv4 packet that carries a mark: the first of a connection, or the answer to it. The id
// is an ICMP echo's identifier, by which the kernel tells connections from each other.
func encode(p kernel.Packet, mark uint32, id uint16, answer bool) []byte {
	var body []byte
	switch p.Protocol {
	case nft.ICMP:
		body = make([]byte, 8)
		if body[0] = 8; answer {
			body[0] = 0
		}
		binary.BigEndian.PutUint16(body[4:], id)
		binary.BigEndian.PutUint16(body[6:], uint16(mark))
		binary.BigEndian.PutUint16(body[2:], checksum(0, body))
	case nft.UDP:
		body = make([]byte, 12)
		binary.BigEndian.PutUint16(body[4:], 12)
		binary.BigEndian.PutUint32(body[8:], mark)
	case nft.TCP:
		body = make([]byte, 20)
		binary.BigEndian.PutUint32(body[4:], mark)
		body[12], body[13] = 5<<4, flagsSYN
		if answer {
			body[13] = flagsSYNACK
			binary.BigEndian.PutUint32(body[8:], mark-1) // it acknowledges the packet before, which had the mark - 2
		}
		binary.BigEndian.PutUint16(body[14:], 1000)
	}
	if at, has := map[uint8]int{nft.UDP: 6, nft.TCP: 16}[p.Protocol]; has {
		binary.BigEndian.PutUint16(body, p.SrcPort)
		binary.BigEndian.PutUint16(body[2:], p.DstPort)
		src, dst := p.Src.As4(), p.Dst.As4()
		pseudo := append(append(src[:], dst[:]...), 0, p.Protocol, 0, byte(len(body)))
		binary.BigEndian.PutUint16(body[at:], checksum(^checksum(0, pseudo), body))
	}
	src, dst := p.Src.As4(), p.Dst.As4()
	head := append(append([]byte{0x45, 0, 0, byte(20 + len(body)), 0, 0, 0, 0, p.TTL, p.Protocol, 0, 0}, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(head[10:], checksum(0, head))
	return append(head, body...)
}

// decode reads a packet that encode made; ok is false for any other, such as an answer of the kernel's.
func decode(b []byte) (p kernel.Packet, mark uint32, ok bool) {
	if len(b) < 28 || b[0] != 0x45 {
		return kernel.Packet{}, 0, false
	}
	p.TTL, p.Protocol = b[8], b[9]
	p.Src, _ = netip.AddrFromSlice(b[12:16])
	p.Dst, _ = netip.AddrFromSlice(b[16:20])
	body := b[20:]
	switch p.Protocol {
	case nft.ICMP:
		// An answer of the namespace's own to an echo bears the same mark: it is told by its time to live.
		return p, uint32(binary.BigEndian.Uint16(body[6:])), (body[0] == 8 || body[0] == 0) && p.TTL < kernelTTL-1
	case nft.UDP:
		ok = len(body) == 12
	case nft.TCP:
		ok = len(body) == 20 && (body[13] == flagsSYN || body[13] == flagsSYNACK)
	}
	if !ok {
		return kernel.Packet{}, 0, false
	}
	p.SrcPort, p.DstPort = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	if mark = binary.BigEndian.Uint32(body[4:]); p.Protocol == nft.UDP {
		mark = binary.BigEndian.Uint32(body[8:])
	}
	return p, mark, true
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes, on top of a sum.
func checksum(sum uint16, b []byte) uint16 {
	s := uint32(sum)
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// The model is held against the kernel: random packets, and the answers to those that leave.
func TestTheKernelDoesTheSame(t *testing.T) {
	ns := router()
	real, model := newRealSpace(t, ns), kernel.New(ns)
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	counts := map[string]int{}
	for i := range 300 {
		link := pick("qg-1", "qr-1", "qr-1", "qr-2")
		src := map[string]string{"qg-1": "192.0.2.7 198.51.100.77", "qr-1": "10.0.0.5 10.0.0.9 10.0.0.20 10.0.1.1", "qr-2": "10.0.1.5 10.0.1.13 172.16.0.3"}[link]
		p := kernel.Packet{
			Src:      addr(pick(strings.Fields(src)...)),
			Dst:      addr(pick("192.0.2.7", "198.51.100.77", "198.51.100.2", "198.51.100.9", "198.51.100.13", "198.51.100.20", "198.51.100.99", "10.0.0.1", "10.0.0.9", "10.0.0.20", "10.0.1.1", "10.0.1.13", "172.16.0.3", "169.254.169.254", "10.0.0.255")),
			Protocol: []uint8{nft.ICMP, nft.TCP, nft.UDP}[rnd.IntN(3)], TTL: uint8(rnd.IntN(40) + 1),
		}
		if p.Protocol != nft.ICMP {
			p.SrcPort, p.DstPort = uint16(20000+i), uint16([]int{80, 81, 9697, 8080, 53}[rnd.IntN(5)])
		}
		var sessions kernel.Sessions
		want := model.Receive(link, p, &sessions)
		out, left := real.cross(link, p, false)
		counts[compare(t, fmt.Sprintf("%s by %s", p, link), want, out, &left)]++
		if want.Fate != kernel.Forward || t.Failed() {
			continue
		}
		// The kernel chose the port; the model goes on with the choice.
		back := left.Reversed()
		expected := want.Packet.Reversed()
		back.TTL, expected.TTL = 60, 60
		wantBack := model.Receive(out, expected, &sessions)
		outBack, leftBack := real.cross(out, back, true)
		compare(t, fmt.Sprintf("answer %s to %s by %s", back, p, link), wantBack, outBack, &leftBack)
		if t.Failed() {
			return
		}
	}
	for _, kind := range []string{"forward", "stays", "random"} {
		if counts[kind] < 20 {
			t.Errorf("only %d packets were of the kind %q: %v", counts[kind], kind, counts)
		}
	}
}

// compare holds what the kernel did against what the model says, and names the kind of case.
func compare(t *testing.T, what string, want kernel.Outcome, out string, left *kernel.Packet) string {
	t.Helper()
	if want.Fate != kernel.Forward {
		if out != "" {
			t.Errorf("%s: leaves by %s as %s, the model says %s", what, out, left, tell(want))
		}
		return "stays"
	}
	kind, expected := "forward", want.Packet
	for _, s := range want.Steps {
		if s.Hit != nil && s.Hit.RandomPort {
			kind, expected.SrcPort = "random", left.SrcPort
		}
	}
	if out != want.Link || *left != expected {
		t.Errorf("%s: leaves by %q as %s (TTL %d), the model says %s (TTL %d)", what, out, left, left.TTL, tell(want), want.Packet.TTL)
	}
	return kind
}
