"""Whether a node reaches another, where a packet that did not arrive was lost, and the way it really took."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..errors import UsageError
from ..graph.attributes import Kind
from .ping import ICMP_SOCKETS, check_timeout, families_for, first_address, milliseconds
from .sightings import Sighting, Watch, Way
from .volley import Probe, Volley, prepare_socket

if TYPE_CHECKING:
    from ..planning.plan import NodePlan
    from ..running.network import Network
    from ..running.node import Node


@dataclass(frozen=True, repr=False)
class Reach:
    """Whether a node reaches another: true or false as it is, its text says why.

    Attributes:
        source: the node's name.
        target: the other's name, or the address that was asked for.
        rtts: by each family that answered, the round-trip time in seconds.
        reasons: by each family that did not, where the packet was lost and what was said about it.
    """

    source: str
    target: str
    rtts: dict[int, float]
    reasons: dict[int, str]

    def __bool__(self) -> bool:
        return not self.reasons

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        if self.reasons:
            parts = [f"IPv{family}: {self.reasons[family]}" for family in sorted(self.reasons)]
            return f"{self.source} cannot reach {self.target} ({'; '.join(parts)})"
        times = ", ".join(f"IPv{family} in {milliseconds(rtt)} ms" for family, rtt in self.rtts.items())
        return f"{self.source} reaches {self.target} ({times})"


class Path(list[str]):
    """The names of the nodes that a packet passed, the first and last included: equal to a list of them.

    Attributes:
        back: likewise, the way that the answer took.
        reason: why no answer came, and where the packet was lost; empty when all went well.
    """

    def __init__(self, nodes: Sequence[str] = (), back: Sequence[str] = (), reason: str = "") -> None:
        super().__init__(nodes)
        self.back, self.reason = list(back), reason

    def __repr__(self) -> str:
        return list.__repr__(self) + (f" ({self.reason})" if self.reason else "")

    __str__ = __repr__


def can_reach(
    node: Node, target: Node | str, *, family: int | None = None, timeout: float = 1.0
) -> Reach:  # fmt: skip
    """Ping `target` from `node` and return whether it answered, and if not, where the packet was lost.

    For that a second ping is watched on its way, so that "no" takes twice the timeout.

    Args:
        node: of a running network.
        target: a node, its name, or any address.
        family: 4 or 6; default every one that the network has, and each must answer.
        timeout: how long to wait for an answer, in seconds.

    Raises:
        UsageError: there is no such node, it is a switch, or another argument makes no sense.
    """
    network = node._network
    goal = _goal(network, target)
    attempt = f"reach {goal.name} from {node.name}"
    _check_addresses(node.plan, attempt)
    check_timeout(timeout, attempt)
    rtts, reasons = {}, {}
    for version in (goal.family,) if goal.family else families_for(network.plan, family, attempt):
        probe = _probe(network, node, goal, version)
        _send(network, probe, timeout)
        if probe.rtt is not None:
            rtts[version] = probe.rtt
        else:
            reasons[version] = _follow(network, node, goal, version, timeout).reason or probe.reason
    return Reach(node.name, goal.name, rtts, reasons)


def path(
    network: Network, source: Node | str, target: Node | str,
    *, family: int | None = None, timeout: float = 1.0,
) -> Path:  # fmt: skip
    """Return the nodes that a ping from `source` to `target` really passes, switches among them.

    The packet is seen by a socket in each node, so that it does not matter what routers answer. It is an
    echo request: where there are several equal ways, which one packets take depends on their addresses,
    protocol and ports, so that other traffic may take another. Of a request that is lost the path is as
    far as it got.

    Args:
        network: a running network.
        source: a node, or its name.
        target: a node, its name, or any address.
        family: 4 or 6; default the first that the network has.
        timeout: how long to wait for the answer, in seconds.

    Raises:
        UsageError: there is no such node, it is a switch, or another argument makes no sense.
    """
    node, goal = network[source], _goal(network, target)
    attempt = f"find the path from {node.name} to {goal.name}"
    _check_addresses(node.plan, attempt)
    check_timeout(timeout, attempt)
    version = goal.family or families_for(network.plan, family, attempt)[0]
    return _follow(network, node, goal, version, timeout)


# -- what is pinged ---------------------------------------------------------------------------------


class _Goal(NamedTuple):
    """A target: a node, or an address of a family, of which `plan` may be the node."""

    name: str
    plan: NodePlan | None
    address: str
    family: int | None


def _goal(network: Network, target: Node | str) -> _Goal:
    name = target if isinstance(target, str) else network[target].name
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        plan = network[name].plan
        _check_addresses(plan, f"reach {plan.name}")
        return _Goal(plan.name, plan, "", None)
    holders = (node for node in network.plan.nodes if any(one.ip == address for one in node.addresses))
    return _Goal(name, next(holders, None), str(address), address.version)


def _check_addresses(plan: NodePlan, attempt: str) -> None:
    if plan.kind is Kind.SWITCH:
        raise UsageError(f"{attempt}: {plan.name} is a switch, which has no addresses")


def _probe(network: Network, node: Node, goal: _Goal, family: int) -> Probe:
    address = goal.address
    if not address and goal.plan is not None:
        address = first_address(network.plan, goal.plan, family)
    probe = Probe(node.name, goal.name, family, address)
    if not address:
        probe.open, probe.reason = False, f"{goal.name} has no IPv{family} address"
    return probe


def _send(network: Network, probe: Probe, timeout: float, watch: bool = False) -> list[Sighting]:
    """Send a probe until it is answered or lost; return where it was seen, if it was to be watched."""
    names = {str(one.ip): node.name for node in network.plan.nodes for one in node.addresses}
    with network[probe.source].socket(*ICMP_SOCKETS[probe.family]) as sock:
        prepare_socket(sock, probe.family)
        volley = Volley([probe], {(probe.source, probe.family): sock}, timeout, names)
        if not watch:
            volley.run()
            return []
        with Watch(network, probe.family, volley.mark) as watching:
            volley.run()
            return watching.sightings()


# -- what was seen ----------------------------------------------------------------------------------


def _follow(network: Network, node: Node, goal: _Goal, family: int, timeout: float) -> Path:
    """Return the way of a probe that is sent, and of its answer."""
    probe = _probe(network, node, goal, family)
    if not probe.open:
        return Path([node.name], reason=probe.reason)
    last = goal.plan.name if goal.plan else ""
    if node.name == last:
        _send(network, probe, timeout)
        return Path([node.name], [node.name], probe.reason)
    seen = _send(network, probe, timeout, watch=True)
    track = _Track(network, _best_attempt(seen))
    there, back = track.way(node.name, last, False), track.way(last, node.name, True)
    reason = "" if probe.rtt is not None else f"{probe.reason}; {track.loss(there, back, node.name, last)}"
    return Path(there, back, reason)


def _best_attempt(seen: Sequence[Sighting]) -> list[Sighting]:
    """Return what was seen of the attempt that got farthest, of several the last one."""
    attempts = sorted({one.attempt for one in seen})
    groups = [[one for one in seen if one.attempt == attempt] for attempt in attempts]
    return max(groups, key=lambda group: (len(group), group[0].attempt), default=[])


class _Track:
    """The sightings of one request and its reply, in the order of time."""

    def __init__(self, network: Network, seen: Sequence[Sighting]) -> None:
        self._seen = seen
        self._peers = {
            (node.name, one.name): one.peer for node in network.plan.nodes for one in node.interfaces
        }
        self._switches = {node.name for node in network.plan.nodes if node.kind is Kind.SWITCH}

    def way(self, first: str, last: str, is_reply: bool) -> list[str]:
        """Return the nodes that a message passed from `first` to `last`, or as far as it was seen."""
        seen = [one for one in self._seen if one.is_reply is is_reply]
        if not seen:
            return [] if is_reply else [first]
        arrived = [place for place, one in enumerate(seen) if one.way is Way.IN and one.node == last]
        got = [place for place, one in enumerate(seen) if self._is_receipt(one)]
        ways = [self._backwards(seen, end) for end in arrived[-1:] or got]
        # Of a message that was lost, the longest way, of several the last: a flood goes several.
        return max(reversed(ways), key=len, default=[first])

    def _is_receipt(self, one: Sighting) -> bool:
        """Tell whether a node had to do something with it: switches take what is for others."""
        return one.way is Way.IN or (one.way is Way.PASSING and one.node in self._switches)

    def _backwards(self, seen: Sequence[Sighting], place: int) -> list[str]:
        """Return the nodes up to a receipt: over each link to whoever sent it, before that.

        Within a node the order is certain. Between two it is not: until the kernel begins to stamp packets,
        which it may do a little after it is told, their stamps are of when they were read.
        """
        nodes = [seen[place].node]
        used: set[int] = set()
        while True:
            peer = self._peers.get((seen[place].node, seen[place].interface))
            sent = [
                index for index, one in enumerate(seen)
                if one.way is Way.OUT and (one.node, one.interface) == peer and index not in used
            ]  # fmt: skip
            if not sent:
                return nodes[::-1]
            chosen = max((index for index in sent if index < place), default=sent[-1])
            used.add(chosen)
            node = seen[chosen].node
            nodes.append(node)
            got = [
                earlier for earlier in range(chosen) if seen[earlier].node == node
                and seen[earlier].way is not Way.OUT and (node, seen[earlier].interface) in self._peers
            ]  # fmt: skip
            if not got:
                return nodes[::-1]
            place = got[-1]

    def loss(self, there: list[str], back: list[str], first: str, last: str) -> str:
        """Return where a request, or else its reply, was lost."""
        if last and there[-1] == last:
            if not any(one.is_reply and one.way is Way.OUT and one.node == last for one in self._seen):
                return f"{last} got the request and sent no answer"
            if back and back[-1] == first:
                return f"the answer came back to {first}, which dropped it"
            return self._lost("answer", back or [last], True)
        return self._lost("request", there, False)

    def _lost(self, what: str, way: list[str], is_reply: bool) -> str:
        node = way[-1]
        sent = [one for one in self._seen if one.is_reply is is_reply and one.node == node]
        for one in reversed(sent):
            peer = self._peers.get((node, one.interface))
            if one.way is Way.OUT and peer and not self._is_seen_at(peer, one):
                return f"the {what} was lost between {node} and {peer[0]}"
        if len(way) == 1:
            return f"the {what} did not leave {node}"
        return f"the {what} got as far as {node}"

    def _is_seen_at(self, end: tuple[str, str], sent: Sighting) -> bool:
        return any(
            (one.node, one.interface) == end and one.way is not Way.OUT
            for one in self._seen if one.is_reply is sent.is_reply
        )  # fmt: skip
