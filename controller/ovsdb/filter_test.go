package ovsdb

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// The methods of requests that are under way in these tests, by id.
func busyFilter() *filter {
	f := newFilter()
	f.calls = map[uint64]string{1: "list_dbs", 2: "get_schema", 3: ovsdb.ConditionalMonitorRPC, 4: "transact"}
	f.cookie = json.RawMessage(`{"databaseName":"Open_vSwitch","id":"m"}`)
	return f
}

const rowID = "6fa9ee00-0000-4000-8000-000000000001"

var inboundCases = []struct {
	name, in      string
	toLib, toHost string // "" for nothing; toLib may be "error" for a refusal, "same" for in
}{
	{"echo_is_answered", `{"method":"echo","params":["x"],"id":"e"}`, "", `{"id":"e","result":["x"],"error":null}`},
	{"echo_without_id_is_dropped", `{"method":"echo","params":[],"id":null}`, "", ""},
	{"own_probe_is_answered", `{"id":"probe","result":[],"error":null}`, "", ""},
	{"unknown_request_is_refused", `{"method":"steal","params":[],"id":9}`, "", `{"id":9,"result":null,"error":"unknown method"}`},
	{"unknown_notification_is_dropped", `{"method":"stolen","params":[],"id":null}`, "", ""},
	{"update3_is_not_ours", `{"method":"update3","params":[],"id":null}`, "", ""},
	{"databases", `{"id":1,"result":["Open_vSwitch","_Server"],"error":null}`, `{"id":1,"result":["Open_vSwitch","_Server"],"error":null}`, ""},
	{"error_object_becomes_text", `{"id":4,"result":null,"error":{"error": "x"}}`, `{"id":4,"result":null,"error":"{\"error\":\"x\"}"}`, ""},
	{"transaction", `{"id":4,"result":[{"uuid":["uuid","` + rowID + `"]},{"count":1,"COUNT":2},null],"error":null}`,
		`{"id":4,"result":[{"uuid":["uuid","` + rowID + `"]},{"count":2},null],"error":null}`, ""},
	{"transaction_uuid_short", `{"id":4,"result":[{"uuid":["uuid"]}],"error":null}`, "error", ""},
	{"transaction_of_other_shape", `{"id":4,"result":{"a":1},"error":null}`, "error", ""},
	{"answer_without_id", `{"result":[],"error":null}`, "error", ""},
	{"answer_with_null_id", `{"id":null,"result":[],"error":null}`, "error", ""},
	{"answer_to_no_request", `{"id":5,"result":[],"error":null}`, "error", ""},
	{"answer_without_result", `{"id":1}`, "error", ""},
	{"schema_of_another_database", `{"id":2,"result":{"name":"hardware_vtep"},"error":null}`, "error", ""},
	{"schema_without_columns", `{"id":2,"result":{"name":"Open_vSwitch","tables":{}},"error":null}`, "error", ""},
	{"rows", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"name":"p","tag":["set",[]],"trunks":["set",[1,2]],"interfaces":["uuid","` + rowID + `"],"external_ids":["map",[["a","b"]]]}}}},"error":null}`, "same", ""},
	{"row_is_null", `{"id":3,"result":{"Port":{"` + rowID + `":null}},"error":null}`, "error", ""},
	{"row_without_change", `{"id":3,"result":{"Port":{"` + rowID + `":{}}},"error":null}`, "error", ""},
	{"unknown_table", `{"id":3,"result":{"NoTable":{}},"error":null}`, "error", ""},
	{"unknown_column", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"statistics":["map",[]]}}}},"error":null}`, "error", ""},
	{"unknown_change", `{"id":3,"result":{"Port":{"` + rowID + `":{"Initial":{"name":"p"}}}},"error":null}`, "error", ""},
	{"name_is_a_number", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"name":1}}}},"error":null}`, "error", ""},
	{"name_is_null", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"name":null}}}},"error":null}`, "error", ""},
	{"empty_list", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"name":[]}}}},"error":null}`, "error", ""},
	{"set_without_list", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"trunks":["set"]}}}},"error":null}`, "error", ""},
	{"set_of_a_word", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"trunks":["set","x"]}}}},"error":null}`, "error", ""},
	{"two_tags", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"tag":["set",[1,2]]}}}},"error":null}`, "error", ""},
	{"half_a_tag", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"tag":1.5}}}},"error":null}`, "error", ""},
	{"map_of_words", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"external_ids":["map",["a","b"]]}}}},"error":null}`, "error", ""},
	{"map_pair_short", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"external_ids":["map",[["a"]]]}}}},"error":null}`, "error", ""},
	{"uuid_short", `{"id":3,"result":{"Port":{"` + rowID + `":{"initial":{"interfaces":["uuid"]}}}},"error":null}`, "error", ""},
	{"change", `{"method":"update2","params":[{"id":"m", "databaseName":"Open_vSwitch"},{"Port":{"` + rowID + `":{"modify":{"tag":4}}}}],"id":null}`,
		`{"method":"update2","params":[{"databaseName":"Open_vSwitch","id":"m"},{"Port":{"` + rowID + `":{"modify":{"tag":4}}}}],"id":null}`, ""},
	{"removal", `{"method":"update2","params":[{"databaseName":"Open_vSwitch","id":"m"},{"Port":{"` + rowID + `":{"delete":null}}}],"id":null}`, "same", ""},
	{"change_without_parameters", `{"method":"update2","params":[],"id":null}`, "error", ""},
	{"change_of_other_monitor", `{"method":"update2","params":["x",{}],"id":null}`, "error", ""},
	{"change_is_no_object", `{"method":"update2","params":[{"databaseName":"Open_vSwitch","id":"m"},[]],"id":null}`, "error", ""},
	{"method_is_a_number", `{"method":7,"params":[],"id":null}`, "error", ""},
	{"no_json", `{"id":}`, "error", ""},
}

func TestOnlyWellFormedMessagesReachTheLibrary(t *testing.T) {
	for _, c := range inboundCases {
		t.Run(c.name, func(t *testing.T) {
			a, err := busyFilter().inbound([]byte(c.in))
			want := c.toLib
			switch want {
			case "error":
				if !errors.Is(err, ErrMalformed) || a.toLib != nil || a.toHost != nil {
					t.Errorf("to libovsdb %s, error %v", a.toLib, err)
				}
				return
			case "same":
				want = c.in
			}
			if err != nil || string(a.toLib) != want || string(a.toHost) != c.toHost {
				t.Errorf("error %v, to libovsdb\n%s, want\n%s\nto host\n%s", err, a.toLib, want, a.toHost)
			}
		})
	}
}

// library decodes what passed the filter as libovsdb and its RPC layer do. It panics where they would.
type library struct {
	t     testing.TB
	model model.DatabaseModel
}

func newLibrary(t testing.TB) library {
	text, err := usedSchema("8.3.1")
	if err != nil {
		t.Fatal(err)
	}
	var schema ovsdb.DatabaseSchema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	client, err := clientModel()
	if err != nil {
		t.Fatal(err)
	}
	m, errs := model.NewDatabaseModel(schema, client)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return library{t, m}
}

func (l library) get(msg []byte) {
	var m struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
		ID     *uint64           `json:"id"`
		Result *json.RawMessage  `json:"result"`
		Error  any               `json:"error"`
	}
	if err := json.Unmarshal(msg, &m); err != nil {
		l.t.Errorf("libovsdb gets %s: %v", msg, err)
		return
	}
	if m.Method != "" {
		l.update(m.Params[1], true)
		return
	}
	if m.Error != nil {
		if _, ok := m.Error.(string); !ok {
			l.t.Errorf("error is %v", m.Error)
		}
		return
	}
	switch busyFilter().calls[*m.ID] {
	case "list_dbs":
		var dbs []string
		l.unmarshal(*m.Result, &dbs)
	case "get_schema":
		var schema ovsdb.DatabaseSchema
		l.unmarshal(*m.Result, &schema)
		client, _ := clientModel()
		if _, errs := model.NewDatabaseModel(schema, client); len(errs) > 0 {
			l.t.Errorf("schema: %v", errs)
		}
	case ovsdb.ConditionalMonitorRPC:
		l.update(*m.Result, false)
	case "transact":
		var results []ovsdb.OperationResult
		l.unmarshal(*m.Result, &results)
		checkResults(nil, results)
	}
}

func (l library) unmarshal(raw []byte, v any) {
	if err := json.Unmarshal(raw, v); err != nil {
		l.t.Errorf("libovsdb cannot read %s: %v", raw, err)
	}
}

// update applies rows to a cache that has one port.
func (l library) update(raw []byte, full bool) {
	c, err := cache.NewTableCache(l.model, nil, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if full {
		first := ovsdb.Row{"name": "p", "tag": 3.0}
		if err := c.Populate2(ovsdb.TableUpdates2{tablePort: {rowID: {Initial: &first}}}); err != nil {
			l.t.Fatal(err)
		}
	}
	var u ovsdb.TableUpdates2
	l.unmarshal(raw, &u)
	var inconsistent *cache.ErrCacheInconsistent
	if err := c.Populate2(u); err != nil && !errors.As(err, &inconsistent) && !strings.Contains(err.Error(), "merge") {
		l.t.Errorf("cache refuses %s: %v", raw, err)
	}
	s := &Session{cache: c, changed: make(chan struct{})}
	s.readAll()
	actual(s.State())
}

func FuzzInbound(f *testing.F) {
	for _, c := range inboundCases {
		f.Add([]byte(c.in))
	}
	schema, err := usedSchema("8.3.1") // the stock one is too large to make much of
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"id":2,"error":null,"result":` + string(schema) + `}`))
	lib := newLibrary(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := busyFilter().inbound(in)
		if err != nil && (a.toLib != nil || a.toHost != nil) {
			t.Error("a refused message goes on")
		}
		if a.toLib != nil {
			lib.t = t
			lib.get(a.toLib)
		}
		if a.toHost != nil && !json.Valid(a.toHost) {
			t.Errorf("to host %s", a.toHost)
		}
	})
}

func FuzzFramer(f *testing.F) {
	f.Add([]byte(`{"a":"}\"{"} {"b":[1,2,{}]}`), uint8(3))
	f.Add([]byte(`[]`), uint8(1))
	f.Add([]byte(`{{{{`), uint8(200))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		whole := frames(newFramer(strings.NewReader(string(in)), 1000))
		pieces := frames(newFramer(&slowReader{in, int(step%16) + 1}, 1000))
		if !reflect.DeepEqual(whole, pieces) {
			t.Errorf("%q in pieces is %q", whole, pieces)
		}
		for _, m := range whole {
			if len(m) > 1000 || m[len(m)-1] != '}' && m[len(m)-1] != ']' {
				t.Errorf("message %q", m)
			}
		}
	})
}

func frames(f *framer) []string {
	var all []string
	for {
		m, err := f.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return all
		}
		all = append(all, string(m))
	}
}

// slowReader gives a few bytes at a time and a timeout between them.
type slowReader struct {
	left []byte
	n    int
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.left[:min(r.n, len(r.left))])
	r.left = r.left[n:]
	return n, os.ErrDeadlineExceeded
}

func TestColumnsAreThoseOfTheRowTypes(t *testing.T) {
	for table, v := range map[string]any{tableRoot: rootRow{}, tableBridge: bridgeRow{}, tablePort: portRow{},
		tableInterface: interfaceRow{}, tableController: controllerRow{}, tableManager: managerRow{}} {
		typ := reflect.TypeOf(v)
		if typ.NumField() != len(columns[table])+1 {
			t.Errorf("table %s: %d columns, %d fields", table, len(columns[table]), typ.NumField())
		}
		for i := range typ.NumField() {
			name := typ.Field(i).Tag.Get("ovsdb")
			if _, ok := columns[table][name]; !ok && name != "_uuid" {
				t.Errorf("table %s: no column %s", table, name)
			}
		}
	}
	newLibrary(t) // holds the types of the fields against columns
}

func TestSchemaOfStockOVSIsAccepted(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Skipf("needs Open vSwitch: %v", err)
	}
	if _, err := checkSchema(text); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ old, new, err string }{
		{`"external_ids"`, `"external_words"`, "no column external_ids"},
		{`"max_backoff"`, `"min_backoff"`, "no column max_backoff"},
		{`"enum": ["set", ["trunk", "access"`, `"enum": ["set", ["trunk", "accesses"`, ""},
	} {
		_, err := checkSchema([]byte(strings.ReplaceAll(string(text), c.old, c.new)))
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s for %s: %v", c.new, c.old, err)
		}
	}
}

// A host that is no ovsdb-server but knows enough of it to become a session, and then sends what libovsdb cannot bear.
func TestHostThatTurnsBadEndsItsSessionOnly(t *testing.T) {
	schema, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Skipf("needs Open vSwitch: %v", err)
	}
	for _, c := range []struct{ name, bad string }{
		{"index_out_of_range", `{"method":"update2","params":[],"id":null}`},
		{"empty_value", `{"method":"update2","params":[COOKIE,{"Port":{"x":{"insert":{"name":[]}}}}],"id":null}`},
		{"row_that_is_not_there", `{"method":"update2","params":[COOKIE,{"Port":{"x":{"modify":{"tag":1}}}}],"id":null}`},
		{"no_json", `{"method":}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			us, host := net.Pipe()
			go badHost(host, string(schema), c.bad)
			s, err := newSession(t.Context(), us, Options{Probe: time.Second})
			if err == nil { // else it turned bad before the session was ready
				<-s.Done()
				err = s.Err()
			}
			if err == nil || errors.Is(err, ErrSilent) || errors.Is(err, ErrClosed) {
				t.Errorf("session ended with %v", err)
			}
		})
	}
}

func badHost(c net.Conn, schema, bad string) {
	defer c.Close()
	in := newFramer(c, 1<<20)
	for {
		msg, err := in.next()
		if err != nil {
			return
		}
		var m struct {
			Method string
			Params []json.RawMessage
			ID     json.RawMessage
		}
		json.Unmarshal(msg, &m)
		result := map[string]string{"list_dbs": `["Open_vSwitch"]`, "get_schema": schema, "monitor_cond": `{}`}[m.Method]
		io.WriteString(c, `{"id":`+string(m.ID)+`,"error":null,"result":`+result+`}`)
		if m.Method == "monitor_cond" {
			io.WriteString(c, strings.ReplaceAll(bad, "COOKIE", string(m.Params[1])))
		}
	}
}
