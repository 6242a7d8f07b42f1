"""The control groups around a process, in either version, as folders. Sources: cgroups(7), proc(5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def groups_around(controller: str = "", pid: int | None = None) -> Iterator[Path]:
    """Yield the folders of the control groups that a process is in, from its own to the outermost.

    Args:
        controller: of version 1, those that it belongs to as well; else those of version 2 alone.
        pid: the process; by default this one.
    """
    for line in lines_of(f"/proc/{pid or 'self'}/cgroup"):
        number, names, path = line.split(":", 2)
        if number == "0" or (controller and controller in names.split(",")):
            yield from _folders(path, "" if number == "0" else controller)


def _folders(path: str, controller: str) -> Iterator[Path]:
    """Yield the folders of a control group and those around it; no `controller` means version 2."""
    for line in lines_of("/proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        fits = controller in options.split(",") if controller else True
        if kind != ("cgroup" if controller else "cgroup2") or not fits:
            continue
        if os.path.commonpath([root, path]) == root:
            folder = Path(point, os.path.relpath(path, root))
            inner = [folder, *folder.parents]
            yield from inner[: len(inner) - len(Path(point).parents)]
        return


def lines_of(path: str | Path) -> list[str]:
    """Return the lines of a file; none of one that cannot be read."""
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
