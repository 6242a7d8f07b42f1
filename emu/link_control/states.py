"""Links that carry nothing for a while: their interfaces set down and up, and what the kernel forgot then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import joined
from ..netlink.delivery import send
from ..netlink.features import left_out
from ..netlink.operations import SetUp
from ..netlink.present import NodeState, read_states
from ..netlink.queueing import needs_at
from ..netlink.readiness import await_addresses, await_interfaces
from ..netlink.removals import SetDown
from ..reroute import attainable, difference, send_to_states
from ..shaping import describe
from ..shaping.possible import possible
from .applying import Moment, features_of

if TYPE_CHECKING:
    from ..netlink.operations import Request
    from ..planning.plan import End, InterfacePlan, LinkPlan, NodePlan
    from ..sharing import Shared


def told(shared: Shared, links: Sequence[LinkPlan]) -> Iterator[tuple[str, str, str, str]]:
    """Yield what tables show of links, each way: from, to, `up` or `down`, and what it does to packets.

    What the kernel cannot do, in a network that is built without, is told as left out.
    """
    nodes = list(dict.fromkeys(node for link in links for node, _ in link.ends))
    working = {
        (node, one.name)
        for node, state in read_states(shared.sandbox, nodes, ()).items()
        for one in state.links.values() if one.up and one.carrier
    }  # fmt: skip
    for link in links:
        for here, there in (link.ends, link.ends[::-1]):
            does = done_by(shared, here)
            yield here[1], there[1], "up" if here in working else "down", does or "nothing"


def done_by(shared: Shared, end: End, *, defaults: bool = True) -> str:
    """Return what happens to packets that leave an end, as far as the kernel can; empty where nothing does.

    Without `defaults` the limit of a queue is told only where it was set.
    """
    shaping = shared.plan.interface(end).shaping
    missing: list[str] = []
    if shaping is not None and shared.plan.optional_shaping:
        features = features_of(shared.sandbox)
        missing = left_out(needs_at(*end, shaping), features)
        shaping = possible(shaping, features)
    does = "" if shaping is None else describe(shaping, defaults=defaults)
    return f"{does or 'nothing'}; left out: {joined(missing)}" if missing else does


def set_down(shared: Shared, ends: Iterable[End], moment: Moment | None = None) -> None:
    """Set interfaces down. Packets in their queues are lost, and routes through them until they are up.

    Raises:
        KernelError: the kernel refused, as for an interface that is gone.
    """
    found = _found(shared, ends)
    _send(shared, [SetDown(node.name, one.name, one.index) for node, one in found], moment)


def set_up(shared: Shared, ends: Iterable[End], moment: Moment | None = None) -> None:
    """Set interfaces up, and give them back the IPv6 addresses and the routes that they lost.

    Raises:
        KernelError: the kernel refused, as for an interface that is gone.
    """
    found = _found(shared, ends)
    _send(shared, [SetUp(node.name, one.name, one.index) for node, one in found], moment)
    restore(shared, found)


def _send(shared: Shared, requests: Sequence[Request], moment: Moment | None) -> None:
    moment = moment or Moment()
    moment.wait()
    send(shared.sandbox, requests, {})
    moment.mark()


def restore(shared: Shared, found: Iterable[tuple[NodePlan, InterfacePlan]]) -> None:
    """Wait until interfaces are in service, and give their nodes the plan's routes and addresses again.

    Routes through interfaces that are down come back with those.
    """
    nodes = {node.name: node for node, _ in found}
    late: dict[str, list[int]] = {}
    for node, one in found:
        late.setdefault(node.name, []).append(one.index)
    await_interfaces(shared.sandbox, late)
    send_to_states(
        shared.sandbox, list(nodes), shared.plan.families, lambda states: list(_lost(nodes.values(), states))
    )
    if 6 in shared.plan.families:
        await_addresses(shared.sandbox, list(nodes))


def _lost(nodes: Iterable[NodePlan], states: Mapping[str, NodeState]) -> Iterator[Request]:
    """Yield what gives nodes the routes of the plan again, as far as their interfaces are up."""
    for node in nodes:
        routes = attainable(node, node.routes, states[node.name].links)
        yield from difference(node, routes, routes, states[node.name])


def _found(shared: Shared, ends: Iterable[End]) -> list[tuple[NodePlan, InterfacePlan]]:
    return [(shared.plan.node(end[0]), shared.plan.interface(end)) for end in ends]
