# Boots a host whose NICs are there: addresses, ovsdb-server, ovs-vswitchd, br-phy.
#
# environment: MANAGEMENT and VTEP (addresses with length), MTU, EXTERNAL (1 or 0)
# arguments: what `ovs-vsctl set Open_vSwitch .` takes, the external_ids of the host
# The functions of guard.sh and vswitchd.sh are prepended to this script.
set -eu

ip -batch - <<EOF
link set lo up
addr add $MANAGEMENT dev mgmt0
link set mgmt0 up
link set phy0 mtu $MTU up
EOF
guard phy0

db=/etc/openvswitch/conf.db
[ -f $db ] || ovsdb-tool create $db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server $db --detach --no-chdir --pidfile --unixctl=/run/openvswitch/ovsdb-server.ctl \
	--log-file -vconsole:off --remote=punix:/run/openvswitch/db.sock \
	--remote=db:Open_vSwitch,Open_vSwitch,manager_options \
	--private-key=db:Open_vSwitch,SSL,private_key --certificate=db:Open_vSwitch,SSL,certificate \
	--bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert
default_ctl ovsdb-server

set -- "$@" -- --may-exist add-br br-phy \
	-- set Bridge br-phy datapath_type=netdev fail_mode=standalone -- --may-exist add-port br-phy phy0
if [ "$EXTERNAL" = 1 ]; then
	ip link set ext0 up
	guard ext0
	set -- "$@" -- --may-exist add-br br-ex -- set Bridge br-ex datapath_type=netdev -- --may-exist add-port br-ex ext0
fi
ovs-vsctl --no-wait init -- set Open_vSwitch . "$@"

start_vswitchd

ip -batch - <<EOF
addr add $VTEP dev br-phy
link set br-phy up
EOF
