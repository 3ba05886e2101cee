# start_vswitchd: returns when ovs-vswitchd has read its database and made the bridges in it. The
# control socket has a fixed name, because the process id in the usual name means nothing outside of
# the host.
start_vswitchd() {
	ulimit -n "$(ulimit -Hn)"
	ovs-vswitchd unix:/run/openvswitch/db.sock --detach --no-chdir --pidfile --log-file -vconsole:off \
		--unixctl=/run/openvswitch/ovs-vswitchd.ctl
}
