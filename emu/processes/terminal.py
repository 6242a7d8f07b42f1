"""Running a program in a node with the user's terminal, as `ssh -t` does for another machine.

The program gets a pseudo-terminal of its own; this side relays bytes and the window's size, with the
user's terminal in raw mode, so that every key reaches the program and its line discipline.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..cgroups.values import show_memory
from ..keeper.wire import FRONT
from .process import Process

#: What is read from either side at once, in bytes.
_CHUNK = 1 << 16
#: Signals by which a user has something to say to the program in front.
SPOKEN = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
ENDING = (*SPOKEN, signal.SIGTERM, signal.SIGHUP)


def has_terminal() -> bool:
    """Tell whether standard input and output are a terminal that can be handed on."""
    with contextlib.suppress(OSError):
        return os.isatty(0) and os.isatty(1)
    return False


def _in_front() -> bool:
    """Tell whether the terminal is this process's to read and to set, not another's of the same shell."""
    with contextlib.suppress(OSError):  # it is nobody's
        return os.tcgetpgrp(0) == os.getpgrp()
    return True


def await_status(process: Process) -> int:
    """Wait for a program's end and return a shell's status; if it was for lack of memory, say so."""
    status = shell_status(process.wait())
    if process.starved:
        sys.stdout.flush()
        reason = f"a program was killed at its limit of {show_memory(process.starved)}"
        sys.stderr.write(f"emu: {process.node} is out of memory: {reason}\n")
        sys.stderr.flush()
    return status


def shell_status(returncode: int) -> int:
    """Return a program's exit status as a shell tells it: 128 + n when signal n ended it."""
    return returncode if returncode >= 0 else 128 - returncode


class TerminalJob:
    """A program on a pseudo-terminal; in front only while `foreground` runs.

    Attributes:
        process: the program.
    """

    def __init__(self, start: Callable[[int], Process]) -> None:
        """Start a program by `start`, which is given the program's end of the terminal."""
        self.master, theirs = os.openpty()
        self._stopped = False
        self._behind: threading.Thread | None = None
        self._lock = threading.Lock()
        self._leave = -1
        try:
            os.set_inheritable(self.master, False)
            with contextlib.suppress(termios.error):
                termios.tcsetattr(theirs, termios.TCSANOW, termios.tcgetattr(0))
            self._copy_size()
            self.process = start(theirs)
        except BaseException:
            os.close(self.master)
            raise
        finally:
            os.close(theirs)

    @property
    def state(self) -> str:
        """Running, stopped or exited, as far as that was noticed: in front, or behind it by `background`."""
        if self.process.returncode is not None:
            return "exited"
        return "stopped" if self._stopped else "running"

    def foreground(self, *, resumed: bool = False) -> str:
        """Relay until the program stops or ends, and return the state; to be `resumed`, it goes on first."""
        self._leave_background()
        if self.state == "exited":
            return self.state
        with _raw_mode(), on_signal(signal.SIGWINCH, self._copy_size):
            self._copy_size()
            if resumed:  # only now that the terminal is ours
                self.process.send_signal(FRONT)
                self.go_on()
            self._relay(0, lambda: self.process.send_signal(signal.SIGHUP), _print)
        if self.state == "exited":
            self.close()
        return self.state

    def see_out(self) -> int:
        """Let a stopped program go on to its end without the keys of the terminal; return a shell's status.

        One that wants the keys is hung up.
        """
        self.go_on()
        self._relay(None, lambda: False, _print)
        ended = self.state == "exited"
        self.close()
        return await_status(self.process) if ended else 128 + signal.SIGHUP

    def background(self, show: Callable[[bytes], object], changed: Callable[[], object]) -> None:
        """Relay what it prints in a thread of its own, until it is in front again, or ends.

        Args:
            show: is called with what it prints.
            changed: is called when it stops or ends.
        """

        def run() -> None:
            while self._relay(leave, lambda: True, show):
                if self.state == "exited":
                    self.close()
                    changed()
                    break
                changed()
            os.close(leave)

        leave, self._leave = os.pipe()
        self._behind = threading.Thread(target=run, name="background", daemon=True)
        self._behind.start()

    def go_on(self) -> None:
        """Let a stopped program go on: without the keys of the terminal, unless it is in front."""
        self._stopped = False
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Let go of the terminal and the program; one that still runs is hung up."""
        self._leave_background()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
        self.process.close()

    def _leave_background(self) -> None:
        with self._lock:
            behind, self._behind = self._behind, None
        if behind is not None:
            os.close(self._leave)
            if behind is not threading.current_thread():
                behind.join()

    def _relay(self, keys: int | None, ended: Callable[[], object], show: Callable[[bytes], object]) -> bool:
        """Relay until the program stops or ends, or `ended` is true when there can be no more keys.

        Returns whether it stopped or ended.
        """
        sources = [self.master, self.process.fileno()]
        if keys is not None:
            sources.append(keys)
        while True:
            ready = select.select(sources, [], [])[0]
            if self.master in ready and not self._show(show):
                sources.remove(self.master)  # nobody has the other end open any more
            if keys is not None and keys in ready:
                typed = _read(keys)
                if typed and self.master in sources:
                    _write_all(self.master, typed)
                elif not typed:  # the user's terminal is gone, or wanted for the program
                    sources.remove(keys)
                    if ended():
                        return False
            if self.process.fileno() in ready and (state := self.process.next_event(0)) is not None:
                while select.select([self.master], [], [], 0)[0] and self._show(show):
                    pass
                self._stopped = state == "stopped"
                return True

    def _show(self, show: Callable[[bytes], object]) -> bool:
        data = _read(self.master)
        show(data)
        return bool(data)

    def _copy_size(self) -> None:
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))


def run_attached(start: Callable[[int | None], Process]) -> int:
    """Run a program with whatever this process has, a terminal or not; return a shell's status.

    Signals that end this process are passed on to the program, and a stop stops both. Who is started behind a
    shell, with `&`, has the terminal for its output only.
    """
    terminal = has_terminal()
    if terminal and not _in_front():
        terminal = False
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
    if not terminal:
        with start(None) as process, forwarded_signals(process):
            return await_status(process)
    job = TerminalJob(start)
    received: list[int] = []
    with forwarded_signals(job.process, also=received.append):
        state = job.foreground()
        while state == "stopped":
            received.clear()
            os.kill(os.getpid(), signal.SIGSTOP)
            if not _in_front() and {signal.SIGTERM, signal.SIGHUP} & {*received}:
                return job.see_out()  # the terminal is somebody else's
            state = job.foreground(resumed=True)
    return await_status(job.process)


@contextlib.contextmanager
def forwarded_signals(
    process: Process, numbers: Sequence[int] = ENDING, also: Callable[[int], Any] = lambda _: None
) -> Iterator[None]:
    """Pass signals, by default those that would end this process, on to a program's process group meanwhile.

    `also` is called with each one's number.
    """

    def pass_on(number: int) -> None:
        process.send_signal(number, group=True)
        also(number)

    with contextlib.ExitStack() as stack:
        for number in numbers:
            stack.enter_context(on_signal(number, functools.partial(pass_on, number)))
        yield


@contextlib.contextmanager
def on_signal(number: int, action: Callable[[], Any]) -> Iterator[None]:
    """Do `action` on a signal meanwhile; nothing outside of the main thread, which gets no signals."""
    try:
        before = signal.signal(number, lambda *_: action())
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def _raw_mode() -> Iterator[None]:
    before = termios.tcgetattr(0)
    sys.stdout.flush()
    try:
        tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead is for the program
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def _read(fd: int) -> bytes:
    """Return what is there; nothing at the end, which a terminal reports as an error."""
    try:
        return os.read(fd, _CHUNK)
    except OSError:
        return b""


def _print(data: bytes) -> None:
    _write_all(1, data)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    with contextlib.suppress(OSError):
        while view:
            view = view[os.write(fd, view) :]
