package neutron

import (
	"fmt"
	"strings"
	"testing"
)

// TestParsers shows what each parser makes of JSON; a wanted text that begins with ! is an error.
func TestParsers(t *testing.T) {
	for name, p := range map[string]struct {
		parse func(any) (string, error)
		cases map[string]string
	}{
		"toBool": {shown(toBool), map[string]string{
			`true`: "true", `"True"`: "true", `1`: "true", `"1"`: "true", `" yes "`: "true", `"t"`: "true", `"On"`: "true",
			`false`: "false", `"FALSE"`: "false", `0`: "false", `"n"`: "false", `"off"`: "false",
			`2`: "!Invalid input for operation: '2' cannot be converted to boolean.", `""`: "!", `null`: "!", `[]`: "!", `{}`: "!", `1.0`: "!",
		}},
		"toInt": {shown(toInt), map[string]string{
			`7`: "7", `-7`: "-7", `" 7 "`: "7", `1.9`: "1", `-1.9`: "-1", `true`: "1", `1e3`: "1000",
			`"1.5"`: "!Invalid input for operation: '1.5' is not an integer.", `"x"`: "!", `null`: "!", `[1]`: "!", `1e400`: "!",
			`99999999999999999999`: "!",
		}},
		"toNonNegative": {shown(toNonNegative), map[string]string{`0`: "0", `"1"`: "1", `-1`: "!'-1' should be non-negative"}},
		"toText": {shown(toText(3)), map[string]string{
			`""`: "", `"äöü"`: "äöü", `"äöüx"`: "!'äöüx' exceeds maximum length of 3", `7`: "!'7' is not a valid string", `null`: "!'None' is not a valid string",
		}},
		"toOneOf":     {shown(toOneOf("a", "b")), map[string]string{`"a"`: "a", `"c"`: "!c is not in valid_values", `null`: "!None is not in valid_values"}},
		"toIPVersion": {shown(toIPVersion), map[string]string{`4`: "4", `"6"`: "6", `5`: "!5 is not in valid_values", `null`: "!"}},
		"toID": {shown(toID), map[string]string{
			`"6f0f0f0f-0000-4000-8000-0123456789aB"`: "6f0f0f0f-0000-4000-8000-0123456789aB",
			`"6f0f0f0f00004000800001234567890a"`:     "6f0f0f0f00004000800001234567890a",
			`"x"`:                                    "!'x' is not a valid UUID", `7`: "!'7' is not a valid UUID", `"6f0f0f0f-0000-4000-8000-0123456789a"`: "!",
		}},
		"toTexts": {shown(toTexts(3)), map[string]string{
			`["a","b"]`: "[a b]", `[]`: "[]", `["a","a"]`: "!Duplicate items in the list: 'a'", `"a"`: "!'a' is not a list", `[1]`: "!'1' is not a valid string",
		}},
		"toMAC": {shown(toMAC), map[string]string{
			`"FA:16:3E:00:00:01"`: "fa:16:3e:00:00:01", `"fa-16-3e-00-00-01"`: "fa:16:3e:00:00:01", `"fa163e000001"`: "fa:16:3e:00:00:01",
			`"00:00:00:00:00:00"`: "!'00:00:00:00:00:00' is not a valid MAC address", `"x"`: "!", `null`: "!", `"fa:16:3e:00:00"`: "!",
		}},
		"toAddr": {shown(toAddr), map[string]string{
			`"10.0.0.1"`: "10.0.0.1", `"FD00::0:1"`: "fd00::1", `"10.0.0.256"`: "!'10.0.0.256' is not a valid IP address",
			`"fe80::1%eth0"`: "!", `"010.0.0.1"`: "!", `1`: "!", `null`: "!",
		}},
		"toPrefix": {shown(toPrefix), map[string]string{
			`"10.0.1.5/24"`: "10.0.1.0/24", `"fd00::1/64"`: "fd00::/64", `"0.0.0.0/0"`: "0.0.0.0/0",
			`"10.0.0.0/33"`: "!Invalid input for operation: 10.0.0.0/33 is not in a CIDR format.", `"10.0.0.0"`: "!", `7`: "!",
		}},
		"toPools": {shown(toPools), map[string]string{
			`[{"start":"10.0.0.1","end":"10.0.0.2"}]`: "[{10.0.0.1 10.0.0.2}]", `[]`: "[]",
			`[{"start":"10.0.0.1"}]`: "!Invalid data format for IP pool: '{'start': '10.0.0.1'}'",
			`null`:                   "!Invalid data format for IP pool: 'None'", `[{"start":"x","end":"y"}]`: "!'x' is not a valid IP address", `[7]`: "!",
			`[{"start":"10.0.0.1","end":"10.0.0.2","x":1}]`: "!",
		}},
		"toNameservers": {shown(toNameservers), map[string]string{
			`["9.9.9.9","2620:fe::fe"]`: "[9.9.9.9 2620:fe::fe]", `null`: "[]", `["9.9.9.9","9.9.9.9"]`: "!Duplicate nameserver '9.9.9.9'",
			`["x"]`: "!'x' is not a valid nameserver. 'x' is not a valid IP address", `"9.9.9.9"`: "!Invalid data format for nameserver: '9.9.9.9'",
		}},
		"toHostRoutes": {shown(toHostRoutes), map[string]string{
			`[{"destination":"10.0.0.0/8","nexthop":"10.0.0.1"}]`: "[{10.0.0.0/8 10.0.0.1}]", `null`: "[]",
			`[{"destination":"10.0.0.0/8"}]`:             "!Invalid input. '{'destination': '10.0.0.0/8'}' must be a dictionary with keys: ['destination', 'nexthop']",
			`[{"destination":"x","nexthop":"10.0.0.1"}]`: "!'x' is not a valid IP subnet",
			`[{"destination":"10.0.0.0/8","nexthop":"1.1.1.1"},{"destination":"10.0.0.0/8","nexthop":"1.1.1.1"}]`: "!",
			`[{"destination":"10.0.0.0/8","nexthop":"1.1.1.1"},{"destination":"10.0.0.0/8","nexthop":"1.1.1.2"}]`: "[{10.0.0.0/8 1.1.1.1} {10.0.0.0/8 1.1.1.2}]",
			`7`: "!", `[null]`: "!",
		}},
		"toFixedIPs": {shown(toFixedIPs), map[string]string{
			`[{"ip_address":"10.0.0.1"}]`: "[{ 10.0.0.1}]", `[]`: "[]", `[{}]`: "[{ invalid IP}]",
			`[{"subnet_id":"x"}]`: "!'x' is not a valid UUID", `[{"ip_address":"x"}]`: "!'x' is not a valid IP address", `null`: "!", `["10.0.0.1"]`: "!",
			`[{"ip_address":"fd00::1"},{"ip_address":"fd00:0::1"}]`: "!Duplicate IP address 'fd00::1'",
		}},
		"toAddressPairs": {shown(toAddressPairs), map[string]string{
			`[{"ip_address":"10.0.0.0/24","mac_address":"fa:16:3e:00:00:01"}]`: "[{10.0.0.0/24 fa:16:3e:00:00:01}]", `null`: "[]",
			`[{"ip_address":"10.0.0.9"}]`: "[{10.0.0.9 00:00:00:00:00:00}]", `[{"mac_address":"fa:16:3e:00:00:01"}]`: "!",
			`[{"ip_address":"x"}]`: "!'x' is not a valid IP address or subnet", `"x"`: "!Allowed address pairs must be a list",
			`[{"ip_address":"10.0.0.9"},{"ip_address":"10.0.0.9"}]`: "!",
		}},
		"toDHCPOptions": {func(v any) (string, error) {
			list, err := toDHCPOptions(v)
			var out []string
			for _, o := range list {
				value := "nil"
				if o.Value != nil {
					value = *o.Value
				}
				out = append(out, fmt.Sprint(o.Name, "=", value, "/", o.IPVersion))
			}
			return strings.Join(out, " "), err
		}, map[string]string{
			`[{"opt_name":"mtu","opt_value":"1400"},{"opt_name":"x","opt_value":null,"ip_version":6}]`: "mtu=1400/0 x=nil/6", `null`: "",
			`[{"opt_name":"mtu"}]`: "!", `[{"opt_name":" ","opt_value":"1"}]`: "!", `[{"opt_name":"a","opt_value":1}]`: "!",
			`[{"opt_name":"a","opt_value":"1","ip_version":5}]`: "!", `[{"opt_name":"a","opt_value":"1","more":5}]`: "!", `{}`: "!",
		}},
		"toProfile": {shown(toProfile), map[string]string{
			`{"a":1}`: "map[a:1]", `null`: "map[]", `[]`: "!'[]' is not a dictionary",
			`{"a":"` + strings.Repeat("x", 5000) + `"}`: "!Invalid input for operation: binding:profile value too large.",
		}},
		"toHostName": {shown(toHostName), map[string]string{`"VM-1"`: "vm-1", `""`: "", `"-x"`: "!", `"a.b"`: "!", `"a_b"`: "!", `null`: "!"}},
		"toDomain":   {shown(toDomain), map[string]string{`"Example.ORG."`: "example.org.", `""`: "", `"a..b"`: "!", `"."`: "!", `7`: "!"}},
		"toRef": {shown(toRef("QoS policy", "QosPolicyNotFound")), map[string]string{
			`null`: "{}", `"x"`: "!'x' is not a valid UUID",
			`"6f0f0f0f-0000-4000-8000-012345678901"`: "!QoS policy 6f0f0f0f-0000-4000-8000-012345678901 could not be found.",
		}},
		"toIDs": {shown(toIDs), map[string]string{
			`null`: "[]", `[]`: "[]", `["6f0f0f0f-0000-4000-8000-012345678901"]`: "[6f0f0f0f-0000-4000-8000-012345678901]",
			`["6f0f0f0f-0000-4000-8000-012345678901","6f0f0f0f-0000-4000-8000-012345678901"]`: "!Duplicate items in the list: '6f0f0f0f-0000-4000-8000-012345678901'",
			`"x"`: "!'x' is not a list", `["x"]`: "!",
		}},
	} {
		for in, want := range p.cases {
			got, err := p.parse(decodeJSON([]byte(in)))
			if err != nil {
				got = "!" + err.Error()
			}
			if got != want && !(want == "!" && err != nil) {
				t.Errorf("%s(%s): %q, want %q", name, in, got, want)
			}
		}
	}
}

// shown makes a parser's result readable.
func shown[V any](parse parser[V]) func(any) (string, error) {
	return func(v any) (string, error) {
		out, err := parse(v)
		return fmt.Sprint(out), err
	}
}

func TestReprIsPythons(t *testing.T) {
	for in, want := range map[string]string{
		`null`: "None", `true`: "True", `[1,"a",{"b":false,"a":null}]`: "[1, 'a', {'a': None, 'b': False}]",
		`"it's"`: `"it's"`, `"\"it's\""`: `'"it\'s"'`, `"a\nb"`: `'a\nb'`, `1.50`: "1.50", `{}`: "{}",
	} {
		if got := repr(decodeJSON([]byte(in))); got != want {
			t.Errorf("repr(%s): %s, want %s", in, got, want)
		}
	}
	if got := repr(decodeJSON([]byte(`["` + strings.Repeat("x", 1<<20) + `"]`))); len(got) > maxQuoted+10 {
		t.Errorf("a long value is quoted with %d bytes", len(got))
	}
}

func TestIfMatch(t *testing.T) {
	for in, want := range map[string]string{
		``: "", `"abc"`: "", `*`: "", `revision_number=3`: "3", `"revision_number=3"`: "3", `"x", "revision_number=3"`: "3",
		`revision_number=`: "!", `revision_number=x`: "!", `revision_number=1, revision_number=1`: "!",
	} {
		p, err := parseIfMatch(in)
		got := ""
		if p.set {
			got = fmt.Sprint(p.revision)
		}
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("If-Match: %s gives %q, want %q", in, got, want)
		}
	}
}
