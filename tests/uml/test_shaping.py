"""Links do what their attributes say: delay, rate, loss, queue, in this order, and change while in use."""

from __future__ import annotations

import contextlib
import itertools
import math
import select
import socket
import statistics
from collections.abc import Iterator
from typing import Any

import networkx as nx
import pytest

import emu
from emu.shaping.queues import DISCIPLINES

from .flows import Path, a_path, round_trips
from .machine import load_modules
from .measured import MEASURED, Measure

#: SO_NO_CHECK in include/uapi/asm-generic/socket.h: UDP without checksums.
_NO_CHECKSUM = 11


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    yield from a_path()


@MEASURED
@pytest.mark.parametrize("delay", [1, 10, 50, 200])
def test_a_delay_is_what_it_is_set_to(path: Path, measured: Measure, delay: int) -> None:
    path.shape(delay=f"{delay}ms")
    trips = round_trips(path.net, 100)
    assert len(trips) == 100
    measured("round trip of ping, ms", statistics.median(trips), delay, within=0.5)


@pytest.mark.parametrize(
    ("loss", "expected", "burst"),
    [("1%", 0.01, None), ("20%", 0.2, None), ("gemodel 2% 25%", 0.02 / 0.27, 4.0)],
)
def test_loss_is_within_the_interval_of_chance(
    path: Path, loss: str, expected: float, burst: float | None
) -> None:
    path.shape(loss=loss)
    count = 20_000
    lost = sorted(set(range(count)) - set(path.offer(count, size=16)))
    runs = sum(number - 1 not in lost[max(at - 1, 0) : at] for at, number in enumerate(lost))
    # Losses that come in bursts vary as their number does, by one and twice the correlation's sum.
    spread = math.sqrt(expected * (1 - expected) / count * (1 if burst is None else 2 * burst - 1))
    # That of 99.9 %: a test that fails by chance once in a hundred times would be repeated, not read.
    assert len(lost) / count == pytest.approx(expected, abs=3.29 * spread)
    if burst is not None:
        assert len(lost) / runs == pytest.approx(burst, rel=0.15)


@MEASURED
def test_lost_packets_have_taken_up_the_rate(path: Path) -> None:
    path.shape(rate="4mbit", limit=20, loss="10%")
    count = 1000
    arrived = path.offer(count, rate=8e6)
    # Half of what is offered is sent at all, and what waits in the queue at the end; then a tenth is lost.
    assert len(arrived) / ((count / 2 + 20) * 0.9) == pytest.approx(1, abs=0.05)


def test_drops_begin_at_the_limit(path: Path) -> None:
    path.shape(rate="1mbit", limit=30)
    assert path.offer(60)[:30] == list(range(30))
    path.shape(rate="20kbit", limit=10)  # a packet takes 0.1 s, all of them are offered in less
    assert len(path.offer(40, size=200)) == 10


@pytest.mark.parametrize(
    "queue",
    [
        "bfifo", "codel target 10s interval 10s", "fq_codel target 10s interval 10s drop_batch 1",
        "pie target 10s", "sfq", "red min 8000 max 9000",
    ],
)  # fmt: skip
def test_drops_of_any_queue_begin_at_the_limit(path: Path, queue: str) -> None:
    """One packet is being sent, and is no longer in the queue."""
    load_modules(tuple(f"sch_{kind}" for kind in ("codel", "fq_codel", "pie", "sfq", "red")))
    bytes_count = DISCIPLINES[queue.split(maxsplit=1)[0]].unit == "bytes"
    path.shape(rate="20kbit", queue=queue, limit=f"{10 * 242}b" if bytes_count else 10)
    assert len(path.offer(40, size=200)) == 11


@pytest.mark.parametrize("beside", [{}, {"loss": "0.001%"}, {"jitter": "1ms"}])
def test_what_is_on_its_way_takes_no_room_in_the_queue(path: Path, beside: dict[str, str]) -> None:
    """Of packets that come faster than they leave, as many are kept as without a delay, or one more."""
    path.shape(**{"rate": "20kbit", "delay": "300ms", "limit": 10, **beside})
    assert len(path.offer(40, size=200)) in (10, 11)


def test_nothing_is_lost_while_a_link_changes(path: Path) -> None:
    path.shape(rate="10mbit", limit=500)
    steps: dict[int, dict[str, Any]] = {
        100: {"rate": "10mbit", "limit": 500, "delay": "30ms"},
        200: {"rate": "5mbit", "limit": 500, "delay": "30ms", "jitter": "1ms"},
        300: {"rate": "20mbit", "limit": 500},
        400: {},
    }

    def step(number: int) -> None:
        if number in steps:
            path.shape(**steps[number])

    arrived = path.offer(500, rate=8e6, then=step)
    assert sorted(arrived) == list(range(500))


def test_duplicates_arrive_twice() -> None:
    graph: nx.Graph = nx.path_graph(["HOST1", "ROUTER", "HOST2"])
    graph.graph["families"] = (4,)
    graph.edges["ROUTER", "HOST2"]["duplicate"] = "20%"
    count = 2000
    with emu.Network(graph) as net, contextlib.closing(Path(net)) as path:
        arrived = path.offer(count, size=16)
    assert set(arrived) == set(range(count))
    spread = math.sqrt(0.2 * 0.8 / count)
    assert len(arrived) / count - 1 == pytest.approx(0.2, abs=3.29 * spread)


def test_one_bit_of_a_corrupt_packet_is_changed(path: Path) -> None:
    path.shape(corrupt="100%")
    path.sender.setsockopt(socket.SOL_SOCKET, _NO_CHECKSUM, 1)  # or the receiver would drop it
    sent = bytes(1400)
    for _ in range(50):
        path.sender.send(sent)
    path.sender.setsockopt(socket.SOL_SOCKET, _NO_CHECKSUM, 0)
    changed = []
    while select.select([path.receiver], [], [], 0.5)[0]:
        changed.append(sum(one.bit_count() for one in path.receiver.recv(2000)))
    # Of those whose headers were hit some come with whole data, and some nowhere.
    assert len(changed) >= 25
    assert set(changed) <= {0, 1}
    assert sum(changed) >= 25
    path.shape()


def test_what_is_to_be_reordered_overtakes_what_is_delayed(path: Path) -> None:
    path.shape(delay="300ms", reorder="100% gap 5")
    arrived = path.offer(50, size=16)
    assert sorted(arrived) == list(range(50))
    ahead = [number for number in arrived if number % 5 == 4]
    assert arrived[: len(ahead)] == ahead


def test_packets_come_in_bursts(path: Path) -> None:
    path.shape(slot="100ms packets 8")
    assert sorted(path.offer(40, size=16)) == list(range(40))
    times = sorted(path.arrivals.values())
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert sum(gap > 0.05 for gap in gaps) >= 4
