"""What shapes links: the queue disciplines of each interface that packets leave through, and its limits.

In which order they stand is in `arrangement`, what changes them in `rearranging`; here is what makes them.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..planning.plan import Plan
from ..shaping import Shaping, needs
from ..shaping.possible import possible
from .arrangement import Layer, layers_of
from .features import Need
from .filtering import loss_operations
from .messages import (
    CREATE,
    DELQDISC,
    NEW,
    NEWLINK,
    NEWQDISC,
    REPLACE,
    ROOT,
    attribute,
    link,
    number,
    text,
    traffic,
)
from .operations import Request, Single
from .service_curve import Hfsc, SetCurve

# include/uapi/linux/rtnetlink.h and if_link.h
_TCA_KIND, _TCA_OPTIONS = 1, 2
_IFLA_MTU = 4


@dataclass(frozen=True, slots=True)
class Place:
    """An interface in a node."""

    node: str
    name: str
    index: int


@dataclass(frozen=True, slots=True)
class SetMtu(Single):
    """Set how long the IP packets may be that an interface takes."""

    name: str
    index: int
    mtu: int

    def commands(self) -> tuple[str, ...]:
        """Return the equal command."""
        return self._ip(f"link set dev {self.name} mtu {self.mtu}")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWLINK, 0, link(self.index) + number(_IFLA_MTU, self.mtu)


@dataclass(frozen=True, slots=True)
class SetDiscipline(Single):
    """Add a queue discipline; with `replace`, change one of that handle where there is one already.

    One that is changed keeps the packets in it.
    """

    name: str
    index: int
    layer: Layer
    replace: bool = False

    def commands(self) -> tuple[str, ...]:
        """Return the equal command."""
        one = self.layer
        where = f"parent {one.parent:x}:1" if one.parent else "root"
        verb = "replace" if self.replace else "add"
        words = " ".join(one.discipline.words())
        head = f"tc -n {self.node} qdisc {verb} dev {self.name} {where} handle {one.major:x}:"
        return (f"{head} {one.discipline.kind} {words}".rstrip(),)

    def _message(self) -> tuple[int, int, bytes]:
        one = self.layer
        body = _traffic(self.index, one.major, one.parent) + text(_TCA_KIND, one.discipline.kind)
        body += attribute(_TCA_OPTIONS, one.discipline.options())
        return NEWQDISC, CREATE | REPLACE if self.replace else NEW, body


@dataclass(frozen=True, slots=True)
class RemoveDiscipline(Single):
    """Remove a queue discipline with all below it, and the packets in them."""

    name: str
    index: int
    major: int
    parent: int

    def commands(self) -> tuple[str, ...]:
        """Return the equal command."""
        where = f"parent {self.parent:x}:1" if self.parent else "root"
        return (f"tc -n {self.node} qdisc del dev {self.name} {where} handle {self.major:x}:",)

    def _message(self) -> tuple[int, int, bytes]:
        return DELQDISC, 0, _traffic(self.index, self.major, self.parent)


def _traffic(index: int, major: int, parent: int) -> bytes:
    """Return the fixed part of a message about a queue discipline, by major numbers."""
    return traffic(index, major << 16, parent << 16 | 1 if parent else ROOT)


def setting(place: Place, layer: Layer, replace: bool = False) -> Iterator[Request]:
    """Yield what adds a layer, or changes it."""
    yield SetDiscipline(place.node, place.name, place.index, layer, replace)
    if isinstance(layer.discipline, Hfsc):
        yield SetCurve(place.node, place.name, place.index, layer.major, layer.discipline.rate, replace)


def shaping_operations(plan: Plan, there: Collection[str] | None = None) -> list[Request]:
    """Return what shapes all links of a plan, after they are made.

    Args:
        plan: the network.
        there: the kernel's features; what it lacks is left out. None is a kernel that has them all.
    """

    @functools.cache  # links are often alike
    def layers(shaping: Shaping) -> tuple[Layer, ...]:
        return layers_of(shaping if there is None else possible(shaping, there), there)

    found: list[Request] = []
    for node in plan.nodes:
        for one in node.interfaces:
            if one.shaping is not None:
                if one.shaping.mtu:
                    found.append(SetMtu(node.name, one.name, one.index, one.shaping.mtu))
                place = Place(node.name, one.name, one.index)
                found += [request for layer in layers(one.shaping) for request in setting(place, layer)]
    if there is not None and "netem" not in there and "numgen" in there:
        found += loss_operations(plan)
    return found


def needs_of(plan: Plan) -> list[Need]:
    """Return what the shaping of a plan's links asks of the kernel."""
    return [
        need
        for node in plan.nodes for one in node.interfaces
        for need in needs_at(node.name, one.name, one.shaping)
    ]  # fmt: skip


def needs_at(node: str, name: str, shaping: Shaping | None, event: str = "") -> list[Need]:
    """Return what the shaping of what leaves an interface of a node asks of the kernel.

    Where an `event` of a schedule asks for it, that is the event's place.
    """
    if shaping is None:
        return []
    place = f"{name} in {node}"
    return [Need(feature, purpose, place, otherwise, event) for feature, purpose, otherwise in needs(shaping)]
