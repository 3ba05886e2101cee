package metadata

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
)

var update = flag.Bool("update", false, "write golden files anew")

func web() *asker {
	return &asker{
		Instance: spec.Instance{Port: "a1b2c3d4-e5f6-0000-0000-000000000001", Device: "inst-1", Project: "p1", Hostname: "web", MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, 9}, MTU: 1450,
			PublicKey: []string{"ssh-ed25519 AAAA me", "ssh-rsa BBBB you"}, UserData: "#cloud-config\npackages: [jq]\n"},
		addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::9"), netip.MustParseAddr("fe80::f816:3eff:fe00:9")},
	}
}

func TestAnswersMatchGolden(t *testing.T) {
	var got bytes.Buffer
	for _, path := range []string{
		"/", "/latest", "/latest/", "/2009-04-04/meta-data/", "/latest/meta-data/instance-id", "/latest/meta-data/hostname", "/latest/meta-data/local-hostname",
		"/latest/meta-data/local-ipv4", "/latest/meta-data/mac", "/latest/meta-data/public-keys/", "/latest/meta-data/public-keys/0/",
		"/latest/meta-data/public-keys/0/openssh-key", "/latest/meta-data/public-keys/1/openssh-key", "/latest/meta-data/public-keys/2/openssh-key",
		"/latest/user-data", "/openstack", "/openstack/latest/", "/openstack/2016-10-06/meta_data.json", "/openstack/latest/network_data.json",
		"/openstack/latest/user_data", "/openstack/latest/vendor_data.json", "/openstack/2099-01-01/meta_data.json", "/latest/meta-data/instance-id/x",
		"/nocloud/meta-data", "/nocloud/user-data", "/nocloud/vendor-data", "/favicon.ico",
	} {
		body, contentType, ok := web().answer(path)
		if !ok {
			contentType = "nothing"
		}
		fmt.Fprintf(&got, "%s: %s\n%s\n\n", path, contentType, body)
	}
	file := filepath.Join("testdata", "answers.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
	}
}

func TestBarePortHasNoUserDataAndNoKeys(t *testing.T) {
	a := &asker{Instance: spec.Instance{Port: "p", Hostname: "host-10-0-0-9"}}
	for _, path := range []string{"/latest/user-data", "/openstack/latest/user_data", "/latest/meta-data/public-keys/"} {
		if body, _, ok := a.answer(path); ok {
			t.Errorf("%s: %q", path, body)
		}
	}
	if body, _, _ := a.answer("/latest/meta-data/instance-id"); body != "p" {
		t.Errorf("instance-id is %q, want the port's id", body)
	}
	if body, _, _ := a.answer("/openstack/latest/meta_data.json"); !strings.Contains(body, `"uuid": "p"`) {
		t.Errorf("meta_data.json is %s", body)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{"/", "/latest/meta-data/", "/latest/../x", "//", "/%2e%2e/", "/openstack/latest/meta_data.json", "\x00"} {
		f.Add("GET", s)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.URL.Path = method, path
		if !cleanPath(path) {
			return
		}
		web().serve(w, r)
		if w.Code == http.StatusOK && method == http.MethodGet && w.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
			t.Errorf("%s: length %s of %d bytes", path, w.Header().Get("Content-Length"), w.Body.Len())
		}
	})
}

func TestQuestionsOfOneAddressAreBounded(t *testing.T) {
	s := &space{tokens: map[netip.Addr]*bucket{}}
	now := time.Unix(1000, 0)
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	n := 0
	for s.allow(a, now) {
		n++
	}
	if n != burst {
		t.Errorf("%d questions at once, want %d", n, burst)
	}
	if !s.allow(b, now) {
		t.Error("another address may not ask")
	}
	if !s.allow(a, now.Add(time.Second)) {
		t.Error("it may not ask a second later")
	}
	s.set(spec.Metadata{})
	if len(s.tokens) != 0 {
		t.Errorf("%d addresses are remembered that may not ask any more", len(s.tokens))
	}
}
