"""How many routers a packet may have to cross: what the default TTL and hop limit must allow. Pure.

Paths follow weights, so the longest of them may cross many more routers than a path has to.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from ..graph.attributes import Kind
from ..graph.topology import Topology
from .components import components
from .routing import SOURCES

#: What Linux gives packets, and the most that the 8 bits of the field hold (RFC 791, RFC 8200).
LEAST, MOST = 64, 255
#: Up to this number of routers all pairs are compared, which then takes a fraction of a second.
_EXACT = 2000
#: For each router the others that it can reach at once, and the weight of the way there.
_Links = Mapping[int, Mapping[int, float]]


@dataclass(frozen=True)
class PathLength:
    """How many routers the longest path crosses: surely `least`, at most `most`."""

    least: int
    most: int

    @property
    def hops(self) -> int:
        """The TTL that packets need, as far as there is one: every router takes one away."""
        return min(max(self.most + 1, LEAST), MOST)


def longest_path(topology: Topology) -> PathLength:
    """Return how many routers the longest of the shortest paths crosses.

    Where at most 63 routers are joined it does not matter, and nothing is computed.
    """
    links = _links(topology)
    parts = sorted(components(links), key=len)
    largest = len(parts[-1]) if parts else 0
    if largest < LEAST:
        return PathLength(0, largest)
    least, most = 0, 0
    for part in parts:
        if len(part) >= LEAST:
            found = _estimate(links, part)
            least, most = max(least, found.least), max(most, found.most)
    settled = most < LEAST or least == most or least >= MOST
    if settled or len(links) > _EXACT:
        return PathLength(least, most)
    exact = _greatest(links)
    return PathLength(least, min(most, exact))


def _links(topology: Topology) -> dict[int, dict[int, float]]:
    routers = [node.name for node in topology.nodes if node.kind is Kind.ROUTER]
    number = {name: index for index, name in enumerate(routers)}
    links: dict[int, dict[int, float]] = {index: {} for index in number.values()}
    for segment in topology.segments:
        ends = [topology.interfaces[end] for end in segment.interfaces]
        joined = [(number[end.node], end.weight) for end in ends if end.node in number]
        for first, weight in joined:
            for second, _ in joined:
                if first != second:
                    links[first][second] = min(weight, links[first].get(second, weight))
    return links


def _estimate(links: _Links, part: list[int]) -> PathLength:
    """Return bounds from paths to and from a router in the middle.

    No shortest path costs more than the way over that router, and a path of so many links costs at
    least what as many of the cheapest links cost.
    """
    backwards: dict[int, dict[int, float]] = {router: {} for router in part}
    for router in part:
        for other, weight in links[router].items():
            backwards[other][router] = weight
    start = next(reversed(_search(links, part[0])[0]))
    costs, steps, before = _search(links, start)
    end = next(reversed(costs))
    middle, half = end, costs[end] / 2
    while costs[middle] > half:
        middle = before[middle]
    there, back = _search(links, middle)[0], _search(backwards, middle)[0]
    limit = (max(there.values()) + max(back.values())) * (1 + 1e-9)
    # A path uses a link in one direction only.
    cheapest = sorted(
        min(weight, links[other].get(router, weight))
        for router in part for other, weight in links[router].items() if router < other
    )  # fmt: skip
    total, most = 0.0, 0
    for weight in cheapest:
        total += weight
        if total > limit:
            break
        most += 1
    return PathLength(max(steps.values()) + 1, min(most + 1, len(part)))


def _search(links: _Links, source: int) -> tuple[dict[int, float], dict[int, int], dict[int, int]]:
    """Return, nearest first, each router's cost, its links from the source, and the router before it."""
    costs: dict[int, float] = {}
    steps: dict[int, int] = {}
    before: dict[int, int] = {}
    queue = [(0.0, 0, source, source)]
    while queue:
        cost, fewer, router, previous = heapq.heappop(queue)
        if router in costs:
            continue
        costs[router], steps[router], before[router] = cost, -fewer, previous
        for other, weight in links[router].items():
            if other not in costs:
                heapq.heappush(queue, (cost + weight, fewer - 1, other, router))
    return costs, steps, before


def _greatest(links: _Links) -> int:
    """Return how many routers the longest path crosses, or a little more where weights nearly tie.

    Every link is made cheaper by the same small amount. A shortest path gets cheaper by that much for
    each of its links, and the cheapest path then is so at least by as much as the longest of the
    shortest paths.
    """
    import numpy as np
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    edges = [(a, b, weight) for a, near in links.items() for b, weight in near.items()]
    heads, tails, weights = (np.array(column) for column in zip(*edges, strict=True))
    step = weights.min() / 1024
    shape = len(links), len(links)
    matrices = [csr_matrix((each, (heads, tails)), shape=shape) for each in (weights, weights - step)]
    most = 0.0
    for row in range(0, len(links), SOURCES):
        sources = np.arange(row, min(row + SOURCES, len(links)))
        usual, cheaper = (dijkstra(matrix, indices=sources) for matrix in matrices)
        joined = np.isfinite(usual)
        most = max(most, (usual[joined] - cheaper[joined]).max())
    return int(most / step + 1e-3) + 1
