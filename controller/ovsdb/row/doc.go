// Package row holds what Heddle wants in a host's Open_vSwitch database, as plain values: bridges, patch ports,
// tunnel ports and the VLAN tags of ports that others plugged. A planner builds them, a map of them is compared with
// what a host has, and nothing here knows which host that is or how it is reached.
package row
