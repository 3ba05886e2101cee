package child

import (
	"slices"
	"strings"
	"testing"
)

func TestOwner(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"dnsmasq":           {[]string{"dnsmasq", "--pid-file=/var/d/qdhcp-1/pid", "--x"}, "qdhcp-1"},
		"radvd":             {[]string{"/usr/sbin/dnsmasq", "-p", "/var/d/qdhcp-1/pid"}, "qdhcp-1"},
		"other_program":     {[]string{"vim", "/var/d/qdhcp-1/pid"}, ""},
		"other_directory":   {[]string{"dnsmasq", "--pid-file=/other/d/qdhcp-1/pid"}, ""},
		"longer_directory":  {[]string{"dnsmasq", "--pid-file=/srv/var/d/qdhcp-1/pid"}, ""},
		"no_name":           {[]string{"dnsmasq", "--pid-file=/var/d//pid"}, ""},
		"directory_itself":  {[]string{"dnsmasq", "--pid-file=/var/d/pid"}, ""},
		"another_file":      {[]string{"dnsmasq", "--dhcp-hostsfile=/var/d/qdhcp-1/host"}, ""},
		"nothing":           {nil, ""},
		"name_of_a_program": {[]string{"/var/d/qdhcp-1/pid"}, ""},
	} {
		if got := owner(c.args, "dnsmasq", "/var/d"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestParseStat(t *testing.T) {
	for text, want := range map[string]struct {
		state  byte
		parent int
		ok     bool
	}{
		"12 (dnsmasq) S 1 12 12 0": {'S', 1, true},
		"12 (a) b) (c) T 77 1":     {'T', 77, true},
		"12 (x) S":                 {},
		"12 (x) SS 1":              {},
		"12 (x) S one":             {},
		"":                         {},
	} {
		state, parent, err := parseStat([]byte(text))
		if (err == nil) != want.ok || want.ok && (state != want.state || parent != want.parent) {
			t.Errorf("%q: %c %d %v", text, state, parent, err)
		}
	}
}

func FuzzParseArgs(f *testing.F) {
	f.Add([]byte("dnsmasq\x00--pid-file=/var/d/qdhcp-1/pid\x00"), "/var/d")
	f.Add([]byte("dnsmasq\x00\x00/pid\x00"), "")
	f.Add([]byte{}, "/")
	f.Fuzz(func(t *testing.T, text []byte, dir string) {
		args := parseArgs(text)
		if joined := strings.Join(args, "\x00"); len(args) > 0 && joined != strings.TrimSuffix(string(text), "\x00") {
			t.Errorf("%q became %q", text, args)
		}
		name := owner(args, "dnsmasq", dir)
		if name != "" && !slices.ContainsFunc(args, func(a string) bool { return strings.HasSuffix(a, dir+"/"+name+"/pid") }) {
			t.Errorf("%q is said to be of %q", args, name)
		}
		if strings.Contains(name, "/") {
			t.Errorf("name %q", name)
		}
	})
}

func FuzzParsePID(f *testing.F) {
	for _, s := range []string{"12\n", "", "-1", "1", "99999999999999999999", " 7 "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if pid, err := parsePID(text); err == nil && pid <= 1 {
			t.Errorf("%q is process %d", text, pid) // signals to those go to everybody, or to init
		}
		_, _, _ = parseStat(text)
	})
}
