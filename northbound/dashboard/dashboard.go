// Package dashboard serves the web page that shows what /v1 knows. The page is built from ui into dist,
// which is embedded: a browser is given everything by this program, and nothing by anyone else.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed dist
var dist embed.FS

// Prefix is the path that the dashboard is served under; links in the built page have it.
const Prefix = "/ui"

// policy lets the page load its own script and style and ask its own server, and nothing else: what an
// object's name smuggles into the page cannot run, and cannot send anything away.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// file is a built file, ready to be sent.
type file struct {
	plain, zipped []byte // zipped is nil if it would not be smaller
	kind, etag    string
}

type server struct {
	files map[string]file // by path below Prefix: "assets/main-ABCD.js"
}

// page is the file that every view is.
const page = "index.html"

// New returns the handler of Prefix and all below it. It panics if the embedded files cannot be read,
// which only a broken build can cause.
func New() http.Handler {
	s := server{files: map[string]file{}}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		plain, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		s.files[strings.TrimPrefix(name, "dist/")] = newFile(name, plain)
		return nil
	})
	if err != nil || s.files[page].plain == nil {
		panic(fmt.Sprintf("dashboard: the embedded page cannot be read: %v", err))
	}
	return s
}

func newFile(name string, plain []byte) file {
	sum := sha256.Sum256(plain)
	f := file{plain: plain, kind: mime.TypeByExtension(path.Ext(name)), etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = z.Write(plain) // writing to a buffer does not fail
	_ = z.Close()
	if b.Len() < len(plain) {
		f.zipped = b.Bytes()
	}
	return f
}

// ServeHTTP answers with a file, or with the page: which view that shows is decided in the browser.
func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the dashboard is only read", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	if name == "" && !strings.HasSuffix(r.URL.Path, "/") {
		http.Redirect(w, r, Prefix+"/", http.StatusMovedPermanently)
		return
	}
	asset := strings.HasPrefix(name, "assets/")
	f, found := s.files[name]
	switch {
	case found && asset:
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // another build has other names
	case asset:
		http.NotFound(w, r)
		return
	default:
		f = s.files[page]
		h.Set("Cache-Control", "no-cache")
	}
	f.serve(w, r)
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Add("Vary", "Accept-Encoding")
	body, etag := f.plain, f.etag
	if f.zipped != nil && accepts(r, "Accept-Encoding", "gzip") {
		body, etag = f.zipped, strings.TrimSuffix(f.etag, `"`)+`-gz"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if listed(r.Header.Values("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a browser that has gone away needs no answer
	}
}

// Front leads browsers that ask for "/" to the dashboard; programs get what next answers.
func Front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Accept")
		if !accepts(r, "Accept", "text/html") {
			next.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, Prefix+"/", http.StatusFound)
	})
}

// accepts reports whether a header of preferences names a value and does not refuse it (RFC 9110 §12.4.2).
// That anything is accepted does not count.
func accepts(r *http.Request, header, value string) bool {
	for _, line := range r.Header.Values(header) {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), value) {
				continue
			}
			weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(params), "q="), 64)
			return err != nil || weight > 0
		}
	}
	return false
}

// listed reports whether a list of entity tags holds one.
func listed(lines []string, etag string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.TrimPrefix(strings.TrimSpace(item), "W/"); item == etag || item == "*" {
				return true
			}
		}
	}
	return false
}
