package bridgenic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// answerTime is how long an answer is waited for.
const answerTime = time.Second

// Witness is somebody whose answer shows that the host is reached.
type Witness struct {
	Name    string // as it was given
	address netip.Addr
	service string // host and port of a URL, empty for an address
}

// ParseWitness reads an IP address, which is to answer a ping, or a URL, whose host is to take or refuse a
// TCP connection.
func ParseWitness(text string) (Witness, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return Witness{Name: text, address: a}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return Witness{}, fmt.Errorf("%q is neither an IP address nor a URL", text)
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return Witness{Name: text, service: net.JoinHostPort(u.Hostname(), port)}, nil
}

// Reached returns nil if all witnesses answer. Without any, the gateways of the default routes are asked.
func Reached(ctx context.Context, s State, witnesses []Witness) error {
	if len(witnesses) == 0 {
		for _, g := range s.Gateways() {
			witnesses = append(witnesses, Witness{Name: "gateway " + g.String(), address: g})
		}
	}
	if len(witnesses) == 0 {
		return fmt.Errorf("no default route leads through %s, so there is no gateway to ask: name somebody else by --confirm, or ask nobody by --confirm-timeout 0", s.NIC)
	}
	for _, w := range witnesses {
		if err := w.ask(ctx); err != nil {
			return fmt.Errorf("no answer from %s: %w", w.Name, err)
		}
	}
	return nil
}

func (w Witness) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if w.service == "" {
		return ping(ctx, w.address)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.service)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil // the host says so itself
	}
	if err != nil {
		return err
	}
	return c.Close()
}

// ping waits for the answer to an ICMP echo request (RFC 792, RFC 4443 §4.1).
func ping(ctx context.Context, to netip.Addr) error {
	network, own, protocol := "ip4:icmp", "0.0.0.0", 1
	var request, reply icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	if to.Is6() {
		network, own, protocol = "ip6:ipv6-icmp", "::", 58
		request, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	c, err := icmp.ListenPacket(network, own)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	id := os.Getpid() & 0xffff
	m := icmp.Message{Type: request, Body: &icmp.Echo{ID: id, Seq: 1, Data: []byte("heddle bridge-nic")}}
	b, err := m.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(b, &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()}); err != nil {
		return err
	}
	in := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(in)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		got, err := icmp.ParseMessage(protocol, in[:n])
		if err != nil || got.Type != reply {
			continue
		}
		echo, is := got.Body.(*icmp.Echo)
		if addr, ok := from.(*net.IPAddr); is && ok && echo.ID == id && addr.IP.Equal(net.IP(to.AsSlice())) {
			return nil
		}
	}
}
