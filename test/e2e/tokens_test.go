package e2e

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab/labtest"
)

// documented is a block of code in a document of the repository: the first one that contains a text.
func documented(t testing.TB, file, text string) string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("../../docs", file))
	ok(t, err)
	for i, block := range strings.Split(string(doc), "```") {
		if i%2 == 1 && strings.Contains(block, text) {
			_, code, _ := strings.Cut(block, "\n") // after the language
			return code
		}
	}
	t.Fatalf("docs/%s has no example with %q", file, text)
	return ""
}

// code is the status code of an answer, 0 if there was none; the second value is its body.
func code(err error) (int, string) {
	var s *statusError
	if errors.As(err, &s) {
		return s.Code, s.Body
	}
	if err == nil {
		return http.StatusOK, ""
	}
	return 0, err.Error()
}

// The tokens of docs/operations.md: alice is a member of one project, root an admin.
func TestTokens(t *testing.T) {
	labtest.Skip(t)
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	write := func(text string) {
		t.Helper()
		ok(t, os.WriteFile(file, []byte(text), 0o600))
	}
	example := documented(t, "operations.md", "- token:")
	write(example + "- {token: bob-s, user: bob, project_id: p-bob, roles: [member]}\n")
	s := newServer(t, loopback, "--auth", "tokens", "--token-file", file)
	s.start()
	nobody := newClient(s.api)
	alice, root, bob := nobody.as("test"), nobody.as("a-token-in-plain-text"), nobody.as("bob-s")

	t.Run("without_a_token", func(t *testing.T) {
		for _, path := range []string{"/v2.0/networks", "/v2.0/ports/x", "/v1/hosts", "/v1/ports/x", "/v1/events"} {
			for who, c := range map[string]*client{"nobody": nobody, "a guess": nobody.as("guess"),
				"the hash": nobody.as("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")} {
				req, err := http.NewRequestWithContext(t.Context(), "GET", c.base+path, nil)
				ok(t, err)
				req.Header.Set("X-Auth-Token", c.token)
				resp, err := c.http.Do(req)
				ok(t, err)
				resp.Body.Close()
				if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("GET %s by %s: %d, WWW-Authenticate %q", path, who, resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
				}
			}
		}
		for _, open := range []string{"/livez", "/readyz", "/"} {
			if c, body := code(nobody.do("GET", open, nil, nil)); c != http.StatusOK {
				t.Errorf("GET %s without a token: %d %s", open, c, body)
			}
		}
	})

	made := map[string]port{}
	for name, c := range map[string]*client{"alice": alice, "bob": bob} {
		var n struct{ Network network }
		ok(t, c.post("/v2.0/networks", object{"network": object{"name": name}}, &n))
		var p struct{ Port port }
		ok(t, c.post("/v2.0/ports", object{"port": object{"name": name, "network_id": n.Network.ID}}, &p))
		made[name] = p.Port
	}
	t.Run("who_sees_what", func(t *testing.T) {
		for _, c := range []struct {
			name   string
			client *client
			ports  []string
			theirs int // GET of bob's port, in both APIs
			hosts  int // GET of what is no project's
		}{
			{"alice", alice, []string{"alice"}, 404, 403},
			{"bob", bob, []string{"bob"}, 200, 403},
			{"root", root, []string{"alice", "bob"}, 200, 200},
		} {
			var list struct{ Ports []port }
			ok(t, c.client.get("/v2.0/ports?sort_key=name&sort_dir=asc", &list))
			var names []string
			for _, p := range list.Ports {
				names = append(names, p.Name)
			}
			if !slices.Equal(names, c.ports) {
				t.Errorf("%s sees ports %v, want %v", c.name, names, c.ports)
			}
			for path, want := range map[string]int{"/v2.0/ports/" + made["bob"].ID: c.theirs, "/v1/ports/" + made["bob"].ID: c.theirs,
				"/v1/hosts": c.hosts, "/v1/switches": c.hosts, "/v1/macs": c.hosts} {
				var answer any
				if got, body := code(c.client.get(path, &answer)); got != want {
					t.Errorf("%s: GET %s: %d %s, want %d", c.name, path, got, body, want)
				}
			}
		}
	})

	// The file is looked at again within a second or two.
	await := func(c *client, want int) {
		t.Helper()
		eventually(t, 5*time.Second, "token counts anew", func() error {
			got, body := code(c.do("GET", "/v2.0/networks", nil, nil))
			if got != want {
				return errors.New(body)
			}
			return nil
		})
	}
	t.Run("file_is_read_again", func(t *testing.T) {
		write(example + "- {token: carol-s, user: carol, project_id: p-carol}\n")
		await(nobody.as("carol-s"), http.StatusOK)
		await(bob, http.StatusUnauthorized)
	})
	t.Run("bad_file_keeps_the_tokens_of_before", func(t *testing.T) {
		write("- token: [\n")
		s.awaitLogOf(5*time.Second, func() { _, _ = code(root.get("/v2.0/networks", nil)) }, "token file cannot be read")
		await(nobody.as("carol-s"), http.StatusOK)
		write(example)
		await(nobody.as("carol-s"), http.StatusUnauthorized)
		await(alice, http.StatusOK)
	})
}
