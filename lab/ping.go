package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

const (
	pingInterval = 20 * time.Millisecond // between echo requests of Ping
	pingLast     = time.Second           // for the answer to the last one
	waitInterval = 3 * time.Millisecond  // between echo requests of WaitPing
)

// Ping sends count ICMP echo requests, 20 ms apart, from the virtual machine and returns how many
// were answered within a second of the last one. No route to the destination is an error, silence is not.
func (vm *VM) Ping(ctx context.Context, to netip.Addr, count int) (received int, err error) {
	err = vm.withEcho(to, func(e *echo) error {
		next := time.Now()
		for seq := range count {
			if err := e.send(uint16(seq)); err != nil {
				return err
			}
			next = next.Add(pingInterval)
			n, err := e.receive(ctx, next, count-received)
			received += n
			if err != nil {
				return err
			}
		}
		n, err := e.receive(ctx, time.Now().Add(pingLast), count-received)
		received += n
		return err
	})
	if err != nil {
		return received, fmt.Errorf("ping from %s to %s: %w", vm.Name, to, err)
	}
	return received, nil
}

// WaitPing sends ICMP echo requests until the first one is answered and returns how long that took.
// While it does, the guest repeats address resolution after 5 ms instead of a second, so that what
// is measured is the network and not the guest's patience. Without a deadline it gives up after 30 s.
func (vm *VM) WaitPing(ctx context.Context, to netip.Addr) (time.Duration, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
	}
	begin := time.Now()
	var took time.Duration
	err := vm.withEcho(to, func(e *echo) (err error) {
		restore, err := hastenResolution(to)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, restore()) }()
		for seq := uint16(0); ; seq++ {
			if err := e.send(seq); err != nil {
				return err
			}
			n, err := e.receive(ctx, time.Now().Add(waitInterval), 1)
			if n > 0 {
				took = time.Since(begin)
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	if err != nil {
		return 0, fmt.Errorf("ping from %s to %s: %w", vm.Name, to, err)
	}
	return took, nil
}

// hastenResolution shortens the time after which eth0 asks for an address again, in the network
// namespace of the calling thread, and returns what undoes that.
func hastenResolution(to netip.Addr) (restore func() error, err error) {
	family := "ipv4"
	if to.Is6() {
		family = "ipv6"
	}
	file := "/proc/sys/net/" + family + "/neigh/eth0/retrans_time_ms"
	old, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	set := func(value string) error { return os.WriteFile(file, []byte(value), 0) }
	return func() error { return set(strings.TrimSpace(string(old))) }, set("5")
}

// echo sends ICMP echo requests to one destination and counts the answers.
type echo struct {
	conn  net.PacketConn
	to    net.Addr
	v6    bool
	head  [2]byte  // identifier of the requests
	token [16]byte // their payload: answers to somebody else's requests do not have it
	seen  map[uint16]bool
}

// withEcho runs fn with an echo whose socket is in the network namespace of the virtual machine; fn
// runs on a thread in there.
func (vm *VM) withEcho(to netip.Addr, fn func(*echo) error) error {
	return vm.Do(func() error {
		network, any := "ip4:icmp", "0.0.0.0"
		if to.Is6() {
			network, any = "ip6:ipv6-icmp", "::"
		}
		conn, err := net.ListenPacket(network, any)
		if err != nil {
			return err
		}
		defer conn.Close()
		e := &echo{conn: conn, to: &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()}, v6: to.Is6(), seen: map[uint16]bool{}}
		_, _ = rand.Read(e.token[:]) // never fails, as documented
		copy(e.head[:], e.token[:2])
		return fn(e)
	})
}

// Types of ICMP messages (RFC 792, RFC 4443).
const (
	echoReply4, echoRequest4 = 0, 8
	echoRequest6, echoReply6 = 128, 129
)

func (e *echo) send(seq uint16) error {
	m := make([]byte, 8, 8+len(e.token))
	m[0] = echoRequest4
	if e.v6 {
		m[0] = echoRequest6 // the kernel fills in the checksum
	}
	copy(m[4:6], e.head[:])
	binary.BigEndian.PutUint16(m[6:8], seq)
	m = append(m, e.token[:]...)
	if !e.v6 {
		binary.BigEndian.PutUint16(m[2:4], checksum(m))
	}
	_, err := e.conn.WriteTo(m, e.to)
	return err
}

// receive returns the number of new answers that came until a moment, or until there are limit of them.
func (e *echo) receive(ctx context.Context, until time.Time, limit int) (n int, err error) {
	if err := e.conn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	buf := make([]byte, 256)
	for n < limit {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		size, _, err := e.conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if seq, ours := e.answer(buf[:size]); ours && !e.seen[seq] {
			e.seen[seq] = true
			n++
		}
	}
	return n, nil
}

func (e *echo) answer(m []byte) (seq uint16, ours bool) {
	want := byte(echoReply4)
	if e.v6 {
		want = echoReply6
	}
	if len(m) < 8 || m[0] != want || !bytes.Equal(m[4:6], e.head[:]) || !bytes.Equal(m[8:], e.token[:]) {
		return 0, false
	}
	return binary.BigEndian.Uint16(m[6:8]), true
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
