"""Programs in nodes, with the interface of `subprocess.Popen`.

A program is the keeper's child; this side holds a connection to the keeper that stands for it. The
caller's own descriptors are handed over, so a pipe runs at its full speed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, Self

from ..commands import Words, program_form, start_refusal
from ..errors import EmuError, NotRunning, UsageError
from ..keeper.wire import Receiver, receive_frame, send_frame
from ..sandboxes.connection import Sandbox, readable

Target = int | IO[Any] | None
#: Whether a stream is text, its encoding, and what happens to what is not of it.
Mode = tuple[bool, str | None, str | None]


class Process:
    """A program that runs in a node.

    Attributes:
        args: the command, as it was given.
        node: the name of the node that it runs in; None is none.
        pid: its process id inside the sandbox.
        returncode: its exit status, minus the signal's number when one ended it; None while it runs.
        stdin, stdout, stderr: streams, where they were asked for as `PIPE`.
        starved: at which limit of the node's memory, in bytes, the kernel killed it, or a shell's last
            command; 0 is none.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        node: str | None,
        args: Words,
        *,
        stdin: Target = None,
        stdout: Target = None,
        stderr: Target = None,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        terminal: int | None = None,
    ) -> None:
        """Start `args` in `node` (None: in the sandbox, outside of any node).

        The options are those of `subprocess.Popen`; `terminal` is the program's end of a
        pseudo-terminal, which it then has as its controlling terminal.
        """
        if isinstance(args, str | bytes) or not args:
            raise UsageError(f"run {args!r}: a command is a list of words, ['ping', '-c1', 'HOST2']")
        self.args, self.node = args, node
        self.returncode: int | None = None
        self.starved = 0
        self.stdin: IO[Any] | None = None
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None
        self._receiver = Receiver()
        self._lock = threading.RLock()
        with contextlib.ExitStack() as passed:
            if terminal is not None:
                fds: tuple[int, ...] = (terminal,)
            else:
                mode = (text or encoding is not None, encoding, errors)
                fds = self._open_streams(passed, (stdin, stdout, stderr), mode)
            self._sock = sandbox.connect()
            where = f" in {node}" if node else ""
            try:
                self.pid = self._start(fds, node, terminal is not None, env, cwd)
            except OSError as error:
                self.close()
                raise start_refusal(error, os.fsdecode(args[0]), where) from error
            except EmuError:
                self.close()
                raise

    def _open_streams(
        self, passed: contextlib.ExitStack, targets: tuple[Target, Target, Target], mode: Mode
    ) -> tuple[int, ...]:  # fmt: skip
        """Return the program's three descriptors; what is opened for it is closed with `passed`."""
        stdin, stdout, stderr = targets
        read, self.stdin = _ends(passed, stdin, 0, writing=True, mode=mode)
        out, self.stdout = _ends(passed, stdout, 1, writing=False, mode=mode)
        if stderr == subprocess.STDOUT:
            return read, out, out
        err, self.stderr = _ends(passed, stderr, 2, writing=False, mode=mode)
        return read, out, err

    def _start(
        self, fds: tuple[int, ...], node: str | None, terminal: bool,
        env: Mapping[str, str] | None, cwd: str | os.PathLike[str] | None,
    ) -> int:  # fmt: skip
        what = program_form(self.args, env, cwd)
        send_frame(self._sock, {"do": "start", "node": node, "terminal": terminal, **what}, fds=fds)
        frame = receive_frame(self._sock, self._receiver)
        if frame is None:
            raise NotRunning("the network has ended")
        if "errno" in frame.message:
            raise OSError(frame.message["errno"], frame.message["about"])
        return int(frame.message["pid"])

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the program stops or ends."""
        return self._sock.fileno()

    def next_event(self, timeout: float | None = None) -> str | None:
        """Wait for the program to stop or to end; return "stopped", "exited", or None on timeout.

        When the network ends, so does the program, as by SIGKILL.
        """
        with self._lock:
            if self.returncode is not None:
                return "exited"
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                frame = self._receiver.next()
                if frame is None and not readable(self._sock.fileno(), left):
                    return None
                if frame is None and not self._feed():
                    self._ended(-signal.SIGKILL)
                    return "exited"
                if frame is None:
                    continue
                if "exited" in frame.message:
                    self.starved = frame.message["starved"]
                    self._ended(frame.message["exited"])
                    return "exited"
                if "stopped" in frame.message:
                    return "stopped"

    def _feed(self) -> bool:
        try:
            return self._receiver.feed(self._sock)
        except OSError:
            return False

    def _ended(self, status: int) -> None:
        self.returncode = status
        self._sock.close()

    def poll(self) -> int | None:
        """Return the exit status, or None while the program runs."""
        while self.returncode is None and self.next_event(0) is not None:
            pass
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status; `subprocess.TimeoutExpired` after `timeout` s."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self.next_event(left) is None:
                raise subprocess.TimeoutExpired([os.fsdecode(word) for word in self.args], timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int, group: bool = False) -> None:
        """Send a signal to the program, or to its whole process group; nothing when it has ended."""
        with contextlib.suppress(OSError):
            if self.returncode is None:
                send_frame(self._sock, {"do": "signal", "number": int(number), "group": group})

    def terminate(self) -> None:
        """Ask the program to end (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the program (SIGKILL)."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002
        """Send `input`, read the streams to their end, wait; return what was read from each.

        Raises `subprocess.TimeoutExpired` after `timeout` seconds, with the program still running.
        """
        results: dict[str, Any] = {}

        def write() -> None:
            assert self.stdin is not None
            with contextlib.suppress(BrokenPipeError), self.stdin:
                if input is not None:
                    self.stdin.write(input)

        def read(name: str, stream: IO[Any]) -> None:
            with stream:
                results[name] = stream.read()

        tasks = [threading.Thread(target=write, daemon=True)] if self.stdin else []
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if stream is not None:
                tasks.append(threading.Thread(target=read, args=(name, stream), daemon=True))
        deadline = None if timeout is None else time.monotonic() + timeout
        for task in tasks:
            task.start()
        for task in tasks:
            task.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if task.is_alive():
                raise subprocess.TimeoutExpired([os.fsdecode(word) for word in self.args], timeout or 0.0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return results.get("stdout"), results.get("stderr")

    def close(self) -> None:
        """Let go of the program; one that still runs is hung up."""
        self._sock.close()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self.stdin.close()
            if kind is None:
                self.wait()
        finally:
            self.close()


def _ends(
    passed: contextlib.ExitStack, target: Target, own: int, writing: bool, mode: Mode
) -> tuple[int, IO[Any] | None]:  # fmt: skip
    """Return the program's descriptor for one stream, and our end of it if it is a pipe."""
    if target is None:
        try:
            os.fstat(own)
        except OSError:  # ours is closed
            target = subprocess.DEVNULL
        else:
            return own, None
    if target == subprocess.DEVNULL:
        null = os.open(os.devnull, os.O_RDWR)
        passed.callback(os.close, null)
        return null, None
    if target == subprocess.PIPE:
        read, write = os.pipe()
        theirs, ours = (read, write) if writing else (write, read)
        passed.callback(os.close, theirs)
        text, encoding, errors = mode
        kind = ("w" if writing else "r") + ("" if text else "b")
        return theirs, open(ours, kind, encoding=encoding, errors=errors)
    return (target if isinstance(target, int) else target.fileno()), None
