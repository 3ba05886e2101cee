package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// place is where sockets can be opened: a virtual machine, the internet host.
type place interface {
	Do(fn func() error) error
}

// internetHost is the place beyond the external network.
type internetHost struct{ f *fabric }

func (i internetHost) Do(fn func() error) error { return i.f.lab.InternetDo(fn) }

// askedAt is the port, of TCP and of UDP, on which places answer.
const askedAt = 7

// answers has a place answer whoever asks it, by TCP and UDP, IPv4 and IPv6, with its name and the address
// that it sees the question come from, until the test ends.
func answers(t testing.TB, at place, name string) {
	t.Helper()
	var tcp net.Listener
	var udp net.PacketConn
	ok(t, at.Do(func() (err error) {
		if tcp, err = net.Listen("tcp", fmt.Sprint(":", askedAt)); err == nil {
			udp, err = net.ListenPacket("udp", fmt.Sprint(":", askedAt))
		}
		return err
	}))
	t.Cleanup(func() { tcp.Close(); udp.Close() })
	answer := func(from net.Addr) []byte {
		at, err := netip.ParseAddrPort(from.String())
		if err != nil {
			return []byte(err.Error())
		}
		return []byte(name + " " + at.Addr().Unmap().WithZone("").String() + "\n")
	}
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for question := make([]byte, 1); ; {
					if _, err := c.Read(question); err != nil {
						return
					}
					if _, err := c.Write(answer(c.RemoteAddr())); err != nil {
						return
					}
				}
			}()
		}
	}()
	go func() {
		for question := make([]byte, 1); ; {
			_, from, err := udp.ReadFrom(question)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(answer(from), from) // who is not answered asks again
		}
	}()
}

// dial opens a connection from a place.
func dial(from place, network string, to netip.AddrPort) (conn net.Conn, err error) {
	err = from.Do(func() (err error) {
		conn, err = net.DialTimeout(network, to.String(), 2*time.Second)
		return err
	})
	return conn, err
}

// ask asks once over a connection.
func ask(conn net.Conn) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("?")); err != nil {
		return "", err
	}
	answer := make([]byte, 100)
	n, err := conn.Read(answer)
	return strings.TrimSpace(string(answer[:n])), err
}

// hears waits until a place is answered as wanted: by whom, who saw it as seen. An invalid address is any.
func (f *fabric) hears(from place, network string, to netip.AddrPort, whom string, seen netip.Addr) {
	f.t.Helper()
	eventually(f.t, 15*time.Second, fmt.Sprintf("%s answers at %s %s", whom, network, to), func() error {
		conn, err := dial(from, network, to)
		if err != nil {
			return err
		}
		defer conn.Close()
		got, err := ask(conn)
		name, address, _ := strings.Cut(got, " ")
		if seen.IsValid() {
			err = errors.Join(err, wantEqual("address that is seen", address, seen.String()))
		}
		return errors.Join(err, wantEqual("name", name, whom))
	})
}
