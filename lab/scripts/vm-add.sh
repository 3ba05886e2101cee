# Makes a virtual machine on this host: its namespace, and the veth pair that is its NIC. Plugging
# the host's end into a bridge is not done here.
#
# environment: NAME, TAP, MAC, MTU
# standard input: further ip(8) commands for the namespace
# The function of guard.sh is prepended to this script.
set -eu
ip netns add "$NAME"
trap 'ip netns del "$NAME"' EXIT
ip link add "$TAP" mtu "$MTU" up type veth peer name eth0 address "$MAC" mtu "$MTU" netns "$NAME"
trap 'ip link del "$TAP"; ip netns del "$NAME"' EXIT
guard "$TAP"
# The userspace datapath forwards frames as they are: a checksum left to the hardware stays wrong.
nsenter --net="/run/netns/$NAME" ethtool -K eth0 tx off >/dev/null
ip -n "$NAME" -batch -
trap - EXIT
