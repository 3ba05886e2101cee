// Package netns makes network namespaces of a Linux host what a spec says: the namespaces themselves,
// veth pairs, addresses, routes, sysctls, and the host's ends of the pairs as ports of br-int.
//
// [Host.Namespace] is a reconcile target for one namespace, [Host.Ports] one for all ports of the host.
// Both read the kernel each time and remember nothing of it.
//
// # What is ours
//
// Every object carries its mark in the kernel, set in the same step that makes the object visible, so a
// crash leaves nothing that cannot be told from what others made:
//
//   - a namespace: the alias of its loopback device, "heddle:router/<id>", set before the name appears in
//     /run/netns; and the text of the file under the mount, for a crash between file and mount
//   - a veth pair: the link group [Group] on both ends, given in the message that makes the pair
//   - a route: the protocol number [Protocol]
//   - a port of br-int: external_ids:heddle-agent
//
// Addresses belong to whom their link belongs to. Namespaces, links, routes and ports without a mark are
// never touched.
//
// # Threads
//
// A thread that enters a namespace never comes back: [enter] locks a goroutine to a thread, lets that
// thread switch, and ends both together. Moving back could fail, and a thread in the wrong namespace
// would be handed to whatever goroutine comes next; that is also why handles are not made by
// netlink.NewHandleAt, which moves back.
package netns
