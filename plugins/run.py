"""`emu run`: build a network, then the prompt."""

from __future__ import annotations

import click

import emu


@click.command(short_help="Build a network, then the prompt.")
@click.argument("topology")
@click.option("-s", "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the topology.")
@click.option("-c", "lines", multiple=True, metavar="LINE", help="Run this line instead of the prompt.")
@click.option("-n", "--name", help="What to call the network; default the topology's name.")
@click.option("-d", "--detach", is_flag=True, help="Leave it running; 'emu attach' and 'emu stop' find it.")
@click.option("-4", "family", flag_value=4, type=int, help="IPv4 only.")
@click.option("-6", "family", flag_value=6, type=int, help="IPv6 only.")
def run(
    topology: str, settings: tuple[str, ...], lines: tuple[str, ...], name: str | None, detach: bool,
    family: int | None,
) -> int:  # fmt: skip
    """Build a network and open a prompt on it; the network ends with the prompt.

    TOPOLOGY is a name of 'emu topologies', FILE.py[:function], or a graph file (.graphml, .gml, .json).
    With -c, or with lines on standard input, those are run instead; the exit status is that of the
    first that failed.

    \b
    emu run two_segment
    emu run two_segment --set network1=10.1.0.0/24 -c 'HOST1 ping -c 1 HOST2'
    emu run ./my_lab.py --name lab --detach
    """
    from emu.plugin_manager import default_plugins
    from emu.prompt.reader import converse, print_notes
    from emu.sources import graph_from

    plugins = default_plugins()
    graph = graph_from(topology, settings, plugins)
    network = emu.Network(graph, name, families=(family,) if family else None, plugins=plugins)
    print_notes(network.plan)
    if not detach:
        with network:
            return converse(network, lines)
    network.start(detached=True)
    try:
        click.echo(f"{network.name} is running; 'emu attach {network.name}', 'emu stop {network.name}'", err=True)
        return converse(network, lines) if lines else 0
    finally:
        network.close()


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(run)
