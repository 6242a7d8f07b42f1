"""Where a prompt's lines come from: options, standard input, or a person at a terminal."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..network import Network
from ..terminal import has_terminal
from .session import Leave, Session, print_error

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from ..plan import Plan


def converse(network: Network, lines: Sequence[str] = ()) -> int:
    """Run lines on a network: the given ones, else those of standard input, else a person's.

    Returns:
        The status of the first line that failed; 0 after a conversation with a person.
    """
    session = Session(network, network.plugins)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # from now on Ctrl-C ends a line only
    try:
        if lines:
            _watch_daemons(session)
            return session.run_lines(lines)
        if has_terminal():
            return talk(session)
        # Programs must not read the lines that are meant for us.
        session.jobs.stdin = subprocess.DEVNULL
        _watch_daemons(session)
        return session.run_lines(sys.stdin or ())
    except Leave as leave:
        return leave.status
    finally:
        session.close()


def _watch_daemons(session: Session) -> None:
    """Tell of daemons that end, if there are any, where lines come from a script."""
    if any(node.plan.inside is not None and node.plan.inside.run for node in session.network):
        session.jobs.watch()


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
        if node.name in session.plugins.commands:
            way = f"'emu exec {network.name} {node.name} COMMAND…' in another terminal"
            print_error(f"node {node.name} has the name of a command; {way} runs programs in it")
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
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    from .completion import LineCompleter

    history: History
    try:
        path = history_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        history = FileHistory(str(path))
    except OSError:  # no home, or one that cannot be written
        history = InMemoryHistory()
    return PromptSession(history=history, completer=LineCompleter(session), complete_while_typing=False)


def history_path() -> Path:
    """Return where the prompt's history is kept (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path(os.path.expanduser("~"), ".local", "state")
    return base / "emu" / "history"
