# Process 1 of a host, or of the lab's wires. It makes the mounts private and from then on only
# reaps, so that its end is the end of everything in its namespaces.
#
# Standard input is the tether. "stay" means the lab outlives its builder; end of file before that
# means the builder is gone, and the lab goes with it.
#
# usage: init.sh NAME [LABDIR], run in the directory of the host; LABDIR is removed when the tether
# is cut.
set -eu
exec 3<&0 </dev/null
name=$1 labdir=${2-}

mount --make-rslave /
# Copies of mounted network namespaces would keep namespaces of others alive.
while read -r _ _ _ _ point rest; do
	case $rest in
	*' - nsfs '*) umount -l "$point" || : ;;
	esac
done </proc/self/mountinfo
mount -t proc proc /proc
mount -t sysfs sysfs /sys
echo "$name" >/proc/sys/kernel/hostname

# Where a host keeps what survives a power loss.
if [ -d etc ]; then
	mount --bind etc /etc/openvswitch
	mount --bind log /var/log/openvswitch
	# A DHCP client in a virtual machine must not rewrite the machine's own.
	if [ -f /etc/resolv.conf ]; then
		cp /etc/resolv.conf resolv.conf
		mount --bind resolv.conf /etc/resolv.conf
	fi
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/openvswitch /run/netns /run/lock

if [ -n "$labdir" ]; then
	# The bridges of the planes are wires: they speak nothing themselves.
	echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
	echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
fi
# Bridged frames must not visit the firewall of the namespace.
for f in /proc/sys/net/bridge/bridge-nf-call-*; do
	[ -w "$f" ] && echo 0 >"$f"
done

echo ready
exec >/dev/null
status=129
while [ $status -gt 128 ]; do # more than 128: the reader was killed, the tether still holds
	status=0
	read -r _ <&3 &
	wait $! || status=$?
done
while [ $status -eq 0 ]; do
	sleep infinity &
	wait $! || :
done
if [ -n "$labdir" ]; then
	# The hosts are ending at the same time and may still write. The working directory reaches what
	# /run now hides, if the shell is told not to think in paths.
	cd -P ../..
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rm -rf "$labdir" && break
		sleep 0.1
	done
	rmdir ../heddle-lab || :
fi
