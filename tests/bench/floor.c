/*
 * The floor: what the kernel needs for a network when nothing else takes time.
 *
 * Builds a line of ROUTERS routers with a host at each, IPv4 only, from one thread, with netlink messages
 * in large batches; prints as JSON what it made and the seconds that each phase took; waits until its
 * standard input is closed; exits. The kernel then frees everything. Same nodes, links, interface names
 * and numbers, addresses and routes as emu has for tests/bench/line.py:
 *
 *     H0        H1        H2        10.0.0.0/30 + 4i    the host has the first address, the router the last
 *     |         |         |
 *     R0 ------ R1 ------ R2        10.128.0.0/31 + 2i  between router i and the next
 *
 * floor [--routes] ROUTERS          with --routes, every router has a route to every host's segment
 *
 * Message formats: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/veth.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 17, ROOM = PIECE + (1 << 10), LOOPBACK = 1, HOSTS_INTERFACE = 2 };
enum { PROC_NODES = 64 }; /* how many nodes' settings are written through one mount of /proc */
enum { HOST_PREFIX = 30, LINK_PREFIX = 31 };

static union { /* messages to be sent together */
    struct nlmsghdr header;
    char bytes[ROOM];
} batch;
static size_t used;
static struct nlmsghdr *message; /* the one being written */
static int netlink = -1;
static int *namespaces; /* routers, then hosts */
static int routers;

static void fail(const char *format, ...)
{
    int number = errno;
    va_list arguments;

    fprintf(stderr, "floor: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, ": %s\n", strerror(number));
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* -- messages --------------------------------------------------------------------------------------- */

/* Append to the batch, with the padding that netlink wants. */
static void *append(const void *data, size_t size)
{
    void *place = batch.bytes + used;

    memcpy(place, data, size);
    memset(batch.bytes + used + size, 0, NLMSG_ALIGN(size) - size);
    used += NLMSG_ALIGN(size);
    message->nlmsg_len = batch.bytes + used - (char *)message;
    return place;
}

static void begin(int type, int flags, const void *body, size_t size)
{
    struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};

    message = (struct nlmsghdr *)(batch.bytes + used);
    append(&header, sizeof header);
    append(body, size);
}

static struct rtattr *attribute(int type, const void *data, size_t size)
{
    struct rtattr header = {.rta_type = type, .rta_len = RTA_LENGTH(size)};
    struct rtattr *place = append(&header, sizeof header);

    append(data, size);
    return place;
}

static void close_nest(struct rtattr *nest)
{
    nest->rta_len = batch.bytes + used - (char *)nest;
}

/* Send the batch. Only its last message is acknowledged; an error is always reported, and comes first. */
static void send_batch(void)
{
    char answer[1 << 12];
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    struct nlmsgerr *error = NLMSG_DATA(header);

    if (used == 0)
        return;
    message->nlmsg_flags |= NLM_F_ACK;
    if (send(netlink, batch.bytes, used, 0) < 0)
        fail("send %zu bytes", used);
    if (recv(netlink, answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof *error))
        fail("receive an acknowledgement");
    if (header->nlmsg_type != NLMSG_ERROR || error->error != 0) {
        errno = -error->error;
        fail("message of type %d", error->msg.nlmsg_type);
    }
    used = 0;
}

static void send_full_batch(void)
{
    if (used >= PIECE)
        send_batch();
}

static void open_netlink(void)
{
    int size = ROOM, yes = 1;

    netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (netlink < 0)
        fail("open a netlink socket");
    setsockopt(netlink, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(netlink, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
}

static void visit(int node)
{
    if (setns(namespaces[node], CLONE_NEWNET) < 0)
        fail("enter node %d", node);
    open_netlink();
}

static void leave(void)
{
    send_batch();
    close(netlink);
}

/* -- what is built ---------------------------------------------------------------------------------- */

static int host(int router) { return routers + router; }
static int left(void) { return 2; }
static int down(int router) { return router == 0 ? 2 : 3; } /* to the host */
static int right(int router) { return down(router) + 1; }
static in_addr_t segment(int router) { return 0x0a000000 + 4 * router; }
static in_addr_t link_prefix(int router) { return 0x0a800000 + 2 * router; } /* to the next router */

/* ip link set INTERFACE up */
static void set_up(int index)
{
    struct ifinfomsg body = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    begin(RTM_NEWLINK, 0, &body, sizeof body);
}

/* ip address add ADDRESS/LENGTH dev INTERFACE */
static void add_address(int index, in_addr_t address, int length)
{
    struct ifaddrmsg body = {.ifa_family = AF_INET, .ifa_prefixlen = length, .ifa_index = index};
    in_addr_t wire = htonl(address);

    begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    attribute(IFA_LOCAL, &wire, sizeof wire);
    attribute(IFA_ADDRESS, &wire, sizeof wire);
}

/* ip route add DESTINATION/LENGTH via GATEWAY dev INTERFACE */
static void add_route(in_addr_t destination, int length, in_addr_t gateway, int index)
{
    struct rtmsg body = {
        .rtm_family = AF_INET, .rtm_dst_len = length, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
        .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST,
    };
    in_addr_t wire_destination = htonl(destination), wire_gateway = htonl(gateway);

    begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    if (length)
        attribute(RTA_DST, &wire_destination, sizeof wire_destination);
    attribute(RTA_GATEWAY, &wire_gateway, sizeof wire_gateway);
    attribute(RTA_OIF, &index, sizeof index);
}

static void name_and_place(char kind, int number, int interface, int node)
{
    char name[IFNAMSIZ];
    int size = snprintf(name, sizeof name, "%c%d-veth%d", kind, number, interface);

    attribute(IFLA_IFNAME, name, size + 1);
    attribute(IFLA_NET_NS_FD, &namespaces[node], sizeof *namespaces);
}

/* ip link add R-vethK type veth peer name … : both ends in their nodes from the start */
static void add_link(int router, int index, char peer, int peer_number, int peer_node)
{
    struct ifinfomsg body = {.ifi_index = index}, peer_body = {.ifi_index = HOSTS_INTERFACE};
    struct rtattr *info, *data, *end;

    begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    name_and_place('R', router, index - 2, router);
    info = attribute(IFLA_LINKINFO, NULL, 0);
    attribute(IFLA_INFO_KIND, "veth", 4);
    data = attribute(IFLA_INFO_DATA, NULL, 0);
    end = attribute(VETH_INFO_PEER, &peer_body, sizeof peer_body);
    name_and_place(peer, peer_number, 0, peer_node);
    close_nest(end);
    close_nest(data);
    close_nest(info);
}

/* -- the phases ------------------------------------------------------------------------------------- */

/* Write one setting of the present namespace, if the kernel has it. */
static void write_setting(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return;
    if (fd < 0 || write(fd, value, 1) != 1)
        fail("write %s", path);
    close(fd);
}

/* Be apart from the machine's own namespaces. */
static void enter_sandbox(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
        fail("make a sandbox (as root, or under `unshare -r --pid --fork --mount-proc`)");
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0)
        fail("mount /proc");
}

/*
 * Mount /proc anew. The kernel remembers every file that was opened below /proc/sys, those of all
 * namespaces in one list per name (proc_sys_compare), which each further look-up goes through: for
 * thousands of nodes that takes longer than all the rest. A new mount has nothing to remember.
 */
static void renew_proc(void)
{
    if (umount2("/proc", MNT_DETACH) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0)
        fail("mount /proc again");
}

/* All namespaces, each with its settings while we are in it; returns the seconds that those took. */
static double create_namespaces(void)
{
    double settings = 0, since;

    for (int node = 0; node < 2 * routers; node++) {
        if (unshare(CLONE_NEWNET) < 0)
            fail("make namespace %d", node);
        namespaces[node] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (namespaces[node] < 0)
            fail("open namespace %d", node);
        since = now();
        if (node % PROC_NODES == PROC_NODES - 1)
            renew_proc();
        write_setting("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"); /* and with it `default` */
        if (node < routers)
            write_setting("/proc/sys/net/ipv4/ip_forward", "1");
        settings += now() - since;
    }
    return settings;
}

static void create_links(void)
{
    open_netlink();
    for (int router = 0; router < routers; router++) {
        add_link(router, down(router), 'H', router, host(router));
        if (router + 1 < routers)
            add_link(router, right(router), 'R', router + 1, router + 1);
        send_full_batch();
    }
    leave();
}

/* In every node: interfaces up, addresses; in a host the default route. */
static void configure_nodes(void)
{
    for (int router = 0; router < routers; router++) {
        visit(router);
        set_up(LOOPBACK);
        if (router > 0) {
            set_up(left());
            add_address(left(), link_prefix(router - 1) + 1, LINK_PREFIX);
        }
        set_up(down(router));
        add_address(down(router), segment(router) + 2, HOST_PREFIX);
        if (router + 1 < routers) {
            set_up(right(router));
            add_address(right(router), link_prefix(router), LINK_PREFIX);
        }
        leave();
        visit(host(router));
        set_up(LOOPBACK);
        set_up(HOSTS_INTERFACE);
        add_address(HOSTS_INTERFACE, segment(router) + 1, HOST_PREFIX);
        add_route(0, 0, segment(router) + 2, HOSTS_INTERFACE);
        leave();
    }
}

/* In every router, a route to every host's segment but its own. */
static void add_routes(void)
{
    for (int router = 0; router < routers; router++) {
        visit(router);
        for (int other = 0; other < routers; other++) {
            if (other < router)
                add_route(segment(other), HOST_PREFIX, link_prefix(router - 1), left());
            else if (other > router)
                add_route(segment(other), HOST_PREFIX, link_prefix(router) + 1, right(router));
            send_full_batch();
        }
        leave();
    }
}

int main(int count, char **words)
{
    struct rlimit limit;
    int with_routes = count == 3 && strcmp(words[1], "--routes") == 0;
    double began = now(), settings, made, linked, configured, routed;
    char byte;

    routers = count == 2 + with_routes ? atoi(words[count - 1]) : 0;
    if (routers < 1 || routers > 1 << 20) {
        fprintf(stderr, "usage: floor [--routes] ROUTERS\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    namespaces = calloc(2 * routers, sizeof *namespaces);
    if (namespaces == NULL)
        fail("hold %d nodes", 2 * routers);
    enter_sandbox();
    settings = create_namespaces();
    made = now();
    create_links();
    linked = now();
    configure_nodes();
    configured = now();
    if (with_routes)
        add_routes();
    routed = now();
    printf("{\"nodes\": %d, \"links\": %d, \"routes\": %ld, \"seconds\": {\"namespaces\": %.6f, "
           "\"settings\": %.6f, \"links\": %.6f, \"addresses\": %.6f, \"routes\": %.6f, \"total\": %.6f}}\n",
           2 * routers, 2 * routers - 1, with_routes ? (long)routers * (routers - 1) : 0L,
           made - began - settings, settings, linked - made, configured - linked, routed - configured,
           routed - began);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}
