"""`emu run`: build a network, then the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import takes_topology

if TYPE_CHECKING:
    import networkx as nx


@click.command(short_help="Build a network, then the prompt.")
@takes_topology
@click.option("-c", "lines", multiple=True, metavar="LINE", help="Run this line instead of the prompt.")
@click.option("-n", "--name", help="What to call the network; default the topology's name.")
@click.option("--profile", is_flag=True, help="Say how long each phase of planning and building took.")
@click.option("-d", "--detach", is_flag=True, help="Leave it running; 'emu attach' and 'emu stop' find it.")
def run(graph: nx.Graph, lines: tuple[str, ...], name: str | None, profile: bool, detach: bool) -> int:
    """Build a network and open a prompt on it; the network ends with the prompt.

    With -c, or with lines on standard input, those are run instead; the exit status is that of the
    first that failed.

    \b
    emu run two_segment
    emu run two_segment --set network1=10.1.0.0/24 -c 'HOST1 ping -c 1 HOST2'
    emu run ./my_lab.py --name lab --detach
    emu run topohub:topozoo/Abilene --with-hosts
    emu run grid --set rows=20 --set columns=20 --profile -c 'pingall --sample 100'
    """
    from emu.progress import Progress
    from emu.progress_bar import profile_lines, shown
    from emu.prompt.reader import converse, print_notes

    progress = Progress()
    with shown(progress):
        network = emu.Network(graph, name, progress=progress)
    print_notes(network.plan)
    with shown(progress):
        network.start(detached=detach)
    with network:
        if profile:
            click.echo("\n".join(profile_lines(progress)), err=True)
        if not detach:
            return converse(network, lines)
        ways = f"'emu attach {network.name}', 'emu stop {network.name}'"
        click.echo(f"{network.name} is running; {ways}", err=True)
        return converse(network, lines) if lines else 0


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(run)
