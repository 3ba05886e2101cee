package ovsdb

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/model"
)

// dbName is the name of the database of ovs-vswitchd (ovs-vswitchd.conf.db(5)).
const dbName = "Open_vSwitch"

// Tables that are read and written.
const (
	tableRoot       = "Open_vSwitch"
	tableBridge     = "Bridge"
	tablePort       = "Port"
	tableInterface  = "Interface"
	tableController = "Controller"
	tableManager    = "Manager"
)

// clientModel returns the model of the database for libovsdb.
func clientModel() (model.ClientDBModel, error) {
	return model.NewClientDBModel(dbName, map[string]model.Model{
		tableRoot: &rootRow{}, tableBridge: &bridgeRow{}, tablePort: &portRow{}, tableInterface: &interfaceRow{},
		tableController: &controllerRow{}, tableManager: &managerRow{},
	})
}

// column is the type of a column (RFC 7047 §3.2, <column-schema>): its atoms and how many there are.
type column struct {
	Atom  string // "string", "integer", "boolean" or "uuid"; the keys and values of a map are strings
	Shape shape
}

type shape uint8

const (
	one      shape = iota // exactly one atom
	optional              // none or one
	set                   // any number
	mapping               // string to string
)

// columns is the part of the schema that is used, table by table. What a host sends is held against it before
// libovsdb sees it, and a test holds the row types above against it.
var columns = map[string]map[string]column{
	tableRoot: {
		"bridges": {"uuid", set}, "manager_options": {"uuid", set}, "external_ids": {"string", mapping},
		"ovs_version": {"string", optional}, "datapath_types": {"string", set},
	},
	tableBridge: {
		"name": {"string", one}, "datapath_id": {"string", optional}, "datapath_type": {"string", one},
		"fail_mode": {"string", optional}, "protocols": {"string", set}, "controller": {"uuid", set},
		"ports": {"uuid", set}, "other_config": {"string", mapping}, "external_ids": {"string", mapping},
	},
	tablePort: {
		"name": {"string", one}, "tag": {"integer", optional}, "trunks": {"integer", set},
		"vlan_mode": {"string", optional}, "interfaces": {"uuid", set}, "external_ids": {"string", mapping},
	},
	tableInterface: {
		"name": {"string", one}, "type": {"string", one}, "options": {"string", mapping},
		"ofport": {"integer", optional}, "error": {"string", optional}, "mac_in_use": {"string", optional},
		"mtu": {"integer", optional}, "link_state": {"string", optional}, "admin_state": {"string", optional},
		"external_ids": {"string", mapping}, "status": {"string", mapping},
		"bfd": {"string", mapping}, "bfd_status": {"string", mapping},
	},
	tableController: {
		"target": {"string", one}, "is_connected": {"boolean", one}, "connection_mode": {"string", optional},
		"inactivity_probe": {"integer", optional}, "max_backoff": {"integer", optional},
		"external_ids": {"string", mapping},
	},
	tableManager: {
		"target": {"string", one}, "is_connected": {"boolean", one}, "inactivity_probe": {"integer", optional},
		"max_backoff": {"integer", optional},
	},
}

// checkSchema holds the schema a host sent against columns and returns the schema for libovsdb: the columns that are
// used and nothing else, so that neither a strange schema nor its 100 kB stay in memory for each host.
func checkSchema(raw []byte) ([]byte, error) {
	var s struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Tables  map[string]struct {
			Columns map[string]struct {
				Type json.RawMessage `json:"type"`
			} `json:"columns"`
		} `json:"tables"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if s.Name != dbName {
		return nil, fmt.Errorf("schema of database %q", s.Name)
	}
	for table, cs := range columns {
		for name, want := range cs {
			c, ok := s.Tables[table].Columns[name]
			if !ok {
				return nil, fmt.Errorf("schema %s has no column %s in table %s", s.Version, name, table)
			}
			have, err := parseColumn(c.Type)
			if err != nil {
				return nil, fmt.Errorf("schema %s: column %s of table %s: %w", s.Version, name, table, err)
			}
			if have != want {
				return nil, fmt.Errorf("schema %s: column %s of table %s is %v, not %v", s.Version, name, table, have, want)
			}
		}
	}
	return usedSchema(s.Version)
}

// usedSchema writes columns as an RFC 7047 schema.
func usedSchema(version string) ([]byte, error) {
	type obj = map[string]any
	tables := obj{}
	for table, cs := range columns {
		cols := obj{}
		for name, c := range cs {
			typ := obj{"key": c.Atom}
			switch c.Shape {
			case optional:
				typ["min"], typ["max"] = 0, 1
			case set:
				typ["min"], typ["max"] = 0, "unlimited"
			case mapping:
				typ["value"], typ["min"], typ["max"] = "string", 0, "unlimited"
			case one:
			}
			cols[name] = obj{"type": typ}
		}
		tables[table] = obj{"columns": cols}
	}
	return json.Marshal(obj{"name": dbName, "version": version, "tables": tables})
}

// parseColumn reads a <type> (RFC 7047 §3.2).
func parseColumn(raw json.RawMessage) (column, error) {
	var atom string
	if json.Unmarshal(raw, &atom) == nil {
		return column{Atom: atom}, nil
	}
	var t struct {
		Key   json.RawMessage `json:"key"`
		Value json.RawMessage `json:"value"`
		Min   *int            `json:"min"`
		Max   any             `json:"max"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return column{}, err
	}
	c := column{}
	var err error
	if c.Atom, err = parseAtomType(t.Key); err != nil {
		return column{}, err
	}
	most, limited := t.Max.(float64)
	switch {
	case t.Value != nil:
		value, err := parseAtomType(t.Value)
		if err != nil || value != "string" {
			return column{}, fmt.Errorf("values of a map are %q", value)
		}
		c.Shape = mapping
	case t.Max == nil || limited && most == 1:
		if t.Min != nil && *t.Min == 0 {
			c.Shape = optional
		}
	default:
		c.Shape = set
	}
	return c, nil
}

func parseAtomType(raw json.RawMessage) (string, error) {
	var atom string
	if json.Unmarshal(raw, &atom) == nil {
		return atom, nil
	}
	var t struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(raw, &t)
	return t.Type, err
}

// accepts reports whether v, a decoded JSON value, is a <value> of the column (RFC 7047 §5.1).
func (c column) accepts(v any) bool {
	list, isList := v.([]any)
	tagged := func(tag string) ([]any, bool) {
		if !isList || len(list) != 2 || list[0] != tag {
			return nil, false
		}
		l, ok := list[1].([]any)
		return l, ok
	}
	if c.Shape == mapping {
		pairs, ok := tagged("map")
		return ok && !slices.ContainsFunc(pairs, func(p any) bool {
			kv, ok := p.([]any)
			return !ok || len(kv) != 2 || !isString(kv[0]) || !isString(kv[1])
		})
	}
	// RFC 7047 lets a single atom be written as a set of one; ovsdb-server never does and libovsdb does not read it.
	if atoms, ok := tagged("set"); ok {
		if c.Shape == one || c.Shape == optional && len(atoms) > 1 {
			return false
		}
		return !slices.ContainsFunc(atoms, func(a any) bool { return !c.acceptsAtom(a) })
	}
	return c.acceptsAtom(v)
}

func (c column) acceptsAtom(v any) bool {
	switch c.Atom {
	case "string":
		return isString(v)
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "integer":
		f, ok := v.(float64)
		return ok && f == math.Trunc(f) && math.Abs(f) < 1<<53
	case "uuid":
		l, ok := v.([]any)
		return ok && len(l) == 2 && l[0] == "uuid" && isString(l[1])
	}
	return false
}

func isString(v any) bool {
	_, ok := v.(string)
	return ok
}
