"""Links do what their attributes say: delay, rate, loss, queue, in this order, and change while in use."""

from __future__ import annotations

import math
import select
import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx
import pytest

import emu
from emu.netlink.delivery import send
from emu.netlink.queueing import Place, changes
from emu.shaping import Shaping, shaping_from
from emu.shaping.attributes import PARSERS

#: IP and UDP headers, and Ethernet's, which count in a rate.
_HEADERS = 28 + 14


class Path:
    """HOST1 to HOST2 through ROUTER, of which the way from ROUTER to HOST2 can be shaped anew."""

    def __init__(self, net: emu.Network) -> None:
        self.net = net
        self.sender = net["HOST1"].socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver = net["HOST2"].socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.receiver.bind(("0.0.0.0", 0))
        self.receiver.setblocking(False)
        address = next(one for one in net["HOST2"].plan.addresses if one.version == 4)
        self.sender.connect((str(address.ip), self.receiver.getsockname()[1]))
        self.shaping: Shaping | None = None

    def shape(self, **attributes: Any) -> None:
        """Change what the link does, in place."""
        new = shaping_from({name: PARSERS[name](value) for name, value in attributes.items()})
        one = next(one for one in self.net["ROUTER"].plan.interfaces if one.peer[0] == "HOST2")
        found = changes(Place("ROUTER", one.name, one.index), self.shaping, new)
        send(self.net.sandbox, found, {})
        self.shaping = new

    def offer(
        self,
        count: int,
        size: int = 1472,
        rate: float = math.inf,
        then: Callable[[int], None] = lambda _number: None,
    ) -> list[int]:
        """Send numbered packets, at a rate in bit/s; return the numbers that arrive, in order."""
        arrived: list[int] = []
        began = time.monotonic()
        for number in range(count):
            self.sender.send(struct.pack("=I", number).ljust(size, b"\0"))
            due = began + number * (size + _HEADERS) * 8 / rate
            then(number)
            while number % 20 == 0 or time.monotonic() < due:
                if not select.select([self.receiver], [], [], max(0.0, due - time.monotonic()))[0]:
                    break
                arrived.append(self._receive())
        while select.select([self.receiver], [], [], 0.5)[0]:
            arrived.append(self._receive())
        return arrived

    def one_way(self, count: int) -> list[float]:
        """Return how long packets take that are sent one after the other, in ms."""
        found = []
        for number in range(count):
            began = time.perf_counter()
            self.sender.send(struct.pack("=I", number))
            assert select.select([self.receiver], [], [], 2)[0]
            found.append((time.perf_counter() - began) * 1000)
            self._receive()
        return found

    def _receive(self) -> int:
        return int(struct.unpack_from("=I", self.receiver.recv(2048))[0])


@pytest.fixture(scope="module")
def net() -> Iterator[emu.Network]:
    """Return a running network whose second link has a rate that is never reached."""
    graph: nx.Graph = nx.Graph(name="shaped", families=4)
    graph.add_node("HOST1", kind="host")
    graph.add_node("ROUTER", kind="router")
    graph.add_node("HOST2", kind="host")
    graph.add_edge("HOST1", "ROUTER")
    graph.add_edge("ROUTER", "HOST2")
    with emu.Network(graph) as running:
        yield running


@pytest.fixture(scope="module")
def path(net: emu.Network) -> Path:
    found = Path(net)
    found.offer(1)  # neighbours are known from here on
    return found


@pytest.mark.parametrize("delay", [1, 20, 100])
def test_a_delay_is_what_it_is_set_to(path: Path, delay: int) -> None:
    path.shape(delay=f"{delay}ms")
    assert statistics.median(path.one_way(15)) == pytest.approx(delay, abs=0.5)


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


def test_lost_packets_have_taken_up_the_rate(path: Path) -> None:
    path.shape(rate="4mbit", limit=20, loss="10%")
    count = 1000
    arrived = path.offer(count, rate=8e6)
    # Half of what is offered is sent at all, and what waits in the queue at the end; then a tenth is lost.
    assert len(arrived) / ((count / 2 + 20) * 0.9) == pytest.approx(1, abs=0.05)


def test_a_rate_is_kept_to_one_percent(path: Path) -> None:
    path.shape(rate="8mbit", limit=1000)
    began = time.monotonic()
    arrived = path.offer(800)
    took = time.monotonic() - began - 0.5  # until nothing came any more
    assert arrived == list(range(800))
    assert 800 * (1472 + _HEADERS) * 8 / took == pytest.approx(8e6, rel=0.01)


def test_drops_begin_at_the_limit(path: Path) -> None:
    path.shape(rate="1mbit", limit=30)
    assert path.offer(60)[:30] == list(range(30))
    path.shape(rate="20kbit", limit=10)  # a packet takes 0.1 s, all of them are offered in less
    assert len(path.offer(40, size=200)) == 10


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
