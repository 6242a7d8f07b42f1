"""Whole commands: the founding example, and what builds nothing; and the same without the interpreter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import emu
from emu.errors import EmuError
from emu.reading.sources import graph_from

from .contenders import HERE, Contender, lacking
from .tables import Table, median, ratio

if TYPE_CHECKING:
    from .apart import Namespaces
    from .parts import Effort

_EMU = [sys.executable, "-P", "-m", "emu"]
#: Whatever is compared with emu builds in the caller's own namespaces; these are its own each time.
_APART = ["unshare", "--net", "--mount", "--propagation", "private"]
#: Its Linux bridge needs neither Open vSwitch nor a controller.
_MININET = ["mn", "--switch", "lxbr", "--controller", "none", "--test", "pingpair"]


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield the three tables."""
    rounds = effort.of(15, 1)
    yield _commands("Two hosts and a router: build, one ping, end", rounds, [
        Contender("emu", [*_EMU, "run", "two_segment", "-c", "HOST1 ping -c 1 HOST2"]),
        Contender("Mininet", [*_APART, *_MININET], missing=lacking("mn")),
        Contender("shell script", [*_APART, "sh", str(HERE / "founding.sh")], missing=lacking("ping")),
        Contender("import networkx, pyroute2", [sys.executable, "-c", "import networkx, pyroute2"]),
    ])  # fmt: skip
    with emu.Network(graph_from("two_segment"), "bench"):
        yield _commands("Commands that build nothing", rounds, [
            Contender("emu exec bench HOST1 true", [*_EMU, "exec", "bench", "HOST1", "true"]),
            Contender("emu ps", [*_EMU, "ps"]),
            Contender("emu --help", [*_EMU, "--help"]),
            Contender("python -c pass", [sys.executable, "-c", "pass"]),
        ])  # fmt: skip
    yield _in_process(rounds)
    namespaces.await_freed()


def _commands(title: str, rounds: int, contenders: list[Contender]) -> Table:
    """Time whole commands in turn, so that a machine that grows slower does so for all of them."""
    table = Table(f"{title} (median of {rounds})", [
        ("", ""), ("median", "ms"), ("least", "ms"), ("most", "ms"), ("emu / this, in pairs", ""),
    ])  # fmt: skip
    present = [one for one in contenders if one.missing is None]
    times: dict[str, list[float]] = {one.name: [] for one in present}
    for number in range(rounds + 1):
        for one in present:
            seconds = _timed(one)
            if number:  # the first round warms the caches
                times[one.name].append(seconds)
    first = times[present[0].name]
    for name, measured in times.items():
        spread = median(measured), min(measured), max(measured)
        table.rows.append([name, *spread, ratio(first, measured)])
    table.notes += [f"{one.name}: left out, {one.missing}." for one in contenders if one.missing]
    return table


def _timed(one: Contender) -> float:
    begin = time.perf_counter()
    done = subprocess.run(one.command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise EmuError(f"{' '.join(one.command)}: exit {done.returncode}: {done.stderr.strip()}")
    return seconds


def _in_process(rounds: int) -> Table:
    """Time what a program that uses emu as a library waits for, without interpreter and imports."""
    times: dict[str, list[float]] = {"plan": [], "build": [], 'node.run(["true"])': [], "end": []}
    for _ in range(rounds + 1):
        marks = [time.perf_counter()]
        network = emu.Network(graph_from("two_segment"))
        marks.append(time.perf_counter())
        network.start()
        marks.append(time.perf_counter())
        network["HOST1"].run(["true"])
        marks.append(time.perf_counter())
        network.close()
        marks.append(time.perf_counter())
        for name, begin, end in zip(times, marks, marks[1:], strict=False):
            times[name].append(end - begin)
    table = Table(f"two_segment in a running interpreter (median of {rounds})", [("", ""), ("median", "ms")])
    table.rows += [[name, median(measured[1:])] for name, measured in times.items()]
    return table
