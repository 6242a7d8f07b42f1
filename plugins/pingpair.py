"""`pingpair`: whether two nodes reach each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import takes_family, takes_timeout
from emu.plugins.pingall import show_results, takes_json

if TYPE_CHECKING:
    from emu.prompt.session import Session


@click.command()
@click.argument("names", nargs=-1, metavar="[NODE NODE]")
@takes_family
@takes_timeout
@takes_json
@click.pass_obj
def pingpair(
    session: Session, names: tuple[str, ...], family: int | None, timeout: float, as_json: bool
) -> int:  # fmt: skip
    """Ping two nodes from each other, the first two hosts where none are named.

    The exit status is 0 when both answered, else 1.

    \b
    emu> pingpair
    emu> pingpair HOST1 ROUTER
    """
    from emu.errors import UsageError

    if len(names) not in (0, 2):
        raise UsageError("pingpair: name two nodes, or none for the first two hosts")
    return show_results(session.network.ping_pair(*names, family=family, timeout=timeout), as_json)


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(pingpair)
