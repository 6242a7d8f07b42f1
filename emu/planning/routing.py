"""Next hops for every node: shortest paths over the links' weights, all equal-cost ones. Pure.

A router reaches a segment over the interfaces whose weights add up to the least; entering a node from
a segment costs nothing, as in OSPF's broadcast networks (RFC 2328, section 2.1). Hosts do not forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import PlanError
from ..graph.attributes import Kind, Prefix, Routing
from ..graph.topology import Topology
from .addressing import Addressing
from .compression import ANY, NO_ROUTE, compress
from .routes import NextHop, Route, RouteGroup, RouteTable, packed_prefix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .compression import Labels

    Costs = NDArray[np.float64]

#: Sums of weights are taken for equal when they differ by less than this part of them.
_TOLERANCE = 1e-9
#: Beyond this ratio a sum of many large weights hides a small one (a float has 53 bits).
_RATIO = 1e10
#: How many rows of the matrix of distances are worked on at once.
_ROWS = 512
#: From how many routers distances are computed at once: scipy lets no signal in before it is done.
SOURCES = 64


def compute_routes(topology: Topology, addressing: Addressing) -> dict[str, RouteTable]:
    """Return every node's routes, beyond those of its own interfaces.

    Hosts get a default route with all routers on their segments as next hops, routers the routes to
    all segments that they can reach and are not on: as few as mean the same, or one per segment
    as `topology.routing` says, and for routers that the graph gives routes of their own, which apply
    where no others do. A host between separate parts of a network has a route to each segment to
    which not all of its default routers know a way.

    Raises:
        PlanError: the weights differ so much that their sums cannot be compared.
    """
    if topology.routing is Routing.NONE:
        return {}
    graph = _Graph(topology)
    routes = {
        node.name: RouteTable.of(graph.default_routes(addressing, node.name)) for node in topology.nodes
    }
    senders = [name for name in graph.routers if len(graph.segments_of(name)) < len(topology.segments)]
    if senders and topology.routing is not Routing.HOSTS:
        costs = graph.costs()
        between = [host for host in graph.hosts if graph.partly_reached(costs, host).any()]
        own = {node.name for node in topology.nodes if node.routes}
        full = [name for name in senders if topology.routing is Routing.FULL or name in own]
        compressed = [name for name in senders if name not in set(full)]
        tables = _tables(graph, addressing, costs, compressed, compressed=True)
        tables |= _tables(graph, addressing, costs, full + between, compressed=False)
        routes = {name: found + tables.get(name, RouteTable()) for name, found in routes.items()}
    return routes


def _next_hops(
    topology: Topology, addressing: Addressing, hops: Sequence[tuple[int, int]], position: int
) -> tuple[NextHop, ...]:  # fmt: skip
    """Return pairs of interfaces as next hops of the family at `position`."""
    return tuple(
        NextHop(topology.interfaces[out].name, addressing.addresses[into][position].ip) for out, into in hops
    )


def _tables(
    graph: _Graph, addressing: Addressing, costs: Costs, senders: list[str], compressed: bool
) -> dict[str, RouteTable]:
    """Return the routes of the senders to the segments that they are not on."""
    import numpy as np

    topology = graph.topology
    labels = np.empty((len(senders), len(topology.segments)), np.int32)
    choices: list[list[list[tuple[int, int]]]] = []
    for row, name in enumerate(senders):
        chosen, labels[row] = graph.choices(costs, name)
        choices.append(chosen)
        if name not in graph.routers:  # the rest is what its default route is for
            labels[row, ~graph.partly_reached(costs, name)] = ANY
    found: list[list[RouteGroup]] = [[] for _ in senders]
    for position in range(len(addressing.prefixes[0])):
        prefixes = [of_segment[position] for of_segment in addressing.prefixes]
        routes = compress(prefixes, labels) if compressed else _one_by_one(prefixes, labels)
        for row, destinations in enumerate(_by_table(routes, len(senders))):
            found[row] += [
                RouteGroup(prefixes[0].version, next_hops, b"".join(sorted(destinations[label])))
                for label in sorted(destinations)
                for next_hops in [_next_hops(topology, addressing, choices[row][label], position)]
            ]
    return {name: RouteTable(groups) for name, groups in zip(senders, found, strict=True)}


def _by_table(
    routes: Iterable[tuple[Prefix, Labels, Labels]], tables: int
) -> list[dict[int, list[bytes]]]:  # fmt: skip
    """Return for each table its packed destinations by label."""
    found: list[dict[int, list[bytes]]] = [{} for _ in range(tables)]
    for prefix, rows, labels in routes:
        key = packed_prefix(prefix, prefix.version)
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
            found[row].setdefault(label, []).append(key)
    return found


def _one_by_one(
    prefixes: Sequence[Prefix], labels: NDArray[np.int32]
) -> Iterator[tuple[Prefix, Labels, Labels]]:  # fmt: skip
    """Yield each prefix with the tables of nodes that are not on it and can reach it, as `compress` does."""
    import numpy as np

    for column, prefix in enumerate(prefixes):
        rows = np.flatnonzero((labels[:, column] != ANY) & (labels[:, column] != NO_ROUTE))
        yield prefix, rows, labels[rows, column]


class _Graph:
    """Routers and segments, as the shortest-path search sees them. Interfaces are indices."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        kinds = {node.name: node.kind for node in topology.nodes}
        self.routers = {
            node.name: index
            for index, node in enumerate(node for node in topology.nodes if node.kind is Kind.ROUTER)
        }
        self.hosts = [node.name for node in topology.nodes if node.kind is Kind.HOST]
        self._segment = {
            index: number for number, segment in enumerate(topology.segments) for index in segment.interfaces
        }
        self._interfaces: dict[str, list[int]] = {name: [] for name in kinds}
        for index in sorted(self._segment):
            self._interfaces[self.owner(index)].append(index)
        #: Per segment, the interfaces of routers on it.
        self._router_ends = [
            [index for index in segment.interfaces if self.owner(index) in self.routers]
            for segment in topology.segments
        ]

    def owner(self, interface: int) -> str:
        """Return the name of the node that an interface belongs to."""
        return self.topology.interfaces[interface].node

    def segments_of(self, name: str) -> set[int]:
        """Return the segments that a node is on."""
        return {self._segment[index] for index in self._interfaces[name]}

    def hops(self, name: str) -> list[tuple[int, int]]:
        """Return the next hops that a node could choose: its interface, and a router's on its segment."""
        return [
            (out, into)
            for out in self._interfaces[name]
            for into in self._router_ends[self._segment[out]]
            if self.owner(into) != name
        ]

    def costs(self) -> Costs:
        """Return each router's least cost to each segment, shape (routers, segments); infinite if none."""
        import numpy as np

        distances = self._distances()
        costs = np.full((len(self.routers), len(self.topology.segments)), np.inf)
        ends = [(number, end) for number, of_segment in enumerate(self._router_ends) for end in of_segment]
        if not ends:
            return costs
        segments = np.array([number for number, _ in ends])
        owners = np.array([self.routers[self.owner(end)] for _, end in ends])
        weights = np.array([self.topology.interfaces[end].weight for _, end in ends])
        present, starts = np.unique(segments, return_index=True)
        for row in range(0, len(costs), _ROWS):
            through = distances[row : row + _ROWS, owners] + weights
            costs[row : row + _ROWS, present] = np.minimum.reduceat(through, starts, axis=1)
        return costs

    def _distances(self) -> Costs:
        """Return the least cost from each router to each other, shape (routers, routers)."""
        import numpy as np
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import dijkstra

        least: dict[tuple[int, int], float] = {}
        for name, index in self.routers.items():
            for out, into in self.hops(name):
                edge = index, self.routers[self.owner(into)]
                least[edge] = min(self.topology.interfaces[out].weight, least.get(edge, np.inf))
        if least and max(least.values()) / min(least.values()) > _RATIO:
            extremes = f"{min(least.values()):g} and {max(least.values()):g}"
            raise PlanError(
                f"compare paths: the weights {extremes} differ by more than a factor of {_RATIO:g}"
            )
        count = len(self.routers)
        heads, tails = np.array(list(least), dtype=np.int32).reshape(-1, 2).T
        matrix = csr_matrix((np.fromiter(least.values(), float), (heads, tails)), shape=(count, count))
        distances = np.empty((count, count))
        for row in range(0, count, SOURCES):
            sources = np.arange(row, min(row + SOURCES, count))
            distances[sources] = dijkstra(matrix, indices=sources)
        return distances

    def default_routes(self, addressing: Addressing, name: str) -> tuple[Route, ...]:
        """Return a host's default route per family, through all routers on its segments."""
        hops = self.hops(name) if name not in self.routers else []
        families = len(addressing.addresses[hops[0][0]]) if hops else 0
        return tuple(
            Route(None, _next_hops(self.topology, addressing, hops, each)) for each in range(families)
        )

    def partly_reached(self, costs: Costs, host: str) -> NDArray[np.bool_]:
        """Tell for each segment whether some of a host's routers, and not all, know a way to it."""
        import numpy as np

        reached = np.isfinite(costs[[self.routers[self.owner(into)] for _, into in self.hops(host)]])
        return np.asarray(reached.any(axis=0) & ~reached.all(axis=0))

    def choices(self, costs: Costs, name: str) -> tuple[list[list[tuple[int, int]]], NDArray[np.int32]]:
        """Return the sets of equal-cost next hops that a node uses, and which one for each segment.

        The second is an index into the first, where the first entry is no next hop (`NO_ROUTE`), or
        `ANY` for a segment that the node is on.
        """
        import numpy as np

        hops = self.hops(name)
        through = np.array([
            costs[self.routers[self.owner(into)]] + self.topology.interfaces[out].weight for out, into in hops
        ]).reshape(len(hops), costs.shape[1])  # fmt: skip
        best = through.min(axis=0, initial=np.inf)
        equal = np.isfinite(through) & (through <= best * (1 + _TOLERANCE))
        if name in self.routers:  # strictly nearer, whatever the tolerance says: no loops
            nearer = [costs[self.routers[self.owner(into)]] < costs[self.routers[name]] for _, into in hops]
            equal &= np.array(nearer, bool).reshape(equal.shape)
        patterns, which = _distinct(equal)
        chosen: list[list[tuple[int, int]]] = [[]]
        numbers = np.full(len(patterns), NO_ROUTE, np.int32)
        for number, pattern in enumerate(patterns):
            if pattern.any():
                numbers[number] = len(chosen)
                chosen.append([hops[index] for index in np.flatnonzero(pattern)])
        labels = numbers[which]
        labels[list(self.segments_of(name))] = ANY
        return chosen, labels


def _distinct(columns: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return the distinct columns of a matrix as rows, in order, and for each column which one it is."""
    import numpy as np

    packed = np.packbits(columns, axis=0)
    padded = np.zeros((-(-max(len(packed), 1) // 8) * 8, columns.shape[1]), np.uint8)
    padded[: len(packed)] = packed
    words = np.ascontiguousarray(padded.T).view(">u8")
    key = words[:, 0] if words.shape[1] == 1 else words
    _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return columns[:, first].T, which.reshape(-1)
