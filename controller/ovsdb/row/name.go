package row

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"net/netip"
	"strings"
)

// Names of the bridges and ports that every host has. They are Neutron's, so that its users and their tools find
// their way.
const (
	IntBridge = "br-int" // VMs and router ports
	TunBridge = "br-tun" // tunnels
	PatchTun  = "patch-tun"
	PatchInt  = "patch-int" // the end of PatchTun on TunBridge
)

// maxName is the longest name of a network device in bytes (IFNAMSIZ without its zero, linux/if.h).
const maxName = 15

// TunnelTypes returns the types of tunnels Heddle uses, as Interface.type names them.
func TunnelTypes() []string { return []string{"gre", "vxlan", "geneve"} }

// TunnelName returns the name of the tunnel port to a remote address: the type and the IPv4 address in hexadecimal
// ("vxlan-0a630001" for 10.99.0.1), or 40 bits of a hash of an IPv6 address, which has no room.
func TunnelName(typ string, remote netip.Addr) string {
	remote = remote.Unmap()
	if remote.Is4() {
		a := remote.As4()
		return typ + "-" + hex.EncodeToString(a[:])
	}
	a := remote.As16()
	return typ + "-" + hash8(string(a[:]))
}

// MappingPorts returns the names of the two ends of the cable between br-int and a provider bridge: int-br-ex on
// br-int and phy-br-ex on br-ex. A bridge name that leaves no room for the prefix is cut and made unique by a hash.
func MappingPorts(bridge string) (onInt, onBridge string) {
	return prefixed("int-", bridge), prefixed("phy-", bridge)
}

func prefixed(prefix, bridge string) string {
	if len(prefix)+len(bridge) <= maxName {
		return prefix + bridge
	}
	return prefix + bridge[:maxName-len(prefix)-8] + hash8(bridge)
}

// hash8 returns eight characters, a to z and 2 to 7, that differ for different s.
func hash8(s string) string {
	sum := sha256.Sum256([]byte(s))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// ValidName reports whether OVS and the kernel take s as the name of a bridge or port: 1 to 15 bytes of printable
// ASCII without space, slash and colon, and not a name of a directory.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > maxName || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '/' || c == ':' || c == '%' {
			return false
		}
	}
	return true
}
