"""Where in a plan is what, by name. Plans that differ only in what links do have the same places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plan import End, NodePlan, Plan


@dataclass(frozen=True, slots=True)
class Places:
    """The positions of nodes in a plan, of interfaces in their nodes, and of links, each in its tuple."""

    nodes: dict[str, int]
    interfaces: dict[End, int]
    #: By either end.
    links: dict[End, int]
    #: By each name that an interface has; several nodes may have one of a name.
    named: dict[str, list[End]]

    @classmethod
    def of(cls, plan: Plan) -> Places:
        """Return the places of a plan."""
        named: dict[str, list[End]] = {}
        for name, end in _names(plan.nodes):
            named.setdefault(name, []).append(end)
        return cls(
            {node.name: number for number, node in enumerate(plan.nodes)},
            {(node.name, one.name): n for node in plan.nodes for n, one in enumerate(node.interfaces)},
            {end: number for number, link in enumerate(plan.links) for end in link.ends},
            named,
        )


def _names(nodes: tuple[NodePlan, ...]) -> Iterator[tuple[str, End]]:
    for node in nodes:
        for one in node.interfaces:
            yield one.name, (node.name, one.name)
            if one.altname:
                yield one.altname, (node.name, one.name)
