"""`py`: Python at the prompt, with the network and its nodes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

import emu
from emu.arguments import LineCommand

if TYPE_CHECKING:
    from emu.prompt.session import Session
    from emu.running.network import Network

#: What each session's lines have assigned.
_names: weakref.WeakKeyDictionary[Session, _Names] = weakref.WeakKeyDictionary()


class _Names(dict[str, Any]):
    """The names of Python lines: what was assigned, else the network's nodes as they are now."""

    def __init__(self, network: Network) -> None:
        super().__init__(__name__="__emu__", net=network, emu=emu)
        self._network = network

    def __missing__(self, name: str) -> Any:
        if name in self._network:
            return self._network[name]
        raise KeyError(name)


def _completions(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    """Return the names, and attributes of objects, that a word could become."""
    import re
    import rlcompleter

    session: Session = context.obj
    names = dict(_names.get(session, _Names(session.network)))
    names.update((node.name, node) for node in session.network if node.name not in names)
    typed = re.split(r"[^\w.]", word)[-1]
    completer = rlcompleter.Completer(names)
    found = completer.attr_matches(typed) if "." in typed else completer.global_matches(typed)
    before = word[: len(word) - len(typed)]
    return [before + name.rstrip("() ") for name in found]


@click.command(cls=LineCommand)
@click.argument(
    "line", nargs=-1, required=True, type=click.UNPROCESSED, metavar="PYTHON…", shell_complete=_completions
)
@click.pass_obj
def py(session: Session, line: tuple[str, ...]) -> int:
    """Run a line of Python and print what it yields. `net` is the network; nodes have their names.

    A node whose name is none in Python is net["NAME"]. Variables last until the prompt ends. An exception
    is an error: the status is 1.

    \b
    emu> py HOST1.addresses
    emu> py rtts = net.ping_all().pairs
    emu> py assert HOST1.can_reach("HOST2")
    """
    names = _names.setdefault(session, _Names(session.network))
    _run(line[0], names)
    return 0


def _run(line: str, names: dict[str, Any]) -> None:
    """Run a line; EmuError in one line on whatever it raises."""
    import sys

    from emu.errors import EmuError, Terminated, one_line
    from emu.prompt.session import Leave

    hook, sys.displayhook = sys.displayhook, _show
    try:
        exec(compile(f"{line}\n", "<py>", "single"), names)  # noqa: S102  # it is what the user asks for
    except (Terminated, BrokenPipeError):
        raise
    except SystemExit:  # exit()
        raise Leave from None
    except SyntaxError as error:
        raise EmuError(f"py: SyntaxError: {error.msg}: {one_line(line)}") from error
    except EmuError as error:
        raise EmuError(f"py: {error}") from error
    except Exception as error:
        said = one_line(str(error)) or one_line(line)
        raise EmuError(f"py: {type(error).__name__}: {said}") from error
    finally:
        sys.displayhook = hook
        sys.stdout.flush()


def _show(value: object) -> None:
    if value is not None:
        click.echo(repr(value))


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(py)
