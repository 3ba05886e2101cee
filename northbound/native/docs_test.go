package native

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/history"
)

// TestDocumentDescribesEverything keeps docs/api.md complete: paths, members of bodies, kinds of
// events, states and reasons.
func TestDocumentDescribesEverything(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	var index struct{ Paths []string }
	f := newFixture(t)
	if err := json.Unmarshal(f.call("GET", "/v1", "").Body.Bytes(), &index); err != nil {
		t.Fatal(err)
	}
	for _, path := range index.Paths {
		allow := f.call("TRACE", strings.NewReplacer("{name}", "h1", "{dpid}", "a1", "{id}", "x", "{kind}", "port", "{ns}", "x").Replace(path), "").Header().Get("Allow")
		for method := range strings.SplitSeq(strings.ReplaceAll(allow, ", HEAD", ""), ", ") {
			if heading := "### `" + method + " " + path + "`\n"; !strings.Contains(doc, heading) {
				t.Errorf("docs/api.md lacks %s", heading)
			}
		}
	}
	for name := range hostFields {
		if !strings.Contains(doc, "| `"+name+"` |") {
			t.Errorf("docs/api.md lacks the host's member %s", name)
		}
	}
	for _, state := range flowStates {
		if !strings.Contains(doc, "| `"+string(state)+"` |") {
			t.Errorf("docs/api.md lacks the flow state %s", state)
		}
	}
	for _, b := range []event.Body{event.SwitchUp{}, event.SwitchDown{}, event.SwitchUnknown{}, event.HostUp{}, event.HostDown{},
		event.PortPlugged{}, event.PortUnplugged{}, event.Reconciled{}, event.Drift{}, event.ReconcileFailed{}, event.ReconcileRecovered{},
		event.TunnelDown{}, event.TunnelUp{}, event.MACLearned{}, event.MACForgotten{}, event.Changed{}, history.Missed{}} {
		if !strings.Contains(doc, "| `"+b.Kind()+"` |") {
			t.Errorf("docs/api.md lacks the event %s", b.Kind())
		}
	}
}
