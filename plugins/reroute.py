"""`reroute`: routes over the links that work now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    from emu.prompt.session import Session


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing; show the ip commands that would.")
@click.pass_obj
def reroute(session: Session, dry_run: bool) -> None:
    """Compute all routes over the links that work now, and install the difference.

    After a link went down, or came back. Equal-cost paths shrink to those that are left, and what cannot
    be reached any more loses its routes. Routes that somebody added by hand stay.

    \b
    emu> ROUTER ip link set ROUTER-veth1 down
    emu> reroute --dry-run
    emu> reroute
    """
    done = session.network.reroute(dry_run=dry_run)
    if dry_run:
        for command in done.commands():
            click.echo(command)
    click.echo(str(done), err=dry_run)


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(reroute)
