package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// stateOf is an object in /v1/objects/{kind}/{id}.
type stateOf struct {
	Status     string
	OK         bool
	Conditions []struct {
		Type    string
		OK      bool
		Unknown bool
		Info    bool
		Reason  string
		Message string
		Host    string
		Since   time.Time
	}
	Effects []struct{ Host, Where, Type, Text, Says, State, Object string }
}

// object returns an object with all that is known of it.
func (f *fabric) object(kind, id string) (stateOf, error) {
	var o stateOf
	return o, f.api.get("/v1/objects/"+kind+"/"+id, &o)
}

// tells waits until a condition of an object does not hold for a reason, and its message says all of some
// things; it returns since when that is so.
func (f *fabric) tells(limit time.Duration, kind, id, condition, reason string, says ...string) time.Time {
	f.t.Helper()
	var since time.Time
	eventually(f.t, limit, fmt.Sprintf("%s %s tells %s of %s", kind, id, reason, condition), func() error {
		o, err := f.object(kind, id)
		if err != nil {
			return err
		}
		for _, c := range o.Conditions {
			if c.Type == condition && !c.OK && !c.Unknown && c.Reason == reason && containsAll(c.Message, says) {
				since = c.Since
				return nil
			}
		}
		return fmt.Errorf("want %q; it says %+v", says, o.Conditions)
	})
	return since
}

// well waits until nothing is wrong with an object.
func (f *fabric) well(limit time.Duration, kind, id string) {
	f.t.Helper()
	eventually(f.t, limit, kind+" "+id+" is well", func() error {
		o, err := f.object(kind, id)
		if err == nil && !o.OK {
			err = fmt.Errorf("it says %+v", o.Conditions)
		}
		return err
	})
}

// problem waits until a host has a problem with a reason whose message says all of some things.
func (f *fabric) problem(limit time.Duration, host, reason string, says ...string) {
	f.t.Helper()
	eventually(f.t, limit, fmt.Sprintf("host %s has problem %s", host, reason), func() error {
		h, err := f.hostState(host)
		if err != nil {
			return err
		}
		for _, p := range h.Problems {
			if p.Reason == reason && containsAll(p.Message, says) {
				return nil
			}
		}
		return fmt.Errorf("want %q; it has %+v", says, h.Problems)
	})
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// TestCausesAreNamed makes what goes wrong most often, one thing after another, and looks for its cause
// where somebody would who has the API and nothing else.
func TestCausesAreNamed(t *testing.T) {
	f := newGatewayFabric(t, []lab.HostConfig{{Name: "net1", Gateway: true}, {Name: "cmp1"}, {Name: "cmp2"}})
	w := &causes{fabric: f, agent: f.agent("net1")}
	w.red = f.served("red", "tenant-a", "10.0.31.0/24")
	w.a, w.b = f.client("a", "cmp1", w.red), f.client("b", "cmp2", w.red)
	f.active(w.a, w.b)
	f.well(20*time.Second, "port", w.a.port.ID)
	t.Run("tunnel_address_is_wrong", func(t *testing.T) { w.in(t).testTunnelAddress() })
	t.Run("underlay_is_too_narrow", func(t *testing.T) { w.in(t).testUnderlay() })
}

// causes is a fabric of a gateway host and two hosts with a virtual machine each, on one network.
type causes struct {
	*fabric
	agent *agent // of net1
	red   network
	a, b  *vm // on cmp1 and cmp2
}

func (w *causes) in(t testing.TB) *causes {
	x := *w
	x.fabric = w.fabric.in(t)
	return &x
}

// testTunnelAddress: a host says that its end of tunnels is where nobody is.
func (w *causes) testTunnelAddress() {
	last, err := w.api.lastEvent()
	ok(w.t, err)
	right := w.host("cmp1").Underlay().String()
	w.vsctl("cmp1", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip=172.31.0.99")
	why := []string{"no tunnel of host cmp1 is up", "172.31.0.99", "heddle-encap-ip", "PATCH /v1/hosts/cmp1"}
	w.problem(20*time.Second, "cmp1", "TunnelDown", why...)
	w.problem(20*time.Second, "cmp2", "TunnelDown", append(why, "to host cmp1")...)
	w.tells(5*time.Second, "port", w.a.port.ID, "Tunnels", "TunnelDown", why...)
	w.tells(5*time.Second, "network", w.red.ID, "Tunnels", "TunnelDown", why...)
	w.tells(5*time.Second, "host", "cmp1", "Tunnels", "TunnelDown", why...)
	w.api.awaitEvent(w.t, 10*time.Second, last, "tunnel_down", "cmp2", `"to":"cmp1"`)
	w.vsctl("cmp1", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip="+right)
	w.well(20*time.Second, "port", w.a.port.ID)
	w.well(20*time.Second, "host", "cmp2")
}

// testUnderlay: what the tunnels of a host leave by takes less than the network needs.
func (w *causes) testUnderlay() {
	w.vsctl("cmp1", "set", "Interface", "br-phy", "mtu_request=1400")
	why := []string{"network red has MTU 1450 and VXLAN needs 50 bytes more", "br-phy of host cmp1 carries 1400", "to 1350", "to 1500"}
	w.problem(10*time.Second, "cmp1", "UnderlayMTU", why...)
	w.tells(5*time.Second, "network", w.red.ID, "MTU", "UnderlayMTU", why...)
	w.tells(5*time.Second, "port", w.a.port.ID, "MTU", "UnderlayMTU", why...)
	w.vsctl("cmp1", "remove", "Interface", "br-phy", "mtu_request", "1400")
	w.vsctl("cmp1", "set", "Interface", "br-phy", "mtu_request=1500")
	w.well(10*time.Second, "network", w.red.ID)
}
