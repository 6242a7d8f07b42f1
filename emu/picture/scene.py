"""What a picture shows, and where: from a plan to shapes, lines and texts with their places.

The unit is the point (1/72 inch), as it is for fonts, so what fits is known before anything is drawn.
The picture grows until every text has room beside its link.
"""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..graph.attributes import Kind
from .layout import layout
from .notes import GAP, LINE, SMALL, Note, Placing, notes_of
from .parts import Box, Curve, Shape, Words
from .placement import Room, pushed_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..planning.plan import NodePlan, Plan
    from .fonts import Ruler

#: Interfaces and prefixes are written for up to so many nodes and links, and node labels for so many nodes.
INTERFACES_UP_TO, LABELS_UP_TO = (60, 90), 300
LABEL = 9.0  # the font size of nodes' labels
_HUB = 20  # links that make a dot twice as large
_DOT, _DOT_LINK = 5.0, 14.0  # a node without a label, and how much of a link is seen between two
_LABEL_LINK = 24.0  # how much of a link is seen beside its texts
_LARGEST = 3600.0  # a picture's side
_SPARSE = 8.0  # times the room that the nodes themselves take
_RING = 1.3  # times the circumference that the texts around a node take
_GROWTHS = (1.15, 1.32, 1.52, 1.75, 2.0)  # how much larger pictures are tried where texts lack room


@dataclass(frozen=True)
class Scene:
    """All that is drawn. `left_out` counts interfaces and prefixes for which there was no room."""

    shapes: tuple[Shape, ...]
    curves: tuple[Curve, ...]
    words: tuple[Words, ...] = ()
    left_out: int = 0

    def extent(self) -> tuple[float, float, float, float]:
        """Return left, bottom, right and top of all of it."""
        boxes = [shape.box for shape in self.shapes] + [words.box for words in self.words]
        boxes += [box for curve in self.curves if curve.bend for box in curve.boxes(8)]
        x = np.array([box.x for box in boxes])
        y = np.array([box.y for box in boxes])
        across = [_upright(box) for box in boxes]
        width, height = (np.array(sizes) / 2 for sizes in zip(*across, strict=True))
        low, high = [(x - width).min(), (y - height).min()], [(x + width).max(), (y + height).max()]
        left, bottom, right, top = map(float, low + high)
        return left, bottom, right, top


def texts_of(plan: Plan) -> list[str]:
    """Return every text that a plan's picture may show."""
    return [plan.name, *(node.label for node in plan.nodes), *(node.name for node in plan.nodes)]


def is_detailed(plan: Plan) -> bool:
    """Return whether a plan is so small that its picture names interfaces and prefixes."""
    nodes, links = INTERFACES_UP_TO
    return len(plan.nodes) <= nodes and len(plan.links) <= links


def scene_of(plan: Plan, ruler: Ruler, detailed: bool) -> Scene:
    """Return the picture of a plan, as small as leaves no text out; else the one that leaves the fewest.

    Args:
        plan: what to draw.
        ruler: measures its texts.
        detailed: with interfaces and prefixes.
    """
    index = {node.name: number for number, node in enumerate(plan.nodes)}
    pairs = [(index[a], index[b]) for (a, _), (b, _) in (link.ends for link in plan.links)]
    shapes = _shapes(plan, ruler, detailed) if len(plan.nodes) <= LABELS_UP_TO else _dots(plan, pairs)
    notes = notes_of(plan, ruler) if detailed else []
    centres = _centres(plan, shapes, pairs, _lengths(shapes, pairs, notes), detailed)
    best = _arranged(shapes, pairs, notes, centres)
    for growth in _GROWTHS:
        if not best.left_out:
            break
        scene = _arranged(shapes, pairs, notes, centres * growth)
        best = min(best, scene, key=lambda scene: scene.left_out)
    return best


# -- nodes ----------------------------------------------------------------------------------------


def _dots(plan: Plan, pairs: Sequence[tuple[int, int]]) -> list[Shape]:
    """Return every node at the origin as a dot, whose area grows with its links."""
    degrees = Counter(node for pair in pairs for node in pair)
    sizes = [_DOT * min(1 + degrees[number] / _HUB, 3) ** 0.5 for number in range(len(plan.nodes))]
    return [Shape(node.kind, Box(0, 0, size, size)) for node, size in zip(plan.nodes, sizes, strict=True)]


def _shapes(plan: Plan, ruler: Ruler, detailed: bool) -> list[Shape]:
    """Return every node at the origin, as large as its label needs."""
    shared = {
        name: tuple(map(str, segment.prefixes))
        for segment in plan.segments if detailed for name in segment.switches
    }  # fmt: skip
    return [_shape(node, shared.get(node.name, ()), ruler) for node in plan.nodes]


def _shape(node: NodePlan, below: tuple[str, ...], ruler: Ruler) -> Shape:
    label = tuple(textwrap.wrap(node.label, 16, max_lines=3, placeholder=" …")) or ("",)
    width = max(
        *(ruler.width(line, LABEL, bold=True) for line in label),
        *(ruler.width(line, SMALL) for line in below), 16.0,
    )  # fmt: skip
    height = LINE * (LABEL * len(label) + SMALL * len(below))
    if node.kind is Kind.ROUTER:  # an ellipse around the text
        return Shape(node.kind, Box(0, 0, 1.2 * width + 14, 1.2 * height + 16), label, below)
    corners = 24 if node.kind is Kind.SWITCH else 14
    return Shape(node.kind, Box(0, 0, width + corners, height + 14), label, below)


def _lengths(
    shapes: Sequence[Shape], pairs: Sequence[tuple[int, int]], notes: Sequence[Note]
) -> list[float]:  # fmt: skip
    """Return how long each link must be to hold its texts, which stand in a ring around each node."""
    degrees = Counter(node for pair in pairs for node in pair)
    high = max((sum(note.heights) for note in notes), default=0.0)
    reach = [
        max(shape.box.width / 2, shape.box.height / 2, _RING * high * degrees[node] / math.tau)
        for node, shape in enumerate(shapes)
    ]
    seen = _LABEL_LINK if shapes[0].label else _DOT_LINK
    lengths = [seen + reach[a] + reach[b] for a, b in pairs]
    for note in notes:
        lengths[note.link] += note.width + 1.5 * GAP
    return lengths


def _centres(
    plan: Plan, shapes: Sequence[Shape], pairs: Sequence[tuple[int, int]], lengths: Sequence[float],
    detailed: bool,
) -> NDArray[np.float64]:  # fmt: skip
    """Return where the nodes are: as the graph says of all, to scale, or by a layout.

    They are as far apart as links have to be long; and where nothing is written on links, not too crowded.
    """
    usual = float(np.median(lengths)) if lengths else 1.0
    places = _given(plan)
    if places is None:
        places = layout(len(plan.nodes), pairs, [length / usual for length in lengths] if detailed else None)
    drawn = [math.dist(places[a], places[b]) for a, b in pairs]
    unit = float(np.median(drawn)) if drawn else 0.0
    width, height = np.ptp(places, axis=0)
    largest = float(max(width, height, 1e-9))
    scale = usual / unit if unit else 0.0
    if not detailed or not pairs:
        cells = sum((shape.box.width + GAP) * (shape.box.height + GAP) for shape in shapes)
        scale = max(scale, math.sqrt(_SPARSE * cells / max(width * height, largest**2 / 5)))
    return places * min(scale, _LARGEST / largest)


def _given(plan: Plan) -> NDArray[np.float64] | None:
    """Return the positions that the graph gives, in units of their span; None unless all nodes have one."""
    given = [node.position for node in plan.nodes if node.position is not None]
    if len(given) < len(plan.nodes) or len(set(given)) == 1:
        return None
    places = np.array(given)
    places = places / np.abs(places).max()  # the span of large numbers may be none
    return np.asarray(places - places.mean(axis=0))


# -- places ---------------------------------------------------------------------------------------


def _arranged(
    shapes: Sequence[Shape], pairs: Sequence[tuple[int, int]], notes: Sequence[Note],
    centres: NDArray[np.float64],
) -> Scene:  # fmt: skip
    """Return the scene with nodes about these centres, and texts where there is room."""
    if shapes[0].label:
        sizes = np.array([(shape.box.width, shape.box.height) for shape in shapes]) + 3 * GAP
        centres = pushed_apart(centres, sizes)
    placed = [
        Shape(shape.kind, Box(x, y, shape.box.width, shape.box.height), shape.label, shape.below)
        for shape, (x, y) in zip(shapes, centres.tolist(), strict=True)
    ]
    curves = _curves(placed, pairs, notes)
    words, left_out = Placing(placed, pairs, curves).words(notes)
    return Scene(tuple(placed), tuple(curves), tuple(words), left_out)


def _curves(
    shapes: Sequence[Shape], pairs: Sequence[tuple[int, int]], notes: Sequence[Note]
) -> list[Curve]:  # fmt: skip
    """Return a line for each link.

    Parallel links part so far that their texts have room between them; a link in whose way another
    node stands passes it in a bend.
    """
    high = max((sum(note.heights) for note in notes), default=6.0) + GAP
    siblings: dict[tuple[int, int], list[int]] = defaultdict(list)
    for link, (a, b) in enumerate(pairs):
        siblings[min(a, b), max(a, b)].append(link)
    nodes = Room()
    for number, shape in enumerate(shapes):
        nodes.take(shape.box, number)
    curves = []
    for link, (a, b) in enumerate(pairs):
        same = siblings[min(a, b), max(a, b)]
        bend = (same.index(link) - (len(same) - 1) / 2) * high * (1 if a < b else -1)
        start, end = ((shapes[node].box.x, shapes[node].box.y) for node in (a, b))
        curve = Curve(start, end, bend)
        curves.append(_around(curve, nodes, {a, b}) if notes and len(same) == 1 else curve)
    return curves


def _around(curve: Curve, nodes: Room, ends: set[int]) -> Curve:
    """Return the curve, bent as little as need be to pass the nodes other than its ends."""
    for bend in (0.0, *(sign * step for step in range(16, 120, 8) for sign in (1, -1))):
        bent = dataclasses.replace(curve, bend=bend)
        if not nodes.hit(list(bent.boxes(8 if bend else 1)), ends):
            return bent
    return curve


def _upright(box: Box) -> tuple[float, float]:
    """Return the width and height of the upright box around one that stands at an angle."""
    cos, sin = abs(math.cos(box.angle)), abs(math.sin(box.angle))
    return box.width * cos + box.height * sin, box.width * sin + box.height * cos
