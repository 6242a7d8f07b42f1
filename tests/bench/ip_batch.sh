# The line of emu.bench.line with iproute2, as few commands as it needs: sh ip_batch.sh ROUTERS
# One `ip -batch` makes all namespaces and links; in each node a further one does the rest.
set -e
count=$1
folder=$(mktemp -d)
awk -v n="$count" -v folder="$folder" 'BEGIN {
    all = folder "/all"
    for (i = 0; i < n; i++) {
        print "netns add R" i > all
        print "netns add H" i > all
    }
    for (i = 0; i < n; i++) {
        down = "R" i "-veth" (i > 0)
        print "link add " down " netns R" i " type veth peer name H" i "-veth0 netns H" i > all
        if (i + 1 < n)
            print "link add R" i "-veth" (1 + (i > 0)) " netns R" i " type veth peer name R" (i + 1) "-veth0" \
                " netns R" (i + 1) > all
    }
    close(all)
    for (i = 0; i < n; i++) {
        host = "10.0." int(4 * i / 256) "." (4 * i % 256 + 1)
        gateway = "10.0." int(4 * i / 256) "." (4 * i % 256 + 2)
        file = folder "/H" i
        print "link set lo up\nlink set H" i "-veth0 up" > file
        print "address add " host "/30 dev H" i "-veth0\nroute add default via " gateway > file
        close(file)
        file = folder "/R" i
        print "link set lo up" > file
        print "link set R" i "-veth" (i > 0) " up\naddress add " gateway "/30 dev R" i "-veth" (i > 0) > file
        if (i > 0) {
            left = "10.128." int(2 * (i - 1) / 256) "." (2 * (i - 1) % 256 + 1)
            print "link set R" i "-veth0 up\naddress add " left "/31 dev R" i "-veth0" > file
        }
        if (i + 1 < n) {
            right = "R" i "-veth" (1 + (i > 0))
            print "link set " right " up" > file
            print "address add 10.128." int(2 * i / 256) "." (2 * i % 256) "/31 dev " right > file
        }
        close(file)
    }
}'
ip -batch "$folder/all"
number=0
while [ $number -lt "$count" ]; do
    ip -n H$number -batch "$folder/H$number"
    ip netns exec R$number sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward; exec ip -batch $folder/R$number"
    number=$((number + 1))
done
rm -r "$folder"
echo "{\"nodes\": $((2 * count)), \"links\": $((2 * count - 1))}"
cat > /dev/null
ip -all netns delete
