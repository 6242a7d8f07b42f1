"""What commands have in common: the argument TOPOLOGY and the graph that it means, and options of several."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .errors import shown

if TYPE_CHECKING:
    import networkx as nx

    from .planning.plan import Plan

_TOPOLOGY = """\
TOPOLOGY is a name of 'emu topologies', FILE.py[:function], a graph file (.yaml, .json, .graphml, .gml, .dot),
or topohub:KEY, a public map that 'emu topologies --search WORD' finds."""

#: The options that are attributes of the graph.
_ATTRIBUTES = ("families", "loopbacks", "packed", "pools", "routes")
_ROUTES = ("compressed", "full", "hosts", "none")


class Seconds(click.ParamType):
    """A length of time, which becomes a number of seconds: `5`, `100ms`, `2min`.

    Attributes:
        most: how many seconds it is at most.
    """

    name = "seconds"

    def __init__(self, most: float = 86_400) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return how many seconds a word says."""
        from .schedules import parse_moment

        if isinstance(value, float):  # an option's default
            return value
        try:
            seconds = parse_moment(value, "time") / 1e9
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not 0 < seconds <= self.most:
            self.fail(f"{value} is not more than 0 s, and {self.most:g} s at most", param, ctx)
        return seconds


def takes_topology(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument TOPOLOGY and the options that go with it.

    The function gets the graph that they mean, as its parameter `graph`, and its help says what they are.
    """

    @click.argument("topology")
    @click.argument("more", nargs=-1, metavar="", expose_value=False, callback=_refuse_more)
    @click.option(
        "-s", "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the topology."
    )  # fmt: skip
    @click.option("--with-hosts", is_flag=True, help="Give every router a host of its own, H-ROUTER.")
    @click.option("-4", "families", flag_value=4, type=int, help="IPv4 only.")
    @click.option("-6", "families", flag_value=6, type=int, help="IPv6 only.")
    @click.option("--loopbacks", is_flag=True, default=None, help="Give every router addresses on lo.")
    @click.option(
        "--pool",
        "pools",
        multiple=True,
        metavar="PREFIX",
        help="Where prefixes come from, instead of 10.0.0.0/8 and fd00::/16; one of each family.",
    )
    @click.option(
        "--packed/--readable", default=None, help="Prefixes as narrow as they can be, or of /24 and /64."
    )
    @click.option(
        "--routes",
        type=click.Choice(_ROUTES),
        help="As few as mean the same, one per segment, the hosts' default routes only, or none.",
    )
    @functools.wraps(function)
    def command(topology: str, settings: tuple[str, ...], with_hosts: bool, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _ATTRIBUTES}
        attributes = {name: value for name, value in given.items() if value not in (None, ())}
        return function(graph=_graph(topology, settings, with_hosts, attributes), **options)

    first, gap, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    command.__doc__ = f"{first}\n\n{_TOPOLOGY}{gap}{rest}"
    return command


def takes_lines(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that opens a prompt the options for lines that run instead of what a person types.

    The function gets them as `lines`, `keep_going` and `echo`.
    """
    for option in (
        click.option("-x", "--echo", is_flag=True, help="Show each line before it runs."),
        click.option("-k", "--keep-going", is_flag=True, help="Go on after a line that failed."),
        click.option(
            "-c", "lines", multiple=True, metavar="LINE", help="Run this line instead of the prompt."
        ),
    ):
        function = option(function)
    return function


def takes_family(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options -4 and -6; the function gets `family`, None where neither is given."""
    for version in (6, 4):
        text = f"Over IPv{version} only."
        function = click.option(f"-{version}", "family", flag_value=version, type=int, help=text)(function)
    return function


def takes_timeout(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that waits for answers an option for how long: the function gets `timeout`, in s."""
    text = "How long to wait for an answer; default 1."
    return click.option("-W", "--timeout", type=Seconds(3600), default=1.0, metavar="SECONDS", help=text)(
        function
    )


class WordsCommand(click.Command):
    """A prompt command whose words are its own affair, also those that look like options."""

    ignore_unknown_options = True
    allow_interspersed_args = False


class LineCommand(WordsCommand):
    """A prompt command that gets the rest of its line as it was typed, as one word: for a shell, say."""


def _refuse_more(context: click.Context, _: click.Parameter, words: tuple[str, ...]) -> None:
    """Refuse words behind the topology; its parameters, which Python has there, are an option's."""
    if words:
        hint = f"; a parameter of the topology is --set {words[0]}" if "=" in words[0] else ""
        raise click.UsageError(f"unexpected argument {shown(words[0])}{hint}", context)


def _graph(
    topology: str, settings: tuple[str, ...], with_hosts: bool, attributes: dict[str, Any]
) -> nx.Graph:  # fmt: skip
    """Return the graph that somebody named, changed as they asked."""
    from .reading.sources import graph_from

    graph = graph_from(topology, settings)
    if with_hosts:
        from .graph import hosts

        graph = hosts.with_hosts(graph)
    graph.graph.update(attributes)
    return graph


def planned(graph: nx.Graph) -> Plan:
    """Return the plan of a graph, showing at a terminal how far it is.

    Raises:
        TopologyError: with every fault of the graph.
        PlanError: when addresses run out.
    """
    from .hooks.plugin_manager import default_plugins
    from .progress import Progress
    from .progress_bar import shown

    progress = Progress()
    with shown(progress):
        return default_plugins().plan_for(graph, progress=progress)
