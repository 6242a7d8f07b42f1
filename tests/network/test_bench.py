"""`emu bench` runs, says what it left out, and compares like with like."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import emu
from emu.bench.apart import APART
from emu.bench.line import HostRoutes, line
from emu.bench.parts import PARTS
from emu.hooks.plugin_manager import PluginManager

from .helpers import EMU, eventually, outer_unchanged, surroundings

Read = Callable[..., str]
FLOOR = Path(emu.__file__).parent / "bench" / "floor.c"
COMPILER = shutil.which("cc")
#: How many routers the lines have that are compared.
ROUTERS = 3


def bench(*words: str, **changes: str | None) -> str:
    """Return what `emu bench` prints."""
    done = subprocess.run(
        [*EMU, "bench", *words], env=surroundings(**changes), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with what the sandbox itself needs, and nothing that emu is compared with."""
    folder = tmp_path_factory.mktemp("bin")
    for program in ("unshare", "ping", "true"):
        if found := shutil.which(program):
            (folder / program).symlink_to(found)
    return str(folder)


def test_the_parts_are_listed_and_others_refused() -> None:
    assert [row.split()[0] for row in bench("--list").splitlines()] == list(PARTS)
    done = subprocess.run(
        [*EMU, "bench", "bild"], env=surroundings(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "did you mean build?" in done.stderr
    assert done.stderr.count("\n") == 1


def test_build_compares_emu_with_what_is_there() -> None:
    with outer_unchanged():
        found = json.loads(bench("--quick", "--json", "build", "routes"))
    assert found["machine"]["cores"] == os.cpu_count()
    build, end, phases, memory, routes = found["tables"]
    present = {"emu", *(["floor in C"] if COMPILER else []), *(["`ip -batch`"] if shutil.which("ip") else [])}
    for table in (build, end):
        assert present <= {row[1] for row in table["rows"]}
        assert {row[0] for row in table["rows"]} == {20, 40}
        assert all(0 < figure < 600 for row in table["rows"] for figure in row[2:6])
    assert {title for title, _ in phases["columns"]} >= {
        "namespaces",
        "settings",
        "links",
        "addresses",
        "total",
    }
    assert "emu" in {row[1] for row in memory["rows"]}
    assert routes["title"].startswith("90 routes")
    assert {row[0] for row in routes["rows"]} == present - {"`ip -batch`"}


def test_what_is_not_installed_is_left_out_and_named(bare: str) -> None:
    printed = bench("--quick", "build", "reaching", PATH=bare)
    assert "floor in C: left out, there is no C compiler here (`cc`)." in printed
    assert "Mininet: left out, there is no `mn` here." in printed
    assert "`ip -batch`: left out, there is no `ip` here." in printed
    assert re.search(r"^\| 20 \| emu \| \d[\d.,]* ms \|", printed, re.MULTILINE)
    assert re.search(r"^\| emu \| 6 \| 30 \| ", printed, re.MULTILINE)


def test_the_other_parts_run() -> None:
    others = ("build", "routes", "reaching", "founding", "world", "links")
    parts = [name for name in PARTS if name not in others]
    found = json.loads(bench("--quick", "--json", *parts))
    titles = [table["title"] for table in found["tables"]]
    assert len(titles) == len(parts) + 1  # nodes has two
    large = found["tables"][titles.index("10,000 nodes")]
    assert [row[5] for row in large["rows"]] == ["16 of 16", "16 of 16"]


def test_shaped_links_are_built_changed_and_carry() -> None:
    building, changing, carrying = json.loads(bench("--quick", "--json", "links"))["tables"]
    assert building["rows"][0][0] == "not shaped"
    assert "rate=100mbit" in building["rows"][1][0]
    assert [row[:2] for row in changing["rows"]] == [[10, 8], [20, 18]]
    assert all(row[1] > 1_000_000 for row in carrying["rows"])


@pytest.fixture(params=[False, True], ids=["hosts' routes", "all routes"])
def full(request: pytest.FixtureRequest) -> bool:
    """Whether routers have a route to every host."""
    return bool(request.param)


@pytest.fixture
def floor(full: bool, tmp_path: Path) -> Iterator[tuple[dict[str, Any], list[Read]]]:
    """A running floor: what it says, and for each node a way to read what a command prints in it."""
    if COMPILER is None:
        pytest.skip("there is no C compiler here")
    program = tmp_path / "floor"
    subprocess.run(
        [COMPILER, "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program, FLOOR], check=True
    )
    words = [*APART, str(program), *(["--routes"] if full else []), str(ROUTERS)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        fds = sorted(
            (int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir() if os.readlink(fd).startswith("net:")),
        )

        def reader(fd: int) -> Read:
            enter = [
                "nsenter",
                "--target",
                pid,
                "--user",
                "--preserve-credentials",
                f"--net=/proc/{pid}/fd/{fd}",
            ]
            return lambda *words: subprocess.run(
                [*enter, *words], capture_output=True, text=True, check=True
            ).stdout  # fmt: skip

        yield said, [reader(fd) for fd in fds]
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def state(read: Read) -> dict[str, Any]:
    """Return what a node has, addresses apart: both have their own, of the same sizes."""
    links = json.loads(read("ip", "-j", "address", "show"))
    routes = json.loads(read("ip", "-j", "-d", "route", "show", "table", "all"))
    keys = ("net/ipv4/ip_forward", "net/ipv6/conf/all/disable_ipv6", "net/ipv6/conf/default/disable_ipv6")
    return {
        "links": [(one["ifname"], one["ifindex"], {"UP", "LOWER_UP"} <= {*one["flags"]}) for one in links],
        "prefixes": [
            (one["ifname"], address["family"], address["prefixlen"])
            for one in links for address in one["addr_info"]
        ],
        "routes": Counter(
            (one["type"], one["dst"].partition("/")[2], one["dev"], "gateway" in one, one["protocol"])
            for one in routes
        ),
        "settings": [read("cat", f"/proc/sys/{key}") for key in keys],
    }  # fmt: skip


def test_the_floor_builds_what_emu_builds(full: bool, floor: tuple[dict[str, Any], list[Read]]) -> None:
    said, readers = floor
    names = [f"{kind}{number}" for kind in "RH" for number in range(ROUTERS)]
    plugins = PluginManager()
    plugins.load_package("emu.plugins")
    if full:
        plugins.manager.register(HostRoutes())
    with emu.Network(line(ROUTERS), plugins=plugins) as network:
        assert (said["nodes"], said["links"]) == (len(network), len(network.plan.links)) == (6, 5)
        routes = sum(len(node.plan.routes) for node in network if node.kind == "router")
        assert said["routes"] == routes == full * ROUTERS * (ROUTERS - 1)
        for name, read in zip(names, readers, strict=True):
            node = network[name]
            ours = state(lambda *words, node=node: node.run(words, capture_output=True, text=True).stdout)
            assert ours == state(read), name
