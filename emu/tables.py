"""Tables on standard output."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence

#: Tables of more rows are not folded to a terminal's width: it would take long, and nobody reads them there.
_FOLDED = 2000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under column titles; in full width where no terminal limits it."""
    show(table_text(columns, rows))


def elapsed(seconds: float) -> str:
    """Return a time of so many seconds as 0:00:05."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def show(text: str) -> None:
    """Print a text; at a terminal, the user's pager shows one that is longer than the screen, as with git.

    That is what the environment variable PAGER holds, else `less`; `PAGER=cat` is none.
    """
    if _pages:
        _pages[-1].append(text)
        return
    pager = _pager()
    fits = text.count("\n") < shutil.get_terminal_size().lines
    if fits or not pager or not _paged(pager, text):
        sys.stdout.write(text)


#: What is being put together, innermost last.
_pages: list[list[str]] = []


@contextlib.contextmanager
def one_page() -> Iterator[None]:
    """Show at once, at the end, what `show` and `print_table` are given meanwhile."""
    _pages.append([])
    try:
        yield
    finally:
        text = "".join(_pages.pop())
        show(text)


def _pager() -> list[str]:
    """Return the command of the pager; an empty one where nobody could read what it shows."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        pager = shlex.split(os.environ.get("PAGER", "less"))
        dumb = os.environ.get("TERM", "dumb") == "dumb"
        if pager and pager[0] != "cat" and not dumb and sys.stdin.isatty() and sys.stdout.isatty():
            return pager if shutil.which(pager[0]) else []
    return []


def _paged(pager: list[str], text: str) -> bool:
    """Let a pager show a text; tell whether it could be started."""
    sys.stdout.flush()
    # As git has it: a text that fits after all is shown at once, bold is bold, and the screen keeps it.
    env = {"LESS": "FRX", **os.environ}
    before = signal.getsignal(signal.SIGINT)
    try:
        process = subprocess.Popen(pager, stdin=subprocess.PIPE, env=env, text=True, errors="replace")
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the pager, which has begun without that
        with contextlib.suppress(BrokenPipeError):
            process.communicate(text)
    except (OSError, ValueError):  # it cannot be started, or this is not the main thread
        return False
    finally:
        with contextlib.suppress(ValueError, TypeError):
            signal.signal(signal.SIGINT, before)
    return True


def has_style() -> bool:
    """Tell whether standard output shows what is bold: a terminal, unless NO_COLOR (no-color.org) is set."""
    dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
    return sys.stdout.isatty() and not dumb


def table_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under column titles as lines; at a terminal as wide as it is, with bold titles."""
    from rich.cells import cell_len

    texts = [tuple(map(str, row)) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *texts, strict=True)]
    terminal = sys.stdout.isatty()
    too_wide = sum(widths) + 2 * len(widths) - 2 > shutil.get_terminal_size().columns
    if terminal and too_wide and len(texts) <= _FOLDED:
        return _folded(columns, texts)
    head, *lines = (_line(row, [width - cell_len(cell) for cell, width in zip(row, widths, strict=True)])
                    for row in (tuple(columns), *texts))  # fmt: skip
    return "\n".join([f"\x1b[1m{head}\x1b[0m" if has_style() else head, *lines]) + "\n"


def _line(cells: Sequence[str], missing: Sequence[int]) -> str:
    pairs = zip(cells, missing, strict=True)
    return "  ".join(cell + " " * spaces for cell, spaces in pairs).rstrip()


def _folded(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that is as wide as the terminal: its longer texts go on in the next line."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold" if has_style() else "", show_edge=False)
    for title in columns:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    text = Console(file=sys.stdout, highlight=False)
    with text.capture() as captured:
        text.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
