package provenance

import (
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Words tell of the things on one host, in plain words. They must not be used from several goroutines.
type Words struct {
	m     *model.Model
	host  string
	ports map[string]map[string]of.Port
	names map[string]*Names
}

// NewWords returns the words for a host whose bridges have some ports, by bridge and interface.
func NewWords(m *model.Model, host string, ports map[string]map[string]of.Port) *Words {
	return &Words{m: m, host: host, ports: ports, names: map[string]*Names{}}
}

// Flow says what a flow of a bridge does; nothing for a flow that the pipeline does not have.
func (w *Words) Flow(bridge string, f *of.Flow) string {
	if w.names[bridge] == nil {
		w.names[bridge] = NewNames(w.m, w.host, bridge, w.ports[bridge])
	}
	return pipeline.Of(bridge).Says(f, w.names[bridge])
}

// Row says what a row is for.
func (w *Words) Row(r row.Row) string { return Row(w.m, w.host, r).Says }

// Namespace tells of the lines of a namespace.
func (w *Words) Namespace(ns spec.Namespace) []spec.Line { return Namespace(w.m, w.host, ns) }
