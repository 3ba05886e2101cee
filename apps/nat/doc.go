// Package nat translates addresses between routers' networks and the outside: source NAT, floating IPs and
// port forwardings. One half are transactions: which address leads to which port. The other half is the
// plan: one nftables table for each router, a pure function of the model.
package nat
