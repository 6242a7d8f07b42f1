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
from typing import IO

from ..errors import UsageError
from ..processes.terminal import on_signal

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
def piped(rest: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have what is printed meanwhile go where `rest` says, `| PROGRAM…`, `> FILE` or `>> FILE`, as `sh` does.

    Yields the shell that sees to it, which has ended afterwards. A reader who has had enough is no error.
    """
    # A program that has had enough is to be noticed, not hidden behind a `cat` that still waits for more.
    line = rest[1:] if re.match(r"\|\s*[^|\s]", rest) else f"cat {rest}"
    sys.stdout.flush()
    shell = subprocess.Popen(["sh", "-c", line], stdin=subprocess.PIPE)
    assert shell.stdin is not None
    try:
        with _output_to(shell.stdin), contextlib.suppress(BrokenPipeError):
            yield shell
    finally:
        with on_signal(signal.SIGINT, lambda: None):  # it is for the programs, which may go on
            shell.wait()


@contextlib.contextmanager
def _output_to(pipe: IO[bytes]) -> Iterator[None]:
    """Make a pipe the standard output meanwhile; nobody else has its end."""
    before = os.dup(1)
    os.dup2(pipe.fileno(), 1)
    pipe.close()
    try:
        yield
    finally:  # also where a Ctrl-C comes as this is left
        try:
            _flush()
        finally:
            os.dup2(before, 1)
            os.close(before)


def _flush() -> None:
    """Print what is buffered; where its reader has left, nobody else gets it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 1)
            sys.stdout.flush()


def nobody_reads() -> bool:
    """Tell whether standard output is a pipe whose reader has left."""
    state = select.poll()
    state.register(1, 0)
    return any(event & select.POLLERR for _, event in state.poll(0))
