package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"go.yaml.in/yaml/v3"
)

const (
	hashPrefix    = "sha256:"
	checkInterval = time.Second // how long a revoked token may still be accepted
)

// Tokens accepts the tokens of a file, sent as X-Auth-Token. The file is YAML (so JSON will do), a list:
//
//   - token: sha256:9f86d081884c7d65…   # or the token itself
//     user: alice
//     project_id: 3f0a…
//     roles: [member]                   # admin, member, reader, service; member if left out
//
// It is read again when it changes. Should it then be wrong, the tokens read before stay in force and
// the log says why. Safe for concurrent use.
type Tokens struct {
	path string
	log  *logrus.Entry
	now  func() time.Time

	mu      sync.Mutex
	known   []known
	version fileVersion // of the file that was looked at last, good or bad
	checked time.Time
	failing bool
}

// known is a token of the file: only its digest is kept in memory.
type known struct {
	digest [sha256.Size]byte
	id     Identity
}

// fileVersion tells one state of a file from another.
type fileVersion struct {
	modified time.Time
	size     int64
}

// OpenTokens reads the token file at path. The error names the line that is wrong. Log is told of a
// file that others can read and of later changes of the file.
func OpenTokens(path string, log *logrus.Entry) (*Tokens, error) {
	t := &Tokens{path: path, log: log, now: time.Now}
	version, err := t.stat()
	if err != nil {
		return nil, err
	}
	if t.known, err = readTokens(path); err != nil {
		return nil, err
	}
	t.version, t.checked = version, t.now()
	return t, nil
}

// Authenticate finds the identity that the request's X-Auth-Token stands for.
func (t *Tokens) Authenticate(r *http.Request) (Identity, error) {
	token := r.Header.Get("X-Auth-Token")
	if token == "" {
		return Identity{}, ErrUnauthorized
	}
	digest := sha256.Sum256([]byte(token))
	var id Identity
	found := 0
	for _, k := range t.current() {
		if subtle.ConstantTimeCompare(digest[:], k.digest[:]) == 1 {
			id, found = k.id, 1
		}
	}
	if found == 0 {
		return Identity{}, ErrUnauthorized
	}
	return id, nil
}

// current returns the tokens in force, after reading the file again if it has changed. The slice is
// replaced, never written, so it may be used without the lock.
func (t *Tokens) current() []known {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if now.Sub(t.checked) < checkInterval {
		return t.known
	}
	t.checked = now
	version, err := t.stat()
	if err != nil {
		t.version = fileVersion{} // whatever comes back in its place is read
	} else {
		if version == t.version {
			return t.known
		}
		t.version = version
		var fresh []known
		if fresh, err = readTokens(t.path); err == nil {
			t.known, t.failing = fresh, false
			t.log.WithField("tokens", len(fresh)).Info("token file read again")
			return t.known
		}
	}
	if !t.failing {
		t.failing = true
		t.log.WithError(err).Error("token file cannot be read; the tokens read before stay in force")
	}
	return t.known
}

func (t *Tokens) stat() (fileVersion, error) {
	info, err := os.Stat(t.path)
	if err != nil {
		return fileVersion{}, fmt.Errorf("token file: %w", err)
	}
	v := fileVersion{info.ModTime(), info.Size()}
	if info.Mode().Perm()&0o004 != 0 && v != t.version {
		t.log.WithField("file", t.path).Warn("token file is readable by everyone on this machine; chmod 600 it")
	}
	return v, nil
}

// entry is one item of the file.
type entry struct {
	Token   text     `yaml:"token"`
	User    string   `yaml:"user"`
	Project string   `yaml:"project_id"`
	Roles   []string `yaml:"roles"`
}

// text is a string that knows the line it stands in.
type text struct {
	value string
	line  int
}

// UnmarshalYAML keeps the line with the value.
func (t *text) UnmarshalYAML(n *yaml.Node) error {
	t.line = n.Line
	return n.Decode(&t.value)
}

func readTokens(path string) ([]known, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	defer f.Close()
	ks, err := parseTokens(f)
	if err != nil {
		return nil, fmt.Errorf("token file %s: %w", path, err)
	}
	return ks, nil
}

func parseTokens(r io.Reader) ([]known, error) {
	var entries []entry
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(&entries); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("no tokens in it")
		}
		return nil, err
	}
	out := make([]known, 0, len(entries))
	lines := map[[sha256.Size]byte]int{}
	for i, e := range entries {
		k, err := e.known()
		if err != nil {
			if e.Token.line == 0 {
				return nil, fmt.Errorf("entry %d: %w", i+1, err)
			}
			return nil, fmt.Errorf("line %d: %w", e.Token.line, err)
		}
		if before, dup := lines[k.digest]; dup {
			return nil, fmt.Errorf("line %d: the token of line %d again", e.Token.line, before)
		}
		lines[k.digest] = e.Token.line
		out = append(out, k)
	}
	return out, nil
}

func (e entry) known() (known, error) {
	k := known{id: Identity{User: e.User, Project: e.Project, Roles: e.Roles}}
	switch hash, hashed := strings.CutPrefix(e.Token.value, hashPrefix); {
	case e.Token.value == "":
		return known{}, errors.New("token is missing")
	case hashed:
		b, err := hex.DecodeString(hash)
		if err != nil || len(b) != len(k.digest) {
			return known{}, errors.New("token: sha256: must be followed by 64 hexadecimal digits")
		}
		copy(k.digest[:], b)
	default:
		k.digest = sha256.Sum256([]byte(e.Token.value))
	}
	if e.User == "" {
		return known{}, errors.New("user is missing")
	}
	if e.Project == "" {
		return known{}, errors.New("project_id is missing")
	}
	if len(k.id.Roles) == 0 {
		k.id.Roles = []string{RoleMember}
	}
	k.id.Admin = k.id.Has(RoleAdmin)
	return k, nil
}
