"""What goes on behind one prompt: it has a number as the network's jobs have, and ends with the prompt."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from ..errors import UsageError


class OwnJob(ABC):
    """Something that a prompt itself has in the background: a program that was put aside, a capture.

    Attributes:
        command: what it is, as it would be typed.
        node: where it runs; None where that is no single node.
        number: what `jobs` calls it; 0 while it has none.
    """

    number = 0

    def __init__(self, command: str, node: str | None = None) -> None:
        self.command, self.node = command, node
        self._began = time.time()

    def __str__(self) -> str:
        return f"[{self.number}] {self.state}  {self.node or '-'} {self.command}"

    @property
    def age(self) -> float:
        """How long ago it began, in seconds."""
        return time.time() - self._began

    @property
    @abstractmethod
    def state(self) -> str:
        """Running, stopped, or how it ended."""

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether it ended."""

    @abstractmethod
    def send_signal(self, number: int, *, end: bool = False) -> None:
        """Send a signal; `end` says that it is one which ends programs."""

    @abstractmethod
    def to_front(self) -> int:
        """Let it have the terminal until it stops or ends, and return its status."""

    def to_background(self) -> None:
        """Let it go on without the terminal; UsageError where it does so already."""
        raise UsageError(f"continue job {self.number}: it is not stopped ({self.state})")

    @abstractmethod
    def wait(self) -> int:
        """Wait until it ends, and return its status."""

    @abstractmethod
    def close(self) -> None:
        """End it with the prompt."""


class Recording(OwnJob):
    """What is no program: it writes a file until it is told to end, or cannot go on."""

    @abstractmethod
    def end(self) -> int:
        """End it, say how it went, and return the exit status."""

    @property
    def state(self) -> str:
        """Running, or done."""
        return "done" if self.over else "running"

    def send_signal(self, number: int, *, end: bool = False) -> None:
        """End it by any signal that ends programs."""
        if not end:
            raise UsageError(
                f"send signal {number} to job {self.number}: it is no program; plain kill ends it"
            )
        self.end()

    def to_front(self) -> int:
        """Refuse: there is nothing that could have the terminal."""
        raise UsageError(f"continue job {self.number}: it is no program; 'kill {self.number}' ends it")

    def close(self) -> None:
        """End it with the prompt."""
        if not self.over:
            self.end()
