// Package lab builds hosts out of namespaces on one machine: each with its own network, mounts,
// processes and stock Open vSwitch, joined by an underlay and a management network, with virtual
// machines plugged into it the way Nova and libvirt plug them.
//
// It is how users try Heddle and how tests get real hosts. It knows nothing of the controller but
// its address.
//
// # What a lab is made of
//
//   - The wires: one process that holds a network namespace with a kernel bridge for each plane —
//     underlay, management and, if asked for, external.
//   - A host: one process in network, mount, UTS, IPC and PID namespaces of its own. It sees a
//     private /run, /etc/openvswitch and /var/log/openvswitch, so stock tools work inside with
//     their default paths. Killing the process is a power loss: nothing on the host survives.
//     br-phy, a userspace bridge, holds the uplink and carries the tunnel address on its local port.
//   - A virtual machine: a network namespace on its host, with a veth pair as its NIC.
//
// The only trace in the namespace of the caller is one veth with an address on the management
// plane, named after that plane's subnet.
//
// # Who ends it
//
// Every process of a lab holds a tether, a pipe to the process that builds it. If the builder dies,
// however it dies, the lab is gone. [Config.Detached] lets go of the tethers when the lab is
// complete; such a lab lasts until [Lab.Down].
//
// The methods of [Lab], [Host] and [VM] may be called from several goroutines; two calls about the
// same virtual machine may not overlap.
package lab
