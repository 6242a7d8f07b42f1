"""A host for every router: most maps of networks hold routers only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, shown
from .attributes import Kind, parse_kind, position_of
from .names import names_in

if TYPE_CHECKING:
    from collections.abc import Hashable

    import networkx as nx

#: How far from its router a host is drawn, of the shortest link there.
_NEAR = 0.4


def with_hosts(graph: nx.Graph) -> nx.Graph:
    """Return a copy of a graph in which every router has a host of its own, `H-<router>`.

    A node without a `kind` is a router there, also with one link or none. Hosts come after all other
    nodes and links, which keep their names, and where routers have positions they lie beside them.

    Args:
        graph: any networkx graph.

    Raises:
        UsageError: it is none.
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        raise UsageError(f"add hosts to {shown(graph)}: it is not a networkx graph")
    grown: Any = graph.copy()
    data = list(graph.nodes(data=True))
    for node, attributes in data:
        if attributes.get("kind") is None:
            grown.nodes[node]["kind"] = Kind.ROUTER.value
    names = names_in(data)
    for node, attributes in data:
        if _is_router(grown.nodes[node]["kind"]):
            host = _free(f"H-{names[node]}", grown)
            place = position_of(attributes)
            beside = {} if place is None else {"pos": _beside(graph, node, place)}
            grown.add_node(host, kind=Kind.HOST.value, **beside)
            grown.add_edge(node, host)
    return grown  # type: ignore[no-any-return]  # of the same class


def _is_router(kind: Any) -> bool:
    """Tell routers from others; a kind that is none is told of when the graph is checked."""
    try:
        return parse_kind(kind) is Kind.ROUTER
    except ValueError:
        return False


def _free(name: str, graph: nx.Graph) -> str:
    """Return `name`, or the first of `name-2`, `name-3` … that no node is called."""
    number, candidate = 1, name
    while candidate in graph:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _beside(graph: nx.Graph, node: Hashable, place: tuple[float, float]) -> tuple[float, float]:
    """Return a position near a node's own, on the side where it has the fewest neighbours."""
    near = [position_of(graph.nodes[other]) for other in graph.adj[node] if other != node]
    steps = [(place[0] - x, place[1] - y) for x, y in filter(None, near) if (x, y) != place]
    if not steps:
        return place[0], place[1] - 1.0
    lengths = [math.hypot(*step) for step in steps]
    x, y = (sum(step[axis] / length for step, length in zip(steps, lengths, strict=True)) for axis in (0, 1))
    away = math.hypot(x, y)
    # In the middle of its neighbours every side is as good.
    x, y = (x / away, y / away) if away > 1e-6 else (-steps[0][1] / lengths[0], steps[0][0] / lengths[0])
    return place[0] + _NEAR * min(lengths) * x, place[1] + _NEAR * min(lengths) * y
