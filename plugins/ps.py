"""`emu ps` and `emu stop`: networks that are running."""

from __future__ import annotations

import json
import time
from typing import Any

import click

import emu


@click.command(short_help="List the running networks.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object per network.")
def ps(as_json: bool) -> None:
    """List your running networks; root sees everybody's.

    PROGRAMS are those that run in its nodes, FAILED the daemons that ended and were not to. MEMORY is that of
    the keeper and the programs, without what they share with others, and without the kernel's own.

    \b
    emu ps
    """
    from emu.memory import read_memory
    from emu.sandboxes.sandbox import running_sandboxes
    from emu.tables import print_table

    rows: list[dict[str, Any]] = []
    for sandbox in running_sandboxes():
        facts = sandbox.facts
        # None where its keeper does not answer.
        known = facts or dict.fromkeys(("nodes", "programs", "failed", "detached"))
        uptime = round(time.time() - facts["started"], 1) if facts else None
        rows.append(
            {
                "name": sandbox.name, "owner": sandbox.owner, "nodes": known["nodes"],
                "programs": known["programs"], "failed": known["failed"], "uptime": uptime,
                "detached": known["detached"], "keeper": sandbox.keeper_pid(),
            }
        )  # fmt: skip
        sandbox.close()
    memory = read_memory(row["keeper"] for row in rows)
    for row in rows:
        row["memory"] = memory[row["keeper"]]
    if as_json:
        click.echo("\n".join(json.dumps(row) for row in rows))
    elif not rows:
        click.echo("no network is running")
    else:
        for row in rows:
            row["memory"] = f"{row['memory'] / 2**20:.1f} MiB" if row["memory"] is not None else None
        cells = [[_shown(cell) for cell in row.values()] for row in rows]
        print_table([key.upper() for key in rows[0]], cells)


def _shown(cell: object) -> object:
    from emu.tables import elapsed

    if cell is None:
        return "?"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return elapsed(cell)
    return cell


@click.command(short_help="End running networks.")
@click.argument("names", nargs=-1, metavar="NAME…")
@click.option("-a", "--all", "every", is_flag=True, help="Every running network of yours.")
def stop(names: tuple[str, ...], every: bool) -> int:
    """End running networks: their programs, namespaces, links and files.

    \b
    emu stop two_segment
    emu stop --all
    """
    from emu.errors import EmuError, UsageError
    from emu.sandboxes.sandbox import find_sandbox, running_sandboxes

    if every == bool(names):
        raise UsageError("stop networks: name them, or say --all; 'emu ps' lists them")
    failed = 0
    if every:
        for sandbox in running_sandboxes(own=True):
            sandbox.end()
    for name in names:
        try:
            find_sandbox(name, stopping=True).end()
        except EmuError as error:
            click.echo(f"emu: {error}", err=True)
            failed = failed or error.exit_status
    return failed


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the commands."""
    cli.add_command(ps)
    cli.add_command(stop)
