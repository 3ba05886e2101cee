// Package ofconn holds OpenFlow 1.3 sessions with switches: it accepts or
// dials connections, negotiates, and offers what the rest of Heddle does with
// a switch as methods of [Session]: dump flows, commit an atomic change, take
// a role, watch flows, ports, groups, meters and packets.
//
// A session goes through these states; the handle function that the owner
// gives to [Listener.Serve] or [Dialer.Run] starts in the last one.
//
//	S0 connected   TCP (and TLS) is up. Nothing was sent.
//	S1 HELLO       both sides send theirs; they must have version 1.3 in common
//	S2 FEATURES    FEATURES_REQUEST: the datapath id; until then the peer is nobody
//	S3 ASYNC       SET_ASYNC, SET_CONFIG: the switch sends us every event
//	S4 PORTS       PORT_DESC: names and numbers of the ports, kept current from now on
//	S5 READY       handed to the owner, who takes a role with [Session.Role]
//
// What each state sends, what each answer does and what times out is written
// at the functions that implement them, in handshake.go.
//
// # Goroutines and order
//
// Each session has one goroutine that reads and one that writes. Messages of a
// switch are handled strictly in the order in which they came; events reach
// [Handler] and the function given to [Session.Watch] on the reading
// goroutine, so those must return soon and must not call a method of the
// session that waits for an answer. All other methods may be called from any
// goroutine. A switch that stops reading, stops answering or sends garbage
// loses its own session and delays no other.
//
// # The library
//
// Framing, transport, vocabulary and the encoders of rare messages are
// github.com/netrack/openflow; flow state, bundles, the flow monitor and every
// decoder are package wire. This is the only package that imports the library.
// Each bug of the library that is worked around has a test named TestNetrack…
// that fails when the bug is gone.
package ofconn
