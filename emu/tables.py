"""Tables on standard output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

#: Tables of more rows are not folded to a terminal's width: it would take long, and nobody reads them there.
_FOLDED = 2000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under column titles; in full width where no terminal limits it."""
    from rich.cells import cell_len

    texts = [tuple(map(str, row)) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *texts, strict=True)]
    terminal = sys.stdout.isatty()
    too_wide = sum(widths) + 2 * len(widths) - 2 > shutil.get_terminal_size().columns
    if terminal and too_wide and len(texts) <= _FOLDED:
        _print_folded(columns, texts)
        return
    head, *lines = (_line(row, [width - cell_len(cell) for cell, width in zip(row, widths, strict=True)])
                    for row in (tuple(columns), *texts))  # fmt: skip
    sys.stdout.write("\n".join([f"\x1b[1m{head}\x1b[0m" if terminal else head, *lines]) + "\n")


def _line(cells: Sequence[str], missing: Sequence[int]) -> str:
    pairs = zip(cells, missing, strict=True)
    return "  ".join(cell + " " * spaces for cell, spaces in pairs).rstrip()


def _print_folded(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table that is as wide as the terminal: its longer texts go on in the next line."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in columns:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    text = Console(file=sys.stdout, highlight=False)
    with text.capture() as captured:
        text.print(table)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")
