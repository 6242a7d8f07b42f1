"""Which boxes overlap, at whatever angle they stand; and pushing upright ones apart."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .parts import Box

    Floats = NDArray[np.float64]


class Room:
    """The boxes that are taken, each for an owner; asks are answered for many at once."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self._owners: list[int] = []
        self._array: Floats = np.zeros((0, 6))
        self._of: NDArray[np.int64] = np.zeros(0, np.int64)

    def take(self, box: Box, owner: int = -1) -> None:
        """Add a box; `owner` is what may overlap it."""
        self._rows.append(_row(box))
        self._owners.append(owner)

    def overlaps(self, boxes: Sequence[Box], owner: int = -2) -> NDArray[np.int64]:
        """Return for each box how many of other owners it overlaps."""
        if not self._rows:
            return np.zeros(len(boxes), np.int64)
        return np.asarray((self._overlap(boxes) & (self._of != owner)).sum(axis=1))

    def hit(self, boxes: Sequence[Box], but: Collection[int]) -> bool:
        """Return whether any of the boxes overlaps one of an owner who is not in `but`."""
        return bool(self._overlap(boxes)[:, [owner not in but for owner in self._owners]].any())

    def _overlap(self, boxes: Sequence[Box]) -> NDArray[np.bool_]:
        """Return which of `boxes`, by row, overlap which that are here (the separating axis theorem)."""
        if len(self._array) != len(self._rows):
            self._array, self._of = np.array(self._rows), np.array(self._owners)
        x, y, w, h, c, s = self._array.T[:, None]
        mine = np.array([_row(box) for box in boxes]).T[:, :, None]
        dx, dy = x - mine[0], y - mine[1]
        width, height, cos, sin = mine[2:]
        same, cross = np.abs(c * cos + s * sin), np.abs(c * sin - s * cos)
        apart = (
            (np.abs(dx * cos + dy * sin) >= width + w * same + h * cross)
            | (np.abs(dy * cos - dx * sin) >= height + w * cross + h * same)
            | (np.abs(dx * c + dy * s) >= w + width * same + height * cross)
            | (np.abs(dy * c - dx * s) >= h + width * cross + height * same)
        )
        return np.asarray(~apart)


def _row(box: Box) -> tuple[float, ...]:
    return box.x, box.y, box.width / 2, box.height / 2, math.cos(box.angle), math.sin(box.angle)


def pushed_apart(centres: Floats, sizes: Floats, rounds: int = 200) -> Floats:
    """Return the centres of upright boxes moved, as little as need be, until none overlap.

    Args:
        centres: of shape (n, 2).
        sizes: widths and heights, of the same shape.
        rounds: when to give up.
    """
    centres = centres.copy()
    a, b = np.triu_indices(len(centres), 1)
    needed = (sizes[a] + sizes[b]) / 2
    for _ in range(rounds):
        apart = centres[b] - centres[a]
        missing = needed - np.abs(apart)
        hit = (missing > 1e-6).all(axis=1)
        if not hit.any():
            break
        axis = missing[hit].argmin(axis=1)
        rows = np.arange(len(axis))
        move = np.zeros((len(axis), 2))
        direction = np.where(apart[hit][rows, axis] >= 0, 1.0, -1.0)
        move[rows, axis] = direction * (missing[hit][rows, axis] / 2 + 0.01)
        np.add.at(centres, a[hit], -move)
        np.add.at(centres, b[hit], move)
    return centres
