"""What links count: in Python, at the prompt, and in a file."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
import shutil
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import emu
from emu.counting.counters import LinkCounters, read_counters
from emu.prompt.session import Session

from .helpers import eventually

PROTOCOL = 0x88B5
FRAME = b"\xff" * 6 + bytes(6) + struct.pack("!H", PROTOCOL) + bytes(86)


# Without IPv6, whose nodes speak by themselves, all packets are the tests' own.
pytestmark = pytest.mark.emu("two_segment", scope="module", families=4)


@pytest.fixture
def session(net: emu.Network) -> Session:
    return Session(net, net.plugins)


def direction(net: emu.Network, source: str, target: str) -> LinkCounters:
    (found,) = (one for one in net.counters() if (one.source, one.target) == (source, target))
    return found


def send_frames(net: emu.Network, node: str, count: int) -> None:
    """Send frames of 100 bytes through a node's first interface."""
    with net[node].socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((net[node].interfaces[0].name, 0))
        for _ in range(count):
            with contextlib.suppress(OSError):  # the sender is told of a full queue
                sock.send(FRAME)


def test_each_direction_counts_its_own_packets_and_bytes(net: emu.Network) -> None:
    here, back = direction(net, "HOST1", "ROUTER"), direction(net, "ROUTER", "HOST1")
    send_frames(net, "HOST1", 30)
    then, back_then = direction(net, "HOST1", "ROUTER"), direction(net, "ROUTER", "HOST1")
    assert (then.packets - here.packets, then.bytes - here.bytes) == (30, 3000)
    assert back_then == back
    assert (then.drops, then.queue_packets, then.ecn_marks) == (0, 0, None)


def test_all_directions_come_in_the_plan_s_order(net: emu.Network) -> None:
    ends = [
        ((one.source, one.source_interface), (one.target, one.target_interface)) for one in net.counters()
    ]
    links = [link.ends for link in net.plan.links]
    assert ends == [pair for a, b in links for pair in ((a, b), (b, a))]
    assert {one.source for one in net.counters(["HOST2"])} == {"HOST2", "ROUTER"}


@pytest.fixture
def slow(net: emu.Network) -> Iterator[None]:
    """HOST1 sends at 1 kbit/s, a packet in 0.8 s, with room for ten."""
    name = net["HOST1"].interfaces[0].name
    if shutil.which("tc") is None:
        pytest.skip("tc is missing")
    words = ["rate", "1kbit", "burst", "1600", "limit", "1000"]
    net["HOST1"].run(["tc", "qdisc", "add", "dev", name, "root", "tbf", *words], check=True)
    yield
    net["HOST1"].run(["tc", "qdisc", "del", "dev", name, "root"], check=True)


@pytest.mark.usefixtures("slow")
def test_queue_is_measured_and_its_drops_are_counted(net: emu.Network) -> None:
    send_frames(net, "HOST1", 100)
    found = direction(net, "HOST1", "ROUTER")
    assert 1 <= found.queue_packets <= 10
    assert found.queue_bytes == 100 * found.queue_packets
    assert 30 <= found.queue_drops < 100
    assert found.drops == found.queue_drops
    assert found.overlimits > 0


def test_log_has_every_direction_at_even_times(net: emu.Network, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with net.log_counters(path, 0.02):
        send_frames(net, "HOST1", 7)
        eventually(lambda: len(path.read_text().splitlines()) > 10 * 4)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    samples = {
        time: list(group) for time, group in itertools.groupby(rows, key=lambda row: float(row["time"]))
    }
    assert all(len(sample) == 4 for sample in samples.values())
    # Each comes no sooner than its time; a busy machine may leave some out.
    assert all(time >= 0.02 * number for number, time in enumerate(samples))
    first, last = (int(rows[number]["packets"]) for number in (0, -4))
    assert last - first <= 7


def test_log_that_is_left_takes_no_more_samples(net: emu.Network, tmp_path: Path) -> None:
    log = net.log_counters(tmp_path / "log.csv", 0.001)
    eventually(lambda: (tmp_path / "log.csv").stat().st_size > 2000)
    log.stop()
    log.stop()
    assert not log.running


def test_table_at_the_prompt(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert session.run_line("links -s HOST1") == 0
    titles, *rows = capsys.readouterr().out.splitlines()
    assert titles.split()[:5] == ["FROM", "TO", "PACKETS", "BYTES", "DROPS"]
    assert [row.split()[:2] for row in rows] == [
        ["HOST1-veth0", "ROUTER-veth0"],
        ["ROUTER-veth0", "HOST1-veth0"],
    ]


def test_table_again_and_again(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    assert session.run_line("links -s HOST1 --watch 0.05 --count 3") == 0
    assert time.monotonic() - began >= 0.1
    titles, *rows = capsys.readouterr().out.splitlines()
    assert (titles.split()[0], titles.split()[-1]) == ("TIME", "RATE")
    assert len(rows) == 6
    assert all(row.endswith("bit") for row in rows)


def test_file_at_the_prompt(session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.csv"
    assert session.run_line(f"counters {path} --interval 0.01") == 0
    assert session.run_line(f"counters {path}") == 2
    assert "that is being done" in capsys.readouterr().err
    assert session.run_line("counters") == 0
    assert capsys.readouterr().out == f"[1] running  - counters {path} -i 0.01\n"
    eventually(lambda: path.read_text().count("\n") > 4)
    assert session.run_line("counters --stop") == 0
    assert session.run_line("counters") == 0
    assert re.fullmatch(
        rf"counters {path} -i 0.01: \d+ samples?\nno counters are being written\n", capsys.readouterr().out
    )
    assert session.run_line(f"counters {tmp_path}/none/log.csv") == 1
    assert (
        capsys.readouterr().err
        == f"emu: write counters to {tmp_path}/none/log.csv: No such file or directory\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_at_the_prompt_is_one_line(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert session.run_line("counters /dev/full --interval 0.01") == 0
    seen = ""

    def told() -> bool:
        nonlocal seen
        seen += capsys.readouterr().err
        return seen.endswith("\n")

    eventually(told)
    assert seen == "emu: write counters to /dev/full: No space left on device\n"
    assert session.run_line("counters --stop") == 0


@pytest.mark.emu("two_hosts")
def test_removed_link_is_left_out(net: emu.Network) -> None:
    assert len(net.counters()) == 2
    net["HOST1"].run(["ip", "link", "del", net["HOST1"].interfaces[0].name], check=True)
    assert net.counters() == []


@pytest.mark.emu("two_segment")
def test_links_of_a_node_that_others_remove_meanwhile_are_left_out(net: emu.Network) -> None:
    plan = net.plan
    net.remove_node("HOST1")
    assert {one.source for one in read_counters(net.sandbox, plan)} == {"ROUTER", "HOST2"}
