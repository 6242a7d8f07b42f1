"""Prompt commands that do not concern the network: help, lines from a file, the outer host."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import LineCommand

if TYPE_CHECKING:
    from emu.prompt.session import Session


def _commands_like(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    return [name for name in context.obj.plugins.commands if name.startswith(word)]


@click.command("help")
@click.argument("names", nargs=-1, metavar="[COMMAND]", shell_complete=_commands_like)
@click.pass_obj
def help_(session: Session, names: tuple[str, ...]) -> None:
    """Show the commands, or how one is used.

    \b
    emu> help pingall
    emu> help add link
    """
    from emu.tables import show, table_text

    commands = session.plugins.commands
    if names:
        _show_help(session, names)
        return
    rows = [(name, commands[name].get_short_help_str(100)) for name in commands if not commands[name].hidden]
    show(
        "NODE COMMAND…  run a shell command line in a node: HOST1 ping -c 1 HOST2\n"
        "NODE* COMMAND…  in every node whose name matches, at once\n\n"
        + table_text(["COMMAND", "WHAT IT DOES"], rows)
        + "\n# begins a comment; Ctrl-C ends the running command, Ctrl-D leaves the prompt\n"
    )


def _show_help(session: Session, names: tuple[str, ...]) -> None:
    """Show how a command is used, or one of a group's, or what a node's name does."""
    from emu.errors import UsageError, shown, suggestion

    name = names[0]
    if not session.is_command(name):
        if name in session.network:
            click.echo(f"{name} is a node: a line that begins so runs a program in it, as {name} ip address")
            return
        hint = suggestion(name, session.words()) or "; help lists the commands"
        raise UsageError(f"no command {shown(name)}{hint}")
    command = session.plugins.commands[name]
    context = click.Context(command, info_name=name)
    for inner in names[1:]:
        known = command.commands if isinstance(command, click.Group) else {}
        if inner not in known:
            raise UsageError(f"{context.command_path} has no {shown(inner)}{suggestion(inner, known)}")
        command = known[inner]
        context = click.Context(command, info_name=inner, parent=context)
    click.echo(context.get_help())


@click.command(cls=LineCommand)
@click.argument("line", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND…")
def sh(line: tuple[str, ...]) -> int:
    """Run a shell command line on the outer machine.

    \b
    emu> sh ls *.py
    """
    import subprocess

    from emu.processes.terminal import shell_status

    return shell_status(subprocess.run(["sh", "-c", " ".join(line)], check=False).returncode)


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.pass_obj
def source(session: Session, path: Path) -> int:
    """Run the lines of a file.

    \b
    emu> source experiment.emu
    """
    from emu.errors import UsageError

    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise UsageError(f"read {path}: {reason}") from error
    return session.run_file(path, lines)


@click.command(cls=LineCommand)
@click.argument("line", nargs=-1, required=True, type=click.UNPROCESSED, metavar="LINE…")
@click.pass_obj
def time(session: Session, line: tuple[str, ...]) -> int:
    """Run a line and tell how long it took.

    \b
    emu> time HOST1 ping -c 1 HOST2
    """
    begin = clock.monotonic()
    status = session.run_line(" ".join(line))
    click.echo(f"{clock.monotonic() - begin:.3f} s")
    return status


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for command in (help_, sh, source, time):
        register(command)
