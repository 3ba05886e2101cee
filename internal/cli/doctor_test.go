package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/view"
)

func TestDoctorFindsNothingWrongWithTheOffice(t *testing.T) {
	w := newOffice(t)
	out, errs, code := w.run("doctor", "--deep")
	if code != 0 || strings.Contains(out, "fail") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	for _, says := range []string{"it answers", "all checks hold", "administrator noauth", "host cmp1: connected, no problems", "6 directions are up", "agent of net1: 2 namespaces are as wanted",
		"routers: 1, and nothing is wrong", "flows of br-tun on cmp2", "drift: none in the last hour"} {
		if !strings.Contains(out, says) {
			t.Errorf("it does not say %q:\n%s", says, out)
		}
	}
	var doc struct {
		OK     bool
		Checks []struct{ State, What, Says, Do string }
	}
	check(t, json.Unmarshal([]byte(w.must("doctor", "-o", "json")), &doc))
	if !doc.OK || len(doc.Checks) < 10 {
		t.Errorf("%+v", doc)
	}
}

func TestDoctorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(w *world)
		says []string
	}{
		"bridge_away": {func(w *world) { w.fabric.down["cmp2/br-tun"] = true }, []string{"fail  host cmp2: NotConnected: br-tun", "fail  ports: ", "heddle doctor --local on the host"}},
		"flow_deleted_by_hand": {func(w *world) {
			w.fabric.flows = func(host, bridge string, flows []view.Flow) []view.Flow {
				if bridge == "br-tun" {
					flows[0].State = view.FlowMissing
				}
				return flows
			}
		}, []string{"fail  flows of br-tun on cmp1: 1 missing, 0 altered, 0 stale"}},
		"drift": {func(w *world) { w.events.Append("cmp1", event.Drift{Target: "br-tun"}) }, []string{"warn  drift: 1 times", "cmp1 br-tun", "heddle events --kind drift"}},
		"refused": {func(w *world) {
			w.events.Append("cmp1", event.ReconcileFailed{Target: "br-tun", Cause: "table is full"})
		}, []string{"fail  changes: cmp1 br-tun refuses them: table is full"}},
		"store_read_only": {answer("/readyz", 503, "[-]store: no space left on device\n[+]hosts ok\nnot ready\n"), []string{"fail  ready: store: no space left", "is the disk of --data-dir full"}},
		"no_heddle":       {answer("/livez", 404, "no"), []string{"/livez answers 404"}},
		"agent_failed": {answer("/v1/agents", 200, `{"agents":[{"host":"net1","connected":true,"failed":1,"errors":{"qdhcp-1":"dnsmasq is not installed"}},{"host":"net2","connected":false}]}`),
			[]string{"fail  agent of net1: qdhcp-1: dnsmasq is not installed", "fail  agent of net2: it does not report", "systemctl status heddle-agent"}},
		"tunnel_down": {answer("/v1/tunnels", 200, `{"tunnels":[{"from":"cmp1","to":"cmp2","type":"vxlan","state":"down","reason":"TunnelDown","message":"nothing comes"}]}`),
			[]string{"fail  vxlan tunnel cmp1 to cmp2: down: TunnelDown: nothing comes", "heddle doctor --local on host cmp1"}},
		"other_version": {answer("/v1/status", 200, `{"version":"1.3.0","revision":7,"hosts":{"behind":["cmp1"]},"switches":{"unclaimed":2}}`),
			[]string{"the server is 1.3.0, this program 1.2.0", "hosts cmp1 have not confirmed revision 7", "2 connected bridges belong to no host"}},
		"subnet_exhausted": {answer("/v1/objects/subnet", 200, `{"objects":[{"id":"s1","name":"tiny","ok":false,"reason":"SubnetExhausted","message":"all 1 addresses are used: widen it"}],"matched":1}`),
			[]string{"fail  subnets: SubnetExhausted, 1 of them; subnet/tiny: all 1 addresses are used", "heddle describe subnet/tiny"}},
		"no_token": {answer("/v1/whoami", 401, `{"error":{"message":"The request you have made requires authentication."}}`), []string{"fail  token: The request"}},
		"broken":   {answer("/v1/hosts", 500, `{"error":{"message":"internal error"}}`), []string{"fail  hosts: internal error"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOffice(t)
			c.harm(w)
			out, errs, code := w.run("doctor", "--deep")
			if want := strings.Contains(out, "fail "); code > exitNo || (code == exitNo) != want {
				t.Errorf("exit code %d: %s", code, errs)
			}
			for _, says := range c.says {
				if !strings.Contains(out, says) {
					t.Errorf("it does not say %q:\n%s", says, out)
				}
			}
		})
	}
	w := newOffice(t)
	w.env["HEDDLE_SERVER"] = "http://127.0.0.1:1"
	if out, _, code := w.run("doctor"); code != exitNo || !strings.Contains(out, "it cannot be reached") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// answer gives a fixed answer in place of the API's.
func answer(path string, code int, body string) func(*world) {
	return func(w *world) {
		w.before = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			rw.WriteHeader(code)
			_, _ = io.WriteString(rw, body)
			return true
		}
	}
}
