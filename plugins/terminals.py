"""`terminal`: a window with a shell in a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    from emu.prompt.session import Session


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NODE…")
@click.pass_obj
def terminal(session: Session, names: tuple[str, ...]) -> None:
    """Open a window with a shell in each of some nodes: of tmux, where the prompt is in it, else an xterm.

    The windows close when the network ends. `emu run --tmux` begins with one for each node.

    \b
    emu> terminal HOST1 HOST2
    emu> terminal HOST*
    """
    from emu.prompt.windows import open_windows

    open_windows(session.network.name, [node.name for node in session.nodes(names)], front=True)


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(terminal)
