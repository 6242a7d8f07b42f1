"""The parts of a picture: boxes, links' lines, nodes' shapes and texts.

All lengths are points (1/72 inch), all angles radians.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..graph.attributes import Kind


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its centre, its width and height, and the angle at which its width stands."""

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A link's line from `start` to `end`, that passes its middle at a distance of `bend` to the left."""

    start: tuple[float, float]
    end: tuple[float, float]
    bend: float = 0.0

    @property
    def length(self) -> float:
        """The distance of its ends."""
        return math.dist(self.start, self.end)

    @property
    def control(self) -> tuple[float, float]:
        """The control point of the quadratic Bézier curve that it is."""
        (x0, y0), (x1, y1) = self.start, self.end
        length = self.length or 1.0
        aside = 2 * self.bend / length
        return (x0 + x1) / 2 - (y1 - y0) * aside, (y0 + y1) / 2 + (x1 - x0) * aside

    def point(self, t: float) -> tuple[float, float]:
        """Return the point at `t`, from 0 at the start to 1 at the end."""
        (x0, y0), (xc, yc), (x1, y1) = self.start, self.control, self.end
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        return a * x0 + b * xc + c * x1, a * y0 + b * yc + c * y1

    def angle(self, t: float) -> float:
        """Return the direction at `t`, turned about where a text along it would be upside down."""
        (x0, y0), (xc, yc), (x1, y1) = self.start, self.control, self.end
        dx = (1 - t) * (xc - x0) + t * (x1 - xc)
        dy = (1 - t) * (yc - y0) + t * (y1 - yc)
        angle = math.atan2(dy, dx)
        if angle > math.pi / 2 + 1e-6:
            return angle - math.pi
        return angle + math.pi if angle <= -math.pi / 2 + 1e-6 else angle

    def boxes(self, pieces: int = 1) -> Iterator[Box]:
        """Yield thin boxes that cover the line."""
        for k in range(pieces):
            a, b = self.point(k / pieces), self.point((k + 1) / pieces)
            middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
            yield Box(*middle, math.dist(a, b), 0.5, math.atan2(b[1] - a[1], b[0] - a[0]))


@dataclass(frozen=True, slots=True)
class Shape:
    """A node: its outline, the lines of its label and, within a switch, its segment's prefixes."""

    kind: Kind
    box: Box
    label: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    def reach(self, angle: float) -> float:
        """Return how far it extends from its centre in a direction."""
        cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
        width, height = self.box.width / 2, self.box.height / 2
        if self.kind is Kind.ROUTER:
            return 1 / math.hypot(cos / width, sin / height)
        return min(width / max(cos, 1e-9), height / max(sin, 1e-9))


@dataclass(frozen=True, slots=True)
class Words:
    """A text of one or more lines in its place; a prefix stands on its link's line."""

    text: str
    box: Box
    on_line: bool = False
