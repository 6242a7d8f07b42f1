"""Whatever the outer host's settings are, a network is as planned and its routes work.

A new network namespace takes IPv4's `conf` over from the outer host, and IPv6's too where
`net.core.devconf_inherit_init_net` is 1 (Documentation/admin-guide/sysctl/net.rst). Here the outer host
is a machine of our own, whose settings can be anything.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import networkx as nx
import pytest

import emu
from emu.graph.attributes import Kind

from ..others import REASON, can_run_python

_SYS = Path("/proc/sys")
_CONF = ("all", "default")


def everywhere(family: str, **values: str) -> dict[str, str]:
    """Return settings for all present interfaces and for later ones."""
    return {f"net/{family}/conf/{scope}/{key}": value for key, value in values.items() for scope in _CONF}


def later(family: str, **values: str) -> dict[str, str]:
    """Return settings for interfaces that are made later."""
    return {f"net/{family}/conf/default/{key}": value for key, value in values.items()}


HOSTILE: dict[str, dict[str, str]] = {
    "forwards, as with Docker": {"net/ipv4/ip_forward": "1", **everywhere("ipv6", forwarding="1")},
    "forwards on present interfaces only": {"net/ipv4/ip_forward": "1", **later("ipv4", forwarding="0")},
    "forwards on later interfaces only": {**later("ipv4", forwarding="1"), **later("ipv6", forwarding="1")},
    "is strict": everywhere("ipv4", rp_filter="1", arp_ignore="1", arp_announce="2", arp_filter="1"),
    "is loose": everywhere("ipv4", rp_filter="2", arp_ignore="2", route_localnet="1", accept_local="1"),
    "never answers ARP": everywhere("ipv4", arp_ignore="8"),
    "answers ARP for others": everywhere("ipv4", proxy_arp="1", proxy_arp_pvlan="1"),
    "redirects": {
        **everywhere("ipv4", accept_redirects="1", send_redirects="1", secure_redirects="1"),
        **everywhere("ipv6", accept_redirects="1"),
    },
    "has its own idea of failed links": {
        **everywhere("ipv4", ignore_routes_with_linkdown="1", promote_secondaries="1"),
        **everywhere("ipv6", ignore_routes_with_linkdown="1", keep_addr_on_down="1"),
    },
    "has no IPv6": everywhere("ipv6", disable_ipv6="1"),
    "makes no link-local addresses": everywhere("ipv6", addr_gen_mode="1"),
    "makes link-local addresses from a secret": later("ipv6", addr_gen_mode="2"),
    "makes random link-local addresses": everywhere("ipv6", addr_gen_mode="3"),
    "has slow and short-sighted IPv6": everywhere(
        "ipv6", accept_ra="2", use_tempaddr="2", accept_dad="2", dad_transmits="9", hop_limit="1"
    ),
}
WORST = {
    **everywhere("ipv4", rp_filter="1", arp_ignore="8", arp_announce="2", arp_filter="1", proxy_arp="1"),
    **everywhere("ipv4", route_localnet="1", promote_secondaries="1", ignore_routes_with_linkdown="1"),
    **later("ipv4", forwarding="1"),
    **everywhere("ipv6", accept_ra="2", use_tempaddr="2", accept_dad="2", dad_transmits="9", hop_limit="1"),
    **later("ipv6", addr_gen_mode="1", forwarding="1"),
}


def line() -> nx.Graph:
    """Return two hosts with a router in between, with both families."""
    graph: nx.Graph = nx.Graph(name="line", families=(4, 6))
    graph.add_node("R", kind="router")
    graph.add_edges_from([("A", "R"), ("R", "B")])
    return graph


def ring() -> nx.Graph:
    """Return three routers in a ring, each with a host, with both families."""
    graph: nx.Graph = nx.Graph(name="ring", families=(4, 6))
    for number in "123":
        graph.add_node(f"R{number}", kind="router")
        graph.add_edge(f"R{number}", f"H{number}")
    graph.add_edges_from([("R1", "R2"), ("R2", "R3"), ("R3", "R1")])
    return graph


def settings_of_host() -> dict[str, str]:
    """Return the outer host's network settings, but for those of single interfaces."""
    folders = [_SYS / "net" / family for family in ("core", "ipv4", "ipv6")]
    folders += [_SYS / "net" / family / "conf" / scope for family in ("ipv4", "ipv6") for scope in _CONF]
    found = {}
    for path in (path for folder in folders for path in folder.iterdir() if path.is_file()):
        with contextlib.suppress(OSError):  # stable_secret until it is set
            found[str(path.relative_to(_SYS))] = path.read_text().strip()
    return found


def write(settings: dict[str, str]) -> None:
    for key, value in settings.items():
        (_SYS / key).write_text(value)


@pytest.fixture
def hostile(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give the outer host hostile settings; see that nothing changes them, and put the old ones back."""
    before = settings_of_host()
    write({"net/core/devconf_inherit_init_net": "1", **request.param})
    during = settings_of_host()
    assert during.items() >= request.param.items()
    yield
    assert settings_of_host() == during
    for _ in range(2):  # writing some sets others
        write({key: before[key] for key, value in settings_of_host().items() if before[key] != value})
    assert settings_of_host() == before


def as_user(uid: int, work: Callable[[], None]) -> None:
    """Do `work` in a forked copy of this process that belongs to a user without privileges."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            work()
            status = 0
        except BaseException:  # noqa: BLE001  # reported on the other side
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, errors="replace") as report:
        text = report.read()
    assert os.waitpid(child, 0)[1] == 0, text


def check(graph: nx.Graph) -> None:
    """Build a network and see that it is what was planned, and that everybody reaches everybody."""
    with emu.Network(graph) as net:
        results = net.ping_all(timeout=5)
        assert results.ok, results.unreachable
        for node in net:
            check_settings(net, node)
        for node in net:
            if any(address.version == 6 for address in node.plan.addresses):
                check_ipv6(node)


def check_settings(net: emu.Network, node: emu.Node) -> None:
    """See that a node and each of its interfaces have the settings that were planned."""
    planned = dict(node.plan.settings)
    for one in node.interfaces:
        planned |= {key.replace("/default/", f"/{one.name}/"): value for key, value in planned.items()}
        planned[f"net/ipv4/conf/{one.name}/forwarding"] = "1" if node.kind is Kind.ROUTER else "0"
    found = net.sandbox.ask("read_sysctl", node=node.name, keys=list(planned))
    assert found.message["values"] == planned


def check_ipv6(node: emu.Node) -> None:
    """See that a node has a loopback address, and soon a link-local one for each interface.

    The kernel takes notice of links that came up once a second (net/core/link_watch.c), and makes the
    address then.
    """
    deadline = time.monotonic() + 5
    while True:
        scopes = [one.scope for one in node.read_addresses() if one.address.version == 6]
        if scopes.count("link") == len(node.interfaces) and "host" in scopes:
            return
        assert time.monotonic() < deadline, scopes
        time.sleep(0.05)


def test_this_is_another_machine_that_writes_nothing_to_the_outer_one() -> None:
    assert Path("/proc/1/comm").read_text() == "init\n"
    with pytest.raises(OSError, match="Read-only") as refused:
        (Path(__file__).parent / "written").touch()
    assert refused.value.errno == errno.EROFS


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys(), indirect=True)
@pytest.mark.usefixtures("hostile")
def test_network_is_as_planned_on_a_host_that() -> None:
    check(line())


@pytest.mark.parametrize("hostile", [WORST], ids=["all"], indirect=True)
@pytest.mark.usefixtures("hostile")
class TestWorstHost:
    def test_founding_example(self) -> None:
        from emu.topologies.two_segment import two_segment

        check(two_segment())

    def test_ring(self) -> None:
        check(ring())

    def test_network_of_an_unprivileged_user(self) -> None:
        if not can_run_python():
            pytest.skip(REASON)
        as_user(60001, lambda: check(line()))

    def test_hosts_do_not_forward(self) -> None:
        graph: nx.Graph = nx.Graph(families=(4, 6))
        graph.add_node("MIDDLE", kind="host")
        graph.add_edge("A", "MIDDLE", prefix="192.0.2.0/24 2001:db8:1::/64")
        graph.add_edge("MIDDLE", "B", prefix="198.51.100.0/24 2001:db8:2::/64")
        with emu.Network(graph) as net:
            for end, near in zip(("A", "B"), net["MIDDLE"].interfaces, strict=True):
                for address in near.addresses:
                    words = f"ip -{address.version} route replace default via {address.ip}"
                    net[end].run(words.split(), check=True)
            results = net.ping_all(timeout=2)
        unreachable = {(one.source, one.target, one.family) for one in results.unreachable}
        assert unreachable == {(*pair, family) for pair in (("A", "B"), ("B", "A")) for family in (4, 6)}


@pytest.mark.uml("ipv6.disable=1")
def test_kernel_without_ipv6() -> None:
    with pytest.raises(OSError, match="not supported"):
        socket.socket(socket.AF_INET6)
    with emu.Network(line(), families=(4,)) as net:
        assert net.ping_all().ok
    network = emu.Network(line())
    assert network.plan.families == (4,)
    assert any("no IPv6" in warning for warning in network.plan.warnings)
    with network as net:
        assert net.ping_all().ok


@pytest.mark.uml("ipv6.disable_ipv6=1")
def test_kernel_that_was_started_with_ipv6_switched_off() -> None:
    """Which holds for every namespace, and for its loopback interface from the start."""
    assert (_SYS / "net/ipv6/conf/lo/disable_ipv6").read_text() == "1\n"
    check(line())
