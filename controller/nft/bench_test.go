package nft_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/nft"
)

// BenchmarkParse reads the table of a router with ten thousand floating IPs, as explaining a packet that
// goes through it does once.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for _, m := range []string{"fip_dnat", "fip_snat"} {
		fmt.Fprintf(&text, "map %s {\n type ipv4_addr : ipv4_addr\n elements = {\n", m)
		for i := range 10000 {
			fmt.Fprintf(&text, "198.18.%d.%d : 172.16.%d.%d,\n", i/250, i%250+1, i/250, i%250+1)
		}
		text.WriteString("}\n}\n")
	}
	for b.Loop() {
		if _, err := nft.Parse(text.String()); err != nil {
			b.Fatal(err)
		}
	}
}
