"""`pingall`: who reaches whom."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import takes_family, takes_timeout

if TYPE_CHECKING:
    from emu.prompt.session import Session
    from emu.reaching.ping import PingResults

#: Up to how many nodes a table is shown, and how many pairs without an answer are named.
_TABLE_NODES, _PAIRS_NAMED = 20, 20


#: An option for results as JSON: the function gets `as_json`.
takes_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; times are in s.")


@click.command()
@takes_family
@takes_timeout
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N",
    help="Try N pairs only, picked at random, the same ones each time.",
)  # fmt: skip
@takes_json
@click.pass_obj
def pingall(
    session: Session, family: int | None, timeout: float, sample: int | None, as_json: bool
) -> int:  # fmt: skip
    """Ping every node from every other one, all at once.

    Shows a table, a row for each source and a column for each target: the round-trip time in ms, or X
    where no answer came; a network of more than 20 nodes gets none. Then the pairs without an answer,
    each with the reason. The exit status is 0 when every pair answered, else 1.

    \b
    emu> pingall
    emu> pingall -4 --sample 100
    """
    return show_results(session.network.ping_all(family=family, timeout=timeout, sample=sample), as_json)


def show_results(results: PingResults, as_json: bool) -> int:
    """Print tables, who is not reached and the summary, or all of it as JSON; return the exit status."""
    if as_json:
        pings = [one._asdict() for one in results.pings]
        click.echo(json.dumps({"sent": results.sent, "received": results.received, "pings": pings}))
        return 0 if results.ok else 1
    for version in results.families:
        part = results.over(version)
        if part.sent < results.sent:
            click.echo(f"IPv{version}")
        _show_table(part, version)
        _show_unreachable(part)
        click.echo(str(part))
    if not results.families:
        click.echo(str(results))
    return 0 if results.ok else 1


def _show_table(results: PingResults, family: int) -> None:
    """Print the table of round-trip times, unless it has gaps or is too large."""
    from rich.cells import cell_len

    from emu.tables import print_table

    count = len(results.nodes)
    if count > _TABLE_NODES or results.sent < count * (count - 1):
        return
    titles, rows = ["ms", *results.nodes], results.matrix(family)
    width = sum(max(map(cell_len, column)) + 2 for column in zip(titles, *rows, strict=True))
    if not sys.stdout.isatty() or width <= shutil.get_terminal_size().columns:
        print_table(titles, rows)


def _show_unreachable(results: PingResults) -> None:
    """Name the pairs without an answer, and why; of many only the first."""
    pairs = results.unreachable
    for pair in pairs[:_PAIRS_NAMED]:
        click.echo(f"{pair.source} → {pair.target}: {pair.reason}")
    if len(pairs) > _PAIRS_NAMED:
        click.echo(f"… and {len(pairs) - _PAIRS_NAMED} more pairs without an answer")


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(pingall)
