package spec

// Line is one thing of a plan as a tool prints it, with what it is there for. The planner that made the
// thing makes the line: nothing is guessed from texts.
type Line struct {
	Type   LineType
	Text   string // "198.51.100.9 : 10.0.0.9 (map fip_dnat)"
	Says   string // in plain words, for people
	Object string // the API object it comes from, "floatingip/<id>"; empty if it comes from none
}

// LineType is what sort of thing a line is.
type LineType string

// The types of lines.
const (
	LineFlow      LineType = "flow"
	LineRow       LineType = "row" // of the OVSDB
	LineNamespace LineType = "namespace"
	LineLink      LineType = "link"
	LineAddress   LineType = "address"
	LineRoute     LineType = "route"
	LineSysctl    LineType = "sysctl"
	LineNFT       LineType = "nft"
	LineDHCP      LineType = "dhcp" // what dnsmasq reads
	LineRA        LineType = "ra"   // router advertisement
	LineMetadata  LineType = "metadata"
)
