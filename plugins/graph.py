"""`emu graph` and the prompt's `graph`: a topology as a picture or a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import planned, takes_topology

if TYPE_CHECKING:
    import networkx as nx

    from emu.prompt.session import Session


def _print_formats(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the formats and leave."""
    if not wanted:
        return
    from emu.hooks.plugin_manager import default_plugins
    from emu.tables import print_table

    exporters = default_plugins().exporters
    print_table(["SUFFIX", "FORMAT"], [(suffix, exporters[suffix][1]) for suffix in exporters])
    context.exit()


@click.command("graph", short_help="Draw a topology, or write it to a file.")
@takes_topology
@click.option(
    "-o", "--output", "path", required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="What to write; its suffix says in which format.",
)  # fmt: skip
@click.option(
    "--formats", is_flag=True, is_eager=True, expose_value=False, callback=_print_formats,
    help="List the formats and exit.",
)  # fmt: skip
def graph_of_topology(graph: nx.Graph, path: Path) -> None:
    """Write what 'emu run' would build as a picture or a graph file, nothing being built.

    A .png, .svg or .pdf is a picture, for which matplotlib must be installed; .json, .graphml, .gml
    and .dot (Graphviz) hold every address, and 'emu run FILE' builds the same network from them.

    \b
    emu graph two_segment -o two_segment.svg
    emu graph ./my_lab.py -o my_lab.json && emu run my_lab.json
    emu graph --formats
    """
    from emu.export import export_plan
    from emu.hooks.plugin_manager import default_plugins

    export_plan(planned(graph), path, default_plugins())


@click.command("graph")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.pass_obj
def graph_of_session(session: Session, path: Path) -> None:
    """Draw the network, or write it to a file; the suffix says in which format.

    'emu graph --formats' lists them: .png, .svg and .pdf are pictures, .json and .dot can be run again.

    \b
    emu> graph network.png
    """
    from emu.export import export_plan

    export_plan(session.network.plan, path, session.plugins)
    click.echo(f"written: {path}")


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(graph_of_topology)


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(graph_of_session)
