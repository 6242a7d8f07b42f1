"""Commands: the words of a program and its surroundings, and what it means when it cannot be started."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import EmuError, UsageError, did_you_mean, nearest, shown
from .keeper.wire import FOLDER

#: Where the programs that emu itself brings stand, in every sandbox: after the machine's own.
PROGRAMS = "/run/emu/bin"
_SEARCHED = ("/usr/local/sbin", "/usr/sbin", "/sbin", PROGRAMS)

#: Where the package is found.
_FOLDER = str(Path(__file__).resolve().parent.parent)

Words = Sequence[str | os.PathLike[str]]


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C, and what other signals raise, wait until the end of the block.

    A child that is started in it has to let signals through again by itself.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:  # only now, since what was on its way already may be raised by either call
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def program_form(
    args: Words, env: Mapping[str, str] | None = None, cwd: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Return a program and its surroundings as a keeper starts it; `chosen` are those that are not ours.

    Raises:
        UsageError: no program can get one of the words.
    """
    umask = os.umask(0o22)
    os.umask(umask)
    return {
        "argv": [_portable(word) for word in args],
        "env": {_portable(k): _portable(v) for k, v in environment(env).items()},
        "cwd": _portable(os.path.join(_working_directory(), cwd or "")),
        "umask": umask, "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
        "chosen": [name for name, value in (("env", env), ("cwd", cwd)) if value is not None],
    }  # fmt: skip


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return os.sep


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a program's environment: the caller's, with the folders of administrators' programs."""
    found = dict(os.environ if env is None else env)
    path = (found.get("PATH") or os.defpath).split(":")
    found["PATH"] = ":".join(path + [folder for folder in _SEARCHED if folder not in path])
    return found


def _portable(word: str | os.PathLike[str]) -> str:
    """Return the bytes of a word, whatever this process's encoding, as text that JSON can carry.

    Raises:
        UsageError: no program can get this word.
    """
    try:
        encoded = os.fsencode(word)
    except UnicodeEncodeError:
        raise UsageError(f"run a program: {shown(word)} cannot be encoded") from None
    if b"\0" in encoded:
        raise UsageError(f"run a program: {shown(word)} holds a zero byte")
    return encoded.decode("utf-8", "surrogateescape")


def bare_python(code: str, *arguments: str, folder: str = _FOLDER) -> list[str]:
    """Return the words of a Python that knows the standard library and what is in a folder, by default emu.

    Without site-packages it starts in half of the time. `code` finds the arguments in `sys.argv[1:]`.
    """
    program = f"import sys; sys.path.append({folder!r}); {code}"
    python = sys.executable or "/usr/bin/python3"
    return [python, "-I", "-S", "-X", "utf8", "-c", program, *arguments]


def shell_words(line: str) -> list[str]:
    """Return the words of the program that runs a command line."""
    # bash becomes a single command instead of waiting for it, and leaves Ctrl-C and Ctrl-\\ to it.
    return [shutil.which("bash") or "sh", "-c", line]


def start_refusal(error: OSError, program: str, where: str) -> EmuError:
    """Return what a failed start of a program means to the user; `where` is ` in NODE`, or nothing."""
    attempt = f"run {program!r}{where}"
    if str(error.strerror).startswith(FOLDER):
        reason = "no such folder" if isinstance(error, FileNotFoundError) else os.strerror(error.errno or 0)
        return UsageError(f"run a program{where}: cwd {str(error.strerror)[len(FOLDER) :]!r}: {reason}")
    # A folder in PATH that may not be entered is an error of the search, whatever else is missing.
    absent = os.sep not in program and shutil.which(program, os.F_OK, environment()["PATH"]) is None
    if isinstance(error, FileNotFoundError) or (isinstance(error, PermissionError) and absent):
        reason = "no such program in PATH" if os.sep not in program else "no such file"
        line = "; a line for a shell is three words: sh -c 'LINE'" if len(program.split()) > 1 else ""
        return CommandNotFound(f"{attempt}: {reason}{line or did_you_mean(nearest_programs(program))}")
    if isinstance(error, PermissionError):
        return CommandNotExecutable(f"{attempt}: {os.strerror(error.errno or 0)}")
    return EmuError(f"{attempt}: {os.strerror(error.errno or 0)} ({error.strerror})")


def nearest_programs(name: str, others: Iterable[str] = ()) -> list[str]:
    """Return programs in PATH, and `others`, that are called much like `name`, the nearest first."""
    found = set(others)
    for folder in environment()["PATH"].split(":"):
        with contextlib.suppress(OSError):
            found.update(os.listdir(folder or os.curdir))
    # Long lists are slow to search, and whoever misspells a word gets its length nearly right.
    return nearest(name, (one for one in found if abs(len(one) - len(name)) <= 2))


class CommandNotFound(EmuError):
    """There is no such program; the exit status is a shell's."""

    exit_status = 127


class CommandNotExecutable(EmuError):
    """The program may not be run; the exit status is a shell's."""

    exit_status = 126
