# Makes the namespace "internet" on the external plane, in the namespaces of the wires.
#
# environment: ADDRESS, with length
set -eu
ip netns add internet
ip link add internet type veth peer name eth0 netns internet
ip link set internet master external up
# It talks to Open vSwitch on the hosts: a checksum left to the hardware would stay wrong.
nsenter --net=/run/netns/internet ethtool -K eth0 tx off >/dev/null
ip -n internet -batch - <<EOF
link set lo up
addr add $ADDRESS dev eth0
link set eth0 up
EOF
