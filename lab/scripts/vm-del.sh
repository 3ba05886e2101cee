# Removes a virtual machine from this host: the port, its processes, the veth pair, the namespace.
# What is not there is fine.
#
# environment: NAME, TAP
set -u
if [ -e "/run/netns/$NAME" ]; then
	pids=$(ip netns pids "$NAME")
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$pids" ] || kill -9 $pids
fi
# Explicitly: the namespace of a process that is still dying keeps the name of the veth taken.
[ ! -e "/sys/class/net/$TAP" ] || ip link del "$TAP"
# Whether the chain goes with its device depends on the kernel.
nft delete chain netdev heddle-lab "$TAP" 2>/dev/null || :
[ ! -e "/run/netns/$NAME" ] || ip netns del "$NAME"
