"""`schedule` and `emu schedule`: what happens to a running network by itself, and when it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    from emu.playing import Playing, Replayed
    from emu.prompt.session import Session
    from emu.running.network import Network


@click.command("schedule")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--cancel", is_flag=True, help="Let nothing more of any schedule happen.")
@click.pass_obj
def schedule(session: Session, file: Path | None, cancel: bool) -> None:
    """Show what has happened by schedule, and when; or begin the schedule of FILE.

    It goes on when the prompt is left and the network is detached.

    \b
    emu> schedule events.yaml
    emu> schedule
    emu> schedule --cancel
    """
    act(session.network, file, cancel)


@click.command("schedule", short_help="Show or begin schedules of a running network.")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--cancel", is_flag=True, help="Let nothing more of any schedule happen.")
def schedule_of_network(name: str, file: Path | None, cancel: bool) -> None:
    """Show what has happened by schedule in a running network, and when; or begin the schedule of FILE.

    \b
    emu schedule two_segment
    emu schedule two_segment events.yaml
    """
    from emu.running.network import Network

    with Network.attach(name) as network:
        act(network, file, cancel)


def act(network: Network, file: Path | None, cancel: bool) -> None:
    """Begin, cancel or show schedules."""
    from emu.playing import play
    from emu.reading.schedule_files import events_in

    if file is not None:
        found = play(network, events_in(file), file.name)
        click.echo(f"schedule {found.name}: begun; 'schedule' shows what it did")
        return
    known = network.schedules()
    if not known:
        click.echo("no schedule")
    for one in known:
        if cancel and one.state == "running":
            one.cancel()
            click.echo(f"schedule {one.name}: cancelled")
        elif not cancel:
            show(one)


def show(playing: Playing) -> None:
    """Print the log of a schedule, times in seconds."""
    from emu.tables import print_table

    click.echo(f"schedule {playing.name}: {playing.state}")
    rows = [
        (f"{one.planned:.3f}", f"{one.real:.4f}", f"{1000 * one.late:.1f}", one.what)
        if one.error is None else (f"{one.planned:.3f}", "failed", "-", one.what)
        for one in playing.log
    ]  # fmt: skip
    if rows:
        print_table(["PLANNED", "REAL", "LATE ms", "EVENT"], rows)
    if replayed := playing.replayed:
        click.echo(_on_traces(replayed))
    for job in playing.failed_programs:
        click.echo(job)
    if error := playing.error:
        click.echo(error)


def _on_traces(replayed: Sequence[Replayed]) -> str:
    """Return how traces get on in a line; how late, of the last 10 s."""
    steps, left_out = sum(one.steps for one in replayed), sum(one.left_out for one in replayed)
    skipped = f" ({left_out:,} more left out: this machine is too busy)" if left_out else ""
    last = replayed[-1]
    late = [f"{1000 * one:.1f} ms" for one in (last.median, last.percentile_99, last.most)]
    return f"traces: {steps:,} steps{skipped}, late by {late[0]} (median; 99 %: {late[1]}, most: {late[2]})"


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(schedule)


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(schedule_of_network)
