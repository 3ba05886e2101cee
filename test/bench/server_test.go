package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a heddle server in a process of its own.
type server struct {
	b    *testing.B
	args []string
	host string // where hosts reach it
	base string // of the API, "http://127.0.0.1:9696"
	log  string // file
	http http.Client

	openFlow, ovsdb string // host:port
	pid             int
	ended           chan struct{}
}

// newServer starts a server whose hosts reach it at an address of this machine. It ends with the
// benchmark, and with this process however that ends. BENCH_DEBUG_SOCKET=PATH lets one profile it.
func newServer(b *testing.B, host string) *server {
	b.Helper()
	dir := b.TempDir()
	api := net.JoinHostPort("127.0.0.1", freePort(b, "127.0.0.1"))
	s := &server{b: b, host: host, base: "http://" + api, log: filepath.Join(dir, "server.log"),
		openFlow: net.JoinHostPort(host, freePort(b, host)), ovsdb: net.JoinHostPort(host, freePort(b, host)),
		http: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	s.args = []string{"server", "--data-dir", filepath.Join(dir, "data"), "--listen-api", api, "--listen-openflow", s.openFlow, "--listen-ovsdb", s.ovsdb}
	if path := os.Getenv("BENCH_DEBUG_SOCKET"); path != "" {
		s.args = append(s.args, "--debug-socket", path)
	}
	b.Cleanup(func() {
		s.kill()
		if b.Failed() {
			text, _ := os.ReadFile(s.log)
			b.Logf("end of the server's log:\n%s", text[max(0, len(text)-8000):])
		}
	})
	s.start()
	return s
}

// freePort finds a port below those that the kernel gives to outgoing connections: one of these could
// take it while the server is down.
func freePort(b *testing.B, host string) string {
	b.Helper()
	for port := 10000 + os.Getpid()%10000; port < 30000; port++ {
		if taken[port] {
			continue
		}
		ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		ok(b, ln.Close())
		taken[port] = true
		return strconv.Itoa(port)
	}
	b.Fatalf("no free port on %s", host)
	return ""
}

// taken are the ports that freePort gave, which need not be in use yet.
var taken = map[int]bool{}

// start starts the server and waits until its API answers.
func (s *server) start() {
	s.b.Helper()
	s.launch()
	await(s.b, 20*time.Second, "server answers", func() error { return s.do("GET", "/livez", nil, nil) })
}

// launch starts the server and waits for nothing.
func (s *server) launch() {
	s.b.Helper()
	log := must[*os.File](s.b)(os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))
	defer log.Close()
	cmd := exec.Command(program, s.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.ended = make(chan struct{})
	started := make(chan error)
	go func(ended chan struct{}) {
		// The kernel sends the death signal when the thread ends that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed, mostly
		}
		close(ended)
	}(s.ended)
	ok(s.b, <-started)
	s.pid = cmd.Process.Pid
}

// kill ends the server as a crash does.
func (s *server) kill() {
	if s.pid != 0 {
		_ = syscall.Kill(s.pid, syscall.SIGKILL) // it may have ended
		<-s.ended
		s.pid = 0
		s.http.CloseIdleConnections()
	}
}

// rss returns how many megabytes of memory the server has in use, and the most it ever had.
func (s *server) rss() (now, peak float64) {
	s.b.Helper()
	text := must[[]byte](s.b)(os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid)))
	field := func(name string) float64 {
		_, rest, _ := strings.Cut(string(text), name+":")
		kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
		ok(s.b, err)
		return float64(kilobytes) / 1024
	}
	return field("VmRSS"), field("VmHWM")
}

// cpu returns the processor time that the server has used.
func (s *server) cpu() time.Duration {
	s.b.Helper()
	text := string(must[[]byte](s.b)(os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))))
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from the state on, field 3 of proc_pid_stat(5)
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	ok(s.b, errors.Join(err1, err2))
	return time.Duration(user+system) * time.Second / 100
}

// do sends a request and decodes the answer into out, unless out is nil.
func (s *server) do(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, s.base+path, body)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

func (s *server) post(path string, in, out any) error { return s.do("POST", path, in, out) }

type object = map[string]any

// network makes a network and a subnet 10.0.0.0/16 on it, and returns the network's id.
func (s *server) network(name string, more ...object) (string, error) {
	attrs := object{"name": name}
	for _, m := range more {
		maps.Copy(attrs, m)
	}
	var made struct{ Network struct{ ID string } }
	if err := s.post("/v2.0/networks", object{"network": attrs}, &made); err != nil {
		return "", err
	}
	id := made.Network.ID
	return id, s.post("/v2.0/subnets", object{"subnet": object{"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/16", "gateway_ip": nil}}, nil)
}

type port struct {
	ID     string
	Status string
	MAC    string `json:"mac_address"`
	Fixed  []struct {
		IP string `json:"ip_address"`
	} `json:"fixed_ips"`
}

// port makes a port.
func (s *server) port(attrs object) (port, error) {
	var made struct{ Port port }
	return made.Port, s.post("/v2.0/ports", object{"port": attrs}, &made)
}

// metrics are the server's, by name with labels: `heddle_ports{status="ACTIVE"}`.
type metrics map[string]float64

func (s *server) metrics() (metrics, error) {
	resp, err := s.http.Get(s.base + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := metrics{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			if out[line[:i]], err = strconv.ParseFloat(line[i+1:], 64); err != nil {
				return nil, err
			}
		}
	}
	return out, lines.Err()
}

// sum adds up all series of a metric.
func (m metrics) sum(name string) (total float64) {
	for series, value := range m {
		if series == name || strings.HasPrefix(series, name+"{") {
			total += value
		}
	}
	return total
}

// confirmed is nil once a number of targets, OVSDBs and bridges, are connected and have confirmed a
// revision: 0 stands for the newest.
func (s *server) confirmed(targets int, rev float64) error {
	m, err := s.metrics()
	if err != nil {
		return err
	}
	if rev == 0 {
		rev = m["heddle_store_revision"]
	}
	n := 0
	for name, value := range m {
		if labels, is := strings.CutPrefix(name, "heddle_target_revision"); is && value >= rev && m["heddle_target_connected"+labels] == 1 {
			n++
		}
	}
	if n < targets {
		return fmt.Errorf("%d of %d targets have confirmed revision %.0f", n, targets, rev)
	}
	return nil
}

// histogramMedian estimates the median of a histogram between two readings, in seconds, as
// Prometheus' histogram_quantile does.
func histogramMedian(before, after metrics, name string) float64 {
	type bucket struct{ le, n float64 }
	var buckets []bucket
	for series, n := range after {
		if labels, is := strings.CutPrefix(series, name+"_bucket{le=\""); is {
			if le, err := strconv.ParseFloat(strings.TrimSuffix(labels, "\"}"), 64); err == nil {
				buckets = append(buckets, bucket{le, n - before[series]})
			}
		}
	}
	half := (after[name+"_count"] - before[name+"_count"]) / 2
	below := bucket{}
	slices.SortFunc(buckets, func(x, y bucket) int { return cmp.Compare(x.le, y.le) })
	for _, x := range buckets {
		if x.n >= half && x.n > below.n {
			return below.le + (x.le-below.le)*(half-below.n)/(x.n-below.n)
		}
		below = x
	}
	return below.le
}
