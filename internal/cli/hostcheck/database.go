package hostcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// row is a row of Open vSwitch's database. Sets are []any, maps are map[string]any, and references are
// UUIDs.
type row map[string]any

// text returns a column that is a text, empty if it is unset.
func (r row) text(column string) string {
	switch v := r[column].(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return fmt.Sprint(v[0])
		}
		return ""
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// list returns a column that is a set.
func (r row) list(column string) []string {
	v, is := r[column].([]any)
	if !is {
		if r[column] == nil {
			return nil
		}
		return []string{fmt.Sprint(r[column])}
	}
	out := make([]string, len(v))
	for i, x := range v {
		out[i] = fmt.Sprint(x)
	}
	return out
}

// at returns the value of a key of a column that is a map.
func (r row) at(column, key string) string {
	m, is := r[column].(map[string]any)
	if !is || m[key] == nil {
		return ""
	}
	return fmt.Sprint(m[key])
}

// database is what is of interest of Open vSwitch's database.
type database struct {
	switches, managers, controllers, bridges, ports, interfaces []row
}

// readDatabase reads it with ovs-vsctl.
func readDatabase(ctx context.Context, run func(context.Context, string, ...string) (string, error)) (database, error) {
	var d database
	for _, t := range []struct {
		table string
		rows  *[]row
	}{{"Open_vSwitch", &d.switches}, {"Manager", &d.managers}, {"Controller", &d.controllers}, {"Bridge", &d.bridges}, {"Port", &d.ports}, {"Interface", &d.interfaces}} {
		text, err := run(ctx, "ovs-vsctl", "--timeout=5", "--format=json", "list", t.table)
		if err != nil {
			return d, err
		}
		if *t.rows, err = parseTable(text); err != nil {
			return d, fmt.Errorf("table %s: %w", t.table, err)
		}
	}
	if len(d.switches) != 1 {
		return d, fmt.Errorf("table Open_vSwitch has %d rows", len(d.switches))
	}
	return d, nil
}

// parseTable reads what ovs-vsctl --format=json prints.
func parseTable(text string) ([]row, error) {
	var t struct {
		Headings []string `json:"headings"`
		Data     [][]any  `json:"data"`
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(t.Data))
	for _, cells := range t.Data {
		if len(cells) != len(t.Headings) {
			return nil, fmt.Errorf("a row has %d cells under %d headings", len(cells), len(t.Headings))
		}
		r := row{}
		for i, name := range t.Headings {
			r[name] = plain(cells[i])
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// plain takes a value out of the notation of RFC 7047 §5.1: ["set", […]], ["map", [[k, v], …]] and
// ["uuid", "…"].
func plain(v any) any {
	list, is := v.([]any)
	if !is || len(list) != 2 {
		return v
	}
	inner, _ := list[1].([]any)
	switch list[0] {
	case "uuid":
		return list[1]
	case "set":
		out := make([]any, len(inner))
		for i, x := range inner {
			out[i] = plain(x)
		}
		return out
	case "map":
		out := map[string]any{}
		for _, x := range inner {
			if pair, is := x.([]any); is && len(pair) == 2 {
				out[fmt.Sprint(plain(pair[0]))] = plain(pair[1])
			}
		}
		return out
	}
	return v
}

// bridge finds a bridge by its name, nil if there is none.
func (d *database) bridge(name string) row {
	for _, b := range d.bridges {
		if b.text("name") == name {
			return b
		}
	}
	return nil
}

// interfacesOf returns the interfaces on a bridge.
func (d *database) interfacesOf(bridge row) []row {
	ports := map[string]bool{}
	for _, id := range bridge.list("ports") {
		ports[id] = true
	}
	wanted := map[string]bool{}
	for _, p := range d.ports {
		if ports[p.text("_uuid")] {
			for _, id := range p.list("interfaces") {
				wanted[id] = true
			}
		}
	}
	var out []row
	for _, i := range d.interfaces {
		if wanted[i.text("_uuid")] {
			out = append(out, i)
		}
	}
	return out
}

// id returns a setting that the host says of itself.
func (d *database) id(key string) string { return d.switches[0].at("external_ids", key) }

// mappings are the bridges of physical networks that the host names.
func (d *database) mappings() map[string]string {
	out := map[string]string{}
	for _, pair := range strings.Split(d.id("heddle-bridge-mappings"), ",") {
		if network, bridge, is := strings.Cut(strings.TrimSpace(pair), ":"); is {
			out[network] = bridge
		}
	}
	return out
}
