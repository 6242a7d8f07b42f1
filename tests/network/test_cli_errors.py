"""Command lines about networks that are not running: one clear line, and none is started or ended."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import emu
from emu.cli import main
from emu.topologies.two_segment import two_segment

#: Like no name of another running network, in this run of the tests or another.
NAME = f"a_network_{os.getpid()}_that_is_mistyped"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test networks of its own, and put back what `main` changes in the process."""
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run(line: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(shlex.split(line))
    return caught.value.code


@pytest.mark.parametrize(
    "line",
    ["exec nosuch HOST1 true", "attach nosuch", "attach ../no", "attach ''", "shell nosuch", "stop nosuch"],
)
def test_a_network_that_is_not_running_is_told_so(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line) in (1, 2)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("emu: ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("attach {name}x", "did you mean {name}"),
        ("exec {name} HOTS1 true", "did you mean HOST1"),
        ("logs {name} HOST2", "'emu attach {name} -c jobs' lists them"),
        ("exec {name} HOST1", "COMMAND"),
        ("exec {name} HOST1 nosuchprogram", "nosuchprogram"),
        ("run two_segment --name {name} -c 'HOST1 true'", "{name}"),
    ],
)
def test_a_running_network_is_not_disturbed(line: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with emu.Network(two_segment(), NAME) as network:
        assert run(line.format(name=NAME)) in (1, 2, 126, 127)  # 126: a folder of PATH is closed to this user
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert words.format(name=NAME) in err
        assert network["HOST1"].run(["true"]).returncode == 0


@pytest.mark.parametrize("words", [["--help"], ["ps"], ["run", "--help"]], ids=" ".join)
def test_what_needs_no_graph_loads_nothing_of_one(words: list[str]) -> None:
    """So that it is quick; a plugin that imports such a module when it is loaded makes every command slow."""
    code = (
        "import sys; from emu.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    heavy = {
        "emu.graph.attributes",
        "emu.graph.topology",
        "emu.running.network",
        "matplotlib",
        "networkx",
        "numpy",
        "pyroute2",
        "yaml",
    }
    assert not heavy & set(done.stderr.split())
