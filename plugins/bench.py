"""`emu bench`: the figures of the documentation, on this machine."""

from __future__ import annotations

import shutil
import subprocess

import click

import emu


@click.command(short_help="Measure how fast emu is here.")
@click.argument("parts", nargs=-1, metavar="[PART]...")
@click.option("--list", "listed", is_flag=True, help="Say which parts there are.")
@click.option("--quick", is_flag=True, help="Small networks, once: shows that it works, measures little.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON, in seconds and bytes.")
def bench(parts: tuple[str, ...], listed: bool, quick: bool, as_json: bool) -> int:
    """Measure building, ending and holding networks; print Markdown tables.

    Without PART all of them, which takes some minutes; nothing else should be running. What emu is
    compared with (a C compiler's program, Mininet's 'mn', 'ip') is left out where it is not installed.
    Everything runs in a sandbox, also Mininet, and needs no root.

    \b
    emu bench --list
    emu bench build routes
    emu bench --quick
    """
    from emu.bench.apart import command, environment
    from emu.bench.parts import PARTS
    from emu.errors import suggestion

    if listed:
        click.echo("\n".join(f"{name:10} {what}" for name, what in PARTS.items()))
        return 0
    for name in parts:
        if name not in PARTS:
            hint = suggestion(name, PARTS) or f"; the parts are {', '.join(PARTS)}"
            raise emu.UsageError(f"measure {name!r}: there is no such part{hint}")
    if shutil.which("unshare") is None:
        raise emu.UsageError("measure: there is no 'unshare' here; it comes with the package util-linux")
    options = ["--quick"] * quick + ["--json"] * as_json
    return subprocess.run(command([*options, *parts]), env=environment(), check=False).returncode


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(bench)
