package identity

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func logTo(b *bytes.Buffer) *logrus.Entry {
	l := logrus.New()
	l.SetOutput(b)
	return logrus.NewEntry(l)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestNoAuthIsAnAdministrator(t *testing.T) {
	for name, c := range map[string]struct {
		headers       []string
		project, user string
	}{
		"no_headers":     {nil, "fake_project_id", "noauth"},
		"project_header": {[]string{"X-Project-Id", "p1"}, "", "noauth"},
		"user_header":    {[]string{"X-User-Id", "alice"}, "fake_project_id", "alice"},
	} {
		id, err := NoAuth{}.Authenticate(request(c.headers...))
		if err != nil || !id.Admin || id.Project != c.project || id.User != c.user {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

func TestTokensOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	write(t, path, fmt.Sprintf(`
- token: plain-secret
  user: alice
  project_id: p1
- token: sha256:%x
  user: bob
  project_id: p2
  roles: [reader, admin]
`, sha256.Sum256([]byte("hashed-secret"))), 0o600)
	var log bytes.Buffer
	tokens, err := OpenTokens(path, logTo(&log))
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{
		"plain-secret":  "alice p1 [member] false",
		"hashed-secret": "bob p2 [reader admin] true",
		"":              "refused",
		"plain-secre":   "refused",
		"sha256:" + fmt.Sprintf("%x", sha256.Sum256([]byte("hashed-secret"))): "refused",
	} {
		got := "refused"
		if id, err := tokens.Authenticate(request("X-Auth-Token", token)); err == nil {
			got = fmt.Sprint(id.User, " ", id.Project, " ", id.Roles, " ", id.Admin)
		}
		if got != want {
			t.Errorf("token %q: %s, want %s", token, got, want)
		}
	}
	if log.Len() != 0 {
		t.Errorf("log of a good file: %s", &log)
	}
}

func TestTokenFileThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":           {"", "no tokens in it"},
		"no_list":         {"token: x\n", "line 1"},
		"no_yaml":         {"- token: [\n", "line"},
		"unknown_key":     {"- token: a\n  user: u\n  project_id: p\n  role: admin\n", "line 4: field role not found"},
		"no_token":        {"- user: u\n  project_id: p\n", "entry 1: token is missing"},
		"no_user":         {"- token: a\n  user: u\n  project_id: p\n- token: b\n  project_id: p\n", "line 4: user is missing"},
		"no_project":      {"- token: a\n  user: u\n", "line 1: project_id is missing"},
		"short_hash":      {"- token: sha256:abcd\n  user: u\n  project_id: p\n", "line 1: token: sha256: must be followed by 64"},
		"a_token_twice":   {"- token: a\n  user: u\n  project_id: p\n\n- token: a\n  user: v\n  project_id: p\n", "line 5: the token of line 1 again"},
		"token_is_a_list": {"- token: [a]\n  user: u\n  project_id: p\n", "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens")
			write(t, path, c.text, 0o600)
			_, err := OpenTokens(path, logTo(new(bytes.Buffer)))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q and the file's name", err, c.want)
			}
		})
	}
	if _, err := OpenTokens(filepath.Join(t.TempDir(), "none"), logTo(new(bytes.Buffer))); err == nil {
		t.Error("a file that does not exist is opened")
	}
	json := filepath.Join(t.TempDir(), "tokens.json")
	write(t, json, `[{"token": "a", "user": "u", "project_id": "p", "roles": ["member"]}]`, 0o600)
	if _, err := OpenTokens(json, logTo(new(bytes.Buffer))); err != nil {
		t.Errorf("a JSON file: %v", err)
	}
}

func TestTokenFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	entry := func(token string) string { return "- token: " + token + "\n  user: u\n  project_id: p\n" }
	write(t, path, entry("first"), 0o644)
	var log bytes.Buffer
	tokens, err := OpenTokens(path, logTo(&log))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "readable by everyone") {
		t.Errorf("no warning of a file that all can read: %s", &log)
	}
	now := time.Now()
	tokens.now = func() time.Time { return now }
	accepted := func(token string) bool {
		_, err := tokens.Authenticate(request("X-Auth-Token", token))
		return err == nil
	}
	change := func(text string) {
		t.Helper()
		write(t, path, text, 0o600)
		// Two changes may fall into one tick of the file system's clock.
		stamp := now.Add(time.Duration(len(text)) * time.Second)
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}

	change(entry("second"))
	if !accepted("first") || accepted("second") {
		t.Error("the file was read again before its time")
	}
	now = now.Add(2 * time.Second)
	if accepted("first") || !accepted("second") {
		t.Error("the file was not read again")
	}

	log.Reset()
	change("- token: third\n")
	for range 3 {
		now = now.Add(2 * time.Second)
		if !accepted("second") || accepted("third") {
			t.Error("a wrong file replaced the tokens in force")
		}
	}
	if got := strings.Count(log.String(), "line 1: user is missing"); got != 1 {
		t.Errorf("a wrong file is told of %d times: %s", got, &log)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Second)
	if !accepted("second") {
		t.Error("a file that is gone took the tokens with it")
	}
	change(entry("fourth"))
	now = now.Add(2 * time.Second)
	if !accepted("fourth") || accepted("second") {
		t.Error("a file that came back was not read")
	}
}

func TestMiddlewareHandsTheIdentityOn(t *testing.T) {
	var seen Identity
	h := Middleware(NoAuth{}, "http://keystone")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = From(r.Context())
	}))
	h.ServeHTTP(httptest.NewRecorder(), request())
	if !seen.Admin {
		t.Errorf("identity behind the middleware: %+v", seen)
	}
	if id := From(t.Context()); id.Admin || id.Writes() || id.Owns("") {
		t.Errorf("identity without middleware: %+v", id)
	}

	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "- token: a\n  user: u\n  project_id: p\n", 0o600)
	tokens, err := OpenTokens(path, logTo(new(bytes.Buffer)))
	if err != nil {
		t.Fatal(err)
	}
	h = Middleware(tokens, "http://keystone")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request without token got through")
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("X-Auth-Token", "b"))
	if w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Keystone uri="http://keystone"` ||
		!strings.Contains(w.Body.String(), `"code":401`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestRoles(t *testing.T) {
	for role, want := range map[string]string{
		RoleAdmin: "service writes owns", RoleService: "service writes", RoleMember: "writes", RoleReader: "", "other": "",
	} {
		id := Identity{Project: "p", Roles: []string{role}, Admin: role == RoleAdmin}
		var got []string
		if id.Service() {
			got = append(got, "service")
		}
		if id.Writes() {
			got = append(got, "writes")
		}
		if id.Owns("q") {
			got = append(got, "owns")
		}
		if !id.Owns("p") {
			t.Errorf("%s does not own its own project", role)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", role, got, want)
		}
	}
}

func FuzzTokenFile(f *testing.F) {
	f.Add("- token: a\n  user: u\n  project_id: p\n  roles: [admin]\n")
	f.Add(`[{"token": "sha256:00", "user": "u"}]`)
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		ks, err := parseTokens(strings.NewReader(text))
		for _, k := range ks {
			if err == nil && (k.id.User == "" || k.id.Project == "" || len(k.id.Roles) == 0) {
				t.Errorf("a token without user, project or role: %+v", k.id)
			}
		}
	})
}
