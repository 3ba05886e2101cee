package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// guardTable is the table of the guards of ports, in the family netdev.
const guardTable = "heddle-agent"

// A guard keeps the host's own stack off a link that is plugged into a userspace datapath. The datapath
// reads the link through a packet socket, so the kernel gets a copy of every frame and would answer ARP
// and more in the host's name. The ingress hook comes after packet sockets: dropping there takes nothing
// from Open vSwitch.

// chainOf is the name of a link's guard: with a prefix, as nft(8) keeps some words for itself.
func chainOf(link string) string { return "guard-" + link }

// guards returns the links that have a guard in a table, and those that have a chain of its name at all.
func guards(ctx context.Context, table string) (guarded, chains map[string]bool, err error) {
	guarded, chains = map[string]bool{}, map[string]bool{}
	out, err := command(ctx, nil, "nft", "-j", "list", "table", "netdev", table)
	if e := (*commandError)(nil); errors.As(err, &e) && strings.Contains(e.said, "No such file or directory") {
		return guarded, chains, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read guards: %w", err)
	}
	var list struct {
		NFTables []struct {
			Chain *struct {
				Name, Hook, Policy string
				Dev                string // left out by nft where the kernel keeps hooks by name
			}
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, nil, fmt.Errorf("read guards: %w", err)
	}
	for _, o := range list.NFTables {
		if c := o.Chain; c != nil {
			link, _ := strings.CutPrefix(c.Name, chainOf(""))
			chains[link] = true
			if c.Hook == "ingress" && c.Policy == "drop" && (c.Dev == "" || c.Dev == link) {
				guarded[link] = true
			}
		}
	}
	return guarded, chains, nil
}

// setGuards makes guards for links in a table and takes others away, all or nothing.
func setGuards(ctx context.Context, table string, add, remove []string) error {
	if len(add)+len(remove) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "add table netdev %s\n", table)
	for _, link := range append(add[:len(add):len(add)], remove...) {
		// Adding first makes the deletion of what is not there no error.
		fmt.Fprintf(&b, "add chain netdev %s %s\ndelete chain netdev %s %s\n", table, chainOf(link), table, chainOf(link))
	}
	for _, link := range add {
		fmt.Fprintf(&b, "add chain netdev %s %s { type filter hook ingress device \"%s\" priority 0; policy drop; }\n", table, chainOf(link), link)
	}
	if _, err := command(ctx, []byte(b.String()), "nft", "-f", "-"); err != nil {
		return fmt.Errorf("guard links: %w", err)
	}
	return nil
}
