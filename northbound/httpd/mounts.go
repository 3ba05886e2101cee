package httpd

import (
	"net/http"
	"strings"
)

// Mounts gives each request to the handler under the longest prefix of its path: "/v1" takes "/v1" and
// "/v1/hosts", not "/v1beta"; "/" takes all that is left. The path is handed on as it came, for
// resources whose names hold an escaped slash.
type Mounts map[string]http.Handler

// ServeHTTP finds the handler; without one the answer is 404.
func (m Mounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for prefix := r.URL.Path; prefix != ""; prefix = prefix[:strings.LastIndexByte(prefix, '/')] {
		if h, ok := m[prefix]; ok {
			h.ServeHTTP(w, r)
			return
		}
		if !strings.Contains(prefix, "/") {
			break
		}
	}
	if h, ok := m["/"]; ok {
		h.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}
