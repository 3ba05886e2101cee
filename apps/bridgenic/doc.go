// Package bridgenic moves the addresses, routes and rules of a NIC to the Open vSwitch bridge that the NIC
// becomes a port of, and back, without cutting off the host that is reached through it.
//
// Everything is one pure function: [Plan] returns the steps from a [State] that was read to one that is
// wanted. Moving is the way to [Moved], undoing the way to [Back], and rolling back, from wherever a
// failure or a crash left the host, the way to the state of before. Nothing depends on which steps were
// taken: the host is read anew each time.
//
// # Order
//
// The bridge has the NIC's MAC address and its IP addresses before the NIC becomes its port, and the NIC
// keeps its own until all routes lead through the bridge. So there is no moment at which the host has no
// address, answers for it with another MAC, or has no route: frames come in by the NIC until it is a port
// and by the bridge from then on, and go out by the NIC until the routes are exchanged, each atomically.
// Reverse-path filters are loose meanwhile, since the two ways differ for a moment.
//
// # Words
//
// Routes and rules are kept in ip(8)'s own words, in which only the name of the link is exchanged, and steps
// are command lines. An attribute that Heddle does not know is moved like any other, and if ip(8) does not
// take it back the move fails and is rolled back.
package bridgenic
