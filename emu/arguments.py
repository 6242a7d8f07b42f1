"""What a command that takes a TOPOLOGY is given on the command line, and the graph that it means."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import networkx as nx

_TOPOLOGY = """\
TOPOLOGY is a name of 'emu topologies', FILE.py[:function], a graph file (.yaml, .json, .graphml, .gml, .dot),
or topohub:KEY, a public map that 'emu topologies --search WORD' finds."""


def takes_topology(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument TOPOLOGY and the options that go with it.

    The function gets the graph that they mean, as its parameter `graph`, and its help says what they are.
    """

    @click.argument("topology")
    @click.option(
        "-s", "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the topology."
    )  # fmt: skip
    @click.option("--with-hosts", is_flag=True, help="Give every router a host of its own, H-ROUTER.")
    @click.option("-4", "family", flag_value=4, type=int, help="IPv4 only.")
    @click.option("-6", "family", flag_value=6, type=int, help="IPv6 only.")
    @functools.wraps(function)
    def command(
        topology: str, settings: tuple[str, ...], with_hosts: bool, family: int | None, **options: Any
    ) -> Any:  # fmt: skip
        return function(graph=_graph(topology, settings, with_hosts, family), **options)

    first, gap, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    command.__doc__ = f"{first}\n\n{_TOPOLOGY}{gap}{rest}"
    return command


def _graph(topology: str, settings: tuple[str, ...], with_hosts: bool, family: int | None) -> nx.Graph:
    """Return the graph that somebody named, changed as they asked."""
    from .sources import graph_from

    graph = graph_from(topology, settings)
    if with_hosts:
        from . import hosts

        graph = hosts.with_hosts(graph)
    if family is not None:
        graph.graph["families"] = (family,)
    return graph
