package lab

import (
	"encoding/json"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

func TestConfigRefusesWhatCannotBeBuilt(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"lab_name_with_capitals":        {Config{Name: "Lab"}, `lab name "Lab"`},
		"lab_name_that_climbs":          {Config{Name: "../x"}, `lab name "../x"`},
		"host_name_too_long_for_a_link": {Config{Hosts: []HostConfig{{Name: "thirteenchars"}}}, `host name "thirteenchars"`},
		"two_hosts_of_a_name":           {Config{Hosts: []HostConfig{{Name: "a"}, {Name: "a"}}}, `host name "a" is taken`},
		"host_named_like_the_internet":  {Config{Hosts: []HostConfig{{Name: "internet"}}}, "is taken"},
		"too_many_hosts":                {Config{Hosts: Hosts(201)}, "201 hosts: at most 200"},
		"ipv6_underlay":                 {Config{Underlay: netip.MustParsePrefix("fd00::/64")}, "want an IPv4 subnet"},
		"subnet_without_room":           {Config{Underlay: netip.MustParsePrefix("10.0.0.0/28"), Hosts: Hosts(4)}, "with room for 4 hosts"},
		"planes_that_overlap":           {Config{Management: netip.MustParsePrefix("172.31.0.0/25")}, "management subnet 172.31.0.0/25 overlaps underlay"},
		"mtu_too_small_for_ipv6":        {Config{MTU: 1000}, "underlay MTU 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.cfg.withDefaults(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestVMConfigRefusesWhatCannotBePlugged(t *testing.T) {
	const mac, port = "fa:16:3e:00:00:01", "11111111-1111-4333-8444-000000000001"
	for name, tc := range map[string]struct {
		cfg  VMConfig
		want string
	}{
		"name_that_climbs":    {VMConfig{Name: "../x", MAC: mac}, "name of virtual machine"},
		"port_that_is_no_id":  {VMConfig{Name: "x", MAC: mac, Port: "7"}, "want a UUID"},
		"no_mac":              {VMConfig{Name: "x", Port: port}, "MAC address"},
		"infiniband_mac":      {VMConfig{Name: "x", Port: port, MAC: "02:00:5e:10:00:00:00:01"}, "MAC address"},
		"multicast_mac":       {VMConfig{Name: "x", Port: port, MAC: "01:00:5e:00:00:01"}, "multicast"},
		"address_not_set":     {VMConfig{Name: "x", Port: port, MAC: mac, Addresses: make([]netip.Prefix, 1)}, "ADDRESS/LENGTH"},
		"tap_name_too_long":   {VMConfig{Name: "x", Port: port, MAC: mac, Tap: "sixteencharacter"}, "interface name"},
		"tap_name_with_space": {VMConfig{Name: "x", Port: port, MAC: mac, Tap: "a b"}, "interface name"},
		"huge_mtu":            {VMConfig{Name: "x", Port: port, MAC: mac, MTU: 70000}, "MTU 70000"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.cfg.withDefaults(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
	got, err := VMConfig{Name: "x", Port: port, MAC: "FA-16-3E-00-00-01"}.withDefaults()
	if err != nil || got.Tap != "tap11111111-11" || got.Bridge != "br-int" || got.MAC != mac {
		t.Errorf("defaults: %+v, %v", got, err)
	}
	unknown, err := VMConfig{Name: "x", MAC: mac}.withDefaults()
	if err != nil || len(unknown.Tap) != 14 || !uuid.MatchString(unknown.UUID) {
		t.Errorf("defaults without a port: %+v, %v", unknown, err)
	}
}

func TestControllersBecomeManagerTargets(t *testing.T) {
	self := netip.MustParseAddr("172.30.4.1")
	for in, want := range map[string]string{
		":6640":              "tcp:172.30.4.1:6640",
		"":                   "tcp:172.30.4.1:6640",
		"10.0.0.7":           "tcp:10.0.0.7:6640",
		"10.0.0.7:7":         "tcp:10.0.0.7:7",
		"ssl:10.0.0.7:6640":  "ssl:10.0.0.7:6640",
		"ptcp:6640":          "ptcp:6640",
		"10.0.0.7:http":      "",
		"10.0.0.7:99999":     "",
		"10.0.0.7:6640:more": "",
	} {
		got, err := managerTarget(in, self)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	got, err := Config{Controllers: []string{":1", ":2"}, Listen: true}.managers(self)
	if err != nil || !slices.Equal(got, []string{"tcp:172.30.4.1:1", "tcp:172.30.4.1:2", "ptcp:6640"}) {
		t.Errorf("managers: %q, %v", got, err)
	}
}

func TestSmallCloudHasOneGateway(t *testing.T) {
	hosts := Hosts(3)
	var got []string
	for _, h := range hosts {
		got = append(got, h.Name)
	}
	if !slices.Equal(got, []string{"net1", "cmp1", "cmp2"}) || !hosts[0].Gateway || hosts[1].Gateway {
		t.Errorf("hosts: %+v", hosts)
	}
}

func TestHostIsWiredToEveryPlane(t *testing.T) {
	l := &Lab{cfg: Config{MTU: 9000, External: true}}
	h := &Host{HostConfig: HostConfig{Name: "cmp1"}, lab: l, proc: &process{PID: 42}}
	want := `link add cmp1-m type veth peer name mgmt0 netns 42
link set cmp1-m master management up
link add cmp1-u mtu 9000 type veth peer name phy0 mtu 9000 netns 42
link set cmp1-u master underlay up
link add cmp1-x type veth peer name ext0 netns 42
link set cmp1-x master external up`
	if got := strings.Join(h.wireLines(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRootLinkNamesItsSubnet(t *testing.T) {
	got := rootLink(netip.MustParsePrefix("172.30.255.0/24"))
	if got != "heddle-ac1eff00" || len(got) > 15 {
		t.Errorf("got %s", got)
	}
}

func TestStateOfALabSurvivesItsFile(t *testing.T) {
	cfg, err := Config{Name: "x", Dir: t.TempDir(), Hosts: Hosts(2), Management: netip.MustParsePrefix("172.30.9.0/24")}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := claimDir(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := fromState(dir, &state{Config: cfg})
	l.hosts[1].proc = &process{PID: 7, Start: 8}
	if err := l.save(true); err != nil {
		t.Fatal(err)
	}
	got, err := Open(cfg.Dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Host("cmp1").process(); p.PID != 7 || p.Start != 8 {
		t.Errorf("process of cmp1: %+v", p)
	}
	if got.Address().String() != "172.30.9.1" || got.Host("cmp1").Management().String() != "172.30.9.12" {
		t.Errorf("addresses: %s, %s", got.Address(), got.Host("cmp1").Management())
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".new-*")); err != nil || len(left) > 0 {
		t.Errorf("left of writing: %v, %v", left, err)
	}
}

func TestCallAnswersEchoAndReportsErrors(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	server, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	echoed := make(chan string, 1)
	go func() {
		for _, result := range []string{`{"id":0,"result":[1],"error":null}`, `{"id":0,"result":null,"error":"no such thing"}`} {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			dec := json.NewDecoder(conn)
			var m json.RawMessage
			_ = dec.Decode(&m) // the request
			_, _ = conn.Write([]byte(`{"id":"echo","method":"echo","params":["x"]}{"id":null,"method":"update","params":[]}`))
			_ = dec.Decode(&m)
			echoed <- string(m)
			_, _ = conn.Write([]byte(result))
			conn.Close()
		}
	}()
	got, err := call(t.Context(), socket, "transact", []any{"db"})
	if err != nil || string(got) != "[1]" {
		t.Errorf("got %s, %v", got, err)
	}
	if e := <-echoed; e != `{"error":null,"id":"echo","result":["x"]}` {
		t.Errorf("answer to echo: %s", e)
	}
	if _, err := call(t.Context(), socket, "transact", []any{"db"}); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("error: %v", err)
	}
}

func TestChecksumOfAMessageWithItsChecksumIsZero(t *testing.T) {
	err := quick.Check(func(words [12]uint16) bool {
		m := make([]byte, 24)
		for i, w := range words {
			m[2*i], m[2*i+1] = byte(w>>8), byte(w)
		}
		m[2], m[3] = 0, 0
		sum := checksum(m)
		m[2], m[3] = byte(sum>>8), byte(sum)
		return checksum(m) == 0
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

// FuzzAnswer: whatever arrives on a raw socket, only an answer with our token counts.
func FuzzAnswer(f *testing.F) {
	token := [16]byte{1, 2, 3}
	f.Add(append([]byte{0, 0, 0, 0, 9, 9, 0, 5}, token[:]...), false)
	f.Add(append([]byte{129, 0, 0, 0, 9, 9, 0, 5}, token[:]...), true)
	f.Add([]byte{0, 0, 0, 0, 9, 9}, false)
	f.Fuzz(func(t *testing.T, m []byte, v6 bool) {
		e := &echo{v6: v6, head: [2]byte{9, 9}, token: token}
		if _, ours := e.answer(m); ours && len(m) != 8+len(token) {
			t.Errorf("%x counts as an answer", m)
		}
	})
}
