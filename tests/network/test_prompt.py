"""The prompt on a network that runs: several nodes at once, scripts, windows of tmux, the pager."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emu import Network
from emu.hooks.plugin_manager import default_plugins
from emu.prompt.session import Session
from emu.topologies.two_segment import two_segment

from .helpers import EMU, fresh_name, surroundings
from .test_terminal import Screen

tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux ('apt install tmux')")
COMMAND = shlex.join([sys.executable, "-m", "emu"])


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network(two_segment(), fresh_name()) as network:
        yield network


@pytest.fixture
def session(network: Network) -> Iterator[Session]:
    session = Session(network, default_plugins())
    session.jobs.stdin = subprocess.DEVNULL
    yield session
    session.close()


def test_what_several_nodes_print_has_their_names(
    session: Session, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert session.run_line("*O* hostname; echo 'no  end' >&2; printf end") == 0
    assert capfd.readouterr() == (
        "HOST1:  HOST1\nHOST1:  no  end\nHOST1:  end\n"
        "ROUTER: ROUTER\nROUTER: no  end\nROUTER: end\n"
        "HOST2:  HOST2\nHOST2:  no  end\nHOST2:  end\n",
        "",
    )  # fmt: skip


def test_several_nodes_run_at_once(session: Session, tmp_path: Path) -> None:
    """Each waits for all others, so one after the other would take for ever."""
    here = shlex.quote(str(tmp_path))
    wait = f"touch {here}/$(hostname); until [ $(ls {here} | wc -l) = 3 ]; do sleep 0.02; done"
    assert session.run_line(f"* timeout 20 sh -c '{wait}'") == 0


def test_nothing_of_much_output_is_lost(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    assert session.run_line("HOST* seq 400000") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[::400_000] == ["HOST1: 1", "HOST2: 1"]
    assert lines[399_999::400_000] == ["HOST1: 400000", "HOST2: 400000"]


def test_the_status_of_several_is_that_of_the_first_that_failed(session: Session) -> None:
    assert session.run_line("* case $(hostname) in ROUTER) exit 4;; HOST2) exit 5;; esac") == 4


def test_a_misspelt_program_gets_one_hint(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    assert session.run_line("HOST* tracerout HOST2") == 127
    out, err = capfd.readouterr()
    assert out.count("not found") == 2
    assert "did you mean traceroute" in err
    assert err.count("\n") == 1


def test_a_program_that_is_not_there_may_be_a_command_of_ours(
    session: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    assert session.run_line("HOST1 pingpairs HOST2") == 127
    assert "did you mean emu's own pingpair, without a node" in capfd.readouterr().err


def test_what_a_program_leaves_behind_is_not_waited_for(session: Session) -> None:
    assert session.run_line("HOST* sleep 1000 & echo started") == 0


def test_python_uses_the_network(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [
        "py done = HOST1.run(['hostname'], capture_output=True, text=True)",
        "py done.stdout",
        "py assert not HOST1.can_reach('HOST2')",
    ]
    assert session.run_lines(lines, "lines") == 1
    out, err = capfd.readouterr()
    assert out == "'HOST1\\n'\n"
    assert err.startswith("emu: lines:3: py: AssertionError")


def emu(*words: str, script: str | None = None, **changes: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EMU, *words], input=script, stdin=subprocess.DEVNULL if script is None else None,
        env=surroundings(**changes), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_script_stops_where_it_fails_and_says_where(network: Network, tmp_path: Path) -> None:
    script = tmp_path / "check.emu"
    script.write_text("# first\nHOST1 echo one\nHOST1 ! true\nHOST1 echo three\n")
    with script.open() as file:
        done = subprocess.run(
            [*EMU, "attach", network.name], stdin=file, cwd=tmp_path, env=surroundings(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    said = "emu: check.emu:3: status 1: HOST1 ! true\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "one\n", said)


def test_a_script_goes_on_when_told_to_and_shows_its_lines(network: Network) -> None:
    done = emu("attach", network.name, "-k", "-x", script="nodse\nHOST1 echo two\n")
    assert (done.returncode, done.stdout) == (127, "two\n")
    assert [line.partition(" no ")[0] for line in done.stderr.splitlines()] == [
        "+ nodse", "emu: <stdin>:1:", "+ HOST1 echo two",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "status", "out"),
    [
        ("nodes | grep HOST2", 0, "HOST2   host    1\n"),
        ("nodes | grep -c HOST | tr 2 x", 0, "x\n"),
        ("time nodes | tail -n 1", 0, "HOST2   host    1\n"),
        ("nodes | grep -q nothing", 1, ""),
        ("nodes 1>/dev/null", 0, ""),
        ("nodes nonsense | cat", 2, ""),
        ("links > /nowhere/x", 2, ""),
        ("help | head -n 1 # | not this", 0, "NODE COMMAND…  run a shell command line in a node: HOST1 ping"),
        ("path HOST1 'a|b'", 2, ""),
        ("py print(1 | 2, 2 > 1)", 0, "3 True\n"),
    ],
)
def test_what_a_command_prints_goes_to_programs(network: Network, line: str, status: int, out: str) -> None:
    done = emu("attach", network.name, "-c", line)
    assert (done.returncode, done.stdout[: len(out)]) == (status, out)
    assert bool(out) == bool(done.stdout)


def test_what_a_command_prints_goes_to_a_file(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    script = tmp_path / "script"
    script.write_text("nodes\nHOST1 hostname\nHOST2 sleep 1000 &\n")
    lines = [f"nodes > '{path}'", f"source {script} >> '{path}'", "kill HOST2"]
    done = emu("attach", network.name, *(word for line in lines for word in ("-c", line)))
    assert (done.returncode, done.stdout) == (0, "")
    first, *written = path.read_text().splitlines()
    assert written[:5] == [*written[:3], first, written[0]]
    assert written[7] == "HOST1"
    assert written[8].startswith("[")


@pytest.mark.parametrize(
    "line", ["nodes", "HOST1 seq 1000", "HOST* seq 1000", "py [print(n) for n in range(9)]"]
)
def test_a_script_ends_without_a_word_when_nobody_reads(network: Network, line: str) -> None:
    script = f"{line}\n" * 2000
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -n 1', "sh", *EMU, "attach", network.name], input=script,
        env=surroundings(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_a_log_is_followed_until_its_reader_has_enough(network: Network) -> None:
    job = network["HOST1"].start_job("echo one; exec sleep 1000")
    try:
        done = emu("attach", network.name, "-c", f"log -f {job.number} | head -n 1", "-c", "nodes | wc -l")
    finally:
        job.kill()
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\n4\n", "")


def test_a_folder_that_is_changed_for_nothing_is_told(network: Network) -> None:
    done = emu("attach", network.name, "-c", "HOST1 cd /", "-c", "HOST1 cd / && pwd")
    assert (done.returncode, done.stdout) == (0, "/\n")
    way = "'HOST1 cd / && COMMAND…' or 'HOST1 bash' keeps it"
    assert done.stderr == f"emu: HOST1 cd: each line has a shell of its own; {way}\n"


def test_ps_tells_the_memory(network: Network) -> None:
    rows = [json.loads(line) for line in emu("ps", "--json").stdout.splitlines()]
    memory = next(row["memory"] for row in rows if row["name"] == network.name)
    keeper = next(row["keeper"] for row in rows if row["name"] == network.name)
    assert 1 << 20 < memory < 1 << 28
    code = "import os, sys, time; block = os.urandom(50 << 20); print(flush=True); time.sleep(1000)"
    with network["HOST1"].popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        rows = [json.loads(line) for line in emu("ps", "--json").stdout.splitlines()]
        assert next(row["memory"] for row in rows if row["keeper"] == keeper) > memory + (45 << 20)
        process.kill()


@pytest.mark.parametrize("words", [["-c", "nodes"], ["--detach"], []])
def test_windows_of_tmux_are_not_for_scripts(words: list[str]) -> None:
    done = emu("run", "two_segment", "--tmux", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "open windows of tmux" in done.stderr


def test_a_terminal_without_windows_is_refused(session: Session, capfd: pytest.CaptureFixture[str],
                                               monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for name in ("TMUX", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert session.run_line("xterm HOST1") == 2
    assert "'emu exec" in capfd.readouterr().err


def test_a_terminal_is_an_xterm_where_there_is_one(session: Session, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    program, told = tmp_path / "xterm", tmp_path / "told"
    os.mkfifo(told)
    program.write_text(f'#!/bin/sh\necho "$*" > {shlex.quote(str(told))}\n')
    program.chmod(0o755)
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert session.run_line("terminal HOST1") == 0
    assert re.search(rf"-T HOST1 -e .* exec {session.network.name} HOST1 ", told.read_text())


@tmux
def test_each_node_has_a_window_of_tmux_and_all_end_with_the_prompt(tmp_path: Path) -> None:
    screen = Screen(tmp_path, "exec sleep 1000")
    try:
        screen.tmux(
            "new-window", "-c", str(tmp_path), f"{COMMAND} run two_segment --tmux --name {fresh_name()}"
        )
        screen.wait_prompt()
        names = screen.tmux("list-windows", "-F", "#{window_name}").split()
        assert names[-3:] == ["HOST1", "ROUTER", "HOST2"]
        screen.line("terminal HOST2")
        screen.wait(r"[#$] ?\Z")
        screen.line("hostname > where; echo $((1 + 1))")
        screen.wait("^2$")
        assert (tmp_path / "where").read_text() == "HOST2\n"
        screen.tmux("select-window", "-t", ":1")
        screen.line("exit")
        screen.wait(r"\A\Z")
        assert screen.tmux("list-windows", "-F", "#{window_name}").split()[1:] == []
    finally:
        screen.tmux("kill-server")


@tmux
def test_ctrl_c_ends_what_several_nodes_run_and_a_long_table_is_paged(tmp_path: Path) -> None:
    screen = Screen(
        tmp_path, f"EMU_HISTORY= {COMMAND} run two_segment --name {fresh_name()}; exec sleep 1000"
    )
    try:
        screen.wait_prompt()
        screen.line("HOST* ping ROUTER")
        screen.wait(r"HOST1: .*icmp_seq=2")
        screen.type("C-c")
        screen.wait_prompt(r"HOST1: .* 0% packet loss[\s\S]*HOST2: .* 0% packet loss")
        if shutil.which("less"):
            screen.line("help")
            screen.wait(r"\A(?![\s\S]*emu>\Z)[\s\S]*^:\Z")
            screen.type("q")
            screen.wait(r"^emu>\Z")
        assert not (tmp_path / ".local").exists()
    finally:
        screen.tmux("kill-server")
