// Package dhcp gives networks their DHCP service: one dnsmasq a network, in the namespace
// "qdhcp-<network id>" of the gateway host that the network is placed on.
//
// [Planner] writes dnsmasq's files and command line, after Neutron's. Everything that changes with ports,
// their extra options included, is in files, which dnsmasq reads again on SIGHUP. Only a change of the
// network itself (its subnets, its MTU, its domain, whether a router advertises it) changes the command
// line and restarts the process. [Servers] keeps the processes.
//
// Unlike Neutron's, an entry of a host sets no tag for the options of its port: dnsmasq before 2.91 would
// crash on SIGHUP. They are told by the octets of the MAC address instead.
//
// An address is given only to the MAC address of its port: the ranges are static. A lease that outlives
// its port is released by Servers, for dnsmasq would keep the address from its next user.
//
// # Router advertisements
//
// Exactly one side advertises an IPv6 subnet whose ra_mode is set. If the network has a router interface
// on an IPv6 subnet, that router does, from its own namespace. Otherwise dnsmasq does, with a router
// lifetime of 0: hosts get addresses, MTU and DNS, and no default route. A subnet without ra_mode is
// advertised by somebody else's router, so dnsmasq keeps quiet on its network.
//
// # Metadata
//
// As with Neutron's isolated metadata, the namespace has 169.254.169.254 if any IPv4 subnet that it
// serves is isolated, that is, no router has its gateway address; hosts of such a subnet get a route for
// it to the DHCP port. Hosts of the other subnets get one to their gateway.
package dhcp
