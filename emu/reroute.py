"""Routes for what a running network is now: links that failed, or came back, and the difference they make."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .attributes import Kind
from .build import hosts_file, send
from .connection import Sandbox
from .errors import EmuError, KernelError
from .netlink.operations import BRIDGE, Request
from .netlink.present import METRIC, Hop, Key, LinkState, Present, read_links, read_table
from .netlink.removals import DeleteRoute, ReplaceAddress, ReplaceRoute
from .plan import NodePlan, Plan
from .replan import End, Router, rerouted
from .routes import NextHop, Route, RouteTable

if TYPE_CHECKING:
    from .network import Network

#: How often to begin anew when others change the network meanwhile.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the kernel has of a node: its interfaces by number, and its main tables."""

    links: Mapping[int, LinkState]
    routes: Mapping[Key, Present]


@dataclass(frozen=True)
class Rerouting:
    """What `reroute` found and did.

    `down` are the interfaces of links that carry nothing, as pairs of node and name.
    """

    down: tuple[End, ...]
    operations: tuple[Request, ...]

    @property
    def routes(self) -> int:
        """How many routes are new, changed or gone."""
        return sum(isinstance(one, ReplaceRoute | DeleteRoute) for one in self.operations)

    @property
    def nodes(self) -> int:
        """In how many nodes something was changed."""
        return len({one.node for one in self.operations})

    def commands(self) -> list[str]:
        """Return the `ip` commands that do the same."""
        return [command for one in self.operations for command in one.commands()]

    def __str__(self) -> str:
        changed = f"{_count(self.routes, 'route')} changed in {_count(self.nodes, 'node')}"
        return f"{changed}; {_count(len(self.down), 'interface')} out of use"


def reroute(network: Network, *, dry_run: bool = False) -> Rerouting:
    """Make a network's routes those over the links that work now, and return what that changed.

    A link works when both of its interfaces are up, and a switch when its bridge is. What routing
    protocols would withdraw goes: prefixes of links that are down, and those that cannot be reached. A
    route that is neither the plan's nor what the kernel left of that is somebody's own, and stays.

    Raises:
        PlanError: the routes cannot be computed.
        KernelError: the kernel refused a route; the others are as before.
        EmuError: others keep changing the network.
    """
    for _ in range(_ATTEMPTS):
        network.refresh()
        old = network.plan
        new, found = _find(network.sandbox, old, network.plugins.routes)
        if dry_run or (new == old and not found.operations):
            return found
        if network.replace_plan(new):
            try:
                _install(network.sandbox, old, new, found.operations)
            except BaseException:
                network.replace_plan(old)
                raise
            network.sandbox.ask("write", hosts_file(new).encode(), path="/run/emu/hosts")
            return found
    raise EmuError(f"reroute {network.name}: others change it at the same time; try again")


def _find(sandbox: Sandbox, plan: Plan, route: Router) -> tuple[Plan, Rerouting]:
    """Return the plan for what works now, and what makes the kernel's tables those of that plan."""
    states = {node.name: read_state(sandbox, node.name, plan.families) for node in plan.nodes}
    down = [end for node in plan.nodes for end in without_carrier(node, states[node.name].links)]
    new = rerouted(plan, down, route)
    operations = [
        one for before, after in zip(plan.nodes, new.nodes, strict=True)
        for one in difference(before, after.routes, states[before.name])
    ]  # fmt: skip
    return new, Rerouting(new.down, tuple(operations))


def _install(sandbox: Sandbox, old: Plan, new: Plan, operations: tuple[Request, ...]) -> None:
    """Send the operations that lead from one plan's routes to the other's; all of them or none."""
    try:
        send(sandbox, operations, {})
    except KernelError:
        back = [
            one for before, after in zip(new.nodes, old.nodes, strict=True)
            for one in difference(before, after.routes, read_state(sandbox, before.name, old.families))
        ]  # fmt: skip
        with contextlib.suppress(KernelError):  # what has failed may have taken routes along
            send(sandbox, back, {})
        raise


def read_state(sandbox: Sandbox, node: str, families: tuple[int, ...]) -> NodeState:
    """Return what the kernel has of a node."""
    routes: dict[Key, Present] = {}
    with open_route_socket(sandbox, node) as sock:
        links = read_links(sock)
        for version in families:
            routes |= read_table(sock, version)
    return NodeState(links, routes)


def open_route_socket(sandbox: Sandbox, node: str) -> socket.socket:
    """Return a NETLINK_ROUTE socket in a node."""
    frame = sandbox.ask(
        "socket", node=node, family=socket.AF_NETLINK, kind=socket.SOCK_RAW, protocol=socket.NETLINK_ROUTE
    )  # fmt: skip
    return socket.socket(fileno=frame.fds[0])


def without_carrier(node: NodePlan, links: Mapping[int, LinkState]) -> Iterator[End]:
    """Yield the interfaces of a node that carry nothing; all of a switch whose bridge is down."""
    bridge = [link.up for link in links.values() if link.name == BRIDGE]
    dead = node.kind is Kind.SWITCH and not any(bridge)
    for one in node.interfaces:
        link = links.get(one.index)
        if dead or link is None or not (link.up and link.carrier):
            yield node.name, one.name


def difference(node: NodePlan, wanted: RouteTable, state: NodeState) -> Iterator[Request]:
    """Yield what makes a node's routes, so far those of its plan, the wanted ones.

    The kernel forgets an interface's IPv6 addresses when it goes down; they come first.
    """
    if node.kind is Kind.SWITCH:
        return
    yield from _lost_addresses(node, state)
    indices = {one.name: one.index for one in node.interfaces}
    old, new = _keyed(node.routes, indices), _keyed(wanted, indices)
    for key, (next_hops, hops) in new.items():
        now = state.routes.get(key)
        if now is None or (now.hops != hops and _is_ours(now, old.get(key))):
            yield ReplaceRoute(node.name, _route(key, next_hops), hops_in_order(next_hops, indices))
    for key, (next_hops, _) in old.items():
        now = state.routes.get(key)
        if key not in new and now is not None and _is_ours(now, old[key]):
            yield DeleteRoute(node.name, _route(key, next_hops))


Keyed = tuple[tuple[NextHop, ...], frozenset[Hop]]


def _keyed(table: RouteTable, indices: Mapping[str, int]) -> dict[Key, Keyed]:
    """Return a table as the kernel has it: next hops by what tells a route from others."""
    found = {}
    for group in table.groups:
        value = group.next_hops, frozenset(hops_in_order(group.next_hops, indices))
        metric = METRIC[group.version]
        for address, length in group.packed():
            found[group.version, address, length, metric] = value
    return found


def hops_in_order(next_hops: tuple[NextHop, ...], indices: Mapping[str, int]) -> tuple[Hop, ...]:
    """Return next hops as the kernel numbers them."""
    return tuple((indices[hop.interface], hop.gateway.packed, 0) for hop in next_hops)


def _is_ours(now: Present, planned: Keyed | None) -> bool:
    """Tell whether a route is the planned one, or what the kernel left of that when interfaces went down."""
    if planned is None or not now.ordinary:
        return False
    return now.hops <= planned[1] and bool(now.hops) == bool(planned[1])


def _route(key: Key, next_hops: tuple[NextHop, ...]) -> Route:
    version, address, length, _ = key
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    return Route(kind((address, length)) if length or not next_hops else None, next_hops)


def _lost_addresses(node: NodePlan, state: NodeState) -> Iterator[Request]:
    """Yield the IPv6 addresses that interfaces which are up have lost: the routes of their links are gone."""
    connected = {
        (key[1], key[2], index)
        for key, route in state.routes.items() if key[0] == 6 and route.connected
        for index, _, _ in route.hops
    }  # fmt: skip
    for one in node.interfaces:
        link = state.links.get(one.index)
        if link is None or not link.up:
            continue
        for address in one.addresses:
            network = address.network
            key = network.network_address.packed, network.prefixlen, one.index
            if address.version == 6 and key not in connected:
                yield ReplaceAddress(node.name, one.name, one.index, address)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
