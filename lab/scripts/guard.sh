# guard DEVICE: keeps the host's own stack off a device that is plugged into Open vSwitch. The
# userspace datapath reads the device through a packet socket, so the kernel gets a copy of every
# frame and would answer ARP, router solicitations and more in the host's name. The ingress hook
# comes after packet sockets: dropping there takes nothing from Open vSwitch.
guard() {
	echo 1 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6"
	nft -f - <<-EOF
		add table netdev heddle-lab
		add chain netdev heddle-lab $1
		delete chain netdev heddle-lab $1
		add chain netdev heddle-lab $1 { type filter hook ingress device "$1" priority 0; policy drop; }
	EOF
}
