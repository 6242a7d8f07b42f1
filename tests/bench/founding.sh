# The founding example by hand: two hosts, a router, one ping. Run apart: unshare --net --mount.
set -e
mount -t tmpfs tmpfs /run
for node in HOST1 ROUTER HOST2; do ip netns add $node; done
ip link add HOST1-veth0 type veth peer name ROUTER-veth0
ip link set HOST1-veth0 netns HOST1
ip link set ROUTER-veth0 netns ROUTER
ip link add ROUTER-veth1 type veth peer name HOST2-veth0
ip link set ROUTER-veth1 netns ROUTER
ip link set HOST2-veth0 netns HOST2
ip -n HOST1 address add 192.0.2.1/24 dev HOST1-veth0
ip -n ROUTER address add 192.0.2.254/24 dev ROUTER-veth0
ip -n ROUTER address add 198.51.100.254/24 dev ROUTER-veth1
ip -n HOST2 address add 198.51.100.1/24 dev HOST2-veth0
ip -n HOST1 link set HOST1-veth0 up
ip -n ROUTER link set ROUTER-veth0 up
ip -n ROUTER link set ROUTER-veth1 up
ip -n HOST2 link set HOST2-veth0 up
ip -n HOST1 route add default via 192.0.2.254
ip -n HOST2 route add default via 198.51.100.254
ip netns exec ROUTER sysctl -qw net.ipv4.ip_forward=1
ip netns exec HOST1 ping -c 1 -I 192.0.2.1 198.51.100.1
for node in HOST1 ROUTER HOST2; do ip netns delete $node; done
