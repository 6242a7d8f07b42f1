"""Showing how far a piece of work is, and how long its phases took."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.progress import ProgressColumn

#: Work that is done sooner shows nothing, in seconds.
_PATIENCE = 0.5
#: How often the bar is drawn, in seconds.
_PAUSE = 0.1
#: Columns of a terminal: for phase, count and time; for the bar at least, and at most.
_WORDS, _NARROW, _WIDE = 46, 10, 40
#: Whether a bar is on the terminal.
_visible = threading.Event()


@contextlib.contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Show at a terminal how far the work is that is done meanwhile, once it takes half a second."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb"):
        yield
        return
    ended = threading.Event()
    artist = threading.Thread(target=_draw, args=(progress, ended), daemon=True)
    try:
        artist.start()
    except RuntimeError:  # there is no room for a thread
        yield
        return
    try:
        yield
    finally:
        ended.set()
        artist.join()


def put_away() -> None:
    """Clear the line of a bar that is on the terminal and show the cursor: for who leaves without `shown`."""
    if _visible.is_set():
        with contextlib.suppress(OSError):
            os.write(2, b"\r\x1b[2K\x1b[?25h")


def _draw(progress: Progress, ended: threading.Event) -> None:
    if ended.wait(_PATIENCE):
        return
    display = _display()
    _visible.set()
    try:
        with display:
            task = display.add_task("", count="")
            while not ended.wait(_PAUSE):
                if progress.phases:
                    phase = progress.phases[-1]
                    count = f"{phase.done:,}/{phase.total:,}" if phase.total else ""
                    total = phase.total or None
                    display.update(
                        task, description=phase.name, total=total, completed=phase.done, count=count
                    )  # fmt: skip
    finally:
        _visible.clear()


def _display() -> Display:
    """Return a bar, no wider than the terminal; where that is narrow, the words and the count are all."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    room = console.width - _WORDS
    columns: list[ProgressColumn] = [bars.TextColumn("{task.description}")]
    if room >= _NARROW:
        columns.append(bars.BarColumn(bar_width=min(_WIDE, room)))
    columns.append(bars.TextColumn("{task.fields[count]}"))
    if room >= 0:
        columns.append(bars.TimeElapsedColumn())
    return bars.Progress(*columns, console=console, transient=True)


def profile_lines(progress: Progress) -> Iterator[str]:
    """Yield a table of the phases: how many things each was, how long it took, its part of the whole."""
    times = [(phase.name, phase.total, phase.seconds or 0.0) for phase in progress.phases]
    whole = sum(seconds for _, _, seconds in times)
    encoding = sum(phase.encoding for phase in progress.phases)
    yield f"{'PHASE':<28}{'COUNT':>10}{'SECONDS':>10}{'PART':>6}"
    for name, count, seconds in (*times, ("of which encoding", 0, encoding), ("all", 0, whole)):
        yield f"{name:<28}{count or '':>10}{seconds:>10.3f}{seconds / whole:>6.0%}"
