"""Which link of a plan somebody means, and what it does once it is set anew. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import UsageError, suggestion
from .shaping import Shaping
from .shaping.merging import set_attributes

if TYPE_CHECKING:
    from .planning.plan import Plan


def link_number(plan: Plan, first: str, second: str | None, attempt: str) -> int:
    """Return the number in the plan of the link between two nodes, or of an interface.

    Raises:
        UsageError: there is no such link, or there are several.
    """
    found = link_numbers(plan, first, second, attempt)
    if len(found) != 1:
        reason = f"there are {len(found)}; name an interface of one{_such_as(plan, found)}"
        raise UsageError(f"{attempt}: {reason}; 'links' shows them")
    return found[0]


def link_numbers(plan: Plan, first: str, second: str | None, attempt: str) -> list[int]:
    """Return the numbers in the plan of all links between two nodes, or of that of an interface.

    Args:
        plan: the network.
        first: a node, by its name or label; or alone, the name of an interface.
        second: the node at the other end.
        attempt: what is being done, for errors.

    Raises:
        UsageError: there is none, or several nodes have such an interface.
    """
    if second is None:
        found = sorted({plan.places.links[end] for end in plan.places.named.get(first, ())})
        if len(found) != 1:
            reason = "several nodes have such an interface" if found else f"there is no interface {first}"
            raise UsageError(f"{attempt}: {reason}; 'links' shows them")
    else:
        found = _between(plan, _name(plan, first, attempt), _name(plan, second, attempt))
        if not found:
            raise UsageError(f"{attempt}: there is none; 'links' shows them")
    return found


def _such_as(plan: Plan, links: Sequence[int]) -> str:
    """Return names to choose from: an interface of each link that no other node has, while they are few."""
    ways = ([name for _, name in plan.links[one].ends if len(plan.places.named[name]) == 1] for one in links)
    names = [way[0] for way in ways if way]
    return f", {' or '.join(names)}" if 0 < len(names) == len(links) <= 4 else ""


def _between(plan: Plan, first: str, second: str) -> list[int]:
    """Return the numbers of the links between two nodes, of which the one with fewer interfaces knows."""
    here, there = sorted((plan.node(first), plan.node(second)), key=lambda node: len(node.interfaces))
    return [plan.places.links[here.name, one.name] for one in here.interfaces if one.peer[0] == there.name]


def _name(plan: Plan, word: str, attempt: str) -> str:
    """Return the name of the node that a word means, which may be its label."""
    if word in plan.places.nodes:
        return word
    labelled = [node.name for node in plan.nodes if node.label == word]
    if len(labelled) != 1:
        raise UsageError(f"{attempt}: no node {word!r}{suggestion(word, plan.places.nodes)}")
    return labelled[0]


def after_setting(
    plan: Plan, number: int, attributes: Mapping[str, Any], source: str | None
) -> dict[tuple[str, str], Shaping | None]:  # fmt: skip
    """Return what a link's ends are to do once attributes are set, of the direction from `source` or of both.

    Raises:
        ValueError: an attribute is unknown or has a fault, or contradicts another one.
    """
    ends = plan.links[number].ends
    first, second = map(plan.interface, ends)
    names = ends[0][0], ends[1][0]
    hosts = [end for end, name in enumerate(names) if plan.node(name).kind == "host"]
    found = set_attributes(
        (first.shaping, second.shaping), attributes, names, source=source,
        customer=hosts[0] if len(hosts) == 1 else None, families=plan.families, own=plan.profiles,
    )  # fmt: skip
    return dict(zip(ends, found, strict=True))


def after_clearing(plan: Plan, number: int, source: str | None) -> dict[tuple[str, str], Shaping | None]:
    """Return what a link's ends are to do without attributes, of the direction from `source` or of both.

    The MTU is the whole link's: it stays where one direction alone is cleared.
    """
    found: dict[tuple[str, str], Shaping | None] = {}
    for end in plan.links[number].ends:
        if source in (None, end[0]):
            shaping = plan.interface(end).shaping
            mtu = None if source is None or shaping is None else shaping.mtu
            found[end] = None if mtu is None else Shaping(mtu=mtu)
    return found
