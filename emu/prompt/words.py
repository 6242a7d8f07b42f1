"""Words that can be typed at the prompt, to be found by their beginning."""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..commands import environment

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from .session import Session


class Words:
    """A set of words that is searched in no time, however large."""

    def __init__(self, words: Iterable[str]) -> None:
        self._sorted = sorted(set(words))
        self._lowered = sorted((word.lower(), word) for word in self._sorted)

    def beginning(self, text: str) -> list[str]:
        """Return the words that begin like `text`; when none does, without regard to case."""
        begin = bisect.bisect_left(self._sorted, text)
        end = bisect.bisect_right(self._sorted, text + chr(0x10FFFF))
        if begin < end:
            return self._sorted[begin:end]
        text = text.lower()
        begin = bisect.bisect_left(self._lowered, (text, ""))
        end = bisect.bisect_right(self._lowered, (text + chr(0x10FFFF), ""))
        return [word for _, word in self._lowered[begin:end]]


class NetworkWords:
    """The names in a network as it is now; sorted again only after it was changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._plan: Plan | None = None
        self._nodes = self._first = self._interfaces = Words(())

    def _update(self) -> None:
        plan = self._session.network.plan
        if plan is self._plan:
            return
        self._plan = plan
        self._nodes = Words(node.name for node in self._session.network)
        self._first = Words(self._session.words())
        self._interfaces = Words(one.name for node in self._session.network for one in node.interfaces)

    def nodes(self, text: str) -> list[str]:
        """Return the nodes that begin like `text`."""
        self._update()
        return self._nodes.beginning(text)

    def first(self, text: str) -> list[str]:
        """Return what a line may begin with."""
        self._update()
        return self._first.beginning(text)

    def interfaces(self, text: str) -> list[str]:
        """Return the interfaces that begin like `text`."""
        self._update()
        return self._interfaces.beginning(text)


def programs(brought: Iterable[str] = ()) -> set[str]:
    """Return the names of the programs in PATH, and those that emu brings."""
    found = set(brought)
    for folder in environment()["PATH"].split(":"):
        with contextlib.suppress(OSError):
            found.update(os.listdir(folder or os.curdir))
    return found
