package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/internal/child"
)

// objectState is what /v1/objects says of an object.
type objectState struct {
	Status     string
	OK         bool
	Conditions []struct {
		Type, Reason, Message, Host string
		OK                          bool
	}
}

// awaitCondition waits until an object has a condition that does not hold, of a host, for a reason and with
// words in its message; with no reason until all hold.
func (f *fabric) awaitCondition(object, host, reason string, words ...string) {
	f.t.Helper()
	eventually(f.t, 15*time.Second, object+" says "+reason, func() error {
		var s objectState
		if err := f.api.get("/v1/objects/"+object, &s); err != nil {
			return err
		}
		if reason == "" && s.OK {
			return nil
		}
		for _, c := range s.Conditions {
			said := !c.OK && c.Reason == reason && c.Host == host
			for _, w := range words {
				said = said && strings.Contains(c.Message, w)
			}
			if said {
				return nil
			}
		}
		return fmt.Errorf("it is %+v", s)
	})
}

// TestServicesSayWhyTheyFail keeps nft and dnsmasq of a gateway host from their work: what they print is
// what the objects concerned say.
func TestServicesSayWhyTheyFail(t *testing.T) {
	g := newGateway(t)
	g.router = g.fabric.router("tenant-a", &g.outside, g.red, g.blue)
	g.leased(g.x, g.y)
	early, ip := g.floatingIP(g.outside, g.x)
	g.fromInternet(10*time.Second, ip)
	router := "router/" + g.router
	g.awaitCondition(router, "net1", "")

	t.Run("nft", func(t *testing.T) {
		g := g.in(t)
		// A table that a process owns is nobody else's to change, and goes with the process.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		owner := g.host("net1").Command(ctx, "ip", "netns", "exec", "qrouter-"+g.router, "nft", "-i")
		in, err := owner.StdinPipe()
		ok(t, err)
		ok(t, owner.Start())
		_, err = fmt.Fprintln(in, "flush ruleset\nadd table inet heddle { flags owner; }")
		ok(t, err)
		g.awaitCondition(router, "net1", "ServiceFailed", "qrouter-"+g.router+" on host net1", "nft", "Operation not permitted")
		g.awaitCondition("floatingip/"+early, "net1", "ServiceFailed", "Operation not permitted")
		late, _ := g.floatingIP(g.outside, g.y)
		g.awaitCondition("floatingip/"+late, "net1", "ServiceFailed", "Operation not permitted")
		var shown struct{ Floatingip struct{ Status string } }
		ok(t, errors.Join(g.api.get("/v2.0/floatingips/"+late, &shown), wantEqual("status", shown.Floatingip.Status, "DOWN")))
		ok(t, in.Close()) // nft ends with its input
		_ = owner.Wait()
		for _, object := range []string{router, "floatingip/" + early, "floatingip/" + late} {
			g.awaitCondition(object, "net1", "")
		}
		g.fromInternet(10*time.Second, ip)
	})
	t.Run("dnsmasq", func(t *testing.T) {
		g := g.in(t)
		server := "qdhcp-" + g.red.ID
		var taken net.PacketConn
		eventually(t, 20*time.Second, "somebody else has the port of DHCP", func() error {
			g.sh("net1", "kill -9 $(cat "+g.agent.state+"/dhcp/"+server+"/pid) || true")
			return child.InNamespace(g.host("net1").Path("/run/netns/"+server), func() (err error) {
				taken, err = net.ListenPacket("udp4", ":67")
				return err
			})
		})
		defer taken.Close()
		port := "port/" + g.x.port.ID
		g.awaitCondition(port, "net1", "ServiceFailed", server+" on host net1", "dnsmasq", "Address already in use")
		g.awaitCondition("network/"+g.red.ID, "net1", "ServiceFailed", "Address already in use")
		g.awaitCondition("port/"+g.y.port.ID, "net1", "") // of another network
		g.says(10*time.Second, "describe network "+g.red.ID, 0, "ServiceFailed", "Address already in use")
		g.says(10*time.Second, "doctor", 1, server, "Address already in use")
		ok(t, taken.Close())
		g.awaitCondition(port, "net1", "")
		g.leased(g.x)
	})
}
