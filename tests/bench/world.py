"""The largest public map: `topohub:backbone/world`."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from emu.errors import EmuError

from .contenders import HERE
from .tables import Table

if TYPE_CHECKING:
    from .apart import Namespaces
    from .parts import Effort

_EMU = [sys.executable, "-P", "-m", "emu"]


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield its planning, then its building."""
    source = "topohub:topozoo/Abilene" if effort.quick else "topohub:backbone/world"
    table = Table(source, [("", ""), ("", "")])
    if importlib.util.find_spec("topohub") is None:
        table.notes.append("Left out, there is no Python package `topohub` here.")
    else:
        table.rows += _planned(source)
        table.rows += _run(source, effort.of(2000, 20), namespaces)
        table.notes.append(
            "IPv4 only. The command is `emu run`, its interpreter's start included; links without the delays "
            "of the map, which not every kernel can make."
        )
    yield table


def _planned(source: str) -> list[list[Any]]:
    """Plan in a process of its own, whose memory is then that of planning."""
    words = [sys.executable, "-P", "-m", f"{__package__}.plan_source", source]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmuError(f"plan {source}: {done.stderr.strip()}")
    said = json.loads(done.stdout)
    return [
        ["routers, links", f"{said['nodes']:,}, {said['links']:,}"],
        ["planning", f"{said['seconds']:.2f} s"],
        ["most memory while planning, in all", f"{said['memory'] / 1e6:,.0f} MB"],
        ["routes per router, mean", f"{said['routes']:.1f}"],
        ["the same, one route per segment", f"{said['naive']:,.0f}"],
    ]


def _run(source: str, sample: int, namespaces: Namespaces) -> list[list[Any]]:
    """Run it and ping; `--profile` says on standard error when it is built."""
    lines = ["-c", "#", "-c", f"pingall --sample {sample}"]
    begin = time.perf_counter()
    graph = [f"{HERE / 'plain_map.py'}:plain", "--set", f"source={source}"]
    with subprocess.Popen(
        [*_EMU, "run", *graph, "-4", "--profile", *lines],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stderr
        said: list[str] = [""]
        while not said[-1].startswith("PHASE"):
            said.append(process.stderr.readline())
            if not said[-1]:
                raise EmuError(f"run {source}: {''.join(said).strip()}")
        ready = time.perf_counter() - begin
        answered = process.stdout.read().strip().splitlines()[-1]
        pinged = time.perf_counter() - begin - ready
        process.stderr.read()
    namespaces.await_freed()
    return [
        ["from the command until it is ready", f"{ready:.2f} s"],
        [f"`pingall --sample {sample}`, and the end", f"{pinged:.2f} s"],
        ["it says", answered],
        ["exit status", str(process.returncode)],
    ]
