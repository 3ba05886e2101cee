package cli

import "testing"

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
