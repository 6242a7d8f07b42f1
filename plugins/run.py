"""`emu run`: build a network, then the prompt."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import emu
from emu.arguments import takes_lines, takes_topology

if TYPE_CHECKING:
    import networkx as nx

_NO_SCHEDULE = (
    "run --until end: there is no schedule to wait for; --schedule FILE gives one, or say a time (60s)"
)


@click.command(short_help="Build a network, then the prompt.")
@takes_topology
@takes_lines
@click.option("-n", "--name", help="What to call the network; default the topology's name.")
@click.option("--profile", is_flag=True, help="Say how long each phase of planning and building took.")
@click.option(
    "--ignore-unsupported", is_flag=True,
    help="Build without what cannot be had here for links, and without limits of nodes.",
)  # fmt: skip
@click.option(
    "--schedule", "schedules", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", multiple=True,
    help="What happens to links and nodes, and when; may be repeated.",
)  # fmt: skip
@click.option(
    "--until",
    metavar="TIME",
    help="Without a prompt: end so long after the start (60s), or with the schedule (end).",
)
@click.option("-d", "--detach", is_flag=True, help="Leave it running; 'emu attach' and 'emu stop' find it.")
@click.option("--tmux", is_flag=True, help="Open a window of tmux for each node, beside the prompt.")
def run(
    graph: nx.Graph, name: str | None, profile: bool, ignore_unsupported: bool, schedules: tuple[Path, ...],
    until: str | None, detach: bool, tmux: bool, **lines: Any,
) -> int:  # fmt: skip
    """Build a network and open a prompt on it; the network ends with the prompt.

    With -c, or with lines on standard input, those are run instead, up to the first that fails; its
    status is the exit status. With --keep-going all are run, and it is that of the first that failed.

    With --until there is no prompt: the network ends at that time, or when the last -c line has ended if
    that is later. Unless you sat at the prompt, the exit status is also 1 when a schedule had failed by then.

    \b
    emu run two_segment
    emu run two_segment --set network1=10.1.0.0/24 -c 'HOST1 ping -c 1 HOST2'
    emu run ./my_lab.py --name lab --detach
    emu run two_segment --echo < script
    emu run two_segment --tmux
    emu run two_segment --schedule events.yaml --until 60s -c 'HOST1 ping -i 0.2 -w 60 HOST2'
    emu run topohub:topozoo/Abilene --with-hosts
    emu run grid --set rows=20 --set columns=20 --profile -c 'pingall --sample 100'
    """
    from emu.processes.terminal import has_terminal
    from emu.progress import Progress
    from emu.progress_bar import profile_lines, shown
    from emu.prompt.reader import converse, print_notes
    from emu.prompt.session import print_error
    from emu.prompt.windows import open_windows, prepare_windows

    _add_events(graph, schedules)
    lasting = _lasting(until, detach)
    progress = Progress()
    with shown(progress):
        network = emu.Network(graph, name, progress=progress, ignore_unsupported=ignore_unsupported)
    if until == "end" and not network.plan.schedule and not lines["lines"]:
        raise emu.UsageError(_NO_SCHEDULE)
    if tmux:
        prepare_windows(network.plan, bool(lines["lines"]) or detach)
    print_notes(network.plan)
    with shown(progress):
        network.start(detached=detach)
    for line in network.unsupported:
        print_error(f"left out: {line}" if ignore_unsupported else line)
    with network:
        if profile:
            click.echo("\n".join(profile_lines(progress)), err=True)
        if until is None and detach:
            ways = f"'emu attach {network.name}', 'emu stop {network.name}'"
            click.echo(f"{network.name} is running; {ways}", err=True)
        elif until is None and tmux:
            open_windows(network.name, [node.name for node in network], front=False)
        prompts = until is None and not detach
        status = converse(network, **lines) if prompts or lines["lines"] else 0
        if until is not None:
            waited = _await_end(network, lasting)
            status = status or waited
        elif (prompts and not lines["lines"] and has_terminal()) or not network.sandbox.alive():
            return status  # a person was told at once; and of a network that has ended nothing is known
        return _failed_schedules(network) or status


def _add_events(graph: nx.Graph, schedules: tuple[Path, ...]) -> None:
    """Add the events of files to those that a graph has."""
    if not schedules:
        return
    from emu.reading.schedule_files import events_in
    from emu.schedules import with_events

    for file in schedules:
        with_events(graph, events_in(file))


def _lasting(until: str | None, detach: bool) -> float | None:
    """Return for how many seconds a network is to last; None where that is not said in seconds."""
    from emu.schedules import parse_moment

    if until is not None and detach:
        raise emu.UsageError("run: --until and --detach contradict each other")
    if until is None or until == "end":
        return None
    try:
        return parse_moment(until, "until") / 1e9
    except ValueError as error:
        raise emu.UsageError(f"run: {error}, or say --until end") from None


def _await_end(network: emu.Network, lasting: float | None) -> int:
    """Wait for the end of a network's schedules, or until it has lasted so long; return 2 without one."""
    from emu.prompt.session import print_error

    if lasting is not None:
        time.sleep(max(0.0, network.began + lasting - time.monotonic()))
        return 0
    schedules = network.schedules()
    if not schedules:  # the lines might have begun one
        print_error(_NO_SCHEDULE)
    for one in schedules:
        one.wait_quietly()
    return 0 if schedules else emu.UsageError.exit_status


def _failed_schedules(network: emu.Network) -> int:
    """Tell which schedules, and which programs of theirs, have failed; return 1 when a schedule has."""
    from emu.prompt.session import print_error

    if all(job.node for job in network.jobs()):
        return 0  # there is no schedule, and what handles them need not be loaded
    schedules = network.schedules()
    for one in schedules:
        for job in one.failed_programs:
            print_error(f"schedule {one.name}: {job}")
    errors = [f"schedule {one.name}: {one.error}" for one in schedules if one.state == "failed"]
    for error in errors:
        print_error(error)
    return 1 if errors else 0


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(run)
