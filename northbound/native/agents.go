package native

import (
	"net/http"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// agentView is the node agent of a host.
type agentView struct {
	Host       string            `json:"host"`
	Connected  bool              `json:"connected"`        // it reports
	Seen       time.Time         `json:"seen,omitzero"`    // when it last did
	Started    time.Time         `json:"started,omitzero"` // when this run of it began
	Namespaces int               `json:"namespaces"`
	Failed     int               `json:"failed"` // namespaces with an error
	Drained    bool              `json:"drained"`
	Errors     map[string]string `json:"errors"` // by namespace
}

// listAgents lists the agents of all hosts that have one, or are gateways and should.
func (s *server) listAgents(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	m, state := s.Store.Snapshot(), s.Fabric.Status()
	views := []agentView{}
	for _, name := range m.Hosts.Sorted() {
		if h, ok := m.Hosts.Get(name); ok && (state[name].Node != nil || h.Agent != model.AgentNever || h.Settings().IsGateway()) {
			views = append(views, viewAgent(h, state[name].Node))
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"agents": views})
}

func viewAgent(h *model.Host, node *status.Node) agentView {
	v := agentView{Host: h.Name, Drained: h.Drained, Errors: map[string]string{}}
	if node == nil {
		return v
	}
	v.Connected, v.Seen, v.Started, v.Namespaces = node.Connected, node.Seen, node.Started, len(node.Objects)
	for name, o := range node.Objects {
		if o.Error != "" {
			v.Failed++
			v.Errors[name] = o.Error
		}
	}
	return v
}
