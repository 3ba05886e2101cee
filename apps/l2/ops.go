package l2

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// Config is what an operator decides about networks. The zero Config is usable.
type Config struct {
	// TenantTypes are the types tried, in order, for a network whose type the caller left open;
	// default vxlan.
	TenantTypes []model.NetworkType
	// Ranges are the segment ids to choose from for each tunnel type; default all that the type has.
	// A caller may ask for an id outside of them.
	Ranges map[model.NetworkType][]SegmentRange
	// Physnets are the physical networks that flat and VLAN networks may name. None: any name will
	// do, and a VLAN id must be given.
	Physnets []Physnet
	// UnderlayMTU is the MTU, in bytes, between hosts and of physical networks that set none;
	// default 1500.
	UnderlayMTU int
	// UnderlayIPv6 says that tunnels run over IPv6, whose header is 20 bytes longer.
	UnderlayIPv6 bool
	// BaseMAC gives the first three bytes of chosen MAC addresses; default fa:16:3e.
	BaseMAC of.MAC
	// Rand is where ids, addresses and MACs come from; default crypto/rand.
	Rand io.Reader
}

// SegmentRange is an inclusive range of segment ids: VNIs, GRE keys or VLAN ids.
type SegmentRange struct{ First, Last uint32 }

// Physnet is a physical network: hosts reach it through a bridge of their own.
type Physnet struct {
	Name  string
	VLANs []SegmentRange // to choose from for tenants' VLAN networks; callers may ask for others
	MTU   int            // bytes; 0: Config.UnderlayMTU
}

// Ops are the transactions on networks, subnets, ports and hosts. Each method belongs inside a
// store transaction and changes nothing but through it; a method that returns an error may have put
// part of its changes, so the transaction must fail with it. Errors that a caller caused are
// [*model.Error].
type Ops struct {
	cfg       Config
	followers []Follower
}

// New returns transactions under a configuration, or what is wrong with it.
func New(cfg Config) (*Ops, error) {
	if len(cfg.TenantTypes) == 0 {
		cfg.TenantTypes = []model.NetworkType{model.TypeVXLAN}
	}
	if cfg.UnderlayMTU == 0 {
		cfg.UnderlayMTU = 1500
	}
	if cfg.BaseMAC.IsZero() {
		cfg.BaseMAC = of.MAC{0xfa, 0x16, 0x3e}
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("network settings: %w", err)
	}
	return &Ops{cfg: cfg}, nil
}

func (c *Config) check() error {
	for _, t := range c.TenantTypes {
		if _, ok := segmentLimits[t]; !ok && t != model.TypeLocal {
			return fmt.Errorf("tenants cannot be given networks of type %q", t)
		}
	}
	for t, ranges := range c.Ranges {
		if !t.Tunnel() {
			return fmt.Errorf("type %q takes no segment ranges", t)
		}
		if err := checkRanges(ranges, segmentLimits[t]); err != nil {
			return fmt.Errorf("ranges of %s: %w", t, err)
		}
	}
	seen := map[string]bool{}
	for _, p := range c.Physnets {
		if p.Name == "" || seen[p.Name] {
			return fmt.Errorf("physical network %q is unnamed or named twice", p.Name)
		}
		seen[p.Name] = true
		if err := checkRanges(p.VLANs, segmentLimits[model.TypeVLAN]); err != nil {
			return fmt.Errorf("vlans of physical network %s: %w", p.Name, err)
		}
		if p.MTU != 0 && p.MTU < minMTU {
			return fmt.Errorf("mtu %d of physical network %s is below %d", p.MTU, p.Name, minMTU)
		}
	}
	if c.UnderlayMTU < 576 {
		return fmt.Errorf("underlay mtu %d is below 576", c.UnderlayMTU)
	}
	if c.BaseMAC.IsMulticast() {
		return fmt.Errorf("base mac %s is a multicast address", c.BaseMAC)
	}
	return nil
}

func checkRanges(ranges []SegmentRange, limit SegmentRange) error {
	for _, r := range ranges {
		if r.First > r.Last || r.First < limit.First || r.Last > limit.Last {
			return fmt.Errorf("%d:%d does not lie within %d:%d", r.First, r.Last, limit.First, limit.Last)
		}
	}
	return nil
}

// newID returns a random UUID (RFC 9562 version 4).
func (o *Ops) newID() (model.ID, error) {
	var b [16]byte
	if _, err := io.ReadFull(o.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return model.ID(s[:]), nil
}

// random returns a number from 0 to n-1; n must be positive. The bias of the remainder does not
// matter for what it is used for.
func (o *Ops) random(n uint64) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(o.cfg.Rand, b[:]); err != nil {
		return 0, fmt.Errorf("read random bytes: %w", err)
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v % n, nil
}

// invalid is the Networking API's InvalidInput.
func invalid(format string, args ...any) *model.Error {
	return model.Errorf(model.Invalid, "InvalidInput", "Invalid input for operation: "+format+".", args...)
}
