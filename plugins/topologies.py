"""`emu topologies`: what can be run by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import click

import emu


@click.command(short_help="List the topologies and their parameters.")
def topologies() -> None:
    """List the topologies that can be named, with their parameters and defaults.

    \b
    emu topologies
    emu run two_segment --set network1=10.1.0.0/24
    """
    from emu.plugin_manager import default_plugins
    from emu.tables import print_table

    known = default_plugins().topologies
    print_table(
        ["NAME", "PARAMETERS", "SUMMARY", "FROM"],
        [
            (name, _parameters(known[name]), _summary(known[name]), known.entry(name).owner)
            for name in known
        ],
    )  # fmt: skip


def _parameters(function: Callable[..., Any]) -> str:
    from emu.sources import parameters_of

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
