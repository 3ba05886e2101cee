package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

const monitoring = "../../examples/monitoring"

// TestAlertRules has Prometheus' own tool try each rule on series that should alert and on some that
// should not.
func TestAlertRules(t *testing.T) {
	labtest.Skip(t)
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(within(t, time.Minute), "promtool", args...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules, err := os.ReadFile(filepath.Join(monitoring, "alerts.yml"))
	ok(t, err)
	tests, err := os.ReadFile(filepath.Join(monitoring, "alerts_test.yml"))
	ok(t, err)
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(tests), m[1]) {
			t.Errorf("no test makes %s fire", m[1])
		}
	}
}

// TestDashboardsShowWhatPrometheusScrapes asks a Prometheus that scrapes a server everything that the
// dashboards of Grafana ask.
func TestDashboardsShowWhatPrometheusScrapes(t *testing.T) {
	f := newFabric(t, lab.Config{Hosts: lab.Hosts(1)})
	f.join(f.lab.Hosts()...)
	prometheus := startPrometheus(t, f.server.api)
	eventually(t, 30*time.Second, "two scrapes", func() error {
		got, err := prometheus.query("count_over_time(up[1m]) >= 2 and on () heddle_switch_connected")
		if err == nil && len(got) == 0 {
			err = errors.New("none yet")
		}
		return err
	})
	listed, err := os.ReadFile("../../docs/metrics.md")
	ok(t, err)
	files, err := filepath.Glob(filepath.Join(monitoring, "grafana", "*.json"))
	ok(t, err)
	if len(files) == 0 {
		t.Fatal("there are no dashboards")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for _, p := range panels(t, file) {
				for _, expr := range p.exprs {
					for _, name := range metricName.FindAllString(expr, -1) {
						if base := histogramSuffix.ReplaceAllString(name, ""); !strings.Contains(string(listed), "`"+name+"`") && !strings.Contains(string(listed), "`"+base+"`") {
							t.Errorf("%q shows %s, which docs/metrics.md does not list", p.title, name)
						}
					}
					got, err := prometheus.query(grafanaVariables.Replace(expr))
					if err != nil {
						t.Errorf("%q: %s: %v", p.title, expr, err)
					} else if len(got) == 0 && !mayBeEmpty(expr) {
						t.Errorf("%q shows nothing: %s", p.title, expr)
					}
				}
			}
		})
	}
}

var (
	metricName       = regexp.MustCompile(`heddle_[a-z_]+`)
	histogramSuffix  = regexp.MustCompile(`_(bucket|count|sum)$`)
	grafanaVariables = strings.NewReplacer("$__rate_interval", "1m", "$host", ".*", "$instance", ".*")
)

// mayBeEmpty reports whether an expression speaks of what a fabric of one host without an agent need not have.
func mayBeEmpty(expr string) bool {
	return slices.ContainsFunc([]string{"heddle_agent_", `result="error"`, "heddle_drift_total", "heddle_tunnel_"}, func(s string) bool { return strings.Contains(expr, s) })
}

type panel struct {
	title string
	exprs []string
}

// panels reads a dashboard's panels, and refuses one that has none.
func panels(t *testing.T, file string) []panel {
	t.Helper()
	text, err := os.ReadFile(file)
	ok(t, err)
	var board struct {
		UID    string
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	ok(t, json.Unmarshal(text, &board))
	var out []panel
	for _, p := range board.Panels {
		if p.Type == "row" {
			continue
		}
		one := panel{title: p.Title}
		for _, target := range p.Targets {
			one.exprs = append(one.exprs, target.Expr)
		}
		if len(one.exprs) == 0 {
			t.Errorf("panel %q asks nothing", p.Title)
		}
		out = append(out, one)
	}
	if board.UID == "" || len(out) == 0 {
		t.Fatalf("%s is no dashboard", file)
	}
	return out
}

type prometheus struct{ api string }

// startPrometheus runs a Prometheus that scrapes a server every second. It ends with the test.
func startPrometheus(t *testing.T, target string) prometheus {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile(filepath.Join(monitoring, "prometheus.yml"))
	ok(t, err)
	rules, err := filepath.Abs(filepath.Join(monitoring, "alerts.yml"))
	ok(t, err)
	text := strings.NewReplacer("15s", "1s", "127.0.0.1:9696", target, "alerts.yml", rules).Replace(string(config))
	ok(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(text), 0o600))
	listen := "127.0.0.1:" + freePort(t, "127.0.0.1")
	log, err := os.Create(filepath.Join(dir, "log"))
	ok(t, err)
	defer log.Close()
	cmd := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", listen)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := startProcess(cmd)
	ok(t, err)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		p.wait()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("log of Prometheus:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return prometheus{"http://" + listen}
}

// query returns the series that an expression is now.
func (p prometheus) query(expr string) ([]json.RawMessage, error) {
	resp, err := http.Get(p.api + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var got struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return nil, err
	}
	if got.Status != "success" {
		return nil, fmt.Errorf("%s: %s", got.Status, got.Error)
	}
	return got.Data.Result, nil
}
