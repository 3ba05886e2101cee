// Package fakeswitch is an OpenFlow 1.3 switch in memory. It speaks real bytes
// over a net.Conn and enforces what the specification asks of a controller:
// HELLO first, roles with generations, all or nothing in bundles, matching xids,
// references to groups that exist. It forwards no packets.
//
// A [Switch] is the bridge: its flows, groups and meters outlive connections,
// as those of a bridge in fail mode secure do. Any number of controllers may be
// connected at a time. What goes wrong is up to a [Fault].
package fakeswitch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Options say what a Switch is. The zero value is a switch with datapath id 0,
// OpenFlow 1.3, no port but LOCAL, and no limits.
type Options struct {
	DPID of.DPID
	// Bridge is the name of the LOCAL port. Default "br0".
	Bridge string
	Ports  []of.Port
	// Versions is the bitmap of HELLO, bit n for version byte n. Default 1.3
	// alone.
	Versions uint64
	// NoBitmap leaves the bitmap out of HELLO, as switches older than 1.3.1 do.
	NoBitmap bool
	// Mute sends nothing, not even HELLO.
	Mute bool
	// NoMonitor refuses flow monitors.
	NoMonitor bool
	// MaxFlows is how many flows a table takes; 0 for any number.
	MaxFlows int
	// PartSize is how many bytes of items go into one part of a multipart
	// reply. Default 48 KiB; an item longer than that gets a part of its own.
	PartSize int
	// Fault decides what goes wrong. Default nothing.
	Fault Fault
}

// Switch is a switch. Its methods may be called from any goroutine.
type Switch struct {
	opts Options

	mu         sync.Mutex
	fault      Fault
	tables     tables
	ports      map[of.PortNo]of.Port
	conns      map[*conn]struct{}
	generation uint64
	generated  bool // a generation was seen
	packets    []wire.PacketOut
}

// New returns a switch without flows and without connections.
func New(o Options) *Switch {
	if o.Bridge == "" {
		o.Bridge = "br0"
	}
	if o.Versions == 0 {
		o.Versions = 1 << wire.Version
	}
	if o.PartSize == 0 {
		o.PartSize = 48 << 10
	}
	s := &Switch{
		opts:   o,
		fault:  o.Fault,
		tables: newTables(o.MaxFlows),
		ports:  map[of.PortNo]of.Port{of.PortLocal: {No: of.PortLocal, Name: o.Bridge}},
		conns:  make(map[*conn]struct{}),
	}
	for _, p := range o.Ports {
		s.ports[p.No] = p
	}
	return s
}

// Serve speaks with one controller until the connection or ctx ends. It closes
// c and returns why it ended, nil if the controller closed it.
func (s *Switch) Serve(ctx context.Context, c net.Conn) error {
	k := newConn(s, c)
	s.mu.Lock()
	s.conns[k] = struct{}{}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, k.close)
	err := k.run()
	stop()
	s.mu.Lock()
	delete(s.conns, k)
	s.mu.Unlock()
	return err
}

// Dial connects to a controller over TCP and speaks with it as Serve does.
func (s *Switch) Dial(ctx context.Context, addr string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("dialling the controller: %w", err)
	}
	return s.Serve(ctx, c)
}

// Listen accepts controllers on ln until ctx ends, as a bridge with ptcp: does.
// It returns after the last connection has ended.
func (s *Switch) Listen(ctx context.Context, ln net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("accepting a controller: %w", err)
		}
		wg.Go(func() {
			// How one connection ends is the business of its peer.
			_ = s.Serve(ctx, c)
		})
	}
}

// SetFault changes what goes wrong from now on; nil for nothing.
func (s *Switch) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Connections is how many controllers are connected.
func (s *Switch) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Disconnect closes all connections.
func (s *Switch) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.conns {
		k.close()
	}
}

// Flows returns the text of all flows, sorted.
func (s *Switch) Flows() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.tables.flows))
	for _, f := range s.tables.flows {
		out = append(out, f.flow.String())
	}
	slices.Sort(out)
	return out
}

// Entries returns all flows, packed.
func (s *Switch) Entries() map[of.Key]wire.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[of.Key]wire.Entry, len(s.tables.flows))
	for k, f := range s.tables.flows {
		out[k] = f.entry
	}
	return out
}

// Packets returns what controllers have sent with PACKET_OUT so far.
func (s *Switch) Packets() []wire.PacketOut {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.packets)
}

// Apply does flow mods as if somebody with ovs-ofctl did. Controllers that
// watch are told.
func (s *Switch) Apply(mods ...wire.FlowMod) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range mods {
		changes, err := s.tables.apply(&mods[i])
		if err != nil {
			return fmt.Errorf("flow mod %d: %w", i, err)
		}
		s.tellLocked(changes, nil, 0)
	}
	return nil
}

// Restart is what a restart of the switch does: flows, groups, meters and the
// generation are gone, connections end.
func (s *Switch) Restart() {
	s.Disconnect()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables = newTables(s.opts.MaxFlows)
	s.generated = false
}

// SetPort adds or changes a port and tells controllers that asked for it.
func (s *Switch) SetPort(p of.Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason := wire.PortAdded
	if _, had := s.ports[p.No]; had {
		reason = wire.PortModified
	}
	s.ports[p.No] = p
	s.tellPortLocked(wire.PortStatus{Reason: reason, Port: p})
}

// RemovePort removes a port and tells controllers that asked for it.
func (s *Switch) RemovePort(no of.PortNo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, had := s.ports[no]
	if !had {
		return
	}
	delete(s.ports, no)
	s.tellPortLocked(wire.PortStatus{Reason: wire.PortDeleted, Port: p})
}

func (s *Switch) tellPortLocked(m wire.PortStatus) {
	for k := range s.conns {
		if k.wants(k.async.PortStatus, k.async.PortStatusSlave, uint8(m.Reason)) {
			k.send(wire.AppendPortStatus(nil, 0, m))
		}
	}
}

// PacketIn sends a packet to the controllers that asked for its reason.
func (s *Switch) PacketIn(p wire.PacketIn) error {
	message, err := wire.AppendPacketIn(nil, 0, p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.conns {
		if k.wants(k.async.PacketIn, k.async.PacketInSlave, uint8(p.Reason)) {
			k.send(message)
		}
	}
	return nil
}

// Send sends raw bytes to every controller.
func (s *Switch) Send(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.conns {
		k.send(raw)
	}
}

// sortedPorts are the ports by number.
func (s *Switch) sortedPorts() []of.Port {
	return slices.SortedFunc(maps.Values(s.ports), func(a, b of.Port) int { return int(int64(a.No) - int64(b.No)) })
}
