package httpd

import (
	"fmt"
	"net/http"
	"strings"
)

// Check is one condition of being ready.
type Check struct {
	Name string // "store", "first-reconcile"
	// Ready returns nil if the condition holds, else what is missing. It must be quick and may be
	// called from any goroutine.
	Ready func() error
}

// Livez answers 200 as long as the process answers at all: an orchestrator restarts it otherwise.
func Livez() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
}

// Readyz answers 200 if every check holds and else 503 with a line for each check, in the form of
// Kubernetes' API server. With ?verbose the lines are in the first answer too.
func Readyz(checks ...Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var lines strings.Builder
		ready := true
		for _, c := range checks {
			if err := c.Ready(); err != nil {
				ready = false
				fmt.Fprintf(&lines, "[-]%s: %v\n", c.Name, err)
			} else {
				fmt.Fprintf(&lines, "[+]%s ok\n", c.Name)
			}
		}
		switch {
		case !ready:
			plain(w, http.StatusServiceUnavailable, lines.String()+"not ready\n")
		case r.URL.Query().Has("verbose"):
			plain(w, http.StatusOK, lines.String()+"ready\n")
		default:
			plain(w, http.StatusOK, "ok\n")
		}
	})
}

func plain(w http.ResponseWriter, code int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text)) // a client that has gone away needs no answer
}
