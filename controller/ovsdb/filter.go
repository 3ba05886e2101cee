package ovsdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Ids of the gate's own echo requests: to the host, to see whether it is there, and to libovsdb, to see how far it is.
// The ids of libovsdb's requests are numbers.
const (
	probeID = `"probe"`
	syncID  = `"sync"`
)

// filter decides what of a host's messages reaches libovsdb. Everything is decoded here and written anew or held
// against columns first: libovsdb panics on some malformed values, in goroutines where nobody can recover.
// It is not safe for concurrent use.
type filter struct {
	calls  map[uint64]string // methods of libovsdb's requests that are not answered yet
	cookie json.RawMessage   // of the one monitor, as libovsdb wrote it
}

func newFilter() *filter { return &filter{calls: map[uint64]string{}} }

// outbound reads a message of libovsdb and reports whether it is the answer to a sync of the gate, rather than one for
// the host.
func (f *filter) outbound(msg []byte) (synced bool, err error) {
	var m struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
		ID     json.RawMessage   `json:"id"`
	}
	if err := json.Unmarshal(msg, &m); err != nil {
		return false, fmt.Errorf("message of libovsdb: %w", err)
	}
	switch m.Method {
	case "":
		return string(m.ID) == syncID, nil
	case ovsdb.MonitorRPC:
		return false, errors.New("ovsdb-server is older than 2.6: it does not know " + ovsdb.ConditionalMonitorRPC)
	case ovsdb.ConditionalMonitorRPC:
		if len(m.Params) < 2 {
			return false, fmt.Errorf("%s with %d parameters", m.Method, len(m.Params))
		}
		f.cookie = compact(m.Params[1])
	}
	var n uint64
	if err := json.Unmarshal(m.ID, &n); err != nil {
		return false, fmt.Errorf("message of libovsdb: id: %w", err)
	}
	f.calls[n] = m.Method
	return false, nil
}

// admission is what becomes of a message of the host.
type admission struct {
	toLib   []byte   // for libovsdb; nil for nothing
	toHost  []byte   // the answer; nil for none
	touched []rowRef // rows that the message, an update, changes
}

// rowRef names a row.
type rowRef struct{ table, uuid string }

// inbound reads a message of the host.
func (f *filter) inbound(msg []byte) (a admission, err error) {
	var m struct {
		Method *string         `json:"method"`
		Params json.RawMessage `json:"params"`
		ID     json.RawMessage `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(msg, &m); err != nil {
		return admission{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case m.Method == nil:
		a.toLib, err = f.answer(m.ID, m.Result, m.Error)
	case *m.Method == "update2":
		a.toLib, a.touched, err = f.update(m.Params)
	case isNull(m.ID):
		// A notification nobody asked for ("stolen", "monitor_canceled") changes nothing.
	case *m.Method == "echo":
		a.toHost, err = encode(answer{ID: m.ID, Result: m.Params})
	default:
		a.toHost, err = encode(answer{ID: m.ID, Error: "unknown method"})
	}
	if err != nil {
		return admission{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return a, nil
}

// answer is a JSON-RPC 1.0 response.
type answer struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  any             `json:"error"`
}

func (f *filter) answer(id, result, failure json.RawMessage) ([]byte, error) {
	if bytes.Equal(id, []byte(probeID)) {
		return nil, nil
	}
	var n uint64
	if isNull(id) || json.Unmarshal(id, &n) != nil {
		return nil, fmt.Errorf("answer with id %.40s", id)
	}
	method, ok := f.calls[n]
	if !ok {
		return nil, fmt.Errorf("answer to no request, id %d", n)
	}
	delete(f.calls, n)
	if !isNull(failure) {
		// libovsdb reads errors that are strings, RFC 7047 §3.1 lets them be objects.
		var text string
		if json.Unmarshal(failure, &text) != nil {
			text = string(compact(failure))
		}
		return encode(answer{ID: id, Error: text})
	}
	if isNull(result) {
		return nil, fmt.Errorf("answer to %s with neither result nor error", method)
	}
	result, err := checkResult(method, result)
	if err != nil {
		return nil, fmt.Errorf("answer to %s: %w", method, err)
	}
	return encode(answer{ID: id, Result: result})
}

// checkResult returns the result of a method as libovsdb may get it.
func checkResult(method string, result json.RawMessage) (json.RawMessage, error) {
	switch method {
	case "list_dbs":
		var dbs []string
		if err := json.Unmarshal(result, &dbs); err != nil {
			return nil, err
		}
		return encode(dbs)
	case "get_schema":
		return checkSchema(result)
	case ovsdb.ConditionalMonitorRPC:
		_, err := checkTables(result)
		return result, err
	case "transact":
		return checkTransact(result)
	}
	return nil, errors.New("method is not used")
}

// checkTransact returns the results of a transaction's operations (RFC 7047 §5.2). No operation of ours returns rows.
func checkTransact(result json.RawMessage) (json.RawMessage, error) {
	var ops []*struct {
		Count   int      `json:"count,omitempty"`
		UUID    []string `json:"uuid,omitempty"`
		Error   string   `json:"error,omitempty"`
		Details string   `json:"details,omitempty"`
	}
	if err := json.Unmarshal(result, &ops); err != nil {
		return nil, err
	}
	for _, op := range ops {
		if op != nil && op.UUID != nil && (len(op.UUID) != 2 || op.UUID[0] != "uuid") {
			return nil, fmt.Errorf("uuid %q", op.UUID)
		}
	}
	return encode(ops)
}

// update checks the parameters of an update2 notification (ovsdb-server(7), 4.1.14): the monitor's cookie and what
// changed.
func (f *filter) update(params json.RawMessage) (toLib []byte, touched []rowRef, err error) {
	var p []json.RawMessage
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, nil, fmt.Errorf("update2: %w", err)
	}
	if f.cookie == nil || len(p) != 2 || !sameJSON(p[0], f.cookie) {
		return nil, nil, errors.New("update2 of no monitor")
	}
	if touched, err = checkTables(p[1]); err != nil {
		return nil, nil, fmt.Errorf("update2: %w", err)
	}
	p[0] = f.cookie
	toLib, err = encode(struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
		ID     any               `json:"id"`
	}{Method: "update2", Params: p})
	return toLib, touched, err
}

// checkTables holds <table-updates2> (ovsdb-server(7), 4.1.14) against columns and returns the rows in it.
func checkTables(raw json.RawMessage) ([]rowRef, error) {
	var refs []rowRef
	var tables map[string]map[string]map[string]map[string]any
	if err := json.Unmarshal(raw, &tables); err != nil {
		return nil, err
	}
	for table, rows := range tables {
		cols, ok := columns[table]
		if !ok {
			return nil, fmt.Errorf("table %.40q", table)
		}
		for uuid, change := range rows {
			refs = append(refs, rowRef{table, uuid})
			if len(change) != 1 {
				return nil, fmt.Errorf("table %s, row %.40q: %d changes", table, uuid, len(change))
			}
			for op, values := range change {
				switch {
				case op == "delete":
				case (op == "initial" || op == "insert" || op == "modify") && values != nil:
				default:
					return nil, fmt.Errorf("table %s, row %.40q: change %.40q", table, uuid, op)
				}
				for name, v := range values {
					if c, ok := cols[name]; !ok || !c.accepts(v) {
						return nil, fmt.Errorf("table %s, row %.40q: column %.40q is %.80v", table, uuid, name, v)
					}
				}
			}
		}
	}
	return refs, nil
}

// echo returns an echo request (RFC 7047 §4.1.11).
func echo(id string) []byte { return []byte(`{"method":"echo","params":[],"id":` + id + `}`) }

func encode(v any) ([]byte, error) { return json.Marshal(v) }

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// sameJSON reports whether two texts are the same JSON value, whatever the order of their members.
func sameJSON(a, b json.RawMessage) bool {
	normal := func(raw json.RawMessage) []byte {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			return nil
		}
		n, _ := json.Marshal(v)
		return n
	}
	na := normal(a)
	return na != nil && bytes.Equal(na, normal(b))
}
