package dashboard

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(h http.Handler, path string, header ...string) *http.Response {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryViewIsThePage(t *testing.T) {
	h := New()
	want := body(t, get(h, "/ui/"))
	if !strings.Contains(want, `<div id="app">`) {
		t.Fatalf("GET /ui/ is %q", want)
	}
	for _, path := range []string{"/ui/topology", "/ui/flows/cmp1/br-int?table=20&q=x", "/ui/objects/port/b1", "/ui/a/b%2Fc"} {
		r := get(h, path)
		if r.StatusCode != 200 || body(t, r) != want || r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("GET %s: %d %v", path, r.StatusCode, r.Header)
		}
	}
	if r := get(h, "/ui"); r.StatusCode != 301 || r.Header.Get("Location") != "/ui/" {
		t.Errorf("GET /ui: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	if r := get(h, "/ui/assets/none.js"); r.StatusCode != 404 {
		t.Errorf("an asset of another build: %d", r.StatusCode)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/ui/", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

var asset = regexp.MustCompile(`(?:src|href)="(/ui/[^"]+)"`)

// What a first visit loads stays small, comes from here alone, and needs no inline script or style,
// which the policy forbids.
func TestThePageIsSmallAndStrict(t *testing.T) {
	h := New()
	r := get(h, "/ui/", "Accept-Encoding", "br, gzip;q=0.8")
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, rule := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if p := r.Header.Get("Content-Security-Policy"); !strings.Contains(p, rule) {
			t.Errorf("the policy %q lacks %q", p, rule)
		}
	}
	total := int(r.ContentLength)
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	html, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(html), "<style") || regexp.MustCompile(`<script(>|[^>]*[^>/]>[^<])`).Match(html) {
		t.Errorf("inline script or style in %s", html)
	}
	links := asset.FindAllSubmatch(html, -1)
	if len(links) < 2 {
		t.Fatalf("the page has no script or no style: %s", html)
	}
	for _, l := range links {
		r := get(h, string(l[1]), "Accept-Encoding", "gzip")
		if r.StatusCode != 200 || r.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("GET %s: %d %v", l[1], r.StatusCode, r.Header)
		}
		total += int(r.ContentLength)
	}
	const limit = 100_000
	t.Logf("the page and all it loads: %d bytes, compressed", total)
	if total > limit {
		t.Errorf("the page and all it loads are %d bytes compressed, at most %d are allowed", total, limit)
	}
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	h := New()
	for _, encoding := range []string{"", "gzip", "gzip;q=0"} {
		first := get(h, "/ui/", "Accept-Encoding", encoding)
		again := get(h, "/ui/", "Accept-Encoding", encoding, "If-None-Match", `"other", W/`+first.Header.Get("ETag"))
		if first.Header.Get("ETag") == "" || again.StatusCode != 304 || body(t, again) != "" {
			t.Errorf("encoding %q: %d with ETag %s", encoding, again.StatusCode, first.Header.Get("ETag"))
		}
		if zipped := first.Header.Get("Content-Encoding") == "gzip"; zipped != (encoding == "gzip") {
			t.Errorf("Accept-Encoding %q is answered with %q", encoding, first.Header.Get("Content-Encoding"))
		}
	}
}

func TestOnlyBrowsersAreLedToTheDashboard(t *testing.T) {
	h := Front(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "versions") }))
	for accept, browser := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/html;q=0, */*": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
	} {
		r := get(h, "/", "Accept", accept)
		if led := r.StatusCode == 302 && r.Header.Get("Location") == "/ui/"; led != browser || !browser && body(t, r) != "versions" {
			t.Errorf("Accept %q: %d", accept, r.StatusCode)
		}
		if r.Header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: Vary is %q", accept, r.Header.Get("Vary"))
		}
	}
	if r := get(h, "/v2.0/networks", "Accept", "text/html"); body(t, r) != "versions" {
		t.Error("a browser that asks for a path of the API is led away")
	}
}
