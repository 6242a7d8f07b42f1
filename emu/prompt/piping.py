"""What a command prints, for other programs and files: `nodes | grep HOST`, `routes > file`."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

from ..errors import UsageError
from ..processes.terminal import on_signal, shell_status

#: What is quoted, escaped or a comment; else where a pipe or a redirection begins, with its stream's number.
_TOKEN = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|\#.*|(\||(?:(?<!\S)\d)?>)""", re.DOTALL)


def split_pipe(line: str) -> tuple[str, str]:
    """Return a line up to its first `|`, `>` or `1>` that is not quoted, and the rest from there on.

    Raises:
        UsageError: it begins with another stream: errors are told by the prompt, not by its commands.
    """
    for found in _TOKEN.finditer(line):
        if found[1]:
            if found[1] not in ("|", ">", "1>"):
                raise UsageError(f"redirect {found[1]}: only what a command prints goes elsewhere, by > or |")
            return line[: found.start()], line[found.start() :]
    return line, ""


@contextlib.contextmanager
def kept_output() -> Iterator[None]:
    """Have standard output be afterwards what it was, also where a Ctrl-C comes as `Piped` lets go of it."""
    before = os.dup(1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)


class Piped:
    """A pipe or a redirection, which takes what is printed in its `with` block; a reader may have had enough.

    Attributes:
        status: that of the last program of the pipe, known behind the block.
    """

    status = 0

    def __init__(self, rest: str) -> None:
        """Take `| PROGRAM…`, `> FILE` or `>> FILE`, as `sh` understands them."""
        # A program that has had enough is to be noticed, not hidden behind a `cat` that still waits for more.
        self._line = rest[1:] if re.match(r"\|\s*[^|\s]", rest) else f"cat {rest}"

    def __enter__(self) -> Piped:
        sys.stdout.flush()
        self._shell = subprocess.Popen(["sh", "-c", self._line], stdin=subprocess.PIPE)
        assert self._shell.stdin is not None
        self._before = os.dup(1)
        os.dup2(self._shell.stdin.fileno(), 1)
        self._shell.stdin.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        enough = kind is not None and issubclass(kind, BrokenPipeError)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            with open(os.devnull, "wb") as nothing:  # what is still buffered is for nobody else
                os.dup2(nothing.fileno(), 1)
                sys.stdout.flush()
            enough = True
        os.dup2(self._before, 1)
        os.close(self._before)
        with on_signal(signal.SIGINT, lambda: None):  # it is for the programs, which may go on
            self.status = shell_status(self._shell.wait())
        return enough


def nobody_reads() -> bool:
    """Tell whether standard output is a pipe whose reader has left."""
    state = select.poll()
    state.register(1, 0)
    return any(event & select.POLLERR for _, event in state.poll(0))
