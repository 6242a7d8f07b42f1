"""The words of Mininet's prompt: `help` does not list them, and each does what ours does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import LineCommand, WordsCommand

if TYPE_CHECKING:
    from emu.prompt.session import Session

#: Their word → the line that it stands for; {} is what follows it.
_MEANT = {
    "?": "help {}",
    "EOF": "exit",
    "gterm": "terminal {}",
    "intfs": "interfaces {}",
    "net": "links {}",
    "noecho": "{}",
    "pingallfull": "pingall {}",
    "pingpairfull": "pingpair {}",
    "ports": "interfaces {}",
    "px": "py {}",
    "x": "{} &",
    "xterm": "terminal {}",
}
#: Their word → what to use in its place, where nothing of ours is the same.
_INSTEAD = {
    "dpctl": "switches are Linux bridges, without OpenFlow; 'NODE bridge fdb' and 'NODE bridge link' tell",
    "switch": "a switch always runs; 'remove node NODE' takes it away, 'link NODE NODE down' a port",
}


@click.command(hidden=True, cls=WordsCommand)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[RATE] [NODE NODE]")
@click.pass_obj
def iperfudp(session: Session, words: tuple[str, ...]) -> int:
    """Mininet's word for `iperf --udp`; a rate may come first.

    \b
    emu> iperfudp 10M HOST1 HOST2
    """
    rate: tuple[str, ...] = ()
    if words and words[0][:1].isdigit() and words[0] not in session.network:
        rate, words = ("--rate", _rate(words[0])), words[1:]
    return session.run_line(" ".join(("iperf", "--udp", *rate, *words)))


def _rate(word: str) -> str:
    """Return a rate with a unit of ours for one of iperf's: `10M` is 10mbit."""
    units = {"K": "kbit", "M": "mbit", "G": "gbit"}
    return word[:-1] + units[word[-1].upper()] if word[-1].upper() in units else f"{word}bit"


def _alias(word: str, meant: str) -> click.Command:
    """Return the command that runs the line which a word stands for."""

    @click.command(word, hidden=True, cls=LineCommand)
    @click.argument("line", nargs=-1, type=click.UNPROCESSED, metavar="…")
    @click.pass_obj
    def command(session: Session, line: tuple[str, ...]) -> int:
        return session.run_line(meant.format(" ".join(line)))

    command.help = f"Mininet's word for `{meant.format('…')}`."
    return command


def _refusal(word: str, instead: str) -> click.Command:
    """Return the command that says what to use in a word's place."""

    @click.command(word, hidden=True, cls=WordsCommand)
    @click.argument("line", nargs=-1, type=click.UNPROCESSED)
    def command(line: tuple[str, ...]) -> None:  # noqa: ARG001  # whatever it is
        from emu.errors import UsageError

        raise UsageError(f"{word}: {instead}")

    command.help = f"A word of Mininet's: {instead}."
    return command


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for word, meant in _MEANT.items():
        register(_alias(word, meant))
    for word, instead in _INSTEAD.items():
        register(_refusal(word, instead))
    register(iperfudp)
