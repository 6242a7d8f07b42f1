"""Showing how far a piece of work is, and how long its phases took."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from .progress import Progress

#: Work that is done sooner shows nothing, in seconds.
_PATIENCE = 0.5
#: How often the bar is drawn, in seconds.
_PAUSE = 0.1


@contextlib.contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Show at a terminal how far the work is that is done meanwhile, once it takes half a second."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    artist = threading.Thread(target=_draw, args=(progress, ended), daemon=True)
    artist.start()
    try:
        yield
    finally:
        ended.set()
        artist.join()


def _draw(progress: Progress, ended: threading.Event) -> None:
    if ended.wait(_PATIENCE):
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[count]}"),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("", count="")
        while not ended.wait(_PAUSE):
            if progress.phases:
                phase = progress.phases[-1]
                count = f"{phase.done:,}/{phase.total:,}" if phase.total else ""
                display.update(
                    task, description=phase.name, total=phase.total or None, completed=phase.done, count=count
                )


def profile_lines(progress: Progress) -> Iterator[str]:
    """Yield a table of the phases: how many things each was, how long it took, its part of the whole."""
    times = [(phase.name, phase.total, phase.seconds or 0.0) for phase in progress.phases]
    whole = sum(seconds for _, _, seconds in times)
    encoding = sum(phase.encoding for phase in progress.phases)
    yield f"{'PHASE':<28}{'COUNT':>10}{'SECONDS':>10}{'PART':>6}"
    for name, count, seconds in (*times, ("of which encoding", 0, encoding), ("all", 0, whole)):
        yield f"{name:<28}{count or '':>10}{seconds:>10.3f}{seconds / whole:>6.0%}"
