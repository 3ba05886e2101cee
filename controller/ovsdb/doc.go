// Package ovsdb is the Open_vSwitch database of one host, seen from Heddle: who the host says it is, which bridges,
// ports and interfaces it has, and the rows Heddle wants there (package row).
//
// Hosts come in two ways and end in one type, Session: a Listener takes the connections of hosts that ran
// "ovs-vsctl set-manager tcp:HEDDLE:6640", a Dialer keeps a connection to a host that listens on ptcp:6640.
//
// The protocol (RFC 7047, ovsdb-server(7)) is spoken by libovsdb, which this package alone imports. libovsdb can only
// dial and decodes in goroutines of its own, where a panic cannot be caught. So every connection runs through a gate:
// it hands the bytes to libovsdb over a private unix socket, lets only complete, well-formed messages of bounded size
// in, answers the host's echo requests, sends its own and ends the session of a host that fell silent.
package ovsdb
