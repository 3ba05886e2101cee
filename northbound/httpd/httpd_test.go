package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
)

func quiet() (*logrus.Entry, *logtest.Hook) {
	l, hook := logtest.NewNullLogger()
	l.SetLevel(logrus.DebugLevel)
	return logrus.NewEntry(l), hook
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, text) })
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func TestLongestPrefixServes(t *testing.T) {
	m := Mounts{"/": says("root"), "/v1": says("v1"), "/v1/deep": says("deep"), "/livez": says("live")}
	for path, want := range map[string]string{
		"/": "root", "/v1": "v1", "/v1/": "v1", "/v1/hosts/a": "v1", "/v1beta": "root", "/v1/deep/er": "deep",
		"/livez": "live", "/livez/x": "live", "/v2.0/networks": "root", "//v1": "root", "/v1%2Fhosts": "v1",
	} {
		if got := get(m, path).Body.String(); got != want {
			t.Errorf("GET %s is served by %q, want %q", path, got, want)
		}
	}
	if w := get(Mounts{"/v1": says("v1")}, "/v2"); w.Code != 404 {
		t.Errorf("unmounted path: %d", w.Code)
	}
	star := httptest.NewRequest("OPTIONS", "/", nil)
	star.URL.Path = "*"
	w := httptest.NewRecorder()
	m.ServeHTTP(w, star)
	if w.Body.String() != "root" {
		t.Errorf("OPTIONS * is served by %q", w.Body)
	}
}

func TestReadiness(t *testing.T) {
	fine := Check{"store", func() error { return nil }}
	not := Check{"first-reconcile", func() error { return errors.New("host h1 was not read yet") }}
	for name, test := range map[string]struct {
		handler http.Handler
		path    string
		code    int
		want    string
	}{
		"alive":            {Livez(), "/livez", 200, "ok\n"},
		"ready":            {Readyz(fine), "/readyz", 200, "ok\n"},
		"ready_verbose":    {Readyz(fine), "/readyz?verbose", 200, "[+]store ok\nready\n"},
		"without_checks":   {Readyz(), "/readyz", 200, "ok\n"},
		"not_ready":        {Readyz(fine, not), "/readyz", 503, "[+]store ok\n[-]first-reconcile: host h1 was not read yet\nnot ready\n"},
		"not_ready_verbos": {Readyz(not, fine), "/readyz?verbose=1", 503, "[-]first-reconcile: host h1 was not read yet\n[+]store ok\nnot ready\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if w := get(test.handler, test.path); w.Code != test.code || w.Body.String() != test.want {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, test.code, test.want)
			}
		})
	}
}

func TestRequestsAreLoggedAndObserved(t *testing.T) {
	for name, test := range map[string]struct {
		method  string
		handler http.HandlerFunc
		level   logrus.Level
		code    int
		observe bool
	}{
		"read":    {"GET", func(w http.ResponseWriter, r *http.Request) {}, logrus.DebugLevel, 200, true},
		"change":  {"PUT", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); w.WriteHeader(500) }, logrus.InfoLevel, 201, true},
		"failure": {"GET", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, logrus.ErrorLevel, 503, true},
		"panic":   {"GET", func(w http.ResponseWriter, r *http.Request) { panic("oops") }, logrus.ErrorLevel, 500, true},
		"stream":  {"GET", func(w http.ResponseWriter, r *http.Request) { ExchangeOf(r.Context()).Stream = true }, logrus.DebugLevel, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			log, hook := quiet()
			observed := ""
			q := Requests{Log: log, Observe: func(route, method string, code int, _ time.Duration) {
				observed = route + " " + method + " " + http.StatusText(code)
			}}
			h := q.Around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				x := ExchangeOf(r.Context())
				x.Route, x.User = "/r", "ann"
				test.handler(w, r)
			}))
			r := httptest.NewRequest(test.method, "/r", nil)
			r.Header.Set(RequestIDHeader, "req-client-1")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			e := hook.LastEntry()
			if w.Code != test.code || e.Level != test.level || e.Data["code"] != test.code || e.Data["user"] != "ann" || e.Data["global_request"] != "req-client-1" {
				t.Errorf("%d, logged %v %v", w.Code, e.Level, e.Data)
			}
			if id := w.Header().Get(RequestIDHeader); !clientID.MatchString(id) || id == "req-client-1" || e.Data["request"] != id {
				t.Errorf("request id %q, logged %v", id, e.Data["request"])
			}
			want := ""
			if test.observe {
				want = "/r " + test.method + " " + http.StatusText(test.code)
			}
			if observed != want {
				t.Errorf("observed %q, want %q", observed, want)
			}
		})
	}
}

func TestBadClientIDsAreNotLogged(t *testing.T) {
	for _, id := range []string{"x", "req-", "req-a b", "req-" + strings.Repeat("a", 65), "req-a\x00"} {
		log, hook := quiet()
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header[RequestIDHeader] = []string{id}
		Requests{Log: log}.Around(says("")).ServeHTTP(httptest.NewRecorder(), r)
		if got, ok := hook.LastEntry().Data["global_request"]; ok {
			t.Errorf("logged %q", got)
		}
	}
}

func TestPanicIsAnsweredOrCut(t *testing.T) {
	log, _ := quiet()
	q := Requests{Log: log, Panicked: func(w http.ResponseWriter) { w.WriteHeader(500); _, _ = io.WriteString(w, "sorry") }}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"before_the_answer": {func(http.ResponseWriter, *http.Request) { panic("oops") }, "500 sorry"},
		"in_the_answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic("oops")
		}, "cut"},
		"on_purpose": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cut"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(q.Around(test.handler))
			srv.Config.ErrorLog = nil
			srv.Start()
			defer srv.Close()
			got := "cut"
			if answer, err := srv.Client().Get(srv.URL); err == nil {
				defer answer.Body.Close()
				if body, err := io.ReadAll(answer.Body); err == nil {
					got = strings.TrimSpace(strings.TrimSuffix(answer.Status, http.StatusText(answer.StatusCode))) + " " + string(body)
				}
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestLongBodyIsAnError(t *testing.T) {
	log, _ := quiet()
	var err error
	h := Requests{Log: log, MaxBody: 4}.Around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, err = io.ReadAll(r.Body) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("PUT", "/", strings.NewReader("12345")))
	var large *http.MaxBytesError
	if !errors.As(err, &large) {
		t.Errorf("read: %v", err)
	}
}

// start serves h until the test, or stop, ends it.
func start(t *testing.T, h http.Handler, secure *tls.Config, grace time.Duration) (addr string, stop func() error) {
	t.Helper()
	log, _ := quiet()
	ctx, cancel := context.WithCancel(t.Context())
	ln, err := Listen(ctx, "127.0.0.1:0", secure)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	s := Server{Handler: h, Log: log, Grace: grace}
	go func() { done <- s.Serve(ctx, ln) }()
	stop = func() error {
		cancel()
		select {
		case err := <-done:
			done <- err
			return err
		case <-time.After(20 * time.Second):
			return errors.New("the server does not stop")
		}
	}
	t.Cleanup(func() { _ = stop() })
	return ln.Addr().String(), stop
}

func TestRequestsFinishWhenTheServerStops(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	addr, stop := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-Draining(r.Context())
		<-release
		if r.Context().Err() != nil {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, "done")
	}), nil, time.Minute)
	answered := make(chan string, 1)
	go func() {
		answer, err := http.Get("http://" + addr)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		answered <- string(body)
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(release)
	if got := <-answered; got != "done" {
		t.Errorf("answer %q", got)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the address is still open")
	}
}

func TestRequestsThatDoNotFinishAreCut(t *testing.T) {
	begun := make(chan struct{})
	var cancelled atomic.Bool
	ended := make(chan struct{})
	addr, stop := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(ended)
		close(begun)
		<-r.Context().Done()
		cancelled.Store(true)
	}), nil, time.Millisecond)
	go func() {
		if answer, err := http.Get("http://" + addr); err == nil {
			answer.Body.Close()
		}
	}()
	<-begun
	if err := stop(); err != nil {
		t.Error(err)
	}
	<-ended
	if !cancelled.Load() {
		t.Error("the request was not cancelled")
	}
}

func TestListenerThatBreaksEndsServe(t *testing.T) {
	log, _ := quiet()
	ln, err := Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	s := Server{Handler: says(""), Log: log}
	if err := s.Serve(t.Context(), ln); err == nil {
		t.Error("Serve on a closed listener returns nil")
	}
	if _, err := Listen(t.Context(), "192.0.2.1:1", nil); err == nil || !strings.Contains(err.Error(), "listen for the API") {
		t.Errorf("listen at an address that is not here: %v", err)
	}
}
