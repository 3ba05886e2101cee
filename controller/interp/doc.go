// Package interp is an interpreter of OpenFlow 1.3 and of the Nicira extensions that Heddle uses: it finds out what a
// switch does with a packet, from its flows and without the switch.
//
// A [Bridge] is made of flows, ports and groups, desired or dumped. [Bridge.Run] takes a [Packet] through its tables
// and answers with a [Trace]: a tree of look-ups, of the actions of the flows found, each with the packet after it,
// and of the copies that left by ports. Bridges of one host are joined by [Patch]; tunnels and wires between hosts
// are the caller's, with [Packet.At] and [Packet.Tunnelled].
//
// A Run changes nothing. What a switch would learn from the packet is in the Trace, for the caller to apply.
package interp
