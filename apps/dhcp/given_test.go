package dhcp

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
)

func TestGivenLeasesAreReadWhenTheyChange(t *testing.T) {
	dir := t.TempDir()
	g := NewGiven(filepath.Join(dir, "dhcp"))
	if leases, changed, err := g.Read(); len(leases) > 0 || changed || err != nil {
		t.Fatalf("without a server: %v %v %v", leases, changed, err)
	}
	ns := filepath.Join(dir, "dhcp", "qdhcp-n")
	if err := os.MkdirAll(ns, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(ns, fileLeases), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("0 fa:16:3e:00:00:01 10.0.0.4 * *\n" + // nobody asked for it yet
		"1800000000 fa:16:3e:00:00:02 10.0.0.5 web 01:fa:16:3e:00:00:02\n" +
		"duid 00:01\n" +
		"1800000001 12345 fd00::5 * 00:03\n" +
		"1800000002 fa:16:3e:00:00:03 10.0.0.6 half")
	want := []spec.Lease{
		{Namespace: "qdhcp-n", IP: netip.MustParseAddr("10.0.0.5"), MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, 2}, Hostname: "web", Expires: time.Unix(1800000000, 0).UTC()},
		{Namespace: "qdhcp-n", IP: netip.MustParseAddr("fd00::5"), Expires: time.Unix(1800000001, 0).UTC()},
	}
	if leases, changed, err := g.Read(); !reflect.DeepEqual(leases, want) || !changed || err != nil {
		t.Fatalf("%+v %v %v", leases, changed, err)
	}
	if leases, changed, _ := g.Read(); len(leases) != 2 || changed {
		t.Errorf("read again: %v, changed %v", leases, changed)
	}
	if err := os.RemoveAll(ns); err != nil {
		t.Fatal(err)
	}
	if leases, changed, _ := g.Read(); len(leases) != 0 || !changed {
		t.Errorf("after the server left: %v, changed %v", leases, changed)
	}
}

func FuzzGiven(f *testing.F) {
	f.Add("1800000000 fa:16:3e:00:00:02 10.0.0.5 web *\n")
	f.Add("1 1 fd00::5 * 00:03\nduid 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range parseGiven("ns", text) {
			if !l.IP.IsValid() || l.Expires.Unix() <= 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}
