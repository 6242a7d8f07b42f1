"""`emu topologies`: what can be run by name."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import click

import emu


@click.command(short_help="List the topologies and their parameters.")
@click.option("--search", "word", metavar="WORD", help="Those with this word only, public maps among them.")
def topologies(word: str | None) -> None:
    """List the topologies that can be named, with their parameters and defaults.

    With --search, also the public maps that can be loaded.

    \b
    emu topologies
    emu run two_segment --set network1=10.1.0.0/24
    emu topologies --search germany
    """
    from emu.hooks.plugin_manager import default_plugins
    from emu.tables import print_table

    plugins = default_plugins()
    known = plugins.topologies
    rows = [
        (name, _parameters(known[name]), _summary(known[name]), known.entry(name).owner) for name in known
    ]  # fmt: skip
    if word is not None:
        rows = [row for row in rows if any(word.lower() in cell.lower() for cell in row[:3])]
        found = itertools.chain.from_iterable(plugins.call("emu_search_graphs", word=word))
        rows += [(name, "", summary, owner) for name, summary, owner in found]
        if not rows:
            raise emu.UsageError(f"search {word!r}: it is in no topology's name; 'emu topologies' lists them")
    print_table(["NAME", "PARAMETERS", "SUMMARY", "FROM"], rows)


def _parameters(function: Callable[..., Any]) -> str:
    from emu.reading.sources import parameters_of

    return " ".join(
        name if parameter.default is parameter.empty else f"{name}={parameter.default}"
        for name, parameter in parameters_of(function).items()
    )


def _summary(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(topologies)
