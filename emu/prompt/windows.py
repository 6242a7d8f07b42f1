"""A terminal for each node: windows of tmux, or of X where `xterm` is installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import EmuError, UsageError
from ..processes.terminal import has_terminal

if TYPE_CHECKING:
    from ..planning.plan import Plan

#: A window for each of more nodes would be of no use.
_MOST = 50
#: What finds emu and its networks, as a server of tmux has had its environment from whoever started it.
_PASSED = ("PATH", "PYTHONPATH", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "EMU_HISTORY", "LANG", "LC_ALL")


def prepare_windows(plan: Plan, without_prompt: bool) -> None:
    """Go on in tmux: where this process is in none yet, become one that runs the same command.

    Raises:
        UsageError: there will be no prompt, or too many windows.
        EmuError: tmux is not installed.
    """
    if without_prompt or not has_terminal():
        raise UsageError(
            "open windows of tmux: they go with a prompt at a terminal, not with a script or --detach"
        )
    _check_number(
        len(plan.nodes), "leave --tmux out; at the prompt 'terminal NODE…' opens those that you need"
    )
    if shutil.which("tmux") is None:
        raise EmuError(
            "open windows of tmux: tmux is not installed; in another terminal 'emu exec' does the same"
        )
    if os.environ.get("TMUX"):
        return
    words = shlex.join([*_emu(), *sys.argv[1:]])
    # What went wrong in a window would go with it.
    script = f'{words} || {{ echo "status $?; Enter closes the window"; read line; }}'
    command = ["tmux", "new-session", "-n", "emu", *_surroundings(), "sh", "-c", script]
    os.execvp("tmux", command)  # the network belongs to the prompt's window from here on


def open_windows(network: str, nodes: Sequence[str], front: bool) -> None:
    """Open a terminal with a shell in each of some nodes; in `front`, tmux shows the last one.

    Raises:
        UsageError: there is nothing to open windows in, or they are too many.
        EmuError: a window cannot be opened.
    """
    _check_number(len(nodes), "name fewer nodes")
    for node in nodes:
        shell = [*_emu(), "exec", network, node, shutil.which("bash") or "sh"]
        if os.environ.get("TMUX") and shutil.which("tmux"):
            where = [] if front else ["-d"]
            _start(["tmux", "new-window", *where, "-n", node, *_surroundings(), shlex.join(shell)])
        elif os.environ.get("DISPLAY") and shutil.which("xterm"):
            # A shell leaves it to the machine: it may live for long, and nobody waits for it.
            script = '"$@" </dev/null >/dev/null 2>&1 &'
            _start(["sh", "-c", script, "sh", "xterm", "-T", node, "-e", *shell])
        else:
            way = f"'emu exec {network} {node} bash' in another terminal, or 'emu run … --tmux'"
            raise UsageError(
                f"open a terminal for {node}: this one is not in tmux, and there is no xterm; {way}"
            )


def _check_number(count: int, way: str) -> None:
    if count > _MOST:
        raise UsageError(f"open {count:,} terminals: more than {_MOST} are of no use; {way}")


def _emu() -> list[str]:
    return [sys.executable, "-m", "emu"]


def _surroundings() -> list[str]:
    """Return what tmux has to be told of, so that a window is where this process is."""
    passed = [word for name in _PASSED if name in os.environ for word in ("-e", f"{name}={os.environ[name]}")]
    return ["-c", os.getcwd(), *passed]


def _start(command: list[str]) -> None:
    """Run a command that opens a window."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    except OSError as error:
        raise EmuError(f"open a terminal: {command[0]}: {error.strerror}") from error
    if done.returncode:
        reason = done.stderr.strip() or f"status {done.returncode}"
        raise EmuError(f"open a terminal: {command[0]}: {reason}")
