"""Which link of a plan somebody means, and what it does once it is set anew. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import UsageError, suggestion
from .shaping.merging import set_attributes

if TYPE_CHECKING:
    from .planning.plan import InterfacePlan, Plan
    from .shaping import Shaping


def link_number(plan: Plan, first: str, second: str | None, attempt: str) -> int:
    """Return the number in the plan of the link between two nodes, or of an interface.

    Args:
        plan: the network.
        first: a node, by its name or label; or alone, the name of an interface.
        second: the node at the other end.
        attempt: what is being done, for errors.

    Raises:
        UsageError: there is no such link, or there are several.
    """
    if second is None:
        found = _of_interface(plan, first)
        if len(found) != 1:
            reason = "several nodes have such an interface" if found else f"there is no interface {first}"
            raise UsageError(f"{attempt}: {reason}; 'links' shows them")
    else:
        ends = _name(plan, first, attempt), _name(plan, second, attempt)
        pairs = [(a, b) for (a, _), (b, _) in (link.ends for link in plan.links)]
        found = [number for number, pair in enumerate(pairs) if pair in (ends, ends[::-1])]
        if len(found) != 1:
            reason = f"there are {len(found)}; name an interface of one" if found else "there is none"
            raise UsageError(f"{attempt}: {reason}; 'links' shows them")
    return found[0]


def _of_interface(plan: Plan, name: str) -> list[int]:
    named = [
        (node.name, one.name)
        for node in plan.nodes for one in node.interfaces if name in (one.name, one.altname)
    ]  # fmt: skip
    return [number for number, link in enumerate(plan.links) if any(end in named for end in link.ends)]


def _name(plan: Plan, word: str, attempt: str) -> str:
    """Return the name of the node that a word means, which may be its label."""
    names = [node.name for node in plan.nodes]
    if word in names:
        return word
    labelled = [node.name for node in plan.nodes if node.label == word]
    if len(labelled) != 1:
        raise UsageError(f"{attempt}: no node {word!r}{suggestion(word, names)}")
    return labelled[0]


def after_setting(
    plan: Plan, number: int, attributes: Mapping[str, Any], source: str | None
) -> dict[tuple[str, str], Shaping | None]:  # fmt: skip
    """Return what a link's ends are to do once attributes are set, of the direction from `source` or of both.

    Raises:
        ValueError: an attribute is unknown or has a fault, or contradicts another one.
    """
    ends = plan.links[number].ends
    first, second = (_interface(plan, end) for end in ends)
    names = ends[0][0], ends[1][0]
    hosts = [end for end, name in enumerate(names) if plan.node(name).kind == "host"]
    found = set_attributes(
        (first.shaping, second.shaping), attributes, names, source=source,
        customer=hosts[0] if len(hosts) == 1 else None, families=plan.families,
    )  # fmt: skip
    return dict(zip(ends, found, strict=True))


def _interface(plan: Plan, end: tuple[str, str]) -> InterfacePlan:
    return next(one for one in plan.node(end[0]).interfaces if one.name == end[1])
