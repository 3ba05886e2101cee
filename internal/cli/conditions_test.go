package cli

import (
	"strings"
	"testing"
)

// What does not hold and may be meant so, or is not known, is no fault, and comes after what is one.
func TestFaultsComeFirst(t *testing.T) {
	note := object{"type": "Gateway", "ok": false, "info": true, "reason": "NoGateway"}
	unknown := object{"type": "Tunnels", "ok": false, "unknown": true}
	bad, good := object{"type": "Placed", "ok": false}, object{"type": "Bound", "ok": true}
	for want, all := range map[string][]object{"": {good, good}, "Gateway": {good, note, unknown}, "Placed": {good, note, unknown, bad}} {
		if got := worst(all); got.text("type") != want {
			t.Errorf("of %v it tells %v, want %s", all, got, want)
		}
	}
	for want, c := range map[string]object{"yes": good, "no": bad, "note": note, "unknown": unknown} {
		if got := holding(c); got != want {
			t.Errorf("%v is %s, want %s", c, got, want)
		}
	}
}

func TestTimesHaveWholeSeconds(t *testing.T) {
	o := object{"at": "2026-11-29T16:44:21.324498009Z", "with": map[string]any{"a": "x 2026-11-29T16:44:21.5+01:00", "ip": "10.0.0.1"}}
	if got := o.text("at") + " " + o.text("with"); got != "2026-11-29T16:44:21Z a=x 2026-11-29T16:44:21+01:00,ip=10.0.0.1" {
		t.Error(strings.TrimSpace(got))
	}
}
