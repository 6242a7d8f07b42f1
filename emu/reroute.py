"""Routes for what a running network is now: links that failed, or came back, and the difference they make."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .build import write_hosts
from .errors import KernelError
from .graph.attributes import Kind
from .netlink.delivery import send
from .netlink.operations import BRIDGE, Request
from .netlink.present import METRIC, Hop, Key, LinkState, NodeState, RouteState, read_states
from .netlink.readiness import await_addresses, await_interfaces
from .netlink.removals import DeleteRoute, ReplaceAddress, ReplaceRoute
from .planning.pinned_routes import Router
from .planning.plan import End, NodePlan, Plan
from .planning.replan import rerouted
from .planning.routes import NextHop, Route, RouteTable
from .sandboxes.connection import Sandbox

if TYPE_CHECKING:
    from .running.network import Network

#: Of how many links that carry nothing one line tells.
_NAMED = 6
#: How often to begin anew when others set interfaces up and down at the same time.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Rerouting:
    """What `reroute` found and did.

    `down` are the interfaces of links that carry nothing, as pairs of node and name; `reasons` has a line
    for each of these links: `R1--R2: R1-veth1 is down`. After a `dry_run` nothing has been changed.
    """

    down: tuple[End, ...]
    operations: tuple[Request, ...]
    reasons: tuple[str, ...] = ()
    dry_run: bool = False

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
        changed = "no route has to change"
        if self.routes:
            verb = "would change" if self.dry_run else "changed"
            changed = f"{_count(self.routes, 'route')} {verb} in {_count(self.nodes, 'node')}"
        if not self.reasons:
            return f"{changed}; all links work"
        more = len(self.reasons) - _NAMED
        shown = "; ".join(self.reasons[:_NAMED])
        return f"{changed}; out of use: {shown}{f'; and {more} more' if more > 0 else ''}"


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
    sandbox, found = network.sandbox, Rerouting((), ())

    def make(plan: Plan) -> Plan | None:
        nonlocal found
        new, found = _find(sandbox, plan, network.plugins.routes)
        return None if dry_run or (new == plan and not found.operations) else new

    def carry_out(old: Plan, new: Plan) -> None:
        _install(sandbox, old, new, found.operations)
        write_hosts(sandbox, new)

    network.change_plan(f"reroute {network.name}", make, carry_out)
    return dataclasses.replace(found, dry_run=dry_run)


def _find(sandbox: Sandbox, plan: Plan, route: Router) -> tuple[Plan, Rerouting]:
    """Return the plan for what works now, and what makes the kernel's tables those of that plan."""
    states = _states(sandbox, plan)
    _await_carriers(sandbox, states)
    down = _down(plan, states)
    new = rerouted(plan, down, route)
    reasons = tuple(_reasons(plan, set(down), states))
    return new, Rerouting(new.down, tuple(_differences(plan, new, states)), reasons)


def out_of_use(network: Network) -> tuple[str, ...]:
    """Return a line for each link that carries nothing now: `R1--R2: R1-veth1 is down`."""
    plan = network.plan
    states = _states(network.sandbox, plan)
    return tuple(_reasons(plan, set(_down(plan, states)), states))


def _down(plan: Plan, states: Mapping[str, NodeState]) -> list[End]:
    return [end for node in plan.nodes for end in without_carrier(node, states[node.name].links)]


def _reasons(plan: Plan, down: set[End], states: Mapping[str, NodeState]) -> Iterator[str]:
    """Yield a line for each link that carries nothing: which of its ends is why."""
    for link in plan.links:
        (a, _), (b, _) = link.ends
        if faults := [_fault(plan, end, states[end[0]]) for end in link.ends if end in down]:
            yield f"{a}--{b}: {' and '.join(filter(None, faults)) or 'it carries nothing'}"


def _fault(plan: Plan, end: End, state: NodeState) -> str:
    """Return what is wrong with an interface itself; nothing where it is the other end's fault."""
    node, name = end
    link = state.links.get(plan.interface(end).index)
    if link is None:
        return f"{name} of {node} is gone"
    if not link.up:
        return f"{name} is down" if name.startswith(node) else f"{name} of {node} is down"
    return "" if not link.carrier else f"the bridge of {node} is down"


def _states(sandbox: Sandbox, plan: Plan) -> dict[str, NodeState]:
    return read_states(sandbox, [node.name for node in plan.nodes], plan.families)


def _await_carriers(sandbox: Sandbox, states: Mapping[str, NodeState]) -> None:
    """Wait for links that have just come up: until then an IPv6 address does not work."""
    late = {
        name: [index for index, link in state.links.items() if link.up and link.carrier and not link.running]
        for name, state in states.items()
    }
    await_interfaces(sandbox, late)


def _differences(old: Plan, new: Plan, states: Mapping[str, NodeState]) -> Iterator[Request]:
    """Yield what leads from one plan's routes to the other's, in all nodes."""
    for before, after in zip(old.nodes, new.nodes, strict=True):
        yield from difference(after, before.routes, after.routes, states[after.name])


def _install(sandbox: Sandbox, old: Plan, new: Plan, operations: tuple[Request, ...]) -> None:
    """Send the operations that lead from one plan's routes to the other's; all of them or none."""
    try:
        send(sandbox, operations, {})
    except KernelError:
        with contextlib.suppress(KernelError):  # what has failed may have taken routes along
            send(sandbox, list(_differences(new, old, _states(sandbox, old))), {})
        raise
    given = {one.node for one in operations if isinstance(one, ReplaceAddress) and one.address.version == 6}
    await_addresses(sandbox, given)


def without_carrier(node: NodePlan, links: Mapping[int, LinkState]) -> Iterator[End]:
    """Yield the interfaces of a node that carry nothing; all of a switch whose bridge is down."""
    bridge = [link.up for link in links.values() if link.name == BRIDGE]
    dead = node.kind is Kind.SWITCH and not any(bridge)
    for one in node.interfaces:
        link = links.get(one.index)
        if dead or link is None or not (link.up and link.carrier):
            yield node.name, one.name


def difference(
    node: NodePlan, before: RouteTable, wanted: RouteTable, state: NodeState
) -> Iterator[Request]:  # fmt: skip
    """Yield what makes a node's routes, so far those of `before` as far as they are ours, the wanted ones.

    The kernel forgets an interface's IPv6 addresses when it goes down; they come first.
    """
    if node.kind is Kind.SWITCH:
        return
    yield from _lost_addresses(node, state)
    indices = {one.name: one.index for one in node.interfaces}
    old, new = _keyed(before, indices), _keyed(wanted, indices)
    for key, (next_hops, hops) in new.items():
        now = state.routes.get(key)
        if now is None or (now.hops != hops and _is_ours(now, old.get(key))):
            yield ReplaceRoute(node.name, _route(key, next_hops), hops_in_order(next_hops, indices))
    for key, (next_hops, _) in old.items():
        now = state.routes.get(key)
        if key not in new and now is not None and _is_ours(now, old[key]):
            yield DeleteRoute(node.name, _route(key, next_hops))


def send_to_states(
    sandbox: Sandbox,
    nodes: Sequence[str],
    families: tuple[int, ...],
    make: Callable[[Mapping[str, NodeState]], list[Request]],
) -> None:  # fmt: skip
    """Send what `make` returns of how nodes are now; again where others set interfaces up or down meanwhile.

    Raises:
        KernelError: the kernel goes on refusing something.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        states = read_states(sandbox, nodes, families)
        try:
            send(sandbox, make(states), {})
        except KernelError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def attainable(node: NodePlan, routes: RouteTable, links: Mapping[int, LinkState]) -> RouteTable:
    """Return routes of a node with the next hops whose interfaces are up: the kernel takes no others."""
    up = {one.name for one in node.interfaces if one.index in links and links[one.index].up}
    found = []
    for group in routes.groups:
        hops = tuple(hop for hop in group.next_hops if hop.interface in up)
        if hops or not group.next_hops:
            found.append(dataclasses.replace(group, next_hops=hops))
    return RouteTable(found)


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
    """Return next hops as the kernel numbers them; 0 is an interface that is gone."""
    return tuple((indices.get(hop.interface, 0), hop.gateway.packed, 0) for hop in next_hops)


def _is_ours(now: RouteState, planned: Keyed | None) -> bool:
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
        (address, length, index)
        for (version, address, length, _), (index, _, _) in state.connected if version == 6
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
