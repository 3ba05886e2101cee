// Package metadata answers instances that ask 169.254.169.254, or fe80::a9fe:a9fe, about themselves.
//
// [Instances] is the plan: who is behind an address. [Proxy] listens in the namespaces of routers and of
// DHCP services, one for all of an agent. It takes who asks from the address that the question comes
// from, never from what the question says. With an endpoint it hands questions on to a metadata service
// as Nova has it, with the headers of Neutron's metadata agent. Without one it answers by itself, from
// what the port's binding:profile holds ("public_keys", a list of texts or an object of names and texts,
// and "user_data", a text), in the words of EC2, of OpenStack's metadata API and of cloud-init's NoCloud.
//
// In a router's namespace the proxy listens on port 9697, to which nftables redirects. In that of a DHCP
// service, which has the addresses itself, it listens on port 80. A listening socket keeps its namespace
// alive: one that is not wanted any more ends when the proxy was told so.
package metadata
