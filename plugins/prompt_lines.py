"""Commands that run other lines: `for`, `in`, `not`; and `set`, which says what scripts do on a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import LineCommand, WordsCommand

if TYPE_CHECKING:
    from emu.prompt.session import Session


@click.command("for", cls=LineCommand)
@click.argument("line", nargs=-1, required=True, type=click.UNPROCESSED, metavar="WORD in VALUE…: LINE")
@click.pass_obj
def for_(session: Session, line: tuple[str, ...]) -> int:
    """Run a line once for each value, one after the other, with {WORD} standing for the value.

    Shell patterns among the values stand for nodes. The status is that of the first time that failed; in a
    script, or after `set -e`, that is the last.

    \b
    emu> for n in HOST*: {n} ping -c 1 ROUTER
    emu> for a in HOST*: for b in HOST* ROUTER: {a} ping -c 1 -W 1 {b}
    emu> for size in 100 1000: HOST1 ping -c 1 -s {size} HOST2
    """
    from emu.errors import UsageError
    from emu.prompt.choosing import expanded

    head, colon, rest = f"{line[0]} ".partition(": ")
    word, *values = head.split()
    if not colon or len(values) < 2 or values[0] != "in" or not word.isidentifier() or not rest.strip():
        raise UsageError("for: it is written like 'for n in HOST*: {n} ping -c 1 ROUTER'")
    lines = [rest.replace(f"{{{word}}}", value).strip() for value in expanded(session.network, values[1:])]
    return session.run_lines(lines)


@click.command("in", cls=LineCommand)
@click.argument("line", nargs=-1, required=True, type=click.UNPROCESSED, metavar="NODE COMMAND…")
@click.pass_obj
def in_(session: Session, line: tuple[str, ...]) -> int:
    """Run a shell command line in a node, also in one that has the name of a command.

    Without this word a line that begins with a command is that command, and one that begins with a node's
    name runs in the node.

    \b
    emu> in HOST1 hostname
    """
    word, _, command = line[0].partition(" ")
    return session.run_in_nodes(word, command)


@click.command("not", cls=LineCommand)
@click.argument("line", nargs=-1, required=True, type=click.UNPROCESSED, metavar="LINE…")
@click.pass_obj
def not_(session: Session, line: tuple[str, ...]) -> int:
    """Run a line that must fail: the status is 0 when it does, and 1 when it does not. `!` is the same.

    \b
    emu> link ROUTER HOST2 down
    emu> ! HOST1 ping -c 1 -W 1 HOST2
    """
    from emu.errors import EmuError

    if session.run_line(line[0]) == 0:
        raise EmuError(f"not: it was to fail, and it did not: {line[0]}")
    return 0


#: As shells write it; no heading and no link can be called so.
_bang = LineCommand("!", callback=not_.callback, params=not_.params, help=not_.help, hidden=True)


@click.command("set", cls=WordsCommand)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-e|+e|-x|+x]…")
@click.pass_obj
def set_(session: Session, words: tuple[str, ...]) -> None:
    """Say what lines of scripts do: -e stops at the first that fails, +e goes on, -x shows each, +x none.

    They are files that `source` reads, standard input, and the lines of -c. At a terminal it begins with +e,
    else with -e unless emu was started with --keep-going. Without a word it shows what holds.

    \b
    emu> set +e
    emu> set -x
    """
    from emu.errors import UsageError

    for word in words:
        if word[:1] not in ("-", "+") or not word[1:] or not set(word[1:]) <= set("ex"):
            raise UsageError(f"set {word}: known are -e, +e, -x and +x")
        if "e" in word:
            session.stops = word[0] == "-"
        if "x" in word:
            session.echoes = word[0] == "-"
    if not words:
        click.echo(f"set {'-' if session.stops else '+'}e {'-' if session.echoes else '+'}x")


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for command in (for_, in_, not_, _bang, set_):
        register(command)
