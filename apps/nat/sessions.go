package nat

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/internal/child"
)

// left is something that was translated and is no more. Its text is an element of the set "leaving".
type left struct {
	outside  netip.Addr
	inside   netip.Addr // 0.0.0.0: of all that were hidden behind the address
	protocol uint8      // of a port forwarding, else 0
	port     uint16     // outside; 0 for protocols without
}

func (l left) String() string {
	return fmt.Sprint(l.outside, concat, l.inside, concat, l.protocol, concat, l.port)
}

func parseLeft(text string) (left, error) {
	var l left
	f := strings.Split(text, concat)
	if len(f) != 4 {
		return l, fmt.Errorf("element %q of set %s has no four parts", text, leavingSet)
	}
	var errs [4]error
	l.outside, errs[0] = netip.ParseAddr(f[0])
	l.inside, errs[1] = netip.ParseAddr(f[1])
	protocol, err := strconv.ParseUint(f[2], 10, 8)
	l.protocol, errs[2] = uint8(protocol), err
	port, err := strconv.ParseUint(f[3], 10, 16)
	l.port, errs[3] = uint16(port), err
	if err := errors.Join(errs[:]...); err != nil {
		return l, fmt.Errorf("element %q of set %s: %w", text, leavingSet, err)
	}
	return l, nil
}

// leavingOf returns what the step from one state of a table to the next takes away, and what an earlier
// one took away and could not finish, as elements of the set "leaving".
func leavingOf(old, now elements) elements {
	out := elements{}
	for k := range old[leavingSet] {
		out.add(leavingSet, k)
	}
	leave := func(outside, inside string, protocol uint8) {
		address, port, _ := strings.Cut(outside, concat)
		inside, _, _ = strings.Cut(inside, concat)
		l := left{protocol: protocol}
		var err [3]error
		l.outside, err[0] = netip.ParseAddr(address)
		l.inside, err[1] = netip.ParseAddr(inside)
		if port != "" {
			var n uint64
			n, err[2] = strconv.ParseUint(port, 10, 16)
			l.port = uint16(n)
		}
		if errors.Join(err[:]...) == nil { // else somebody put in what we never do
			out.add(leavingSet, l.String())
		}
	}
	gone := old.without(now)
	for ip, fixed := range gone["fip_dnat"] {
		leave(ip, fixed, 0)
	}
	for fixed, ip := range gone["fip_snat"] {
		leave(ip, fixed, 0)
	}
	for name, protocol := range forwarded {
		for from, to := range gone["pf_"+name] {
			leave(from, to, protocol)
		}
	}
	for from, to := range gone["pf_icmp"] {
		leave(from, to, protocolICMP)
	}
	for link, ip := range gone["gateway"] {
		if _, ok := old["outside"][link]; ok {
			leave(ip, netip.IPv4Unspecified().String(), 0)
		}
	}
	return out
}

// endSessions deletes the entries of connection tracking of what has left.
func (t *Target) endSessions(name string, leaving map[string]string) error {
	all := make(map[left]bool, len(leaving))
	for text := range leaving {
		if l, err := parseLeft(text); err == nil { // else somebody put in what we never do
			all[l] = true
		}
	}
	if len(all) == 0 {
		return nil
	}
	var c *conntrack.Conn
	err := child.InNamespace(t.path(name), func() (err error) {
		c, err = conntrack.Dial(nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("open connection tracking: %w", err)
	}
	defer c.Close()
	flows, err := c.Dump(nil)
	if err != nil {
		return fmt.Errorf("list tracked connections: %w", err)
	}
	for _, f := range flows {
		if !hasLeft(f, all) {
			continue
		}
		if err := c.Delete(f); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("end session %s: %w", f.TupleOrig, err)
		}
	}
	return nil
}

// hasLeft reports whether a tracked connection is translated as something that has left.
func hasLeft(f conntrack.Flow, all map[left]bool) bool {
	from, to := f.TupleOrig.IP.SourceAddress, f.TupleOrig.IP.DestinationAddress
	answers, answered := f.TupleReply.IP.SourceAddress, f.TupleReply.IP.DestinationAddress
	protocol, port := f.TupleOrig.Proto.Protocol, f.TupleOrig.Proto.DestinationPort
	if protocol == protocolICMP {
		port = 0
	}
	switch {
	case to != answers && (all[left{outside: to, inside: answers}] || all[left{to, answers, protocol, port}]):
		return true
	case from != answered:
		return all[left{outside: answered, inside: from}] || all[left{outside: answered, inside: netip.IPv4Unspecified()}]
	}
	return false
}
