package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

const office = `# the office
networks:
  - name: green
subnets:
  - name: green-v4
    network: green
    cidr: 10.7.0.0/24
---
ports:
- {name: a, network: green}
- {name: b, network: green}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// What is wrong with a file is said with file, line and column, before anything is asked.
func TestFilesThatMakeNoSense(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no_yaml":      {"networks:\n  - name: [", "f.yaml: "},
		"unknown_list": {"networks: []\nnetwork:\n  - name: x\n", `f.yaml:3:3: there is no list "network", only networks, subnets`},
		"no_list":      {"networks:\n  name: blue\n", "f.yaml:2:3: networks is no list"},
		"no_map":       {"networks:\n  - blue\n", "f.yaml:2:5: networks[0] is no map"},
		"no_document":  {"- name: blue\n", "f.yaml:1:1: a document is a map with the lists"},
		"duplicate":    {"networks: []\nnetworks: []\n", `"networks" already defined`},
		"no_json":      {"ports:\n  - {name: a, x: .inf}\n", "unsupported value"},
		"two_sets":     {"set: a\n---\nset: b\n", "f.yaml:3:6: set is b here and a before"},
		"missing_file": {"", "no such file"},
	} {
		path := "/nonexistent/f.yaml"
		if c.text != "" {
			path = write(t, "f.yaml", c.text)
		}
		_, err := readDocument([]string{path}, nil)
		if code, says := ExitCode(err); code != exitUsage || !strings.Contains(says, c.says) {
			t.Errorf("%s: exit code %d: %s\nwant %q", name, code, says, c.says)
		}
	}
}

// answering gives a world whose server has /v1/apply, which tells what it was sent and answers as told.
func answering(t *testing.T, code int, answer string) (*world, *map[string]any, *string) {
	w := newWorld(t, nil)
	var sent map[string]any
	var query string
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/apply" {
			return false
		}
		query = r.URL.RawQuery
		check(t, json.NewDecoder(r.Body).Decode(&sent))
		rw.WriteHeader(code)
		_, _ = io.WriteString(rw, answer)
		return true
	}
	return w, &sent, &query
}

func TestFilesAreOneDocument(t *testing.T) {
	w, sent, query := answering(t, 200, `{"applied":{"rev":9,"unchanged":1,"changes":[
		{"op":"create","object":"network/n1","name":"green"},{"op":"update","object":"port/p1","name":"a"},{"op":"delete","object":"port/p2"}]}}`)
	dir := filepath.Dir(write(t, "office.yaml", office))
	check(t, os.WriteFile(filepath.Join(dir, "more.json"), []byte(`{"ports": [{"name": "c", "network": "green"}]}`), 0o600))
	out, errs, code := w.runIn(t.Context(), strings.NewReader("set: office\nrouters:\n- name: r\n"), "apply", "-f", dir, "-f", "-", "--prune", "--set", "office", "--project", "acme")
	if code != 0 || out != "network/green created\nport/a changed\nport/p2 deleted\n1 objects are as they should be already\nrevision 9\n" {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	got, err := json.Marshal(*sent)
	check(t, err)
	want := `{"networks":[{"name":"green"}],"ports":[{"name":"c","network":"green"},{"name":"a","network":"green"},{"name":"b","network":"green"}],` +
		`"routers":[{"name":"r"}],"set":"office","subnets":[{"cidr":"10.7.0.0/24","name":"green-v4","network":"green"}]}`
	if string(got) != want || *query != "project_id=acme&prune=true&set=office" {
		t.Errorf("sent ?%s %s\nwant %s", *query, got, want)
	}
}

// The server names places in the document; the user is told places in files.
func TestRefusalsNameTheLine(t *testing.T) {
	for place, line := range map[string]string{"ports[1].network": ":11:22", "ports[2]": "more.yaml:2:3", "subnets[0].cidr": ":7:11", "subnets[0].missing": ":5:5"} {
		w, _, _ := answering(t, 400, `{"error":{"code":400,"reason":"BadRequest","message":"`+place+`: it is wrong"}}`)
		path := write(t, "office.yaml", office)
		more := write(t, "more.yaml", "ports:\n- name: c\n")
		_, errs, code := w.run("apply", "-f", path, "-f", more)
		if code != exitRefused || !strings.Contains(errs, line+": "+place+": it is wrong") {
			t.Errorf("exit code %d: %s\nwant %s", code, errs, line)
		}
	}
}

const planAnswer = `{"plan":{"id":"plan-1","rev":4,"expires":"2025-06-01T12:15:00Z","changes":[{"op":"create","object":"network/n1","name":"green","fields":[{"field":"name","after":"green"}]}],
	"hosts":[],"unplanned":[{"host":"cmp3","cause":"it is not connected"}],"summary":{"objects":1,"hosts":0,"add":0,"change":0,"delete":0}}}`

func TestDiffSaysByItsExitCode(t *testing.T) {
	path := write(t, "office.yaml", office)
	w, _, query := answering(t, 200, planAnswer)
	out, errs, code := w.run("diff", "-f", path)
	if code != exitNo || errs != "" || !strings.Contains(out, "+ network/n1 green") || strings.Contains(out, "heddle apply") || *query != "plan=true" {
		t.Errorf("with differences: exit code %d, ?%s: %s%s", code, *query, out, errs)
	}
	w, _, _ = answering(t, 200, `{"plan":{"id":"plan-1","changes":[],"hosts":[]}}`)
	if out, errs, code := w.run("diff", "-f", path); code != 0 || out != "" {
		t.Errorf("without differences: exit code %d: %s%s", code, out, errs)
	}
	w, _, _ = answering(t, 500, `{"error":{"reason":"Internal","message":"oh"}}`)
	if _, _, code := w.run("diff", "-f", path); code <= exitNo {
		t.Errorf("a failure has exit code %d, as if it were an answer", code)
	}
}

func TestPlanOfAFile(t *testing.T) {
	w, _, _ := answering(t, 200, planAnswer)
	path := write(t, "office.yaml", office)
	for _, args := range [][]string{{"plan", "-f", path}, {"apply", "-f", path, "--plan"}} {
		out := w.must(args...)
		for _, says := range []string{"+ network/n1 green", "name: green", "host cmp3 is not planned: it is not connected", "heddle apply --plan-id plan-1"} {
			if !strings.Contains(out, says) {
				t.Errorf("%v does not say %q:\n%s", args, says, out)
			}
		}
	}
	if out := w.must("plan", "-f", path, "-o", "name"); out != "plan/plan-1\n" {
		t.Errorf("-o name is %q", out)
	}
}

// A plan is done exactly once, and not when the state moved on.
func TestPlansAreApplied(t *testing.T) {
	w := newOffice(t)
	first := strings.TrimPrefix(strings.TrimSpace(w.must("delete", "port", "db", "--plan", "-o", "name")), "plan/")
	second := strings.TrimPrefix(strings.TrimSpace(w.must("set", "port", "web", "--up=false", "--plan", "-o", "name")), "plan/")
	if out := w.must("get", "plans"); !strings.Contains(out, first) || !strings.Contains(out, second) {
		t.Errorf("plans: %s", out)
	}
	if out := w.must("describe", "plan", second); !strings.Contains(out, "admin_state_up: true -> false") {
		t.Errorf("plan: %s", out)
	}
	if out := w.must("apply", "--plan-id", second); !strings.Contains(out, "port/web changed\n") {
		t.Errorf("applied: %s", out)
	}
	if _, errs, code := w.run("apply", "--plan-id", first); code != exitRefused || !strings.Contains(errs, "revision") {
		t.Errorf("a plan whose state moved on: exit code %d: %s", code, errs)
	}
	if _, errs, code := w.run("apply", "--plan-id", "plan-x"); code != exitNotFound {
		t.Errorf("no such plan: exit code %d: %s", code, errs)
	}
	w.must("delete", "plan", first)
	for _, args := range [][]string{{"apply"}, {"apply", "-f", "x", "--plan-id", "y"}, {"plan"}, {"diff", "-f", t.TempDir()}} {
		if _, _, code := w.run(args...); code != exitUsage {
			t.Errorf("heddle %v: exit code %d", args, code)
		}
	}
}

// Applied twice, a file changes nothing the second time; pruned, what it no longer has is gone.
func TestFilesAreApplied(t *testing.T) {
	w := newWorld(t, nil)
	path := write(t, "office.yaml", "set: office\n"+office)
	if _, errs, code := w.run("diff", "-f", path, "--project", "acme"); code != exitNo {
		t.Errorf("before: exit code %d: %s", code, errs)
	}
	out := w.must("apply", "-f", path, "--project", "acme")
	for _, line := range []string{"network/green created", "subnet/green-v4 created", "port/a created", "port/b created"} {
		if !strings.Contains(out, line+"\n") {
			t.Errorf("apply does not say %q:\n%s", line, out)
		}
	}
	if out := w.must("apply", "-f", path, "--project", "acme"); strings.Contains(out, "created") || !strings.HasPrefix(out, "4 objects are as they should be already\n") {
		t.Errorf("the second time:\n%s", out)
	}
	if out, errs, code := w.run("diff", "-f", path, "--project", "acme"); code != 0 || out != "" {
		t.Errorf("afterwards: exit code %d: %s%s", code, out, errs)
	}
	less := write(t, "office.yaml", strings.Replace("set: office\n"+office, "- {name: b, network: green}\n", "", 1))
	if out := w.must("apply", "-f", less, "--project", "acme", "--prune"); !strings.Contains(out, "port/b deleted\n") {
		t.Errorf("pruned:\n%s", out)
	}
	wrong := write(t, "wrong.yaml", strings.Replace(office, "cidr: 10.7.0.0/24", "cidr: 10.8.0.0/24", 1))
	if _, errs, code := w.run("apply", "-f", wrong, "--project", "acme"); code != exitRefused || !strings.Contains(errs, "wrong.yaml:7:11: subnets[0].cidr") {
		t.Errorf("a cidr that differs: exit code %d: %s", code, errs)
	}
}

// Whatever a file holds, it is a document or an error of the user's, and places in it can be looked up.
func FuzzReadDocument(f *testing.F) {
	f.Add(office, "ports[1].network: wrong")
	f.Add(`{"ports": [{"name": "a"}]}`, "ports[0]: wrong")
	f.Add("ports: &x\n- {a: *x}\n", "ports[0].a[0]: wrong")
	f.Fuzz(func(t *testing.T, text, message string) {
		d, err := readDocument([]string{"-"}, strings.NewReader(text))
		if err != nil {
			if code, says := ExitCode(err); code != exitUsage || says == "" {
				t.Errorf("exit code %d: %s", code, says)
			}
			return
		}
		if _, err := json.Marshal(d.body); err != nil {
			t.Errorf("%q is read as %v, which is no JSON: %v", text, d.body, err)
		}
		if err := d.locate(&client.Error{Code: 400, Message: message}); !strings.HasSuffix(err.Error(), message) {
			t.Errorf("the message is lost: %v", err)
		}
	})
}
