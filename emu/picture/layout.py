"""Where to draw the nodes of a graph: positions in the plane.

Floats in the picture shall be as those along the links. How far they are not is the layout's
stress; it is minimised by stochastic gradient descent over pairs of nodes (J. X. Zheng, S. Pawar,
D. F. M. Goodman, "Graph Drawing by Stochastic Gradient Descent", 2018), here over as many disjoint
pairs at a time as there are. The random numbers start from a fixed seed: the same graph gives the same
picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

#: Up to so many nodes several layouts are tried, and the clearest is taken.
_SMALL, _TRIALS = 64, 32
#: Beyond so many nodes only distances to some pivots are looked at (the paper's section 4.1).
_ALL_PAIRS, _PIVOTS = 1200, 100
#: Steps for one layout; where there are several trials, each gets four times as many.
_ROUNDS = 15
_GAP = 0.5  # between the parts of a graph that is not connected
_CLEARANCE = 0.25  # between a link and a node that it only passes
_NARROW = np.radians(20)  # between links at a node


def layout(nodes: int, links: Sequence[tuple[int, int]], lengths: Sequence[float] | None = None) -> Floats:
    """Return a position for each node, as an array of shape (nodes, 2).

    Args:
        nodes: how many; they are numbered from 0.
        links: the two nodes of each link.
        lengths: how long each link should be, about 1 each; default 1. Only for up to `_SMALL` nodes.
    """
    neighbours: list[dict[int, float]] = [{} for _ in range(nodes)]
    for (a, b), length in zip(links, lengths or [1.0] * len(links), strict=True):
        neighbours[a][b] = neighbours[b][a] = max(length, neighbours[a].get(b, 0.0))
    parts = []
    for members in _components(neighbours):
        index = {node: number for number, node in enumerate(members)}
        inner = [{index[other]: length for other, length in neighbours[node].items()} for node in members]
        parts.append((members, _level(_connected(inner))))
    return _packed(parts, nodes)


def _components(neighbours: list[dict[int, float]]) -> Iterator[list[int]]:
    """Yield the connected components, each in the order of its nodes."""
    seen: set[int] = set()
    for first in range(len(neighbours)):
        if first not in seen:
            reached = np.flatnonzero(_distances_from(first, neighbours) >= 0).tolist()
            seen.update(reached)
            yield reached


def _distances_from(start: int, neighbours: list[dict[int, float]]) -> Floats:
    """Return the number of links to every node, -1 where there is no way (breadth-first search)."""
    distances = [-1] * len(neighbours)
    distances[start] = 0
    border = [start]
    while border:
        further = []
        for node in border:
            step = distances[node] + 1
            for other in neighbours[node]:
                if distances[other] < 0:
                    distances[other] = step
                    further.append(other)
        border = further
    return np.array(distances, float)


def _connected(neighbours: list[dict[int, float]]) -> Floats:
    """Return the layout of a connected graph."""
    count = len(neighbours)
    if count > _ALL_PAIRS:
        return _by_pivots(neighbours)
    if count > _SMALL:
        distances = np.array([_distances_from(node, neighbours) for node in range(count)])
        return np.asarray(_by_all_pairs(distances, 1)[0])
    distances = _shortest(neighbours)
    if count <= 2:
        return np.stack([distances[0], np.zeros(count)], axis=1)
    links = np.array([(a, b) for a, others in enumerate(neighbours) for b in others if a < b])
    drawings = _by_all_pairs(distances, _TRIALS)
    return _cleared(min(drawings, key=lambda points: _badness(points, links, distances)), links, distances)


def _shortest(neighbours: list[dict[int, float]]) -> Floats:
    """Return the distances between all nodes along links of any length (Floyd and Warshall)."""
    count = len(neighbours)
    distances = np.full((count, count), np.inf)
    np.fill_diagonal(distances, 0)
    for a, others in enumerate(neighbours):
        for b, length in others.items():
            distances[a, b] = length
    for via in range(count):
        distances = np.minimum(distances, distances[:, via, None] + distances[None, via])
    return distances


def _by_all_pairs(distances: Floats, trials: int) -> Floats:
    """Return layouts, of shape (trials, nodes, 2), of a graph with these distances between nodes."""
    random = np.random.default_rng(0)
    count = len(distances)
    points = random.random((trials, count, 2)) * np.sqrt(count)
    pairs = _disjoint_pairs(count)
    for rate in _rates(distances, _ROUNDS * (4 if trials > 1 else 1)):
        for turn in random.permutation(len(pairs)):
            a, b = pairs[turn]
            move = _moves(points[:, a] - points[:, b], distances[a, b], rate) / 2
            points[:, a] -= move
            points[:, b] += move
    return np.asarray(points)


def _by_pivots(neighbours: list[dict[int, float]]) -> Floats:
    """Return the layout of a large graph: by its links, and the distances to nodes far from one another."""
    random = np.random.default_rng(0)
    count = len(neighbours)
    nearest, pivots, rows = np.full(count, np.inf), [0], []
    for _ in range(_PIVOTS):
        rows.append(_distances_from(pivots[-1], neighbours))
        nearest = np.minimum(nearest, rows[-1])
        pivots.append(int(nearest.argmax()))
    points = random.random((count, 2)) * np.sqrt(count)
    a, b = np.array([(a, b) for a, others in enumerate(neighbours) for b in others]).T
    degrees = np.bincount(a, minlength=count)[:, None]
    for rate in _rates(np.array(rows), _ROUNDS):
        for turn in random.permutation(_PIVOTS):
            wanted = np.maximum(rows[turn], 1)
            move = _moves(points - points[pivots[turn]], wanted, rate)
            move[pivots[turn]] = 0
            points -= move
        move = _moves(points[a] - points[b], np.ones(len(a)), rate)
        total = np.stack([np.bincount(a, move[:, axis], count) for axis in (0, 1)], axis=1)
        points -= total / degrees
    return np.asarray(points)


def _rates(distances: Floats, rounds: int) -> Floats:
    """Return a falling step size per round: at first every pair moves fully, at last hardly."""
    return np.geomspace(distances.max() ** 2, 0.05 * distances[distances > 0].min() ** 2, rounds)


def _moves(apart: Floats, wanted: Floats, rate: float) -> Floats:
    """Return how far to move points that are `apart` towards the wanted distance."""
    length = np.maximum(np.sqrt((apart**2).sum(axis=-1)), 1e-9)
    share = np.minimum(rate / wanted**2, 1)
    return np.asarray(apart * (share * (length - wanted) / length)[..., None])


def _disjoint_pairs(count: int) -> list[tuple[Integers, Integers]]:
    """Return turns in which each pair is there once and nobody is in two pairs (a round-robin tournament)."""
    even = count + count % 2
    seats = list(range(even))
    turns = []
    for _ in range(even - 1):
        pairs = [
            (seats[k], seats[-1 - k]) for k in range(even // 2) if max(seats[k], seats[-1 - k]) < count
        ]  # fmt: skip
        a, b = np.array(pairs).T
        turns.append((a, b))
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return turns


def _badness(points: Floats, links: Integers, distances: Floats) -> float:
    """Return how bad a layout is, links that are too short for their texts included."""
    a, b = links.T
    short = np.maximum(0.95 - np.linalg.norm(points[a] - points[b], axis=1) / distances[a, b], 0)
    too_short = float(25 * (short**2).sum() + 8 * short.sum())
    return _confusion(points, links) + too_short + _stress(points, distances) / len(points)


def _cleared(points: Floats, links: Integers, distances: Floats) -> Floats:
    """Return the points with each moved to a clearer place near its own, where there is one."""
    angles = np.arange(8) * np.pi / 4
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    steps = np.concatenate([directions * step for step in (0.25, 0.7)])
    least = _badness(points, links, distances)
    for node in [*range(len(points))] * 2:
        for step in steps:
            moved = points.copy()
            moved[node] += step
            badness = _badness(moved, links, distances)
            if badness < least - 0.05:
                points, least = moved, badness
    return points


def _stress(points: Floats, distances: Floats) -> float:
    a, b = np.triu_indices(len(points), 1)
    apart, wanted = np.linalg.norm(points[a] - points[b], axis=1), distances[a, b]
    return float((((apart - wanted) / wanted) ** 2).sum())


def _confusion(points: Floats, links: Integers) -> float:
    """Return how hard it is to see which link goes where: crossings, nodes on links, narrow angles."""
    start, along = points[links[:, 0]], points[links[:, 1]] - points[links[:, 0]]
    a, b = np.triu_indices(len(links), 1)
    to_start, to_end = start[b] - start[a], start[b] + along[b] - start[a]
    back, across = -to_start, start[a] + along[a] - start[b]
    crossing = (_turn(along[a], to_start) * _turn(along[a], to_end) < -1e-9) & (
        _turn(along[b], back) * _turn(along[b], across) < -1e-9
    )
    to_node = points[None] - start[:, None]
    square = (along**2).sum(axis=1)[:, None]
    share = (to_node * along[:, None]).sum(axis=2) / square
    aside = np.abs(_turn(along[:, None], to_node)) / np.sqrt(square)
    passed = ((share > 0.02) & (share < 0.98) & (aside < _CLEARANCE)).sum()
    return float(crossing.sum() + 4 * passed + 3 * _narrowness(points, links))


def _turn(one: Floats, other: Floats) -> Floats:
    """Return the cross product, whose sign tells on which side of `one` the other points."""
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def _narrowness(points: Floats, links: Integers) -> float:
    """Return the sum over neighbouring links at each node of how much narrower than `_NARROW` they stand."""
    ends = np.concatenate([links, links[:, ::-1]])
    there = points[ends[:, 1]] - points[ends[:, 0]]
    angles = np.arctan2(there[:, 1], there[:, 0])
    order = np.lexsort((angles, ends[:, 0]))
    node, angle = ends[order, 0], angles[order]
    between = np.diff(angle)[node[1:] == node[:-1]]
    return float(np.maximum(1 - between / _NARROW, 0).sum())


def _level(points: Floats) -> Floats:
    """Return the points turned so that they are widest from left to right, the first on the left."""
    if len(points) < 3:
        return points
    centred = points - points.mean(axis=0)
    spread, axes = np.linalg.eigh(centred.T @ centred)
    turned = centred @ axes[:, ::-1]
    if spread[0] < 0.01 * spread[1]:
        turned[:, 1] = 0  # nodes in a row
    signs = [1.0 if turned[0, axis] <= 0 else -1.0 for axis in (0, 1)]
    return np.asarray(turned * np.array([signs[0], -signs[1]]))


def _packed(parts: list[tuple[list[int], Floats]], nodes: int) -> Floats:
    """Return all parts side by side, in rows that together are about as wide as high; the largest first."""
    found = np.zeros((nodes, 2))
    sizes = [np.ptp(points, axis=0) + _GAP for _, points in parts]
    limit = max(*(float(size[0]) for size in sizes), float(np.sqrt(1.6 * sum(size.prod() for size in sizes))))
    left = top = height = 0.0
    for members, points in sorted(parts, key=lambda part: -len(part[0])):
        size = np.ptp(points, axis=0) + _GAP
        if left and left + size[0] > limit:
            left, top, height = 0.0, top - height, 0.0
        corner = np.array([points[:, 0].min(), points[:, 1].max()])
        found[members] = points - corner + np.array([left, top])
        left, height = left + size[0], max(height, size[1])
    return found
