package native

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/apps/provenance"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// flowStates are the states in the order that summaries list them.
var flowStates = []view.FlowState{view.FlowOK, view.FlowMissing, view.FlowAltered, view.FlowStale, view.FlowLearned, view.FlowForeign}

// flowFilter says which flows of a bridge are shown. A zero field shows all.
type flowFilter struct {
	states []string
	table  string // name or number
	kinds  []string
	object string // "port/<id>" or the id alone
	text   string // in lower case; part of what is told of the flow
}

func readFlowFilter(q query) (flowFilter, error) {
	known := make([]string, len(flowStates))
	for i, s := range flowStates {
		known[i] = string(s)
	}
	var f flowFilter
	var err error
	if f.states, err = q.oneOf("state", known...); err != nil {
		return flowFilter{}, err
	}
	f.kinds, err = q.oneOf("kind", pipeline.KindBase.String(), pipeline.KindNetwork.String(), pipeline.KindPort.String(), pipeline.KindLearned.String())
	if err != nil {
		return flowFilter{}, err
	}
	if f.table = q.text("table"); isNumber(f.table) {
		n, err := strconv.ParseUint(f.table, 10, 8)
		if err != nil || of.TableID(n) == of.TableAll {
			return flowFilter{}, badRequest("query: table is %s, tables are numbered 0 to 254", f.table)
		}
		f.table = strconv.FormatUint(n, 10)
	}
	f.object, f.text = q.text("object"), strings.ToLower(q.text("q"))
	return f, nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// shows reports whether a flow is among those asked for, whatever is told of it.
func (f flowFilter) shows(flow *view.Flow) bool {
	switch {
	case f.states != nil && !slices.Contains(f.states, string(flow.State)),
		f.kinds != nil && !slices.Contains(f.kinds, flow.Kind),
		f.table != "" && f.table != flow.Table && f.table != strconv.Itoa(int(flow.Flow.Table)),
		f.object != "" && !isObject(flow.Object, f.object):
		return false
	}
	return true
}

// isObject reports whether object, "port/<id>", is what was asked for: the whole or its id.
func isObject(object, asked string) bool {
	_, id, _ := strings.Cut(object, "/")
	return object == asked || id != "" && id == asked
}

func (s *server) listFlows(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "state", "table", "kind", "object", "q", "limit", "offset")
	if err != nil {
		return err
	}
	filter, err := readFlowFilter(q)
	if err != nil {
		return err
	}
	page, err := q.page()
	if err != nil {
		return err
	}
	sw, err := s.findSwitch(r)
	if err != nil {
		return err
	}
	flows, err := s.Fabric.Flows(r.Context(), sw.DPID)
	if err != nil {
		if r.Context().Err() != nil {
			return r.Context().Err()
		}
		return &apiError{http.StatusBadGateway, "SwitchUnreachable", fmt.Sprintf("flows of %v cannot be read: %v", sw.DPID, err)}
	}
	e := newFlowEncoder(s.Store.Snapshot(), sw)
	summary, tables := map[view.FlowState]int{}, countTables(flows)
	matched := make([]*view.Flow, 0, len(flows))
	for i := range flows {
		summary[flows[i].State]++
		if filter.shows(&flows[i]) && e.mentions(&flows[i], filter.text) {
			matched = append(matched, &flows[i])
		}
	}
	start, end := page.bounds(len(matched))
	jsonHeader(w)
	out := newStream(w, s.StreamTimeout)
	defer out.close()
	out.buf = appendFlowsHead(make([]byte, 0, flushAt+flushAt/4), sw, len(flows), summary, tables, len(matched), start)
	for i, f := range matched[start:end] {
		if i > 0 {
			out.buf = append(out.buf, ',')
		}
		out.buf = e.append(append(out.buf, '\n'), f)
		if !out.flush(flushAt) {
			return nil // the client has gone away
		}
	}
	out.buf = append(out.buf, "\n]}\n"...)
	return nil
}

// tableCount is how many flows of a bridge are in one of its tables.
type tableCount struct {
	id    of.TableID
	name  string // empty if the table is not one of Heddle's
	flows int
}

// countTables counts flows, which are in the order of tables.
func countTables(flows []view.Flow) []tableCount {
	var out []tableCount
	for i := range flows {
		if f := &flows[i]; len(out) == 0 || out[len(out)-1].id != f.Flow.Table {
			out = append(out, tableCount{id: f.Flow.Table, name: f.Table})
		}
		out[len(out)-1].flows++
	}
	return out
}

// append appends the count, and what a table of Heddle's is for.
func (t tableCount) append(b []byte, sw view.Switch) []byte {
	b = strconv.AppendUint(append(b, `{"id":`...), uint64(t.id), 10)
	if t.name != "" {
		b = appendMember(b, ',', "name", t.name)
	}
	if sw.Host != "" {
		if known := pipeline.Of(sw.Bridge).Table(t.id); known != nil {
			b = appendMember(b, ',', "doc", known.Doc)
		}
	}
	return append(strconv.AppendInt(append(b, `,"flows":`...), int64(t.flows), 10), '}')
}

// appendFlowsHead appends the answer up to its list of flows.
func appendFlowsHead(b []byte, sw view.Switch, total int, summary map[view.FlowState]int, tables []tableCount, matched, offset int) []byte {
	b = appendMember(b, '{', "dpid", sw.DPID.String())
	b = appendMember(b, ',', "host", sw.Host)
	b = appendMember(b, ',', "bridge", sw.Bridge)
	b = strconv.AppendInt(append(b, `,"summary":{"total":`...), int64(total), 10)
	for _, state := range flowStates {
		b = append(append(append(b, `,"`...), state...), `":`...)
		b = strconv.AppendInt(b, int64(summary[state]), 10)
	}
	b = append(b, `},"tables":[`...)
	for i, t := range tables {
		if i > 0 {
			b = append(b, ',')
		}
		b = t.append(b, sw)
	}
	b = strconv.AppendInt(append(b, `],"matched":`...), int64(matched), 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), int64(offset), 10)
	return append(b, `,"flows":[`...)
}

// flowEncoder writes flows as JSON. It is written by hand because a bridge may have a hundred thousand
// of them.
type flowEncoder struct {
	m       *model.Model
	tables  *pipeline.Pipeline // nil for a bridge that is no host's
	names   *provenance.Names
	scratch []byte
}

func newFlowEncoder(m *model.Model, sw view.Switch) *flowEncoder {
	e := &flowEncoder{m: m, names: provenance.NewNames(m, sw.Host, sw.Bridge, sw.Ports)}
	if sw.Host != "" {
		e.tables = pipeline.Of(sw.Bridge)
	}
	return e
}

// says appends what a flow does, of an altered one what it should.
func (e *flowEncoder) says(b []byte, f *view.Flow) []byte {
	if e.tables == nil {
		return b
	}
	flow := &f.Flow
	if f.Want != nil {
		flow = f.Want
	}
	return e.tables.AppendSays(b, flow, e.names)
}

// mentions reports whether the text of a flow, what it does, or its cause holds a text, which is in lower case.
func (e *flowEncoder) mentions(f *view.Flow, text string) bool {
	if text == "" {
		return true
	}
	b := append(e.says(append(append(e.scratch[:0], f.Flow.String()...), '\n'), f), '\n')
	if f.Object != "" {
		b = append(append(b, f.Object...), '\n')
		if meta := model.MetaOf(objectNamed(e.m, f.Object)); meta != nil {
			b = fmt.Append(b, meta.Name, "\n", meta.Request, "\n", meta.User)
		}
	}
	e.scratch = b
	return bytes.Contains(bytes.ToLower(b), []byte(text))
}

func (e *flowEncoder) append(b []byte, f *view.Flow) []byte {
	b = appendMember(b, '{', "state", string(f.State))
	b = strconv.AppendUint(append(b, `,"table":`...), uint64(f.Flow.Table), 10)
	b = appendMember(b, ',', "table_name", f.Table)
	b = strconv.AppendUint(append(b, `,"priority":`...), uint64(f.Flow.Priority), 10)
	b = appendMember(b, ',', "cookie", f.Flow.Cookie.String())
	b = appendMember(b, ',', "text", f.Flow.String())
	b = appendMember(b, ',', "match", f.Flow.Match.String())
	e.scratch = of.AppendActions(e.scratch[:0], f.Flow.Actions)
	b = appendString(append(b, `,"actions":`...), e.scratch)
	if f.Want != nil {
		b = appendMember(b, ',', "wanted", f.Want.String())
	}
	if e.scratch = e.says(e.scratch[:0], f); len(e.scratch) > 0 {
		b = appendString(append(b, `,"says":`...), e.scratch)
	}
	if f.State != view.FlowMissing {
		b = strconv.AppendUint(append(b, `,"packets":`...), f.Packets, 10)
		b = strconv.AppendUint(append(b, `,"bytes":`...), f.Bytes, 10)
		b = strconv.AppendFloat(append(b, `,"age_seconds":`...), f.Age.Seconds(), 'f', -1, 64)
	}
	if f.Kind != "" {
		b = appendMember(b, ',', "kind", f.Kind)
	}
	if f.Object != "" {
		b = e.appendCause(b, f.Object)
	}
	return append(b, '}')
}

// appendCause tells of the API object that caused a flow and of the request that changed it last.
func (e *flowEncoder) appendCause(b []byte, object string) []byte {
	b = appendMember(b, ',', "object", object)
	meta := model.MetaOf(objectNamed(e.m, object))
	if meta == nil {
		return b
	}
	for _, x := range [...]struct{ name, value string }{{"object_name", meta.Name}, {"request", meta.Request}, {"user", meta.User}} {
		if x.value != "" {
			b = appendMember(b, ',', x.name, x.value)
		}
	}
	return strconv.AppendUint(append(b, `,"rev":`...), meta.Rev, 10)
}
