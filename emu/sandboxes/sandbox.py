"""Sandboxes: making and finding them.

A sandbox is a set of Linux namespaces that a keeper process holds. It is found by its folder (see
`emu.sandboxes.folders`), which holds the socket that the keeper answers on.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator

from ..commands import bare_python, uninterrupted
from ..errors import EmuError, NotRunning, PrivilegeError, UsageError, suggestion
from .connection import Sandbox, connect, hold_standard_descriptors
from .folders import Base, Folder, all_bases, claim, open_folder, open_folders, own_bases, sweep
from .privileges import EXHAUSTED, explain_refusal, refusal

_KEEPER = "from emu.keeper.main import main; main(*sys.argv[1:])"
#: How long all networks of one user together may take to say how they are, in seconds.
_GREETING_DEADLINE = 1.0
#: How many networks are asked at once, each over a connection of its own.
_AT_ONCE = 50


def create_sandbox(
    name: str | None, default: str, detached: bool = False, meanwhile: Callable[[], object] = lambda: None
) -> Sandbox:  # fmt: skip
    """Start a keeper; its namespaces are empty until it is asked to fill them.

    `meanwhile` is called while the keeper starts, in which the processor has time for two.

    Without a `name` the first free one of `default`, `default-2` … is taken. The sandbox ends with
    this process, unless the keeper is told to detach.

    Raises:
        UsageError: the name is no name, or taken.
        EmuError: there is no room for its folder or its keeper.
        PrivilegeError: this machine does not allow it.
    """
    hold_standard_descriptors()
    for base in own_bases():
        sweep(base)
    try:
        return _fill(claim(detached, name, default, _Patience()), meanwhile)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # which hold the folder, and with it the name
        for base in own_bases():
            sweep(base)
        raise


def _fill(folder: Folder, meanwhile: Callable[[], object]) -> Sandbox:
    """Start the keeper of a locked folder and return a connection to it."""
    log = os.memfd_create("keeper")
    ours, theirs = socket.socketpair()
    sandbox = Sandbox(folder, ours, log)
    starter = None
    try:
        with theirs, uninterrupted():  # or nobody would know whose end to wait for
            starter = _start_keeper(folder, theirs, log)
        folder.unlock()
        try:
            meanwhile()
            sandbox.greet()
            if not sandbox.same_language:
                raise EmuError("start the keeper: emu was replaced since this program began; start it anew")
        except OSError as error:
            raise refusal("make namespaces", error) from error
        except NotRunning as error:
            raise PrivilegeError(f"start the keeper with {sys.executable}: {error}") from error
        finally:
            starter.wait()
    except BaseException:
        sandbox.close()
        if starter is not None:  # which ends now, if it has not yet
            starter.wait()
        raise
    return sandbox


def _start_keeper(folder: Folder, theirs: socket.socket, log: int) -> subprocess.Popen[bytes]:
    """Start a keeper that serves the folder's socket, in a session of its own."""
    owner = os.pidfd_open(os.getpid())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(folder.socket_path)
            os.chmod(folder.socket_path, 0o600)
            passed = (theirs.fileno(), listener.fileno(), folder.fd, owner)
            return subprocess.Popen(
                bare_python(_KEEPER, folder.name, *map(str, passed)),
                pass_fds=passed, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        attempt = f"start the keeper with {sys.executable}"
        if error.errno in EXHAUSTED:
            raise refusal(attempt, error) from error
        raise EmuError(explain_refusal(attempt, error)) from error
    finally:
        os.close(owner)


class _Patience:
    """Waits while somebody holds a wanted name: its keeper may be about to end, one that answers is not."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + 2 * _GREETING_DEADLINE

    def __call__(self, base: Base, name: str) -> None:
        attempt = f"name a network {name!r}: one of that name"
        with contextlib.suppress(OSError, NotRunning):
            sandbox = _reach(open_folder(base, name))
            sandbox.send_greeting()
            sandbox.await_greeting(self._deadline)
            if sandbox.facts is not None:
                ways = f"'emu attach {name}' joins it, 'emu stop {name}' ends it"
                raise UsageError(f"{attempt} is running; {ways}")
        if time.monotonic() > self._deadline:
            raise UsageError(f"{attempt} is there and does not answer; 'emu stop {name}' ends it")
        time.sleep(0.02)


def find_sandbox(name: str, *, stopping: bool = False) -> Sandbox:
    """Return a connection to the running network of that name.

    For `stopping` it, also to one that is silent or that another version of emu has started.

    Raises:
        EmuError: it is such a one.
        NotRunning: there is none; names the nearest ones that there are.
    """
    hold_standard_descriptors()
    for base in all_bases():
        with contextlib.suppress(OSError):
            sandbox = _reach(open_folder(base, name))
            sandbox.send_greeting()
            with contextlib.suppress(NotRunning):
                sandbox.await_greeting(time.monotonic() + _GREETING_DEADLINE)
                if not sandbox.same_language and not stopping:
                    ways = f"use the emu that started it, or end it with 'emu stop {name}'"
                    raise EmuError(f"network {name} was started by another version of emu: {ways}")
                if sandbox.facts is not None or stopping:
                    return sandbox
                raise EmuError(f"network {name} does not answer; 'emu stop {name}' ends it")
    names = [sandbox.name for sandbox in running_sandboxes()]
    hint = suggestion(name, names) or ("; running: " + ", ".join(names) if names else "; none is running")
    raise NotRunning(f"no network {name!r} is running{hint}")


def running_sandboxes(own: bool = False) -> Iterator[Sandbox]:
    """Yield a connection to every running network, for root everybody's unless `own`.

    Those that do not answer in time have no `facts`. Removes what killed ones of this user left.
    """
    hold_standard_descriptors()
    for base in own_bases():
        sweep(base)
    for base in own_bases() if own else all_bases():
        yield from _sandboxes_in(base)


def _sandboxes_in(base: Base) -> Iterator[Sandbox]:
    """Yield the networks of a base, asked many at a time: one that is silent delays no other."""
    folders = open_folders(base)
    deadline = time.monotonic() + _GREETING_DEADLINE
    while batch := list(itertools.islice(folders, _AT_ONCE)):
        asked = []
        for folder in batch:
            with contextlib.suppress(OSError):
                asked.append(_reach(folder))
                asked[-1].send_greeting()
        soon = time.monotonic() + _GREETING_DEADLINE / 10
        for sandbox in asked:
            with contextlib.suppress(NotRunning):
                sandbox.await_greeting(max(deadline, soon))
                yield sandbox


def _reach(folder: Folder) -> Sandbox:
    """Return a connection to whatever serves a folder; OSError when nothing of its owner's does."""
    sock = connect(folder, patient=False)
    sandbox = Sandbox(folder, sock)
    sandbox.find_keeper(sock)
    return sandbox
