"""`path`: the nodes that packets really pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import takes_family, takes_timeout
from emu.plugins.pingall import takes_json

if TYPE_CHECKING:
    from emu.prompt.session import Session


@click.command()
@click.argument("source", metavar="NODE")
@click.argument("target", metavar="TARGET")
@takes_family
@takes_timeout
@takes_json
@click.pass_obj
def path(
    session: Session, source: str, target: str, family: int | None, timeout: float, as_json: bool
) -> int:  # fmt: skip
    """Show the nodes that a ping from NODE to TARGET, a node or an address, passes, and the way back.

    The packet is watched on its way, so that switches and routers that do not answer show as well. Of one
    that is lost it tells how far it got; the exit status is then 1.

    \b
    emu> path HOST1 HOST2
    """
    found = session.network.path(source, target, family=family, timeout=timeout)
    if as_json:
        click.echo(json.dumps({"path": list(found), "back": found.back, "reason": found.reason}))
        return 1 if found.reason else 0
    click.echo(" → ".join(found))
    if found.reason:
        click.echo(found.reason)
        return 1
    click.echo(f"back: {' → '.join(found.back)}")
    return 0


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(path)
