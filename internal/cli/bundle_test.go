package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/northbound/identity"
)

// unpack reads an archive into its files.
func unpack(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	check(t, err)
	in, out := tar.NewReader(zip), map[string]string{}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		check(t, err)
		text, err := io.ReadAll(in)
		check(t, err)
		if h.Mode != 0o600 {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
		out[strings.TrimPrefix(h.Name, "heddle-support/")] = string(text)
	}
}

const (
	theToken    = "gAAAAABo-the-token-of-the-operator"
	otherToken  = "a-token-of-ann-in-plain-text"
	userData    = "#cloud-config\npassword: swordfish\nchpasswd: {expire: False}\n"
	sshKey      = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann@home"
	sharedWord  = "metadata-shared-word"
	keyMaterial = "MHcCAQEEIBKuAtFakeKeyMaterial0000"
)

// secretive accepts the operator's token.
type secretive struct{ people }

func (s secretive) Authenticate(r *http.Request) (identity.Identity, error) {
	if r.Header.Get("X-Auth-Token") == theToken {
		r = r.Clone(r.Context())
		r.Header.Set("X-Auth-Token", "root")
	}
	return s.people.Authenticate(r)
}

func TestSupportBundleHoldsNoSecret(t *testing.T) {
	w := newWorld(t, secretive{})
	w.env["HEDDLE_TOKEN"] = theToken
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	profile, err := json.Marshal(map[string]any{"user_data": base64.StdEncoding.EncodeToString([]byte(userData)), "public_keys": map[string]string{"ann": sshKey}})
	check(t, err)
	w.must("create", "network", "blue")
	w.must("create", "subnet", "blue-v4", "--network", "blue", "--cidr", "10.0.22.0/24")
	w.must("create", "port", "web", "--network", "blue", "--set", "binding:profile="+string(profile))
	w.must("set", "port", "web", "--set", "binding:profile={\"a\": \""+sharedWord+"\"}", "--plan") // plans tell of before and after
	settings := file("heddle.yaml", "data-dir: /var/lib/heddle\ntoken-file: /etc/heddle/tokens.yaml\nmetadata-secret: "+sharedWord+"\ntls-key: /etc/heddle/key.pem\n")
	tokens := file("tokens.yaml", "- token: "+otherToken+"\n  user: ann\n  project_id: p\n")
	log := file("heddle.log", `time="2025-06-01T12:00:00Z" level=info msg="request" token=`+theToken+" user=ann\nrefused "+otherToken+"\n"+
		"-----BEGIN EC PRIVATE KEY-----\n"+keyMaterial+"\n-----END EC PRIVATE KEY-----\nswordfish is what instance web got: "+userData+"\nhost=cmp1 flows reconciled\n")
	ln, err := net.Listen("unix", filepath.Join(dir, "debug.sock"))
	check(t, err)
	debug := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "goroutine 1 [running]:\n") })}
	ended := make(chan error)
	go func() { ended <- debug.Serve(ln) }()
	t.Cleanup(func() { check(t, debug.Close()); <-ended })

	path := filepath.Join(dir, "bundle.tar.gz")
	args := []string{"support-bundle", "-f", path, "--config", settings, "--server-token-file", tokens, "--log", log, "--log", "/nonexistent/log", "--debug-socket", filepath.Join(dir, "debug.sock")}
	if out := w.must(args...); out != path+"\n" {
		t.Errorf("it says %q", out)
	}
	archive, err := os.ReadFile(path)
	check(t, err)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	files := unpack(t, archive)
	for _, name := range []string{"manifest.json", "index.json", "status.json", "hosts.json", "switches.json", "flows/cmp1.br-tun.00000000000000a1.json", "namespaces/net1.json", "events.json",
		"api/ports.json", "objects/ports.json", "plans.json", "readyz.txt", "doctor.json", "settings.yaml", "logs/1-heddle.log", "goroutines.txt"} {
		if files[name] == "" {
			t.Errorf("%s is missing: there are %v", name, sortedKeys(files))
		}
	}
	secrets := []string{theToken, otherToken, "swordfish", sharedWord, keyMaterial, "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"}
	for _, secret := range slices.Clone(secrets) {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(userData)))
	for name, text := range files {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s tells %q", name, secret)
			}
		}
	}
	for name, says := range map[string]string{"settings.yaml": "token-file: /etc/heddle/tokens.yaml", "logs/1-heddle.log": "host=cmp1 flows reconciled", "api/ports.json": `"name": "web"`,
		"manifest.json": "/nonexistent/log", "goroutines.txt": "goroutine 1"} {
		if !strings.Contains(files[name], says) {
			t.Errorf("%s does not say %q:\n%s", name, says, files[name])
		}
	}
	if _, errs, code := w.run(args...); code != exitUsage || !strings.Contains(errs, "exists") {
		t.Errorf("a file that is there: exit code %d: %s", code, errs)
	}
}

// What cannot be had does not keep the rest from being collected.
func TestSupportBundleOfAServerThatIsAway(t *testing.T) {
	w := newWorld(t, nil)
	w.env["HEDDLE_SERVER"] = "http://127.0.0.1:1"
	out := w.must("support-bundle", "-f", "-", "--local")
	files := unpack(t, []byte(out))
	for name, says := range map[string]string{"manifest.json": "cannot be reached", "doctor.json": "cannot be reached", "local/doctor.json": `"state"`} {
		if !strings.Contains(files[name], says) {
			t.Errorf("%s does not say %q:\n%s", name, says, files[name])
		}
	}
}

func TestLongLogsAreCutAtALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	check(t, os.WriteFile(path, []byte("first\nsecond\nthird\n"), 0o600))
	for n, want := range map[int64]string{100: "first\nsecond\nthird\n", 10: "third\n", 19: "first\nsecond\nthird\n"} {
		if got, err := tail(path, n); err != nil || got != want {
			t.Errorf("the last %d bytes: %q %v", n, got, err)
		}
	}
}
