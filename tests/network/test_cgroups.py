"""Limits of nodes on whatever machine this is: they hold, or are refused before anything is built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from emu.cgroups.places import Place, find_place
from emu.cgroups.values import CONTROLLERS

from .helpers import EMU, fresh_name, surroundings


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / f"{fresh_name()}.yaml"
    path.write_text(
        "nodes: {HOST1: {cpu: 0.5, memory: 64M, processes: 50}, HOST2: host}\nlinks: [[HOST1, HOST2]]\n"
    )
    return path


def emu(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*EMU, *words], env=surroundings(), capture_output=True, text=True, check=False)


def test_limits_hold_or_are_refused(graph: Path) -> None:
    done = emu("run", str(graph), "-c", "HOST1 cat /proc/self/cgroup")
    if isinstance(find_place(CONTROLLERS.values()), Place):
        assert re.search(rf"^0::/.*/?emu-{graph.stem}-\w+/node-HOST1$", done.stdout, re.MULTILINE)
        return
    assert (done.returncode, done.stdout) == (77, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("emu: limit cpu, memory and processes of HOST1: ")
    assert "; or --ignore-unsupported builds without" in line


def test_a_network_without_its_limits_says_so(graph: Path) -> None:
    done = emu("run", str(graph), "--ignore-unsupported", "-c", "HOST1 echo hello")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    refused = not isinstance(find_place(CONTROLLERS.values()), Place)
    assert done.stderr.count("emu: left out: limit cpu, memory and processes of HOST1: ") == refused


def test_the_plan_shows_limits(graph: Path) -> None:
    rows = [line.split() for line in emu("plan", str(graph)).stdout.splitlines()]
    assert ["NODE", "CPU", "MEMORY", "PROCESSES"] in rows
    assert ["HOST1", "0.5", "64M", "50"] in rows
