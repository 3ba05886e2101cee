package difference

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// rows compares what is wanted in the OVSDB.
func rows(before, after Side) []Item {
	was, will := before.spec().Rows, after.spec().Rows
	keys := slices.Collect(maps.Keys(was))
	for k := range will {
		if _, both := was[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b row.Key) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	var out []Item
	for _, k := range keys {
		old, had := was[k]
		now, has := will[k]
		item := Item{Where: OVSDB, Type: spec.LineRow, Op: Change, Object: cmp.Or(rowObject(now), rowObject(old))}
		if had {
			item.Before = rowText(old)
		}
		if has {
			item.Text = rowText(now)
		}
		switch {
		case has && after.Words != nil:
			item.Says = after.Words.Row(now)
		case !has && before.Words != nil:
			item.Says = before.Words.Row(old)
		}
		switch {
		case item.Text == item.Before:
			continue
		case k.Kind == row.KindTag:
			// Nobody makes or removes the port of a tag here. A port that is plugged and has none wanted
			// is on the dead VLAN.
			if !had && before.Plugged[k.Name] != "" {
				item.Before = rowText(row.Tag{Port: k.Name, VLAN: row.DeadVLAN})
			}
			if !has && after.Plugged[k.Name] != "" {
				item.Text = rowText(row.Tag{Port: k.Name, VLAN: row.DeadVLAN})
				item.Says = "interface " + k.Name + " is on the dead VLAN: its frames are dropped"
			}
		}
		switch {
		case item.Before == "":
			item.Op = Add
		case item.Text == "":
			item.Op, item.Text, item.Before = Delete, item.Before, ""
		}
		out = append(out, item)
	}
	return out
}

// rowObject is the API object of a row; only tags have one.
func rowObject(r row.Row) string {
	if tag, ok := r.(row.Tag); ok && tag.IfaceID != "" {
		return "port/" + tag.IfaceID
	}
	return ""
}

// rowText is the command of ovs-vsctl(8) that makes a row.
func rowText(r row.Row) string {
	switch r := r.(type) {
	case row.Bridge:
		words := []string{"add-br", r.Name, "--", "set", "Bridge", r.Name, "fail_mode=" + cmp.Or(r.FailMode, "secure")}
		if r.DatapathType != "" {
			words = append(words, "datapath_type="+r.DatapathType)
		}
		if len(r.Protocols) > 0 {
			words = append(words, "protocols="+strings.Join(r.Protocols, ","))
		}
		words = append(words, pairs("other_config", r.OtherConfig)...)
		if targets := r.Targets(); len(targets) > 0 {
			words = append(append(words, "--", "set-controller", r.Name), targets...)
		}
		return strings.Join(words, " ")
	case row.Patch:
		return fmt.Sprintf("add-port %s %s -- set Interface %s type=patch options:peer=%s", r.Bridge, r.Name, r.Name, r.Peer)
	case row.Tunnel:
		return fmt.Sprintf("add-port %s %s -- set Interface %s type=%s %s", r.Bridge, r.Name, r.Name, r.Type,
			strings.Join(pairs("options", r.Options()), " "))
	case row.Tag:
		return fmt.Sprintf("set Port %s tag=%d", r.Port, r.VLAN)
	}
	return fmt.Sprint(r.Key())
}

// pairs are the keys of a column as ovs-vsctl sets them, sorted.
func pairs(column string, values map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, column+":"+k+"="+values[k])
	}
	return out
}
