# default_ctl DAEMON: the control sockets have fixed names, because the process id that is part of
# the usual name means nothing outside of the host; inside, ovs-appctl looks for the usual name.
default_ctl() {
	read -r pid <"/run/openvswitch/$1.pid"
	ln -sf "$1.ctl" "/run/openvswitch/$1.$pid.ctl"
}

# start_vswitchd: returns when ovs-vswitchd has read its database and made the bridges in it.
start_vswitchd() {
	ulimit -n "$(ulimit -Hn)"
	ovs-vswitchd unix:/run/openvswitch/db.sock --detach --no-chdir --pidfile --log-file -vconsole:off \
		--unixctl=/run/openvswitch/ovs-vswitchd.ctl
	default_ctl ovs-vswitchd
}
