package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, c Config, handle http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	c.Server = s.URL + c.Server
	api, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return api
}

func TestRequestsCarryTokenAndPath(t *testing.T) {
	var got *http.Request
	var body string
	api := serve(t, Config{Server: "/cloud/v2.0/", Token: "tok", Agent: "heddle/1"}, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		_, _ = io.WriteString(w, `{"n": 12345678901234567890}`)
	})
	var answer map[string]any
	if err := api.Do(t.Context(), "POST", "/v1/hosts/a%2Fb", url.Values{"q": {"x y"}}, map[string]int{"a": 1}, &answer); err != nil {
		t.Fatal(err)
	}
	if got.RequestURI != "/cloud/v1/hosts/a%2Fb?q=x+y" || got.Header.Get("X-Auth-Token") != "tok" || got.Header.Get("User-Agent") != "heddle/1" ||
		got.Header.Get("Content-Type") != "application/json" || body != `{"a":1}` {
		t.Errorf("%s %v %s", got.RequestURI, got.Header, body)
	}
	if fmt.Sprint(answer["n"]) != "12345678901234567890" {
		t.Errorf("a large number is %v", answer["n"])
	}
}

// The three forms of failures, and what is none of them.
func TestRefusalsAreShownByTheirMessage(t *testing.T) {
	for name, c := range map[string]struct {
		code         int
		body         string
		reason, says string
	}{
		"v1":       {409, `{"error":{"code":409,"reason":"StateMoved","message":"the state moved on"}}`, "StateMoved", "the state moved on"},
		"neutron":  {404, `{"NeutronError":{"type":"PortNotFound","message":"Port x could not be found.","detail":""}}`, "PortNotFound", "Port x could not be found."},
		"keystone": {401, `{"error":{"code":401,"title":"Unauthorized","message":"It requires authentication."}}`, "", "It requires authentication. --token-file or HEDDLE_TOKEN give a token."},
		"proxy":    {502, "<html>Bad Gateway</html>", "", "GET /x: 502 Bad Gateway: <html>Bad Gateway</html> (502, request req-1)"},
		"server":   {500, `{"error":{"reason":"Internal","message":"internal error"}}`, "Internal", "internal error (500, request req-1)"},
	} {
		api := serve(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Openstack-Request-Id", "req-1")
			w.WriteHeader(c.code)
			_, _ = io.WriteString(w, c.body)
		})
		var refused *Error
		if err := api.Get(t.Context(), "/x", nil, nil); !errors.As(err, &refused) || refused.Code != c.code || refused.Reason != c.reason || err.Error() != c.says {
			t.Errorf("%s: %#v: %v", name, refused, err)
		}
	}
	api := serve(t, Config{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	var doc any
	if err := api.Get(t.Context(), "/x", nil, &doc); err == nil || !strings.Contains(err.Error(), "is not what Heddle answers") {
		t.Error(err)
	}
}

func TestServersThatDoNotAnswer(t *testing.T) {
	release := make(chan struct{})
	api := serve(t, Config{Timeout: 20 * time.Millisecond}, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	var gone *Unreachable
	if err := api.Get(t.Context(), "/x", nil, nil); !errors.As(err, &gone) || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := api.Get(ctx, "/x", nil, nil); !errors.Is(err, context.Canceled) || errors.As(err, &gone) && gone.Err == nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "127.0.0.1:9696", "ftp://x", "http://", "http://%zz"} {
		if _, err := New(Config{Server: bad}); err == nil {
			t.Errorf("server %q is accepted", bad)
		}
	}
}

func TestServersHaveToBeTrusted(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	stranger, err := New(Config{Server: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	var gone *Unreachable
	if err := stranger.Get(t.Context(), "/x", nil, nil); !errors.As(err, &gone) {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	known := x509.NewCertPool()
	known.AddCert(s.Certificate())
	friend, err := New(Config{Server: s.URL, TLS: &tls.Config{RootCAs: known}})
	if err != nil {
		t.Fatal(err)
	}
	if err := friend.Get(t.Context(), "/x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestEventsAreFollowed(t *testing.T) {
	api := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") != "7" || r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("asked %s", r.URL)
		}
		_, _ = io.WriteString(w, "retry: 1000\n\n: heartbeat\n\nevent: gap\ndata: {\"after\":7,\"before\":9}\n\nid: 9\nevent: drift\ndata: {\"id\":9,\"time\":\"t\",\ndata: \"kind\":\"drift\",\"host\":\"h\",\"body\":{}}\n\nid: 10\n")
	})
	var got []string
	err := api.Follow(t.Context(), "7", func(e Event) error {
		got = append(got, e.Kind+" "+e.ID.String()+" "+e.Host)
		return nil
	})
	var gone *Unreachable
	if !errors.As(err, &gone) || strings.Join(got, ",") != "gap  ,drift 9 h" {
		t.Errorf("%q, then %v", got, err)
	}
	stop := errors.New("stop")
	if err := api.Follow(t.Context(), "7", func(Event) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func FuzzReadEvent(f *testing.F) {
	f.Add("gap", `{"after":1}`)
	f.Add("drift", `{"id":1,"body":{}}`)
	f.Fuzz(func(_ *testing.T, name, data string) { _, _ = readEvent(name, []byte(data)) })
}
