"""Making room for the control groups of a network."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .around import lines_of
from .places import Place

#: Where the processes of a group go that is to be divided.
_ASIDE = "emu-callers"
#: How often to look for processes that others start meanwhile.
_ROUNDS = 100


def prepare(place: Place) -> int:
    """Make a place hand on the controllers that it has to, and return a descriptor of its folder.

    Raises:
        OSError: the kernel refused it.
    """
    if place.crowded:
        _move_aside(place.path)
    if place.missing:
        text = " ".join(f"+{name}" for name in sorted(place.missing))
        (place.path / "cgroup.subtree_control").write_text(text)
    return os.open(place.path, os.O_RDONLY | os.O_DIRECTORY)


def _move_aside(path: Path) -> None:
    """Move the processes of a group into one below it."""
    aside = path / _ASIDE
    aside.mkdir(exist_ok=True)
    for _ in range(_ROUNDS):
        found = lines_of(path / "cgroup.procs")
        if not found:
            return
        for pid in found:
            try:
                (aside / "cgroup.procs").write_text(pid)
            except ProcessLookupError:  # it has ended
                continue
    raise OSError(errno.EBUSY, "new processes begin there all the time")
