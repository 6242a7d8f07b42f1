"""The settings of a node: the sysctls that a network rests on. Pure."""

from __future__ import annotations

from ..graph.attributes import Kind

#: Settings that a new namespace may have inherited from the outer host, and that a network rests on.
#: IPv4's `conf` is inherited from it by default, IPv6's where net.core.devconf_inherit_init_net says so.
#: All have the kernel's own default, but for what is said. A multipath route spreads by layer-4 flow
#: (net/ipv4/route.c, fib_multipath_hash).
_IPV4 = {
    **{
        f"net/ipv4/conf/{scope}/{key}": "0"
        for scope in ("all", "default")
        for key in (
            "rp_filter", "arp_ignore", "arp_announce", "arp_filter", "proxy_arp", "proxy_arp_pvlan",
            "accept_local", "route_localnet",
            # What happens when a link fails or an address goes (systemd changes the second).
            "ignore_routes_with_linkdown", "promote_secondaries",
            # A broadcast stays on its segment.
            "bc_forwarding",
        )
    },
    "net/ipv4/fib_multipath_hash_policy": "1",
    # Every error is reported, not six and then one a second: traceroute lives on them. (Without limit,
    # `icmp_ratelimit` would not do: "net unreachable" has a limit of its own that the mask lifts too.)
    "net/ipv4/icmp_ratemask": "0",
    # TCP hands over at once what it sends in a millisecond, and not 64 KB because the other end is near (as
    # kernels since 5.18 do): such a piece overflows a short queue (net/ipv4/tcp_output.c, tcp_tso_autosize).
    "net/ipv4/tcp_tso_rtt_log": "0",
}  # fmt: skip
#: No router redirects, or routes on shared segments would drift. Whoever forwards takes no redirects either:
#: the kernel sees to that when forwarding is switched on.
_REDIRECTS = {
    kind: {
        "net/ipv4/conf/all/accept_redirects": told,
        "net/ipv4/conf/default/accept_redirects": "1",
        "net/ipv4/conf/all/secure_redirects": "1",
        "net/ipv4/conf/default/secure_redirects": "1",
        "net/ipv4/conf/all/send_redirects": told,
        "net/ipv4/conf/default/send_redirects": told,
    }
    for kind, told in ((Kind.HOST, "1"), (Kind.SWITCH, "1"), (Kind.ROUTER, "0"))
}
#: Without duplicate address detection an address works 4 ms after its link is up, else after 2 s. Router
#: advertisements and redirects, which an IPv6 router sends whatever it is told, count for nothing. A
#: link-local address is there, made from the MAC address: next hops need it.
_IPV6 = {
    **{
        f"net/ipv6/conf/{scope}/{key}": "0"
        for scope in ("all", "default")
        for key in (
            "disable_ipv6", "accept_dad", "use_tempaddr", "addr_gen_mode", "proxy_ndp",
            # What happens when a link fails.
            "ignore_routes_with_linkdown", "keep_addr_on_down",
        )
    },
    # Of these the value for `all` counts for nothing (net/ipv6/{addrconf,ndisc}.c).
    **{f"net/ipv6/conf/default/{key}": "0" for key in ("dad_transmits", "accept_ra", "accept_redirects")},
    # It is made with the namespace: what `default` was then is already in it.
    "net/ipv6/conf/lo/disable_ipv6": "0",
    "net/ipv6/fib_multipath_hash_policy": "1",
    "net/ipv6/icmp/ratelimit": "0",
}  # fmt: skip
_NO_IPV6 = {f"net/ipv6/conf/{scope}/disable_ipv6": "1" for scope in ("all", "default")}
FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
#: Settings that change others when they are written.
COMMANDING = {*FORWARDING.values(), "net/ipv6/conf/all/disable_ipv6"}
#: What an interface takes over when it is made; writing the above changes it too, but only when that
#: was different before.
_FORWARDING_LATER = {4: "net/ipv4/conf/default/forwarding", 6: "net/ipv6/conf/default/forwarding"}
#: How far packets get.
_HOPS = {
    4: ("net/ipv4/ip_default_ttl",),
    6: ("net/ipv6/conf/all/hop_limit", "net/ipv6/conf/default/hop_limit"),
}


def settings_for(kind: Kind, families: tuple[int, ...], hops: int) -> tuple[tuple[str, str], ...]:
    """Return a node's sysctls, written `net/ipv4/ip_forward`, in the order in which to set them.

    Args:
        kind: what the node does.
        families: which of 4 and 6 the network has.
        hops: how far packets get that say nothing else: the default TTL and hop limit.
    """
    forwards = "1" if kind is Kind.ROUTER else "0"
    ipv6 = 6 in families and kind is not Kind.SWITCH
    # Forwarding comes first: writing it resets others.
    settings = {FORWARDING[4]: forwards, _FORWARDING_LATER[4]: forwards, **_REDIRECTS[kind], **_IPV4}
    settings |= dict.fromkeys(_HOPS[4], str(hops))
    if not ipv6:
        return tuple((settings | _NO_IPV6).items())
    settings |= {FORWARDING[6]: forwards, _FORWARDING_LATER[6]: forwards, **_IPV6}
    settings |= dict.fromkeys(_HOPS[6], str(hops))
    return tuple(settings.items())
