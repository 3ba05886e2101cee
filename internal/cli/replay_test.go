package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// exchange is a request and what the API answered.
type exchange struct {
	Request string          `json:"request"`
	Code    int             `json:"code"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// replay returns a world that gives recorded answers, so that what commands print does not change when the
// API learns to say more. With -update it is the real one, and its answers are recorded.
func replay(t *testing.T, name string, real func(*testing.T) *world) *world {
	t.Helper()
	path := filepath.Join("testdata", "answers", name+".json")
	if *update {
		w := real(t)
		record(t, w, path)
		return w
	}
	text, err := os.ReadFile(path)
	check(t, err)
	var all []exchange
	check(t, json.Unmarshal(text, &all))
	w := &world{t: t, env: map[string]string{}}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for _, x := range all {
			if x.Request == r.Method+" "+r.URL.RequestURI() {
				rw.WriteHeader(x.Code)
				_, _ = rw.Write(x.Body)
				return
			}
		}
		t.Errorf("%s %s was not recorded", r.Method, r.URL.RequestURI())
		rw.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(w.server.Close)
	w.env["HEDDLE_SERVER"] = w.server.URL
	return w
}

// record writes the answers of a world's API to a file when the test ends.
func record(t *testing.T, w *world, path string) {
	var mu sync.Mutex
	var all []exchange
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		check(t, err)
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		w.api.ServeHTTP(answer, again)
		var doc json.RawMessage
		if err := json.Unmarshal(answer.Body.Bytes(), &doc); err == nil {
			doc = random.ReplaceAll(doc, []byte("$1-…"))
		}
		mu.Lock()
		all = append(all, exchange{r.Method + " " + r.URL.RequestURI(), answer.Code, doc})
		mu.Unlock()
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
		return true
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		check(t, e.Encode(all))
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, text.Bytes(), 0o644))
	})
}
