// Package nat translates addresses between routers' networks and the outside: source NAT, floating IPs and
// port forwardings. One half are transactions: which address leads to which port. The other half is the
// plan, one nftables table for each router ([Rules]), a pure function of the model, and the [Target] that
// keeps the tables of a host's namespaces as planned.
//
// # Sessions
//
// The kernel translates a connection as it did its first packet, until it forgets the connection. So
// tables may be changed and replaced at any time without harm to a session, and what is taken away goes
// on working until its sessions are forgotten. Target does that: in the step that removes an element of
// a map it puts what the element meant into the set "leaving", then deletes the matching entries of
// connection tracking, then empties the set. After a crash in between, the set says what is left to do.
//
// # Drift
//
// Elements of sets and maps are compared one by one. The rules cannot be, since nft lists them in words
// that differ from version to version; instead the table carries, as a comment of the empty chain
// "listed", digests of the text it was made from and of how nft listed it right after that.
package nat
