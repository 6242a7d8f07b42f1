"""The hooks: what a plugin can add, and when each is called.

A plugin is a module with functions that `@emu.hookimpl` marks. Everything that emu brings goes through
these same hooks. A hook function may leave out parameters that it does not need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import click
    import networkx as nx

    from ..graph.topology import Topology
    from ..planning.addressing import Addressing
    from ..planning.plan import Plan
    from ..planning.routes import Route
    from ..running.network import Network

hookspec = pluggy.HookspecMarker("emu")
hookimpl = pluggy.HookimplMarker("emu")


@hookspec
def emu_register_topologies(register: Callable[..., None]) -> None:
    """Add topologies, for `emu run NAME`.

    Called once, when a topology is first looked up or listed. A function marked `@emu.topology` needs
    no hook: it is registered by itself.

    Args:
        register: `register(function, name=None)` takes a function that returns a networkx graph; its
            keyword arguments are what `--set` can change, its docstring's first line the summary.
    """


@hookspec(firstresult=True)
def emu_load_graph(source: str) -> nx.Graph | None:
    """Read a graph from what a user named, such as a file of some format.

    Called for a TOPOLOGY argument that is no topology's name and no Python file; the first plugin
    that returns a graph wins.

    Args:
        source: the argument as it was typed.

    Returns:
        The graph, or None to leave it to others. Raise `emu.UsageError` when the source is yours but
        cannot be read.
    """


@hookspec
def emu_search_graphs(word: str) -> list[tuple[str, str, str]] | None:
    """Name graphs that `emu_load_graph` can load and that match a word, for `emu topologies --search`.

    Called each time somebody searches, so it should not read whole graphs.

    Args:
        word: what to look for, without regard to case.

    Returns:
        For each graph what to type after `emu run`, a summary, and where it comes from.
    """


@hookspec
def emu_prepare_graph(graph: nx.Graph) -> None:
    """Change a graph before it is checked and planned, whatever it came from.

    Args:
        graph: a copy of the user's graph, to be changed in place.
    """


@hookspec(firstresult=True)
def emu_assign_addresses(topology: Topology) -> Addressing | None:
    """Assign a prefix to each segment and an address to each interface in a way of your own.

    Called while planning; must depend on the topology alone.

    Args:
        topology: the checked graph.

    Returns:
        Prefixes per segment and addresses per interface, or None for the usual ones.
    """


@hookspec(firstresult=True)
def emu_compute_routes(topology: Topology, addressing: Addressing) -> dict[str, tuple[Route, ...]] | None:
    """Compute routes in a way of your own.

    Called while planning, after addresses are assigned; must depend on its arguments alone.

    Args:
        topology: the checked graph.
        addressing: what `emu_assign_addresses` returned.

    Returns:
        Routes per node name, beyond those of the node's own interfaces, or None for shortest paths.
    """


@hookspec
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add commands to the `emu>` prompt.

    Called once, before the first line is read.

    Args:
        register: `register(command)` takes a `click.Command`; its name is what is typed, its help what
            `help` shows. `@click.pass_obj` gives it the `emu.prompt.session.Session`. Tab offers options,
            choices and files by the parameters' types, what a parameter's `shell_complete` returns, and nodes
            and interfaces for a text whose `metavar` holds NODE. An `emu.arguments.LineCommand` gets the
            rest of its line as it was typed.
    """


@hookspec
def emu_register_programs(register: Callable[..., None]) -> None:
    """Add programs that every node finds in its PATH when the machine has none of that name.

    Called before a network is built.

    Args:
        register: `register(name, module, standalone=False)` takes the program's name and the Python
            module that is run as `python -m module` with the program's arguments. A `standalone` one
            imports nothing but the standard library and its own package, and starts the faster for it.
    """


@hookspec
def emu_register_exporters(register: Callable[..., None]) -> None:
    """Add file formats to `emu graph`.

    Called once, when a graph is exported or the formats are listed.

    Args:
        register: `register(suffix, write, summary)` takes a file suffix such as `".png"`, a function
            `write(plan: Plan, path: Path)` and a line that says what the format is for.
    """


@hookspec
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add commands to the `emu` command line.

    Called once, before the command line is parsed. Import what is heavy inside of the command.

    Args:
        cli: the group to add `click` commands to; adding a taken name is refused.
    """


@hookspec
def emu_network_started(network: Network) -> None:
    """Act on a network that has just been built.

    Called in the process that started it, after every address and route is in place.

    Args:
        network: the running network.
    """


@hookspec
def emu_network_stopping(network: Network) -> None:
    """Act on a network that is about to end, in the process that started it.

    Not called when that process is killed: nothing that must happen may rest on it.

    Args:
        network: the network, still running.
    """


Exporter = Callable[["Plan", "Path"], Any]
