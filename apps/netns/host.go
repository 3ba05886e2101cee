package netns

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// DefaultDir is where ip-netns(8) looks for namespaces by name.
const DefaultDir = "/run/netns"

// Datapath is the kind of datapath that br-int has.
type Datapath string

// The kinds of datapaths.
const (
	Auto   Datapath = "auto"   // as br-int's datapath_type says; until there is a br-int, as Netdev
	Netdev Datapath = "netdev" // userspace: it completes no checksums, and the kernel sees every frame too
	System Datapath = "system" // the kernel's
)

// Config is how a host is reached. The zero value will do.
type Config struct {
	Dir      string   // of named namespaces; default DefaultDir
	OVSDB    string   // of the local Open vSwitch; default "unix:/run/openvswitch/db.sock"
	Datapath Datapath // default Auto
	Log      *logrus.Entry
}

// Host is this machine's namespaces, as seen from the namespace that it was opened in. Its methods may
// be called from any goroutine.
type Host struct {
	dir      string
	datapath Datapath
	ovs      ovs
	log      *logrus.Entry

	link    *netlink.Handle // in the host's own namespace
	self    int             // that namespace, open
	nft     sync.Mutex      // guards the table of guards: one change at a time
	offload atomic.Bool     // what was last seen of br-int: its datapath completes checksums
	tracker *tracker
	voices  *announcer
}

// Open returns the host that the process runs on. It needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
func Open(c Config) (*Host, error) {
	if c.Dir == "" {
		c.Dir = DefaultDir
	}
	if c.OVSDB == "" {
		c.OVSDB = "unix:/run/openvswitch/db.sock"
	}
	if c.Datapath == "" {
		c.Datapath = Auto
	}
	if c.Log == nil {
		c.Log = logrus.NewEntry(logrus.StandardLogger())
	}
	switch c.Datapath {
	case Auto, Netdev, System:
	default:
		return nil, fmt.Errorf("datapath type %q is none of auto, netdev, system", c.Datapath)
	}
	self, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open own network namespace: %w", err)
	}
	link, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		_ = unix.Close(self)
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	h := &Host{dir: c.Dir, datapath: c.Datapath, ovs: ovs{db: c.OVSDB}, log: c.Log, link: link, self: self, tracker: newTracker(), voices: newAnnouncer(c.Log)}
	h.offload.Store(c.Datapath == System)
	return h, nil
}

// Close frees what the host holds. Everything that was made stays.
func (h *Host) Close() {
	h.voices.close()
	h.link.Close()
	_ = unix.Close(h.self)
}

// Offload reports whether the datapath of br-int completes checksums, so that links may leave them to it.
func (h *Host) Offload() bool { return h.offload.Load() }

// Found is a namespace or a port of this host that is not necessarily wanted.
type Found struct {
	Name   string
	Object string // what it was made for; empty if it is not ours
	Ours   bool
}

// Namespaces lists the named namespaces by name, ours and foreign ones. Those in skip are not looked
// into and are left out.
func (h *Host) Namespaces(ctx context.Context, skip map[string]bool) ([]Found, error) {
	entries, err := os.ReadDir(h.dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var out []Found
	for _, e := range entries {
		if skip[e.Name()] {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		m, err := h.mark(e.Name())
		if err != nil && !os.IsNotExist(err) {
			// What cannot be told is not ours, as far as anyone needs to know.
			h.log.WithError(err).WithField("namespace", e.Name()).Debug("namespace cannot be looked into")
		}
		out = append(out, Found{Name: e.Name(), Object: m.Object, Ours: m.Object != ""})
	}
	return out, nil
}

// announceGap is RFC 5227 §1.1's ANNOUNCE_INTERVAL.
const announceGap = 2 * time.Second
