package e2e

import "net/netip"

// loopback is the address of a server that no host uses.
var loopback = netip.MustParseAddr("127.0.0.1")
