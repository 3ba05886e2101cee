package l2

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// diary makes a follower that writes down what it is told, and refuses what is named no.
func diary(w *world, heard *[]string) Follower {
	note := func(format string, args ...any) error {
		*heard = append(*heard, fmt.Sprintf(format, args...))
		return nil
	}
	names := func(p *model.Port) string {
		if p == nil {
			return "nothing"
		}
		return p.Name
	}
	return Follower{
		MayChangePort: func(_ *store.Tx, before, after *model.Port) error {
			if after != nil && after.Name == "no" {
				return errors.New("refused")
			}
			return note("may %s become %s", names(before), names(after))
		},
		PortChanged: func(_ *store.Tx, before, after *model.Port) error {
			return note("%s became %s", names(before), names(after))
		},
		SubnetsChanged: func(_ *store.Tx, network model.ID) error { return note("subnets of %s changed", w.names[network]) },
		NetworkLeaves:  func(_ *store.Tx, n *model.Network) error { return note("%s leaves", n.Name) },
		HostChanged: func(_ *store.Tx, before, after *model.Host) error {
			return note("host came %t, left %t", before == nil, after == nil)
		},
	}
}

func TestFollowersHearOfChanges(t *testing.T) {
	w := newWorld(t, Config{})
	var heard []string
	w.ops.Follow(Follower{}) // which wants to hear nothing
	w.ops.Follow(diary(w, &heard))
	want := func(what string, notes ...string) {
		t.Helper()
		if !slices.Equal(heard, notes) {
			t.Errorf("%s: heard %q, want %q", what, heard, notes)
		}
		heard = nil
	}
	n, err := w.network("n", NetworkCreate{})
	w.must(err)
	want("network")
	s, err := w.subnet("s", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
	w.must(err)
	want("subnet", "subnets of n changed")
	p, err := w.port("p", PortCreate{Network: n.ID})
	w.must(err)
	want("port", "may nothing become p")
	_, err = w.updatePort(p.ID, PortUpdate{Name: Val("q")})
	w.must(err)
	want("port update", "may p become q", "p became q")
	_, err = w.updatePort(p.ID, PortUpdate{Name: Val("q")})
	w.must(err)
	want("update that changes nothing")
	if _, err := w.updatePort(p.ID, PortUpdate{Name: Val("no")}); err == nil {
		t.Error("the follower's refusal was not heard")
	}
	w.must(w.try(func(tx *store.Tx) error {
		_, err := w.ops.ChangePort(tx, p.ID, PortUpdate{Name: Val("no")})
		return err
	}))
	want("change by its owner", "q became no")
	w.must(w.try(func(tx *store.Tx) error { return w.ops.RemovePort(tx, p.ID) }))
	want("removal by its owner", "no became nothing")
	p, err = w.port("p", PortCreate{Network: n.ID, DeviceOwner: OwnerDHCP})
	w.must(err)
	w.must(w.try(func(tx *store.Tx) error { return w.ops.DeleteSubnet(tx, s.ID) }))
	want("subnet that a port was on", "may nothing become p", "p became p", "subnets of n changed")
	w.must(w.try(func(tx *store.Tx) error { return w.ops.DeleteNetwork(tx, n.ID) }))
	want("network that a port was on", "n leaves", "p became nothing", "subnets of n changed")
	w.must(w.try(func(tx *store.Tx) error { _, err := w.ops.PutHost(tx, "h", HostPut{}); return err }))
	w.must(w.try(func(tx *store.Tx) error { return w.ops.DeleteHost(tx, "h") }))
	want("host", "host came true, left false", "host came false, left true")
}

func TestFirstFreeAddress(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("n", NetworkCreate{})
	w.must(err)
	s, err := w.subnet("s", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/29"), Pools: Val([]model.Range{
		{First: addr("10.0.0.3"), Last: addr("10.0.0.3")}, {First: addr("10.0.0.6"), Last: addr("10.0.0.6")}})})
	w.must(err)
	for _, want := range []string{"10.0.0.3", "10.0.0.6", "invalid IP"} {
		ip, ok := FirstFree(w.m, s)
		if ip.String() != want || ok != ip.IsValid() {
			t.Errorf("first free address is %s, want %s", ip, want)
		}
		if ok {
			_, err := w.port("", PortCreate{Network: n.ID, FixedIPs: Val([]model.FixedIP{{IP: ip}})})
			w.must(err)
		}
	}
}
