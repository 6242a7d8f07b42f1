"""What is written along links, and finding a place for it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..shaping.text import attributes_of
from .parts import Box, Curve, Shape, Words
from .placement import Room

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..planning.plan import InterfacePlan, Plan
    from .fonts import Ruler

#: The font size, and from one line of text to the next in font sizes.
SMALL, LINE = 7.0, 1.25
#: Between a text and what is next to it, and between a link's line and the texts beside it.
GAP, _ABOVE = 5.0, 1.5
_CANDIDATES = 24  # places that are tried for a text
_WIDEST = 26  # letters of a line about what a link does
_CROSSED = 30.0  # how many points further away a place may be that no other link crosses


@dataclass(frozen=True, slots=True)
class Note:
    """Texts that stay together: above, on or below a link's line."""

    link: int
    end: int  # 0, 1, or -1 for the middle
    above: str
    below: str
    width: float

    @property
    def heights(self) -> tuple[float, float]:
        """How far it reaches above and below the line."""
        line = SMALL * LINE
        if self.end < 0:
            height = line * (self.above.count("\n") + 1) / 2 + 1
            return height, height
        return line + _ABOVE, (line * (self.below.count("\n") + 1) if self.below else 0.0) + _ABOVE


def notes_of(plan: Plan, ruler: Ruler) -> list[Note]:
    """Return an interface's name and addresses for each link's ends, and a prefix for its middle.

    What the link costs and does stands in the middle; where its directions differ, at the end that it leaves.
    """
    prefixes = {
        end: segment.prefixes
        for segment in plan.segments if not segment.switches for end in segment.interfaces
    }  # fmt: skip
    notes = []
    for link, plan_link in enumerate(plan.links):
        ends = [plan.interfaces[end] for end in plan_link.ends]
        leaving = [_leaving(end) for end in ends]
        even = leaving[0] == leaving[1]
        for number, end in enumerate(ends):
            below = [str(address.ip) for address in end.addresses] + ([] if even else leaving[number])
            notes.append(_note(ruler, link, number, end.name, below))
        middle = [str(prefix) for prefix in prefixes.get(plan_link.ends[0], ())]
        middle += leaving[0] if even else []
        if middle:
            notes.append(_note(ruler, link, -1, "\n".join(middle), []))
    return notes


def _note(ruler: Ruler, link: int, end: int, above: str, below: Sequence[str]) -> Note:
    width = max(ruler.width(line, SMALL) for line in [*above.split("\n"), *below])
    return Note(link, end, above, "\n".join(below), width)


def _leaving(interface: InterfacePlan) -> list[str]:
    """Return what a link costs what leaves an interface, and does to it, in short lines."""
    parts = [f"weight {interface.weight:g}"] if interface.weight != 1 else []
    shaping = attributes_of(interface.shaping) if interface.shaping is not None else {}
    parts += [f"{name} {text if len(text) <= _WIDEST else '…'}" for name, text in shaping.items()]
    return [line.rstrip(",") for line in textwrap.wrap(", ".join(parts), _WIDEST)]


class Placing:
    """Finds a place for each note: near its end of the link, clear of nodes, other notes and lines."""

    def __init__(
        self, shapes: Sequence[Shape], pairs: Sequence[tuple[int, int]], curves: Sequence[Curve]
    ) -> None:  # fmt: skip
        self.shapes, self.pairs, self.curves = shapes, pairs, curves
        self.taken, self.lines = Room(), Room()
        for shape in shapes:
            self.taken.take(shape.box)
        for link, curve in enumerate(curves):
            for box in curve.boxes(8 if curve.bend else 1):
                self.lines.take(box, link)

    def words(self, notes: Sequence[Note]) -> tuple[list[Words], int]:
        """Return the notes' texts in their places, and how many notes have none."""
        found: list[Words] = []
        left_out = 0
        # What stands at an end has less choice than what stands in the middle.
        for note in sorted(notes, key=lambda note: note.end < 0):
            places, distances = self._candidates(note)
            boxes = [self._box(note, t) for t in places]
            hits = self.taken.overlaps(boxes)
            costs = distances + _CROSSED * self.lines.overlaps(boxes, note.link) + np.where(hits, np.inf, 0)
            best = int(costs.argmin())
            if hits[best]:
                left_out += 1
                continue
            self.taken.take(boxes[best])
            found += self._texts(note, places[best])
        return found, left_out

    def _candidates(self, note: Note) -> tuple[list[float], NDArray[np.float64]]:
        """Return places along the link, 0 to 1, and how far from the best one each is, in points."""
        curve = self.curves[note.link]
        length = curve.length or 1.0
        angle = math.atan2(curve.end[1] - curve.start[1], curve.end[0] - curve.start[0])
        near, far = (self.shapes[node].reach(angle) + note.width / 2 + GAP for node in self.pairs[note.link])
        low, high = near / length, max(1 - far / length, near / length)
        shares = np.linspace(0, 1, _CANDIDATES)
        if note.end < 0:
            shares = np.concatenate([0.5 + shares / 2, 0.5 - shares / 2])
            return list(low + (high - low) * shares), np.abs(shares - 0.5) * (high - low) * length
        shares *= 0.8
        places = low + (high - low) * shares if note.end == 0 else high - (high - low) * shares
        return list(places), shares * (high - low) * length

    def _box(self, note: Note, t: float) -> Box:
        above, below = note.heights
        return self._beside(note, t, (above - below) / 2, note.width + GAP, above + below)

    def _beside(self, note: Note, t: float, offset: float, width: float, height: float) -> Box:
        """Return a box along the link at `t`, its centre `offset` above the line."""
        curve = self.curves[note.link]
        (x, y), angle = curve.point(t), curve.angle(t)
        return Box(x - offset * math.sin(angle), y + offset * math.cos(angle), width, height, angle)

    def _texts(self, note: Note, t: float) -> list[Words]:
        above, below = note.heights
        if note.end < 0:
            return [Words(note.above, self._beside(note, t, 0, note.width, above + below), on_line=True)]
        words = [Words(note.above, self._beside(note, t, (above + _ABOVE) / 2, note.width, above - _ABOVE))]
        if note.below:
            place = self._beside(note, t, -(below + _ABOVE) / 2, note.width, below - _ABOVE)
            words.append(Words(note.below, place))
        return words
