"""Where a prompt's lines come from: options, standard input, or a person at a terminal."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..processes.terminal import has_terminal, on_signal
from ..running.network import Network
from .session import Leave, Session, print_error

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from ..planning.plan import Plan


def converse(
    network: Network, lines: Sequence[str] = (), *, keep_going: bool = False, echo: bool = False
) -> int:
    """Run lines on a network: the given ones, else those of standard input, else a person's.

    Args:
        network: the network.
        lines: what to run instead of asking.
        keep_going: whether lines that are not typed go on after one that failed.
        echo: whether each of them is shown before it runs.

    Returns:
        The status of the first line that failed; 0 after a conversation with a person.
    """
    session = Session(network, network.plugins)
    session.stops, session.echoes = not keep_going, echo
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # from now on Ctrl-C ends a line only
    try:
        if lines:
            _watch_daemons(session)
            return session.run_lines(lines, "-c" if len(lines) > 1 else "")
        if has_terminal():
            with on_signal(signal.SIGTSTP, _go_on):
                return talk(session)
        # Programs must not read the lines that are meant for us.
        session.jobs.stdin = subprocess.DEVNULL
        _watch_daemons(session)
        return session.run_lines(sys.stdin or (), _input_name())
    except Leave as leave:
        return leave.status
    finally:
        session.close()


def _go_on() -> None:
    """Ctrl-Z stops programs in nodes, which have a terminal of their own; neither us nor a command's pipe."""
    os.killpg(0, signal.SIGCONT)


def _watch_daemons(session: Session) -> None:
    """Tell of daemons that end, if there are any, where lines come from a script."""
    if any(node.plan.inside is not None and node.plan.inside.run for node in session.network):
        session.jobs.watch()


def _input_name() -> str:
    """Return what errors call standard input: the file that it is, where it is one."""
    with contextlib.suppress(OSError):
        path = os.readlink("/proc/self/fd/0")
        if os.path.isfile(path):
            near = os.path.relpath(path)
            return path if near.startswith(os.pardir) else near
    return "<stdin>"


def print_notes(plan: Plan) -> None:
    """Print what a user should know of a plan, on standard error."""
    for line in (*plan.warnings, *plan.notes):
        print_error(line)


def talk(session: Session) -> int:
    """Read lines from a person until Ctrl-D or `exit`; return 0, or 1 when the network was ended."""
    gc.enable()  # a conversation may last for days
    network = session.network
    print(f"{network.name}: {len(network)} nodes. 'help' lists the commands, Ctrl-D leaves.")
    for node in network:
        if session.is_command(node.name):
            way = f"'in {node.name} COMMAND…' runs programs in it"
            print_error(f"node {node.name} has the name of a command; {way}")
    session.stops = False  # as a shell that a person types at
    session.jobs.watch()
    for line in _typed_lines(session):
        session.jobs.hold()
        try:
            session.run_line(line)
        except Leave:
            return 0
        except KeyboardInterrupt:
            print()
        if not network.sandbox.alive():
            break
        session.jobs.report()
    if network.sandbox.alive():
        return 0
    print_error(f"network {network.name} has ended")
    return 1


def _typed_lines(session: Session) -> Iterator[str]:
    """Yield lines as they are typed. Ctrl-C drops the line, as a shell does; Ctrl-D ends.

    So does the network's end, whatever brought it about.
    """
    import asyncio

    from prompt_toolkit.application import get_app
    from prompt_toolkit.patch_stdout import patch_stdout

    prompt = _prompt_session(session)
    keeper = session.network.sandbox.pidfd

    def watch_keeper() -> None:
        app = get_app()
        loop = asyncio.get_running_loop()

        def leave() -> None:
            loop.remove_reader(keeper)
            if app.future is not None and not app.future.done():  # not while it ends for another reason
                app.exit(exception=EOFError)

        loop.add_reader(keeper, leave)

    while True:
        try:
            with patch_stdout(raw=True):  # what jobs print goes above the prompt
                line = prompt.prompt("emu> ", pre_run=watch_keeper)
            yield line
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def _prompt_session(session: Session) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings

    from .completion import LineCompleter
    from .history import open_history

    keys = KeyBindings()
    keys.add("c-z")(lambda _: None)  # else it would be a letter of the line
    return PromptSession(
        history=open_history(), completer=LineCompleter(session), complete_while_typing=False,
        key_bindings=keys,
    )  # fmt: skip
