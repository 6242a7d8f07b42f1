"""A machine with a kernel of its own: user-mode Linux on the files of this one.

It is an ordinary program that needs no privileges. The machine sees this one's files read-only, has a
`/tmp` and a `/run` of its own, and writes to one temporary folder only, through which results come
back. Each has its own folder and process group, so that several run at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "linux.uml"
_MODULES = Path("/usr/lib/uml/modules")
#: In MiB; taken only when used.
_MEMORY = 1024
#: Runs the machine, which makes a process group of its own, and kills that group as soon as standard
#: input ends: so it ends with whoever booted it, however that ends.
_WATCH = """
exec 3<&0 </dev/null
"$@" 3<&- & machine=$!
(cat <&3 >/dev/null; kill -s KILL -- -$machine; kill -s KILL 0) 2>/dev/null &
exec 3<&-
wait $machine
kill -s KILL 0
"""
#: What is preloaded where the processor has more registers than the machine's kernel knows of.
_LARGE_STATE = Path(__file__).with_name("large_state.c")
#: Which of the machine's processes is the first; it takes its orders from the folder RESULTS.
_INIT = Path(__file__).with_name("init.sh")


def why_not() -> str | None:
    """Return why machines cannot run here, and what to do; None where they can."""
    if shutil.which(PROGRAM) is None:
        return f"{PROGRAM} is missing: 'sudo apt install user-mode-linux' ('make test' does it as root)"
    if _has_large_state() and shutil.which("cc") is None:
        return f"{PROGRAM} needs a C compiler on a processor with AMX: 'sudo apt install gcc libc6-dev'"
    return None


@functools.cache
def _has_large_state() -> bool:
    """Return whether the kernel saves more registers of a process than the machine's kernel knows of."""
    return "amx_tile" in Path("/proc/cpuinfo").read_text().split()


@dataclass(frozen=True)
class Outcome:
    """What a machine left: the files of its folder by name, and its console as text.

    `status` is the command's exit status, or None when the machine ended before the command.
    """

    status: int | None
    files: dict[str, str]
    console: str


def run_on_machine(
    command: Sequence[str],
    files: dict[str, str],
    *,
    options: Iterable[str] = (),
    visible: Iterable[Path] = (),
    timeout: float = 180,
) -> Outcome:
    """Boot a machine, run a command on it as root, and return what it left.

    Args:
        command: words; `{folder}` in them stands for the folder that results come back through.
        files: put into that folder before.
        options: of the kernel, such as `ipv6.disable=1`.
        visible: folders that the command needs even where they lie below `/tmp`.
        timeout: in seconds, after which the machine is switched off.
    """
    folder = Path(tempfile.mkdtemp(prefix="uml-"))
    try:
        words = [word.format(folder=folder) for word in command]
        places = sorted({str(path.resolve()) for path in visible if path.resolve().is_relative_to("/tmp")})
        given = {"command": shlex.join(words) + "\n", "places": "".join(f"{place}\n" for place in places)}
        for name, text in (files | given).items():
            (folder / name).write_text(text)
        _boot(folder, options, timeout)
        found = {path.name: path.read_text(errors="replace") for path in folder.iterdir() if path.is_file()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    status = found.get("status", "").strip()
    return Outcome(int(status) if status else None, found, found.get("console", ""))


def _boot(folder: Path, options: Iterable[str], timeout: float) -> None:
    """Run the machine until it switches itself off, or end it."""
    init = folder / "init"
    shutil.copy(_INIT, init)
    init.chmod(0o755)
    words = [
        "sh", "-c", _WATCH, "sh",
        PROGRAM, f"mem={_MEMORY}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
        f"init={init}", f"uml_dir={folder}/", "con=null", "con0=null,fd:1", f"RESULTS={folder}", *options,
    ]  # fmt: skip
    variables = {"HOME": str(folder), "TMPDIR": _memory_folder(folder)}
    if _has_large_state():
        library = variables["LD_PRELOAD"] = str(folder / "large_state.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, _LARGE_STATE], check=True)
    with open(folder / "console", "wb") as console:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=console, stderr=subprocess.STDOUT,
            start_new_session=True, env=os.environ | variables,
        )  # fmt: skip
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            console.write(f"\nswitched off after {timeout:.0f} s\n".encode())
        finally:
            process.communicate()  # ends standard input


def _memory_folder(folder: Path) -> str:
    """Return where the file that is the machine's memory goes: memory rather than a disk."""
    shared = Path("/dev/shm")
    with contextlib.suppress(OSError):
        found = os.statvfs(shared)
        roomy = found.f_bavail * found.f_frsize > _MEMORY << 20 and not found.f_flag & os.ST_RDONLY
        if roomy and not found.f_flag & os.ST_NOEXEC and os.access(shared, os.W_OK):
            return str(shared)
    return str(folder)


def interpreter_folders() -> list[Path]:
    """Return the folders that this Python needs."""
    return [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent]


def load_modules(names: Iterable[str]) -> None:
    """Load kernel modules and what they need, on the machine itself.

    Neither `modprobe` nor `/lib/modules` is needed. A module's parameters are those that the kernel's
    command line gives, as with `modprobe`.
    """
    folder = _MODULES / os.uname().release
    needs = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[Path(path).stem] = [path, *others.split()]
    given = Path("/proc/cmdline").read_text().split()
    for name in names:
        # The list begins with the module and ends with what needs nothing.
        for path in reversed(needs[name]):
            module = Path(path).stem.replace("-", "_")  # as the kernel calls it
            if not Path("/sys/module", module).exists():
                own = [word.removeprefix(f"{module}.") for word in given if word.startswith(f"{module}.")]
                _load(folder / path, " ".join(own))


def _load(path: Path, parameters: str) -> None:
    image = path.read_bytes()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.init_module(image, ctypes.c_ulong(len(image)), parameters.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"load {path.name}: {os.strerror(number)}")
