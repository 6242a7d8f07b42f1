"""The memory of a process and of all that it started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def read_memory(roots: Iterable[int]) -> dict[int, int | None]:
    """Return how many bytes each of some processes holds, with all its descendants.

    It is their proportional set size (proc_pid_smaps(5)): a page that n processes share counts as 1/n in
    each. None where nothing may be known of the process.
    """
    children = _children()
    return {root: _memory_of(root, children) for root in roots}


def _memory_of(root: int, children: dict[int, list[int]]) -> int | None:
    own = _proportional(root)
    if own is None:
        return None
    waiting = list(children.get(root, ()))
    while waiting:
        process = waiting.pop()
        own += _proportional(process) or 0  # it may have ended meanwhile
        waiting += children.get(process, ())
    return own


def _children() -> dict[int, list[int]]:
    """Return the processes that each process started, or adopted."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                # Behind the name, which is in brackets and may hold any: the state, then the parent.
                parent = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
                found.setdefault(parent, []).append(int(entry))
    return found


def _proportional(process: int) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc", str(process), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        return 0  # a process that is ending has none
    return None
