"""What takes time, phase by phase: how far it is, and how long it took."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Phase:
    """One step of a piece of work: of `total` things `done` so far, in so many seconds."""

    name: str
    total: int = 0
    done: int = 0
    begun: float = 0.0
    seconds: float | None = None
    #: How many seconds of that it took to encode messages.
    encoding: float = 0.0


class Progress:
    """Notes the phases of one piece of work, one after the other.

    The last of `phases` is the present one, until `end`. Another thread may read it meanwhile.
    """

    def __init__(self) -> None:
        self.phases: list[Phase] = []

    def begin(self, name: str, total: int = 0) -> None:
        """End the present phase and begin the next, of `total` things; 0 when their number is unknown."""
        self.end()
        self.phases.append(Phase(name, total, begun=time.perf_counter()))

    def advance(self, done: int, encoding: float = 0.0) -> None:
        """Note how many things of the present phase are done by now, and how long encoding took."""
        self.phases[-1].done, self.phases[-1].encoding = done, encoding

    def end(self) -> None:
        """End the present phase, if there is one."""
        if self.phases and self.phases[-1].seconds is None:
            self.phases[-1].seconds = time.perf_counter() - self.phases[-1].begun
