"""Where TCP may hand over one segment at a time only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..planning.plan import Plan


def beside_shaped(plan: Plan) -> set[str]:
    """Return the nodes from which packets may come to a shaped link: all that hang together with one.

    What TCP hands over in one piece of 64 KB crosses routers and switches as one packet, and would be lost,
    delayed and queued as one.
    """
    neighbours: dict[str, list[str]] = {node.name: [] for node in plan.nodes}
    for (a, _), (b, _) in (one.ends for one in plan.links):
        neighbours[a].append(b)
        neighbours[b].append(a)
    queue = [
        node.name for node in plan.nodes
        if any(one.shaping is not None and one.shaping.shapes for one in node.interfaces)
    ]  # fmt: skip
    found = set(queue)
    while queue:
        fresh = [name for name in neighbours[queue.pop()] if name not in found]
        found.update(fresh)
        queue += fresh
    return found
