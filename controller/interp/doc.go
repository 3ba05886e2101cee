// Package interp is an interpreter of OpenFlow 1.3 and of the Nicira extensions that Heddle uses: it finds out what a
// switch does with a packet, from its flows and without the switch.
//
// A [Bridge] is made of flows, ports and groups, desired or dumped. [Bridge.Run] takes a [Packet] through its tables
// and answers with a [Trace]: a tree of look-ups, of the actions of the flows found, each with the packet after it,
// and of the copies that left by ports. Bridges of one host are joined by [Patch]; tunnels and wires between hosts
// are the caller's, with [Packet.At] and [Packet.Tunnelled]. Packets and traces have the text of ofproto/trace.
//
// A Run changes nothing. What a switch would learn from the packet, flows and addresses, is in the Trace, for the
// caller to apply. What a switch knows beside its flows comes from outside: a [Tracker] says what the connection
// tracker does, a [Chooser] which bucket of a select group is used.
//
// # What is right
//
// What Open vSwitch does, not what the specification leaves open: tests hold every kind of step against a real switch,
// with random flows, groups and packets, with the pipelines of Heddle, and with flows learned from real packets.
//
//   - A packet that no flow of a table takes is dropped.
//   - Of flows with the same priority that take a packet, the specification leaves open which one does. One is chosen,
//     always the same, and [Step].Rival names another.
//   - A fragment, the first one too, looks as if its ports were 0.
//   - An action that needs a header which the packet does not have does nothing.
//   - An output to the port that the packet came in by is left out; only IN_PORT sends it back.
//   - A time to live that runs out ends the list of actions, not the pipeline.
//   - Look-ups that nest too deeply or are too many have the packet dropped altogether, with all copies; behind a patch
//     cable they end only what is behind it.
//
// # What is not modelled
//
// MPLS, conjunctions, NSH, Geneve options and actions that package of has no type for: a flow that matches on one of
// them is in [Bridge.Unknown] and takes no packet, and an action ends the run for the reason [NotModelled].
//
// Rates of meters and queues. What the actions of a datapath take beside 8 bytes for each copy: at 64 KiB Open vSwitch
// gives up. A controller action that pauses, which goes on at once here. Mirrors, bonds, spanning trees, protected
// ports, multicast snooping, dot1q-tunnel ports and priority tags of NORMAL, and the age of what it learned. Timeouts of
// learned flows, and the limit on their number. The outer header of tunnels but for its addresses and key; ECN in it.
// The result of a ct action with nat for the actions behind it, which see the packet as before. A third VLAN tag. That
// Open vSwitch writes nothing into the network header of a packet whose IP protocol or ARP operation is 0. That it hands
// a packet for a port that is down to the datapath: here it is dropped.
package interp
