"""Prompt commands that leave the prompt."""

from __future__ import annotations

from collections.abc import Callable

import click

import emu


@click.command("exit")
def leave() -> None:
    """Leave the prompt; a network that it started ends."""
    from emu.prompt.session import Leave

    raise Leave


@click.command("quit", hidden=True)
def quit_() -> None:
    """Leave the prompt, as exit does."""
    from emu.prompt.session import Leave

    raise Leave


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    register(leave)
    register(quit_)
