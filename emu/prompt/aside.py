"""A program on a terminal of its own, which Ctrl-Z puts aside."""

from __future__ import annotations

import codecs
import signal
import threading
from typing import TYPE_CHECKING

from ..commands import shell_words
from ..errors import UsageError
from ..processes.terminal import TerminalJob, await_status, has_terminal, shell_status
from ..processes.watching import ending
from .own import OwnJob

if TYPE_CHECKING:
    from ..running.node import Node
    from .jobs import Jobs

#: The status of a program that Ctrl-Z stopped.
STOPPED = 128 + signal.SIGTSTP


class Program(OwnJob):
    """A program that was started in front. It becomes a job when it is stopped, and is hung up at the end."""

    def __init__(self, jobs: Jobs, node: Node, command: str) -> None:
        super().__init__(command, node.name)
        self._jobs, self._changed = jobs, threading.Event()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._terminal = TerminalJob(lambda theirs: node.popen(shell_words(command), terminal=theirs))

    @property
    def state(self) -> str:
        """Running, stopped, or how it ended."""
        status = self._terminal.process.returncode
        return self._terminal.state if status is None else ending(status)

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self._terminal.state == "exited"

    def run(self, *, resumed: bool = False) -> int:
        """Let it have the terminal until it stops or ends, and return its status."""
        if self._terminal.foreground(resumed=resumed) == "stopped":
            self._jobs.add(self)
            self._jobs.watch()  # before what it prints is to be shown, in another thread
            print(f"\n{self}")
            self._terminal.background(self._show, self._tell)
            return STOPPED
        self._jobs.remove(self)
        status = await_status(self._terminal.process)
        if status == 128 + signal.SIGINT:
            print()  # behind the terminal's ^C
        return status

    def to_front(self) -> int:
        """Let it have the terminal again."""
        if not has_terminal():
            raise UsageError(f"continue job {self.number}: it needs a terminal, and there is none now")
        print(f"{self.node} {self.command}")
        return self.run(resumed=True)

    def to_background(self) -> None:
        """Let it go on; when it reads from the terminal, it stops again."""
        if self.state != "stopped":
            super().to_background()
        print(f"[{self.number}] {self.node} {self.command} &")
        self._terminal.go_on()

    def send_signal(self, number: int, *, end: bool = False) -> None:
        """Send a signal to it and what it started, also while it is stopped."""
        process = self._terminal.process
        if number == signal.SIGCONT:
            self._terminal.go_on()
        else:
            # What stops the program, and not only the process that leads its session.
            process.send_signal(signal.SIGTSTP if number == signal.SIGSTOP else number, group=True)
        if end:
            process.send_signal(signal.SIGCONT, group=True)

    def wait(self) -> int:
        """Wait until it ends, and return its status.

        Raises:
            UsageError: it is stopped.
        """
        while self.state == "running":
            self._changed.wait()
            self._changed.clear()
        if not self.over:
            raise UsageError(f"wait for job {self.number}: it is stopped; 'bg {self.number}' lets it go on")
        return shell_status(self._terminal.process.wait())

    def close(self) -> None:
        """Hang it up."""
        self._terminal.close()

    def _show(self, data: bytes) -> None:
        self._jobs.watch().show(self._decoder.decode(data))

    def _tell(self) -> None:
        self._jobs.watch().tell(str(self))
        if self.over:
            self._jobs.remove(self)
        self._changed.set()
