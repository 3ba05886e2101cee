#!/bin/bash
# The five-minute tour: a server, a lab of three hosts, two tenants with the same addresses, three
# networks over three kinds of tunnel, and pings that pass and pings that must not. Then a gateway host:
# addresses by DHCP, routers to an "internet" with the same address behind each, floating IPs, metadata.
#
#   examples/demo.sh [HEDDLE]      KEEP=1 leaves everything running until Ctrl-C
set -euo pipefail

heddle=${1:-bin/heddle}
lab=demo
dir=$(mktemp -d /tmp/heddle-demo.XXXXXX)
api=
server=
agent=
failed=0

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
ok() { printf '   ok    %s\n' "$*"; }
bad() { printf '   FAIL  %s\n' "$*"; failed=1; }

cleanup() {
	trap - EXIT INT TERM
	say "cleaning up"
	"$heddle" lab down --name $lab || true
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ "$(id -u)" = 0 ] || { echo "the demo makes network namespaces: run it as root" >&2; exit 1; }

# post COLLECTION BODY prints the answer's object; an error answer ends the demo.
post() { curl -sS --fail-with-body -H 'Content-Type: application/json' "$api/v2.0/$1" -d "$2" | jq -c '.[]'; }

start_server() {
	"$heddle" server --data-dir "$dir/data" --listen-api "${api#http://}" --allow-remote-noauth --physnets physnet1 >>"$dir/server.log" 2>&1 &
	server=$!
	for _ in $(seq 100); do
		curl -sf "$api/readyz" >/dev/null && return
		kill -0 $server 2>/dev/null || { cat "$dir/server.log" >&2; exit 1; }
		sleep 0.1
	done
}

say "building a lab of three hosts (stock Open vSwitch, joined by ovs-vsctl set-manager)"
"$heddle" lab up --name $lab --hosts net1,cmp1,cmp2 --controller :6640 --external

say "starting the controller"
# Only this machine and the lab's hosts reach that address: everyone who does is an admin.
api=http://$("$heddle" lab status --name $lab -o json | jq -r .address):9696
start_server
ok "heddle server: REST on $api, OpenFlow on :6653, OVSDB on :6640"

declare -A net port_id port_ip port_mac
network() { # NAME PROJECT TYPE
	net[$1]=$(post networks "{\"network\":{\"name\":\"$1\",\"project_id\":\"$2\",\"provider:network_type\":\"$3\"}}" | jq -r .id)
	post subnets "{\"subnet\":{\"name\":\"$1\",\"project_id\":\"$2\",\"network_id\":\"${net[$1]}\",\"ip_version\":4,\"cidr\":\"10.0.22.0/24\"}}" >/dev/null
	ok "network $1 of tenant $2: $3, 10.0.22.0/24"
}
vm() { # NAME NETWORK PROJECT HOST IP
	local port
	port=$(post ports "{\"port\":{\"name\":\"$1\",\"project_id\":\"$3\",\"network_id\":\"${net[$2]}\",\"fixed_ips\":[{\"ip_address\":\"$5\"}]}}")
	port_id[$1]=$(jq -r .id <<<"$port") port_mac[$1]=$(jq -r .mac_address <<<"$port") port_ip[$1]=$5
	"$heddle" lab vm add --name $lab "$4" "$1" --port-id "${port_id[$1]}" --mac "${port_mac[$1]}" --ip "$5/24" >/dev/null
	ok "VM $1 of tenant $3 on $4: $5 on $2"
}
active() { # waits until every port is ACTIVE
	for _ in $(seq 100); do
		[ "$(curl -sS "$api/v2.0/ports?fields=status" | jq '[.ports[] | select(.status != "ACTIVE")] | length')" = 0 ] && return
		sleep 0.1
	done
	curl -sS "$api/v2.0/ports" | jq -c '.ports[] | [.name, .status]'
	return 1
}
reaches() { # FROM TO
	if "$heddle" lab vm exec --name $lab "$1" -- ping -c 2 -i 0.2 -W 2 "${port_ip[$2]}" >/dev/null; then
		ok "$1 -> $2 (${port_ip[$2]}) answers"
	else
		bad "$1 -> $2 (${port_ip[$2]}) does not answer"
	fi
}
apart() { # FROM IP WHY
	if "$heddle" lab vm exec --name $lab "$1" -- ping -c 2 -i 0.2 -W 1 "$2" >/dev/null; then
		bad "$1 -> $2 answers: $3"
	else
		ok "$1 -> $2 gets no answer: $3"
	fi
}

say "two tenants, three networks, all 10.0.22.0/24"
network red-gre red gre
network blue-vxlan blue vxlan
network blue-geneve blue geneve

say "eight virtual machines, plugged as Nova does"
vm red1 red-gre red net1 10.0.22.11
vm red2 red-gre red cmp1 10.0.22.12
vm red3 red-gre red cmp2 10.0.22.13
vm blue1 blue-vxlan blue net1 10.0.22.11
vm blue2 blue-vxlan blue cmp1 10.0.22.12
vm blue4 blue-vxlan blue cmp1 10.0.22.14
vm geneve1 blue-geneve blue cmp1 10.0.22.21
vm geneve2 blue-geneve blue cmp2 10.0.22.22
active && ok "every port is ACTIVE: all hosts have confirmed its flows"

say "pings that must pass"
reaches red1 red2
reaches red2 red3
reaches blue1 blue2
reaches blue2 blue4
reaches geneve1 geneve2

say "pings that must not"
apart red1 10.0.22.14 "only tenant blue has that address"
apart blue1 10.0.22.13 "only tenant red has that address"
apart blue1 10.0.22.22 "it is on blue's other network"

say "the controller dies (kill -9); forwarding does not notice"
kill -9 "$server"
wait "$server" 2>/dev/null || true
reaches red1 red3
reaches blue1 blue4
start_server
active && ok "the controller is back; no flow was removed"

say "a gateway host: its agent is given DHCP servers and routers"
start_agent() { # it ends with the lab
	"$heddle" lab exec --name $lab net1 -- "$(realpath "$heddle")" agent --server "$api" --host net1 --state-dir "$dir/agent" >>"$dir/agent.log" 2>&1 &
	agent=$!
	disown
}
start_agent
external=$(post networks '{"network":{"name":"internet","router:external":true,"provider:network_type":"flat","provider:physical_network":"physnet1"}}' | jq -r .id)
post subnets "{\"subnet\":{\"network_id\":\"$external\",\"ip_version\":4,\"cidr\":\"198.51.100.0/24\",\"gateway_ip\":\"198.51.100.1\",\"enable_dhcp\":false,
	\"allocation_pools\":[{\"start\":\"198.51.100.100\",\"end\":\"198.51.100.200\"}]}}" >/dev/null
guest() { "$heddle" lab vm exec --name $lab "$@"; }
tenant() { # NAME HOST: a network, a router and a VM without an address
	local subnet router port
	net[$1]=$(post networks "{\"network\":{\"name\":\"$1\",\"project_id\":\"$1\"}}" | jq -r .id)
	subnet=$(post subnets "{\"subnet\":{\"project_id\":\"$1\",\"network_id\":\"${net[$1]}\",\"ip_version\":4,\"cidr\":\"10.0.33.0/24\"}}" | jq -r .id)
	router=$(post routers "{\"router\":{\"name\":\"$1\",\"project_id\":\"$1\",\"external_gateway_info\":{\"network_id\":\"$external\"}}}" | jq -r .id)
	curl -sS --fail-with-body -X PUT -H 'Content-Type: application/json' "$api/v2.0/routers/$router/add_router_interface" -d "{\"subnet_id\":\"$subnet\"}" >/dev/null
	port=$(post ports "{\"port\":{\"name\":\"$1\",\"project_id\":\"$1\",\"network_id\":\"${net[$1]}\",\"fixed_ips\":[{\"ip_address\":\"10.0.33.10\"}]}}")
	port_id[$1]=$(jq -r .id <<<"$port") port_ip[$1]=10.0.33.10
	"$heddle" lab vm add --name $lab "$2" "$1" --port-id "${port_id[$1]}" --mac "$(jq -r .mac_address <<<"$port")" >/dev/null
	ok "tenant $1: network 10.0.33.0/24, router, VM $1 on $2"
}
succeeds() { # WHAT COMMAND…
	local what=$1
	shift
	for _ in $(seq 20); do
		"$@" >/dev/null 2>&1 && { ok "$what"; return; }
		sleep 0.2
	done
	bad "$what"
}
tenant green cmp1
tenant amber cmp2
active && ok "every port is ACTIVE: dnsmasq on net1 knows it, too"
lease='[ "$1" = bound ] || exit 0; ip addr add "$ip/$mask" dev eth0; ip route add default via "$router"'
printf '#!/bin/sh\n%s\n' "$lease" >"$dir/lease" && chmod +x "$dir/lease"
for name in green amber; do
	succeeds "$name gets ${port_ip[$name]} by DHCP (udhcpc)" guest $name -- udhcpc -i eth0 -f -n -q -t 3 -T 1 -s "$dir/lease"
	succeeds "$name reaches the internet (198.51.100.1) by source NAT" guest $name -- ping -c 1 -W 1 198.51.100.1
	ip=$(post floatingips "{\"floatingip\":{\"floating_network_id\":\"$external\",\"port_id\":\"${port_id[$name]}\",\"project_id\":\"$name\"}}" | jq -r .floating_ip_address)
	succeeds "the internet reaches $name at its floating IP $ip" "$heddle" lab exec --name $lab internet -- ping -c 1 -W 1 "$ip"
	succeeds "$name reads its metadata: $(guest $name -- curl -sS -m 3 http://169.254.169.254/latest/meta-data/local-ipv4 || true)" \
		guest $name -- curl -sSf -m 3 http://169.254.169.254/latest/meta-data/local-ipv4
done

say "the agent dies (kill -9); routers and DHCP do not notice"
kill -9 $(cat /proc/$agent/task/$agent/children) # $agent is nsenter, in whose namespaces it runs
while kill -0 $agent 2>/dev/null; do sleep 0.1; done
succeeds "green still reaches the internet" guest green -- ping -c 1 -W 1 198.51.100.1
succeeds "and gets its address again" guest green -- udhcpc -i eth0 -f -n -q -t 3 -T 1 -s /bin/true
start_agent

say "what Heddle says of itself"
export HEDDLE_SERVER=$api
"$heddle" get hosts
if "$heddle" explain green 198.51.100.1; then ok "that is how a packet of green gets to the internet"; else bad "no way to the internet is explained"; fi
if "$heddle" explain red1 10.0.22.14 >/dev/null; then bad "a way from red1 to blue's 10.0.22.14 is explained"; else ok "and it finds no way from red1 to the address that only blue has"; fi
succeeds "the agent is back, and nothing is wrong" "$heddle" doctor
"$heddle" doctor || true

say "where to look next"
cat <<TEXT
   $api/ in a browser
   export HEDDLE_SERVER=$api
   $heddle get ports -o wide; $heddle describe port green; $heddle trace green amber; $heddle history
   $heddle plan -f examples/tenant.yaml
   $heddle lab exec --name $lab cmp1 -- ovs-vsctl show
   $heddle lab exec --name $lab cmp1 -- ovs-ofctl -O OpenFlow13 dump-flows br-tun
   $heddle lab exec --name $lab net1 -- ip netns
   curl -s $api/node/v1/net1/spec | jq
   $heddle watch
   openstack --os-auth-type none --os-endpoint $api network list
   docs/pipeline.md says what every flow is for.
TEXT
if [ -n "${KEEP:-}" ]; then
	say "everything stays up; Ctrl-C ends it"
	while kill -0 "$server" 2>/dev/null; do sleep 1; done
fi
exit $failed
