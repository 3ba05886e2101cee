package l2

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// world is a model that transactions are tried on. After each, the model's invariants must hold.
type world struct {
	t     testing.TB
	ops   *Ops
	m     *model.Model
	now   time.Time
	names map[model.ID]string
}

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	if cfg.Rand == nil {
		cfg.Rand = rand.NewChaCha8([32]byte{1})
	}
	ops, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, ops: ops, m: &model.Model{}, names: map[model.ID]string{},
		now: time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC),
	}
}

// try runs a transaction; if it fails the world stays as it is.
func (w *world) try(fn func(tx *store.Tx) error) error {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	tx := store.NewTx(w.m, w.now, store.Cause{Request: "req-1"})
	if err := fn(tx); err != nil {
		return err
	}
	if err := model.Check(tx.Model()); err != nil {
		w.t.Fatalf("the model breaks its invariants: %v", err)
	}
	next := *tx.Model()
	next.Rev = tx.Rev()
	w.m = &next
	return nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// network, subnet and port make one that is called name in error texts.
func (w *world) network(name string, req NetworkCreate) (*model.Network, error) {
	w.t.Helper()
	req.Project, req.Name = "p1", name
	var n *model.Network
	err := w.try(func(tx *store.Tx) (err error) { n, err = w.ops.CreateNetwork(tx, req); return err })
	if err == nil {
		w.names[n.ID] = name
	}
	return n, err
}

func (w *world) subnet(name string, req SubnetCreate) (*model.Subnet, error) {
	w.t.Helper()
	req.Project, req.Name = "p1", name
	if req.IPVersion == 0 {
		req.IPVersion = 4
		if req.CIDR.Addr().Is6() {
			req.IPVersion = 6
		}
	}
	var s *model.Subnet
	err := w.try(func(tx *store.Tx) (err error) { s, err = w.ops.CreateSubnet(tx, req); return err })
	if err == nil {
		w.names[s.ID] = name
	}
	return s, err
}

func (w *world) port(name string, req PortCreate) (*model.Port, error) {
	w.t.Helper()
	req.Name = name
	if req.Project == "" {
		req.Project = "p1"
	}
	var p *model.Port
	err := w.try(func(tx *store.Tx) (err error) { p, err = w.ops.CreatePort(tx, req); return err })
	if err == nil {
		w.names[p.ID] = name
	}
	return p, err
}

func (w *world) updateNetwork(id model.ID, req NetworkUpdate) (n *model.Network, err error) {
	w.t.Helper()
	err = w.try(func(tx *store.Tx) (err error) { n, err = w.ops.UpdateNetwork(tx, id, req); return err })
	return n, err
}

func (w *world) updateSubnet(id model.ID, req SubnetUpdate) (s *model.Subnet, err error) {
	w.t.Helper()
	err = w.try(func(tx *store.Tx) (err error) { s, err = w.ops.UpdateSubnet(tx, id, req); return err })
	return s, err
}

func (w *world) updatePort(id model.ID, req PortUpdate) (p *model.Port, err error) {
	w.t.Helper()
	err = w.try(func(tx *store.Tx) (err error) { p, err = w.ops.UpdatePort(tx, id, req); return err })
	return p, err
}

func (w *world) bind(port model.ID, host, iface string) error {
	w.t.Helper()
	return w.try(func(tx *store.Tx) error { _, err := w.ops.Bind(tx, port, host, iface); return err })
}

func (w *world) unbind(port model.ID, host string) {
	w.t.Helper()
	w.must(w.try(func(tx *store.Tx) error { w.ops.Unbind(tx, port, host); return nil }))
}

// explain is an error as "Kind: message" with names in place of ids; "" is no error.
func (w *world) explain(err error) string {
	if err == nil {
		return ""
	}
	var e *model.Error
	if !errors.As(err, &e) {
		return "not a model.Error: " + err.Error()
	}
	text := e.Kind + ": " + e.Msg
	for id, name := range w.names {
		text = strings.ReplaceAll(text, string(id), name)
	}
	return text
}

func (w *world) expect(err error, want string) {
	w.t.Helper()
	if got := w.explain(err); got != want {
		w.t.Errorf("got  %q\nwant %q", got, want)
	}
}

// addresses lists a port's addresses.
func addresses(p *model.Port) string {
	var out []string
	for _, ip := range p.FixedIPs {
		out = append(out, ip.IP.String())
	}
	return strings.Join(out, " ")
}

func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr   { return netip.MustParseAddr(s) }

func pool(first, last string) model.Range { return model.Range{First: addr(first), Last: addr(last)} }

func mac(s string) of.MAC {
	m, err := of.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return m
}

func fixed(ips ...string) Opt[[]model.FixedIP] {
	out := []model.FixedIP{}
	for _, ip := range ips {
		out = append(out, model.FixedIP{IP: addr(ip)})
	}
	return Val(out)
}

type (
	addrType = netip.Addr
	macType  = of.MAC
)

// must is the value of a lookup that cannot fail here.
func must[T any](v T, ok bool) T {
	if !ok {
		panic("not found")
	}
	return v
}
