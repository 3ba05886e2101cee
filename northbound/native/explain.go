package native

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/apps/explain"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// explanation is an answer, and of what it was told.
type explanation struct {
	*explain.Answer
	State string `json:"state"` // "desired" or "actual"
	Rev   uint64 `json:"rev"`
}

// The states of hosts that can be asked about.
const (
	stateDesired = "desired"
	stateActual  = "actual"
)

// explainPacket finds out what would become of a packet; none is sent.
func (s *server) explainPacket(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "from", "to", "protocol", "src_ip", "dst_port", "src_port", "src_mac", "dst_mac", "state", "rev")
	if err != nil {
		return err
	}
	who := identity.From(r.Context())
	m, err := s.modelAt(q)
	if err != nil {
		return err
	}
	state := stateDesired
	if asked, err := q.oneOf("state", stateDesired, stateActual); err != nil || len(asked) > 1 {
		return badRequest("query: state is %q, which is not one of desired, actual", q.text("state"))
	} else if len(asked) == 1 {
		state = asked[0]
	}
	if state == stateActual && m.Rev != s.Store.Snapshot().Rev && q.has("rev") {
		return badRequest("query: state=actual is what switches hold now; of revision %d only state=desired can be told", m.Rev)
	}
	question, err := readQuestion(q)
	if err != nil {
		return err
	}
	world := hostStates{r.Context(), m, s.Fabric, state == stateActual}
	var answer *explain.Answer
	if who.Admin {
		answer, err = explain.Explain(m, world, question)
	} else {
		if err := mayAsk(m, who, question); err != nil {
			return err
		}
		answer, err = explain.ExplainTo(func(r model.Resource) bool { return mayShow(m, who, r) }, m, world, question)
	}
	var wrong *explain.Error
	switch {
	case errors.As(err, &wrong) && wrong.NotFound:
		return notFound("%s", wrong.Msg)
	case errors.As(err, &wrong):
		return badRequest("query: %s", wrong.Msg)
	case err != nil:
		return err
	}
	return writeJSON(w, http.StatusOK, explanation{answer, state, m.Rev})
}

// hostStates is the world of one request.
type hostStates struct {
	ctx    context.Context
	m      *model.Model
	fabric Fabric
	actual bool
}

// Host returns what is known of a host.
func (h hostStates) Host(name string) (*view.HostState, error) {
	return h.fabric.Inspect(h.ctx, h.m, name, h.actual)
}

// modelAt returns the model of the revision that was asked for.
func (s *server) modelAt(q query) (*model.Model, error) {
	if !q.has("rev") {
		return s.Store.Snapshot(), nil
	}
	rev, err := q.number("rev", 0)
	if err != nil {
		return nil, err
	}
	m, err := s.Past.At(rev)
	if errors.Is(err, store.ErrForgotten) || errors.Is(err, store.ErrFuture) {
		return nil, badRequest("query: rev: %v", err)
	}
	return m, err
}

// mayAsk refuses questions of a project about what is not its own.
func mayAsk(m *model.Model, who identity.Identity, q explain.Question) error {
	if q.From.Port == "" {
		return &apiError{http.StatusForbidden, "Forbidden", "from has to be a port of your project; anything else takes the admin role"}
	}
	for _, id := range []model.ID{q.From.Port, q.Port} {
		if p, ok := m.Ports.Get(id); id != "" && (!ok || !who.Owns(p.Project)) {
			return notFound("there is no port %s", id)
		}
	}
	return nil
}

func readQuestion(q query) (explain.Question, error) {
	var out explain.Question
	switch kind, rest, _ := strings.Cut(q.text("from"), "/"); kind {
	case "port":
		out.From.Port = model.ID(rest)
	case "host":
		var ok bool
		if out.From.Host, out.From.Interface, ok = strings.Cut(rest, "/"); !ok || out.From.Interface == "" {
			return out, badRequest("query: from is %q, which names no interface; it is host/NAME/INTERFACE", q.text("from"))
		}
	case "external":
		out.From.External = true
	default:
		return out, badRequest("query: from is %q, which is not port/ID, host/NAME/INTERFACE or external", q.text("from"))
	}
	if id, isPort := strings.CutPrefix(q.text("to"), "port/"); isPort {
		out.Port = model.ID(id)
	} else {
		ip, err := netip.ParseAddr(q.text("to"))
		if err != nil || ip.Zone() != "" {
			return out, badRequest("query: to is %q, which is neither port/ID nor an IP address", q.text("to"))
		}
		out.Address = ip.Unmap()
	}
	if out.Protocol = q.text("protocol"); out.Protocol == "" {
		out.Protocol = "icmp"
	}
	if q.has("src_ip") {
		ip, err := netip.ParseAddr(q.text("src_ip"))
		if err != nil || ip.Zone() != "" {
			return out, badRequest("query: src_ip is %q, which is not an IP address", q.text("src_ip"))
		}
		out.SrcIP = ip.Unmap()
	}
	var err error
	if out.SrcPort, err = q.transportPort("src_port"); err != nil {
		return out, err
	}
	if out.DstPort, err = q.transportPort("dst_port"); err != nil {
		return out, err
	}
	if out.SrcMAC, err = q.mac("src_mac"); err != nil {
		return out, err
	}
	out.DstMAC, err = q.mac("dst_mac")
	return out, err
}

// transportPort returns a parameter that is a port of TCP or UDP, 0 if it is not given.
func (q query) transportPort(name string) (uint16, error) {
	if !q.has(name) {
		return 0, nil
	}
	n, err := strconv.ParseUint(q.text(name), 10, 16)
	if err != nil {
		return 0, badRequest("query: %s is %q, which is not a port's number", name, q.text(name))
	}
	return uint16(n), nil
}

// mac returns a parameter that is a MAC address, zero if it is not given.
func (q query) mac(name string) (of.MAC, error) {
	if !q.has(name) {
		return of.MAC{}, nil
	}
	mac, err := of.ParseMAC(q.text(name))
	if err != nil {
		return of.MAC{}, badRequest("query: %s: %v", name, err)
	}
	return mac, nil
}
