"""Captures of running networks at the prompt and on the command line."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pcapng import FileScanner, blocks

import emu
from emu.prompt.session import Session
from emu.topologies.two_segment import two_segment

from .captures import ping, read_back, send
from .helpers import EMU, eventually, surroundings

# What the reader of the tests says of itself.
pytestmark = pytest.mark.filterwarnings("ignore:Field type should not be:DeprecationWarning")


@pytest.fixture(scope="module")
def network() -> Iterator[emu.Network]:
    # Without IPv6, whose nodes speak by themselves, all packets are the tests' own.
    with emu.Network(two_segment(), families=(4,)) as running:
        yield running


@pytest.fixture
def session(network: emu.Network) -> Iterator[Session]:
    one = Session(network, network.plugins)
    yield one
    one.close()


# -- the prompt -------------------------------------------------------------------------------------


def test_prompt_captures_in_the_background(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "prompt.pcapng"
    words = f"HOST1-veth0,HOST2 {path} icmp and host HOST2"
    assert session.run_line(f"capture {words}") == 0
    ping(session.network)
    for line in ("capture", "capture --stop", "capture"):
        assert session.run_line(line) == 0
    begun, running, stopped, nothing = capsys.readouterr().out.splitlines()
    assert begun.startswith(f"[1] capturing to {path}")
    assert running == f"[1] running  - capture {words}"
    assert stopped == f"capture {words}: 4 packets, none lost"
    assert nothing == "nothing is being captured"
    assert Counter(name for name, *_ in read_back(path)) == {"HOST1-veth0": 2, "HOST2-veth0": 2}


def test_captures_and_counters_are_jobs(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, table = tmp_path / "job.pcapng", tmp_path / "job.csv"
    assert session.run_lines([f"capture HOST1-veth0 {path} udp", f"counters {table} -i 0.01", "jobs"]) == 0
    first, second, _, *rows = capsys.readouterr().out.splitlines()
    numbers = [re.match(r"\[(\d+)\] ", line)[1] for line in (first, second)]  # type: ignore[index]
    assert [row.split()[:4] for row in rows] == [[number, "-", "here", "running"] for number in numbers]
    send(session.network)
    assert session.run_line(f"kill -HUP {numbers[0]}") == 2
    assert session.run_line(f"fg {numbers[0]}") == 2
    assert session.run_line(f"log {numbers[0]}") == 2
    assert capsys.readouterr().err.count("\n") == 3
    assert session.run_lines([f"kill {numbers[0]} %{numbers[1]}", "jobs"]) == 0
    ended, written, none = capsys.readouterr().out.splitlines()
    assert ended == f"capture HOST1-veth0 {path} udp: 1 packet, none lost"
    assert re.fullmatch(rf"counters {table} -i 0.01: \d+ samples?", written)
    assert none == "no jobs"
    assert len(read_back(path)) == 1


def test_captures_end_with_the_prompt(
    session: Session, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "left.pcapng"
    assert session.run_line(f"capture --all {path} udp") == 0
    send(session.network)
    session.close()
    assert capfd.readouterr().err == f"capture --all {path} udp: 4 packets, none lost\n"
    assert len(read_back(path)) == 4


def test_prompt_tells_at_once_when_a_capture_ends_by_itself(
    session: Session, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    node = session.network["HOST1"]
    if shutil.which("ip") is None:
        pytest.skip("ip is missing")
    node.run(["ip", "link", "add", "z0", "up", "type", "veth", "peer", "name", "z1"], check=True)
    path = tmp_path / "gone.pcapng"
    assert session.run_line(f"capture HOST1:z0 {path}") == 0
    node.run(["ip", "link", "delete", "z0"], check=True)
    told = ""
    deadline = time.monotonic() + 10
    while told.count("\n") < 2:
        assert time.monotonic() < deadline, told
        told += capfd.readouterr().err
    gone, end = told.splitlines()
    assert gone == f"emu: capture HOST1:z0 {path}: interface z0 of HOST1 is gone"
    assert end.endswith("none lost")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("capture HOST1-veth7 x.pcapng", "did you mean HOST1-veth0"),
        ("capture HOST1:eth0 x.pcapng", "HOST1 has HOST1-veth0"),
        ("capture HOST1", "a file is missing"),
        ("capture --all", "a file is missing"),
        ("capture --stop x.pcapng", "that is not being done"),
        ("capture HOST1 x.pcapng icmp or or udp", "cannot go on with 'or'"),
    ],
)
def test_prompt_says_in_one_line_what_is_wrong(
    session: Session, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert session.run_line(line) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert said in told
    assert not Path("x.pcapng").exists()


# -- the command line -------------------------------------------------------------------------------


@contextlib.contextmanager
def command(
    network: emu.Network, *words: str, prefix: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `emu capture` on a network that has been detached, or whose owner is this process."""
    process = subprocess.Popen(
        [*prefix, *EMU, "capture", network.name, *words], env=surroundings(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def has_begun(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def test_command_writes_packets_to_a_pipe_as_they_come(network: emu.Network, tmp_path: Path) -> None:
    with command(network, "HOST1-veth0", "-", "udp") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        data = os.read(process.stdout.fileno(), 1 << 16)
        send(network, 3)
        while data.count(struct.pack("!H", 9) + struct.pack("!H", 12)) < 3:  # the port, UDP's length
            data += os.read(process.stdout.fileno(), 1 << 16)
        process.send_signal(signal.SIGINT)
        data += process.stdout.read()
        assert process.wait(20) == 0
        assert process.stderr.read() == b"capture: 3 packets, none lost\n"
    (tmp_path / "pipe.pcapng").write_bytes(data)
    assert len(read_back(tmp_path / "pipe.pcapng")) == 3


def test_command_ends_quietly_when_nobody_reads_any_more(network: emu.Network) -> None:
    with command(network, "HOST1-veth0", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 1 << 16)
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b"capture: 0 packets, none lost\n"


def test_a_file_without_room_for_more_is_told_and_can_be_read(network: emu.Network, tmp_path: Path) -> None:
    path = tmp_path / "full.pcapng"
    limited = ("bash", "-c", 'ulimit -f 64; exec "$@"', "-")
    with command(network, "HOST1-veth0", str(path), "udp", prefix=limited) as process:
        assert process.stderr is not None
        eventually(lambda: has_begun(path))
        send(network, 200, 1000)
        assert process.wait(20) == 1
        counted, told = process.stderr.read().decode().splitlines()
    found = read_back(path)
    assert 50 <= len(found) < 64
    assert counted == f"capture: {len(found)} packets, then it could not be written any more"
    assert told == f"emu: capture to {path}: File too large"


def test_a_file_is_complete_when_the_command_is_killed(network: emu.Network, tmp_path: Path) -> None:
    path = tmp_path / "killed.pcapng"
    with command(network, "HOST1-veth0", str(path), "udp") as process:
        eventually(lambda: has_begun(path))
        send(network, 20)
        process.kill()
        process.wait()

    def complete() -> bool:
        with path.open("rb") as file, contextlib.suppress(Exception):
            return any(isinstance(one, blocks.InterfaceStatistics) for one in FileScanner(file))
        return False

    eventually(complete)
    assert len(read_back(path)) == 20


def test_command_ends_with_the_network(tmp_path: Path) -> None:
    path = tmp_path / "end.pcapng"
    with emu.Network(two_segment(), families=(4,)) as net, contextlib.ExitStack() as stack:
        process = stack.enter_context(command(net, "--all", str(path), "udp"))
        eventually(lambda: has_begun(path))
        send(net, 5)
        net.stop()
        assert process.wait(20) == 0
    assert len(read_back(path)) == 20
