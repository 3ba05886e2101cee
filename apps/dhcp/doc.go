// Package dhcp gives every network with a served subnet its DHCP server. One half are transactions: the
// port that the server has on the network. The other half is the plan: dnsmasq's files and command line.
package dhcp
