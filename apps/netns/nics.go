package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/apps/bridgenic"
)

// kernelDatapath is the device that the ports of the kernel's datapath belong to.
const kernelDatapath = "ovs-system"

// NICs reads and changes NICs and bridges of the host's own namespace by ip(8), ovs-vsctl(8) and nft(8), in
// whose words bridgenic plans.
type NICs struct{ host *Host }

var _ bridgenic.Host = NICs{}

// NICs returns the host's NICs.
func (h *Host) NICs() NICs { return NICs{h} }

// Boot identifies the time since the machine was started.
func (NICs) Boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// Read returns how NIC and bridge are now.
func (n NICs) Read(ctx context.Context, nic, bridge string) (bridgenic.State, error) {
	s := bridgenic.State{Taken: time.Now(), NIC: nic, Bridge: bridge, Settings: map[string]string{}}
	if err := n.readBridge(ctx, &s); err != nil {
		return s, err
	}
	for _, name := range []string{nic, bridge} {
		link, err := readLink(ctx, name)
		if err != nil {
			return s, err
		}
		s.Addresses = append(s.Addresses, link.Addresses...)
		if name == bridge {
			s.BridgeUp = link.Up
			continue
		}
		s.MAC = link.MAC
		if link.Master != "" && link.Master != kernelDatapath {
			return s, fmt.Errorf("%s belongs to %s: move that", nic, link.Master)
		}
	}
	for _, family := range []int{4, 6} {
		f := fmt.Sprintf("-%d", family)
		out, err := command(ctx, nil, "ip", "-o", "-d", f, "route", "show", "table", "all")
		if err != nil {
			return s, fmt.Errorf("read routes: %w", err)
		}
		routes, err := bridgenic.ParseRoutes(family, out, nic, bridge)
		if err != nil {
			return s, err
		}
		s.Routes = append(s.Routes, routes...)
		if out, err = command(ctx, nil, "ip", "-o", f, "rule", "show"); err != nil {
			return s, fmt.Errorf("read rules: %w", err)
		}
		s.Rules = append(s.Rules, bridgenic.ParseRules(family, out, nic, bridge)...)
	}
	for _, path := range bridgenic.Settings(nic, bridge) {
		text, err := os.ReadFile("/proc/sys/" + path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return s, fmt.Errorf("read setting: %w", err)
		}
		s.Settings[path] = strings.TrimSpace(string(text))
	}
	if !s.Netdev {
		return s, nil
	}
	guarded, _, err := guards(ctx, bridgenic.GuardTable)
	s.Guarded = guarded[nic]
	return s, err
}

func readLink(ctx context.Context, name string) (bridgenic.Link, error) {
	out, err := command(ctx, nil, "ip", "-j", "address", "show", "dev", name)
	if err != nil {
		return bridgenic.Link{}, fmt.Errorf("read addresses of %s: %w", name, err)
	}
	return bridgenic.ParseLink(name, out)
}

// readBridge asks Open vSwitch for what it knows of NIC and bridge.
func (n NICs) readBridge(ctx context.Context, s *bridgenic.State) error {
	out, err := n.host.ovs.vsctl(ctx, "--columns=name,datapath_type,other_config,ports", "list", "Bridge",
		"--", "--columns=_uuid,name", "list", "Port", "--", "--columns=name", "find", "Interface", fmt.Sprintf("name=%q", s.NIC))
	if err != nil {
		return fmt.Errorf("read bridges: %w", err)
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	var bridges, ports, interfaces struct{ Data [][]any }
	for _, table := range []*struct{ Data [][]any }{&bridges, &ports, &interfaces} {
		if err := d.Decode(table); err != nil {
			return fmt.Errorf("read bridges: %w", err)
		}
	}
	port := ""
	for _, row := range ports.Data {
		if len(row) == 2 && row[1] == s.NIC {
			port = fmt.Sprint(row[0])
		}
	}
	if port == "" && len(interfaces.Data) > 0 {
		return fmt.Errorf("%s is part of a bond of Open vSwitch, which is a port already", s.NIC)
	}
	found := false
	for _, row := range bridges.Data {
		if len(row) != 4 {
			return fmt.Errorf("read bridges: row of %d columns", len(row))
		}
		has := port != "" && slices.Contains(uuids(row[3]), port)
		if row[0] == s.Bridge {
			found, s.Plugged, s.Netdev, s.HWAddr = true, has, row[1] == string(Netdev), ovsdbMap(row[2])["hwaddr"]
		} else if has {
			return fmt.Errorf("%s is a port of bridge %v: take it off first (ovs-vsctl del-port %v %s)", s.NIC, row[0], row[0], s.NIC)
		}
	}
	if !found {
		return fmt.Errorf("there is no bridge %s: make it first (ovs-vsctl add-br %s)", s.Bridge, s.Bridge)
	}
	return nil
}

// uuids reads a set of UUIDs in the notation of RFC 7047 §5.1, which of one is the UUID itself. Each is in
// the form that another column shows it in.
func uuids(v any) []string {
	pair, _ := v.([]any)
	if len(pair) != 2 {
		return nil
	}
	if pair[0] != "set" {
		return []string{fmt.Sprint(v)}
	}
	var out []string
	all, _ := pair[1].([]any)
	for _, one := range all {
		out = append(out, fmt.Sprint(one))
	}
	return out
}

// Do makes one change. Those of Open vSwitch have happened in the datapath when it returns.
func (n NICs) Do(ctx context.Context, s bridgenic.Step) error {
	switch s := s.(type) {
	case bridgenic.Set:
		return os.WriteFile("/proc/sys/"+s.Path, []byte(s.Value), 0o644)
	case bridgenic.Guard:
		return setGuards(ctx, bridgenic.GuardTable, []string{s.NIC}, nil)
	case bridgenic.Unguard:
		return n.unguard(ctx, s.NIC)
	case bridgenic.Announce:
		link, err := n.host.link.LinkByName(s.Link)
		if err != nil {
			return fmt.Errorf("announce addresses: %w", err)
		}
		var frames []frame
		for _, ip := range s.Addresses {
			frames = append(frames, announcements(link.Attrs(), ip)...)
		}
		return n.host.voices.say(frames)
	}
	words := strings.Fields(s.String())
	if words[0] == "ovs-vsctl" {
		words = slices.Insert(words, 1, "--db="+n.host.ovs.db, "--timeout=8")
	}
	_, err := command(ctx, nil, words[0], words[1:]...)
	return err
}

// unguard takes a guard away, and with the last one the table.
func (n NICs) unguard(ctx context.Context, nic string) error {
	if err := setGuards(ctx, bridgenic.GuardTable, nil, []string{nic}); err != nil {
		return err
	}
	_, chains, err := guards(ctx, bridgenic.GuardTable)
	if err == nil && len(chains) == 0 {
		_, err = command(ctx, nil, "nft", "delete", "table", "netdev", bridgenic.GuardTable)
	}
	return err
}
