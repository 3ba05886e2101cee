package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/heddle-sdn/heddle/lab/labtest"
)

// idleLimit is the most memory that a server with little to do may hold, in bytes.
const idleLimit = 40 << 20

func TestStopsInGoodOrder(t *testing.T) {
	labtest.Skip(t)
	t.Run("streams_end_and_the_exit_code_is_0", func(t *testing.T) {
		f := newJoinedFabric(t, 1)
		stream := f.api.eventStream(t)
		f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
		begin := time.Now()
		f.server.stop() // fails for another exit code
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		for range stream {
			// until it ends, which it must: a browser would wait for ever
		}
		if log := f.server.logTail(4000); !strings.Contains(log, "stopped; bridges keep their flows") || strings.Contains(log, "API requests cut") {
			t.Errorf("log:\n%s", log)
		}
		f.vsctl("net1", "show") // the host is as it was
		if flows := f.dump("net1", "br-tun", ""); len(flows) == 0 {
			t.Error("the flows are gone")
		}
	})
	t.Run("second_signal_ends_it_at_once", func(t *testing.T) {
		for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
			t.Run(name, func(t *testing.T) {
				s := newServer(t, loopback)
				s.start()
				slowRequest(t, s.api)
				s.process.signal(syscall.SIGTERM)
				always(t, 300*time.Millisecond, "the server waits for the request", func() error {
					return wantEqual("ended", s.process.ended(), false)
				})
				s.process.signal(sig)
				eventually(t, time.Second, "it ends", func() error { return wantEqual("ended", s.process.ended(), true) })
				if c := s.process.exitCode(); c != -1 {
					t.Errorf("exit code %d, want an end by the signal", c)
				}
			})
		}
	})
	t.Run("while_it_starts", func(t *testing.T) {
		// Wherever it is when the signal comes, it must end soon, and come up the next time.
		s := newServer(t, loopback)
		for delay := time.Duration(0); delay < 60*time.Millisecond; delay += 6 * time.Millisecond {
			s.launch()
			wait(t.Context(), delay)
			p := s.process
			p.signal(syscall.SIGTERM)
			select {
			case <-p.done:
			case <-time.After(5 * time.Second):
				t.Fatalf("signal after %v: it does not end", delay)
			}
			if c := p.exitCode(); c > 0 { // or -1, before it takes signals
				t.Errorf("signal after %v: exit code %d:\n%s", delay, c, s.logTail(2000))
			}
		}
		s.start()
		s.stop()
	})
	t.Run("log_goes_to_standard_error", func(t *testing.T) {
		s := newServer(t, loopback, "--log-format", "json")
		cmd := s.command()
		var out, log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &log
		p, err := startProcess(cmd)
		ok(t, err)
		s.process = p
		eventually(t, 10*time.Second, "server answers", func() error { return newClient(s.api).get("/livez", nil) })
		s.stop()
		if out.Len() > 0 {
			t.Errorf("standard output: %s", &out)
		}
		for _, line := range lines(log.String()) {
			if !strings.HasPrefix(line, `{"`) || !strings.Contains(line, `"time":"`) {
				t.Errorf("no JSON: %s", line)
			}
		}
	})
}

// slowRequest begins a request whose body does not come.
func slowRequest(t testing.TB, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	ok(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /v2.0/networks HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", addr)
	ok(t, err)
	// The server asks for the body: the request has reached its handler.
	status, err := bufio.NewReader(conn).ReadString('\n')
	ok(t, err)
	if !strings.Contains(status, "100") {
		t.Fatalf("answer %s", status)
	}
}

func TestHealthOfAServerWithTheDemo(t *testing.T) {
	w := newTenants(t)
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + w.server.api + path)
		ok(t, err)
		defer resp.Body.Close()
		var text bytes.Buffer
		_, err = text.ReadFrom(resp.Body)
		ok(t, err)
		return resp.StatusCode, text.String()
	}
	for path, want := range map[string]string{"/livez": "ok\n", "/readyz": "ok\n", "/readyz?verbose": "[+]store ok\n[+]hosts ok\nready\n"} {
		if c, text := get(path); c != http.StatusOK || text != want {
			t.Errorf("%s: %d %q, want %q", path, c, text, want)
		}
	}

	_, text := get("/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	ok(t, err)
	value := func(name string, labels ...string) float64 {
		t.Helper()
		for _, m := range families[name].GetMetric() {
			var has []string
			for _, l := range m.GetLabel() {
				has = append(has, l.GetName()+"="+l.GetValue())
			}
			if !slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(has, l) }) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		t.Errorf("no metric %s %v", name, labels)
		return -1
	}
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"heddle_networks", nil, 3},
		{"heddle_ports", []string{"status=ACTIVE"}, 8},
		{"heddle_ports_plugged", nil, 8},
		{"heddle_target_connected", []string{"host=net1", "target=br-tun"}, 1},
		{"heddle_target_connected", []string{"host=cmp2", "target=ovsdb"}, 1},
	} {
		if got := value(c.name, c.labels...); got != c.want {
			t.Errorf("%s %v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "heddle_") && families[name].GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
	}

	wait(t.Context(), 3*time.Second) // until nothing is left to do
	rss, swap := memory(t, w.server.process.pid, "VmRSS"), memory(t, w.server.process.pid, "VmSwap")
	t.Logf("idle server: %.1f MB resident with 3 hosts, 3 networks, 8 ports", float64(rss)/(1<<20))
	if rss+swap > idleLimit {
		t.Errorf("idle server holds %d bytes, want at most %d", rss+swap, idleLimit)
	}
}

// memory reads a figure of /proc/PID/status, in bytes.
func memory(t testing.TB, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	ok(t, err)
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in:\n%s", name, text)
	}
	kB, err := strconv.Atoi(string(m[1]))
	ok(t, err)
	return kB << 10
}
