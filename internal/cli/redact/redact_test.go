package redact

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTextLosesItsSecretsAndNothingElse(t *testing.T) {
	var c Cleaner
	c.Secret("correct horse battery")
	for in, want := range map[string]string{
		"token: abc123": "token: (removed)",
		"metadata-secret-file: /etc/heddle/secret":                                                            "metadata-secret-file: /etc/heddle/secret",
		"token-file=/etc/heddle/tokens.yaml":                                                                  "token-file=/etc/heddle/tokens.yaml",
		`{"password": "x y", "mtu": 1450}`:                                                                    `{"password": (removed), "mtu": 1450}`,
		"X-Auth-Token: gAAAAA host=cmp1":                                                                      "X-Auth-Token: (removed) host=cmp1",
		"Authorization: Bearer abc.def port=web":                                                              "Authorization: (removed) port=web",
		"- token: sha256:" + strings.Repeat("9f", 32):                                                         "- token: (removed)",
		"dial http://ann:pa55@10.0.0.9:8775/x":                                                                "dial http://(removed)@10.0.0.9:8775/x",
		"a correct horse battery staple":                                                                      "a (removed) staple",
		"Y29ycmVjdCBob3JzZSBiYXR0ZXJ5 is the same":                                                            "(removed) is the same",
		"-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nnext":                             "(removed)\nnext",
		"-----BEGIN PRIVATE KEY-----\ncut off":                                                                "(removed)",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabc ann@home":                                                   "ssh-ed25519 (removed) ann@home",
		"cookie=0x5d03000000000004, table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:a2 actions=pop_vlan": "cookie=0x5d03000000000004, table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:a2 actions=pop_vlan",
		"options:key=flow options:remote_ip=10.0.0.1":                                                         "options:key=flow options:remote_ip=10.0.0.1",
	} {
		if got := c.Text(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// A secret that a document has under its name is removed where it is quoted without it.
func TestSecretsAreLearned(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(`{"ports":[{"name":"web","binding:profile":{"user_data":"I2Nsb3VkLWNvbmZpZwpwYXNzd29yZDogdG9wc2VjcmV0","n":7},"binding:vnic_type":"normal","empty":{"token":""}}],
		"fields":[{"field":"binding:profile","before":null,"after":{"k":"hidden thing"}},{"field":"mtu","before":1450,"after":1400}],
		"lines":["instance got hidden thing","#cloud-config"]}`), &doc); err != nil {
		t.Fatal(err)
	}
	var c Cleaner
	c.Learn(doc)
	out, err := json.Marshal(c.JSON(doc))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"fields":[{"after":{"k":"(removed)"},"before":null,"field":"binding:profile"},{"after":1400,"before":1450,"field":"mtu"}],` +
		`"lines":["instance got (removed)","(removed)"],"ports":[{"binding:profile":{"n":"(removed)","user_data":"(removed)"},"binding:vnic_type":"normal","empty":{"token":""},"name":"web"}]}`
	if string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	if got := c.Text("log: password: topsecret"); strings.Contains(got, "topsecret") {
		t.Error(got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("token: abc")
	f.Add("-----BEGIN PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, s string) {
		var c Cleaner
		c.Secret("correct horse battery")
		if out := c.Text(s + "correct horse battery"); strings.Contains(out, "correct horse battery") {
			t.Error(out)
		}
	})
}
