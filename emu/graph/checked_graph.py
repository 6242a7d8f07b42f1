"""A checked graph: the `Topology` that prefixes, addresses and routes are given to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..schedules import Event
from ..shaping.model import Shaping
from ..shaping.profiles import Profile
from .attributes import Address, Kind, Prefix, Routing
from .inside import Inside
from .pin_values import PinnedRoutes

#: The interface that every namespace has.
LOOPBACK = "lo"
#: The kernel's number of a node's interface number 0; the loopback interface has 1.
FIRST_INDEX = 2


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link, or the loopback interface of a router, which has none.

    `weight` is the cost of leaving the node through it; `pinned` and `mac` are what the graph says.
    """

    name: str
    altname: str | None
    node: str
    link: int | None
    weight: float = 1.0
    pinned: tuple[Address, ...] = ()
    mac: str | None = None
    #: What happens to the packets that leave through it; None is nothing.
    shaping: Shaping | None = None
    #: The k of its name `<NODE>-veth<k>`.
    number: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A node; `label` is what the graph calls it, `interfaces` are indices of its ends of links."""

    name: str
    label: str
    kind: Kind
    interfaces: tuple[int, ...]
    #: Where pictures show it, in units of the graph's own, y upwards.
    position: tuple[float, float] | None = None
    #: The routes of its own that the graph gives it.
    routes: PinnedRoutes = field(default_factory=dict)
    #: How it looks to its programs, and which run from the beginning; None is as usual.
    inside: Inside | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """An edge of the graph: the indices of its two interfaces."""

    ends: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """A broadcast domain: the interfaces of hosts and routers on it, and the switches that join them.

    A router's loopback interface is alone on a segment of its own, whose prefix is its address.
    """

    interfaces: tuple[int, ...]
    switches: tuple[str, ...] = ()
    pinned: tuple[Prefix, ...] = ()
    loopback: bool = False


@dataclass(frozen=True)
class Topology:
    """A checked graph.

    Interfaces and links are numbered in edge order; segments in the order in which the graph's nodes
    complete them, so that a node added at the end changes the number of none. Loopback interfaces and
    their segments come after all others, in the order of the routers.
    """

    name: str
    nodes: tuple[Node, ...]
    interfaces: tuple[Interface, ...]
    links: tuple[Link, ...]
    segments: tuple[Segment, ...]
    families: tuple[int, ...]
    #: Whether prefixes are only as wide as each segment needs; None leaves it to the network's size.
    packed: bool | None = None
    #: Where automatic prefixes come from, instead of the usual pools.
    pools: tuple[Prefix, ...] = ()
    #: Which routes nodes are given.
    routing: Routing = Routing.COMPRESSED
    #: What links do that is left out where the kernel cannot do it; an empty text is nothing.
    optional_shaping: str = ""
    #: Kinds of links of the graph's own, by name.
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    #: What happens while it runs, and when.
    schedule: tuple[Event, ...] = ()
    #: What the user should know, and what a reader may want to: neither is a fault.
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
