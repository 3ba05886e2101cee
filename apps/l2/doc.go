// Package l2 is layer 2: networks, subnets and ports. One half are transactions: what may be asked,
// and every choice that follows (segment, address, MAC, local VLAN), made inside the store's
// transaction. The other half is the plan: the bridges, cables, tunnels, tags and flows of a host, a
// pure function of the model and of what was observed.
package l2
