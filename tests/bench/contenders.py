"""Whatever builds a network, as a process: it builds, says so, waits for the end of its input, and ends.

What it says is a line of JSON: `seconds` maps each phase to how long it took, and `total` to their sum.
A contender that says nothing of that is timed from its start to that line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from emu.errors import EmuError

from .apart import Namespaces

HERE = Path(__file__).parent
#: How often at most, and how many seconds apart, to look whether memory still shrinks; and which
#: part of it is too little to matter.
_PATIENCE, _PAUSE, _SETTLED = 20, 0.25, 0.0005


@dataclass(frozen=True)
class Contender:
    """A command line that builds a network; `missing` says why it can't, where it can't."""

    name: str
    command: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    missing: str | None = None


@dataclass(frozen=True)
class Built:
    """What one build was like: seconds per phase, `end` until all is freed, and bytes of memory."""

    seconds: dict[str, float]
    end: float
    user_memory: int
    kernel_memory: int
    #: What else it said.
    said: dict[str, Any]


def emu_line(nodes: int, *options: str) -> Contender:
    """Return emu, building the line of so many nodes; `line` has the options."""
    words = [sys.executable, "-P", "-m", f"{__package__}.line", *options, str(nodes // 2)]
    return Contender("emu", words)


def floor_line(nodes: int, *options: str) -> Contender:
    """Return the C program that is the floor, compiled."""
    program, missing = compiled_floor()
    return Contender("floor in C", [program, *options, str(nodes // 2)], missing=missing)


def mininet_line(nodes: int) -> Contender:
    """Return Mininet."""
    return mininet("mininet_line.py", nodes // 2)


def mininet(file: str, count: int) -> Contender:
    """Return a program of Mininet's API, run by way of `mn`, which knows where its modules are."""
    words = ["mn", "--custom", str(HERE / file)]
    return Contender("Mininet", words, {"COUNT": str(count)}, lacking("mn"))


def ip_line(nodes: int) -> Contender:
    """Return the shell script with `ip -batch`."""
    words = ["sh", str(HERE / "ip_batch.sh"), str(nodes // 2)]
    return Contender("`ip -batch`", words, missing=lacking("ip"))


def lacking(program: str) -> str | None:
    """Say that there is no such program; None where there is."""
    return None if shutil.which(program) else f"there is no `{program}` here"


@cache
def compiled_floor() -> tuple[str, str | None]:
    """Compile the floor; return its path, and why there is none."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return "", "there is no C compiler here (`cc`)"
    program = Path(tempfile.mkdtemp(dir="/run")) / "floor"
    words = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(HERE / "floor.c")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return "", f"`{compiler}` cannot compile it: {(done.stderr.strip() or 'no reason').splitlines()[0]}"
    return str(program), None


def build(contender: Contender, namespaces: Namespaces) -> Built:
    """Build once and end.

    Raises:
        EmuError: it failed.
    """
    kernel_before = settled(kernel_memory)
    begin = time.perf_counter()
    with subprocess.Popen(
        contender.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **contender.variables},
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        seconds = {"total": time.perf_counter() - begin}
        if not line:
            raise EmuError(f"{contender.name}: {process.stderr.read().strip() or 'it said nothing'}")
        said = json.loads(line)
        seconds |= said.pop("seconds", {})
        memory = user_memory(), settled(kernel_memory) - kernel_before
        begin = time.perf_counter()
        process.stdin.close()
        namespaces.await_freed()
        return Built(seconds, time.perf_counter() - begin, *memory, said)


def settled(memory: Callable[[], int]) -> int:
    """Return an amount of memory when it no longer shrinks: the kernel gives much of it back late."""
    before = memory()
    for _ in range(_PATIENCE):
        time.sleep(_PAUSE)
        now = memory()
        if now > before * (1 - _SETTLED):
            return now
        before = now
    return before


def user_memory() -> int:
    """Return how many bytes all processes of the sandbox but this one take, shared ones in proportion."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and int(entry) != os.getpid():
            try:
                lines = Path(f"/proc/{entry}/smaps_rollup").read_text().splitlines()
            except OSError:  # it ended meanwhile
                continue
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def kernel_memory() -> int:
    """Return how many bytes are neither free, nor page cache, nor anonymous memory of processes."""
    values = {}
    with open("/proc/meminfo") as file:
        for line in file:
            name, value, *_ = line.split()
            values[name] = int(value) << 10
    others = ("MemFree:", "Buffers:", "Cached:", "SwapCached:", "AnonPages:")
    return values["MemTotal:"] - sum(values[name] for name in others)
