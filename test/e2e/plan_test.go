package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// plan is an answer to ?plan=true.
type plan struct {
	ID      string
	Rev     uint64
	Status  int
	Changes []planChange
	Hosts   []struct {
		Host string
		Diff []planItem
	}
	Unplanned []struct{ Host, Cause string }
}

type planChange struct{ Op, Object, Name string }

type planItem struct{ Where, Type, Op, Text, Before, Object string }

// plans sends a request that is only to be planned.
func (f *fabric) plans(method, path string, in any) plan {
	f.t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	var got struct{ Plan plan }
	ok(f.t, f.api.do(method, path+sep+"plan=true", in, &got))
	return got.Plan
}

// apply does what a plan shows.
func (f *fabric) apply(p plan) error {
	return f.api.post("/v1/plans/"+p.ID+"/apply", nil, nil)
}

// state is what hosts hold, by "host place type" and then by text, each as often as it is there.
type state map[string]map[string]int

func (s state) add(place, text string, times int) {
	if s[place] == nil {
		s[place] = map[string]int{}
	}
	if s[place][text] += times; s[place][text] == 0 {
		delete(s[place], text)
	}
}

// difference lists what two states do not share.
func (s state) difference(other state) []string {
	var out []string
	for sign, sides := range map[string][2]state{"+": {s, other}, "-": {other, s}} {
		for place, texts := range sides[0] {
			for text, n := range texts {
				if sides[1][place][text] < n {
					out = append(out, sign+" "+place+": "+text)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// look is a view of hosts by their own tools, in the words of plans.
type look struct {
	*fabric
	agents map[string]*agent
	names  map[string]map[string]string // names of ports by "host bridge" and number, of all that were ever seen
}

func (l *look) state(hosts ...string) state {
	l.t.Helper()
	s := state{}
	for _, h := range hosts {
		for _, bridge := range []string{"br-int", "br-tun", "br-ex"} {
			l.learnNames(h, bridge)
			for _, line := range l.dump(h, bridge, "") {
				if strings.Contains(line, "cookie=0x5d") && !isLearned(line) {
					s.add(h+" "+bridge+" flow", l.flow(h, bridge, line), 1)
				}
			}
			for _, port := range lines(l.vsctl(h, "list-ports", bridge)) {
				if !strings.HasPrefix(port, "tap") {
					s.add(h+" ovsdb row", "add-port "+bridge+" "+port, 1)
				}
			}
		}
		for _, line := range lines(l.vsctl(h, "--format=csv", "--no-headings", "--columns=name,tag", "list", "Port")) {
			if name, tag, _ := strings.Cut(line, ","); strings.HasPrefix(name, "tap") && tag != "[]" {
				s.add(h+" ovsdb row", "set Port "+name+" tag="+tag, 1)
			}
		}
		for _, ns := range lines(l.sh(h, "ls /run/netns | grep ^q || true")) {
			s.add(h+" "+ns+" namespace", ns, 1)
			l.namespace(s, h, ns)
		}
	}
	return s
}

// learnNames remembers which numbers the ports of a bridge have.
func (l *look) learnNames(host, bridge string) {
	l.t.Helper()
	at := host + " " + bridge
	if l.names[at] == nil {
		l.names[at] = map[string]string{}
	}
	for _, line := range lines(l.ofctl(host, "show", bridge)) {
		if m := shownPort.FindStringSubmatch(line); m != nil {
			l.names[at][m[1]] = m[2]
		}
	}
}

var (
	shownPort = regexp.MustCompile(`^(\d+)\(([^)]+)\):`)
	flowPort  = regexp.MustCompile(`\b(in_port=|output:)"?([\w-]+)"?`)
)

// flow is a flow with the names of ports in place of numbers.
func (l *look) flow(host, bridge, text string) string {
	text = flowPort.ReplaceAllStringFunc(strings.TrimSpace(text), func(found string) string {
		m := flowPort.FindStringSubmatch(found)
		if name, ok := l.names[host+" "+bridge][m[2]]; ok {
			m[2] = name
		}
		return m[1] + m[2]
	})
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }), " ")
}

// namespace dumps addresses, routes, elements of nftables and the files of dnsmasq. One that is just going has
// nothing to tell.
func (l *look) namespace(s state, host, ns string) {
	l.t.Helper()
	place := host + " " + ns + " "
	for _, line := range lines(l.sh(host, "ip -n "+ns+" -o addr show || true")) {
		if w := strings.Fields(line); w[1] != "lo" && strings.HasPrefix(w[2], "inet") && !strings.HasPrefix(w[3], "fe80::f816") {
			s.add(place+"address", w[3]+" dev "+w[1], 1)
		}
	}
	for _, line := range lines(l.sh(host, "ip -n "+ns+" route show; ip -n "+ns+" -6 route show || true")) {
		if strings.Contains(line, " via ") {
			s.add(place+"route", strings.TrimSpace(strings.Split(line, " proto ")[0]), 1)
		}
	}
	block, elements := "", false
	for _, line := range lines(l.sh(host, "ip netns exec "+ns+" nft list ruleset || true")) {
		words := strings.Fields(line)
		line, opens := strings.CutPrefix(line, "elements = {")
		elements = elements || opens
		switch {
		case elements:
			body, done := strings.CutSuffix(line, "}")
			for e := range strings.SplitSeq(body, ",") {
				if e = strings.Join(strings.Fields(e), " "); e != "" && block != "set leaving" {
					s.add(place+"nft", e+" ("+block+")", 1)
				}
			}
			elements = !done
		case len(words) == 3 && words[2] == "{":
			block = words[0] + " " + words[1]
		}
	}
	if a := l.agents[host]; a != nil {
		for _, file := range []string{"host", "opts", "addn_hosts"} {
			text, _ := os.ReadFile(filepath.Join(a.state, "dhcp", ns, file)) // routers have none
			for _, line := range lines(string(text)) {
				s.add(place+"dhcp", line+" (file "+file+")", 1)
			}
		}
	}
}

// ahead returns the state that a plan says will be.
func (l *look) ahead(now state, p plan) state {
	out := state{}
	for place, texts := range now {
		out[place] = maps.Clone(texts)
	}
	for _, h := range p.Hosts {
		for _, i := range h.Diff {
			place := h.Host + " " + i.Where + " " + i.Type
			text, before, ok := l.comparable(h.Host, i)
			if !ok {
				continue
			}
			switch i.Op {
			case "add":
				out.add(place, text, 1)
			case "delete":
				out.add(place, text, -1)
			case "change":
				out.add(place, before, -1)
				out.add(place, text, 1)
			}
		}
	}
	return out
}

// comparable is an item as a state has it; ok is false for what states do not have.
func (l *look) comparable(host string, i planItem) (text, before string, ok bool) {
	switch i.Type {
	case "flow":
		return l.flow(host, i.Where, i.Text), l.flow(host, i.Where, i.Before), true
	case "row":
		short := func(s string) string { s, _, _ = strings.Cut(s, " -- "); return s }
		return short(i.Text), short(i.Before), true
	case "nft":
		_, block, _ := strings.Cut(i.Text, " (")
		return i.Text, i.Before, !strings.HasPrefix(block, "chain ") && block != "" && !strings.HasPrefix(i.Text, "type ")
	case "dhcp":
		return i.Text, i.Before, strings.Contains(i.Text, " (file ")
	case "namespace", "address":
		return i.Text, i.Before, true
	case "route":
		return i.Text, i.Before, strings.Contains(i.Text, " via ")
	}
	return "", "", false
}

// comesTrue plans a request, makes sure that planning changed nothing, applies the plan, and waits until
// hosts hold exactly what the plan said they would.
func (l *look) comesTrue(hosts []string, method, path string, in any) plan {
	l.t.Helper()
	rev := l.revision()
	before := l.state(hosts...)
	p := l.plans(method, path, in)
	if len(p.Unplanned) > 0 || len(p.Hosts) == 0 {
		l.t.Errorf("%s %s changes %d hosts; unplanned: %+v", method, path, len(p.Hosts), p.Unplanned)
	}
	always(l.t, time.Second, "a plan changes nothing", func() error {
		if d := l.state(hosts...).difference(before); len(d) > 0 {
			return fmt.Errorf("hosts differ:\n%s", strings.Join(d, "\n"))
		}
		return wantEqual("revision", l.revision(), rev)
	})
	ok(l.t, l.apply(p))
	what := "hosts are as " + method + " " + path + " was planned"
	planned := func() error {
		now := l.state(hosts...)
		if d := now.difference(l.ahead(before, p)); len(d) > 0 {
			return fmt.Errorf("+ is there and was not planned, - was planned and is not there:\n%s", strings.Join(d, "\n"))
		}
		return nil
	}
	eventually(l.t, 20*time.Second, what, planned)
	always(l.t, time.Second, what+", and stay so", planned)
	return p
}

func (f *fabric) revision() uint64 {
	f.t.Helper()
	var s struct{ Revision uint64 }
	ok(f.t, f.api.get("/v1/status", &s))
	return s.Revision
}

// TestPlansComeTrue plans changes of every sort, and applies the plans: what then is on the hosts is, by
// the hosts' own tools, what was there before and the plan's difference.
func TestPlansComeTrue(t *testing.T) {
	g := newGateway(t)
	hosts := []string{"net1", "net2", "cmp1"}
	l := &look{fabric: g.fabric, agents: map[string]*agent{"net1": g.agent}, names: map[string]map[string]string{}}
	g.leased(g.x, g.y)
	settled(g.fabric, hosts...)

	p := l.comesTrue(hosts, "POST", "/v2.0/routers", object{"router": object{"name": "r", "project_id": "tenant-a",
		"external_gateway_info": object{"network_id": g.outside.ID}}})
	if p.Status != http.StatusCreated || len(p.Changes) != 2 || p.Changes[0].Op != "create" {
		t.Errorf("status %d, changes %+v", p.Status, p.Changes)
	}
	router := strings.TrimPrefix(p.Changes[slices.IndexFunc(p.Changes, func(c planChange) bool { return strings.HasPrefix(c.Object, "router/") })].Object, "router/")
	for _, n := range []network{g.red, g.blue} {
		l.comesTrue(hosts, "PUT", "/v2.0/routers/"+router+"/add_router_interface", object{"subnet_id": n.Subnet})
	}
	g.reaches(10*time.Second, g.x, internet)
	l.comesTrue(hosts, "POST", "/v2.0/floatingips", object{"floatingip": object{"floating_network_id": g.outside.ID, "project_id": "tenant-a", "port_id": g.x.port.ID}})
	l.comesTrue(hosts, "PUT", "/v2.0/ports/"+g.y.port.ID, object{"port": object{"admin_state_up": false}})
	l.comesTrue(hosts, "DELETE", "/v2.0/ports/"+g.y.port.ID, nil)
	l.comesTrue(hosts, "PUT", "/v2.0/routers/"+router+"/remove_router_interface", object{"subnet_id": g.blue.Subnet})

	// A whole tenant, which then goes again.
	tenant := object{
		"networks": []object{{"name": "shop"}},
		"subnets": []object{{"name": "shop4", "network": "shop", "cidr": "10.20.0.0/24"},
			{"name": "shop6", "network": "shop", "cidr": "fd00:20::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}},
		"routers":     []object{{"name": "shop", "external_gateway": "outside", "interfaces": []string{"shop4", "shop6"}}},
		"ports":       []object{{"name": "web", "network": "shop", "fixed_ips": []object{{"subnet": "shop4", "ip_address": "10.20.0.10"}}}},
		"floatingips": []object{{"network": "outside", "port": "web"}},
	}
	made := l.comesTrue(hosts, "POST", "/v1/apply?project_id=tenant-b&set=shop", tenant)
	if again := g.plans("POST", "/v1/apply?project_id=tenant-b&set=shop", tenant); len(again.Hosts)+len(again.Changes) > 0 {
		t.Errorf("a second time the document changes %+v", again)
	}
	t.Run("the_history_tells_of_it_after_a_restart", func(t *testing.T) {
		g := g.in(t)
		before := g.past("?limit=1000")
		if !slices.ContainsFunc(before, func(c pastChange) bool { return c.Rev == made.Rev+1 && len(c.Changes) >= 6 && c.Request != "" }) {
			t.Errorf("revision %d is not told of as it was: %+v", made.Rev+1, before)
		}
		// Flows follow once the links are plugged that the document leads to.
		if !slices.ContainsFunc(before, func(c pastChange) bool { return c.Rev > made.Rev+1 && len(c.Followed) > 0 }) {
			t.Errorf("nothing followed on switches: %+v", before)
		}
		g.server.kill()
		g.server.start()
		after := g.past(fmt.Sprint("?limit=1000&before=", before[0].Rev+1))
		for i := range before {
			before[i].Followed, after[i].Followed = nil, nil // the log of events begins anew
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("before the restart:\n%+v\nafter it:\n%+v", before, after)
		}
		for _, h := range g.lab.Hosts() {
			g.awaitHost(h.Name)
		}
		g.api.awaitEvent(t, 15*time.Second, 0, "agent_up", "net1", "")
	})
	settled(g.fabric, hosts...)
	l.comesTrue(hosts, "POST", "/v1/apply?project_id=tenant-b&set=shop&prune=true", object{})

	t.Run("not_once_the_state_moved_on", func(t *testing.T) {
		g := g.in(t)
		p := g.plans("PUT", "/v2.0/ports/"+g.x.port.ID, object{"port": object{"name": "later"}})
		other := g.port("other", g.red)
		err := g.apply(p)
		var refused *statusError
		if !errors.As(err, &refused) || refused.Code != http.StatusConflict || !strings.Contains(refused.Body, "StateMoved") ||
			!strings.Contains(refused.Body, "port/"+other.ID) {
			t.Errorf("applied after another change: %v", err)
		}
	})
}

// pastChange is a change in /v1/history.
type pastChange struct {
	Rev           uint64
	Request, User string
	Changes       []planChange
	Followed      []struct{ Host, Target string }
}

// past reads the history.
func (f *fabric) past(query string) []pastChange {
	f.t.Helper()
	var got struct{ Changes []pastChange }
	ok(f.t, f.api.get("/v1/history"+query, &got))
	return got.Changes
}

// settled waits until all that is under way has come to its end.
func settled(f *fabric, hosts ...string) {
	f.t.Helper()
	l := &look{fabric: f, names: map[string]map[string]string{}}
	before, since := l.state(hosts...), time.Now()
	eventually(f.t, 30*time.Second, "hosts rest", func() error {
		now := l.state(hosts...)
		if d := now.difference(before); len(d) > 0 {
			before, since = now, time.Now()
		}
		if time.Since(since) < 2*time.Second {
			return errors.New("something changed a moment ago")
		}
		return nil
	})
}
