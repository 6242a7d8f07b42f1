"""How well links do what they are set to, measured.

Where chance decides, the bounds are those that a correct emulator leaves less than once in 1,000 runs: 3.29
standard deviations, or the quantile of Kolmogorov's distribution. Where the machine decides, the bounds are
what is promised, and what a busy machine may do to a single packet does not count (medians).
"""

from __future__ import annotations

import bisect
import math
import select
import socket
import statistics
import time
from collections.abc import Iterator

import pytest

from emu.shaping.tables import SCALE, SIZE, table_of

from .flows import HEADERS, Path, a_path
from .machine import load_modules
from .measured import MEASURED

pytestmark = MEASURED

#: sqrt(-ln(0.001 / 2) / 2): the largest distance of two distribution functions, times the root of the
#: number of samples, is more than that once in 1,000 times (A. Kolmogorov, 1933), and less often with jumps.
_KOLMOGOROV = 1.95
#: The bits of a full frame, and what of it TCP carries with timestamps.
_FRAME, _PAYLOAD = (1472 + HEADERS) * 8, 1448 * 8


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    load_modules(("sch_fq_codel", "sch_codel", "sch_red"))
    yield from a_path()


@pytest.mark.parametrize("rate", [1, 4])
@pytest.mark.parametrize(
    "queue", ["fifo", "bfifo", "fq_codel target 10s interval 10s", "codel target 10s interval 10s"]
)
def test_a_rate_is_kept_to_one_percent_behind_any_queue(path: Path, rate: int, queue: str) -> None:
    """The queue holds all that is offered, so that all of it arrives, and as fast as the rate has it."""
    count = {1: 101, 4: 301}[rate]
    path.shape(rate=f"{rate}mbit", queue=queue, limit="4mb" if queue == "bfifo" else 3000)
    arrived = path.offer(count)
    assert sorted(arrived) == list(range(count))
    assert path.carried() == pytest.approx(rate * 1e6, rel=0.01)


def test_a_queue_that_is_full_adds_what_it_holds(path: Path) -> None:
    path.shape(rate="4mbit", limit=40)
    path.offer(500, rate=12e6)
    waits = [one for one in path.took()[100:] if not math.isnan(one)]
    assert statistics.median(waits) == pytest.approx(40 * _FRAME / 4e6 * 1000, rel=0.03)


def test_tcp_fills_a_link_with_a_delay(path: Path) -> None:
    path.shape(rate="10mbit", delay="10ms")
    assert _tcp(path, seconds=4) == pytest.approx(10e6 * _PAYLOAD / _FRAME, rel=0.03)


def _tcp(path: Path, seconds: float) -> float:
    """Return the goodput of a TCP connection after its first second, in bit/s."""
    with path.net["HOST2"].socket() as listening, path.net["HOST1"].socket() as sending:
        listening.bind(("0.0.0.0", 0))
        listening.listen()
        address = str(next(one for one in path.net["HOST2"].plan.addresses if one.version == 4).ip)
        sending.connect((address, listening.getsockname()[1]))
        receiving, _ = listening.accept()
        with receiving:
            sending.setblocking(False)
            return _bulk(sending, receiving, seconds)


def _bulk(sending: socket.socket, receiving: socket.socket, seconds: float) -> float:
    began = time.perf_counter()
    total, now, start = 0, began, None
    while now < began + seconds:
        readable, writable, _ = select.select([receiving], [sending], [], 1)
        if writable:
            sending.send(bytes(1 << 14))
        if readable:
            total += len(receiving.recv(1 << 18))
            now = time.perf_counter()
            if start is None and now > began + 1:
                start, total = now, 0
    assert start is not None
    return total * 8 / (now - start)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto", "paretonormal"])
def test_jitter_is_distributed_as_it_is_set_to(path: Path, distribution: str) -> None:
    """The distribution is that of the table, within what the number of samples leaves to chance."""
    path.shape(delay="100ms")
    path.offer(100, size=16, rate=200_000)
    idle = statistics.median(path.took())
    path.shape(delay="100ms", jitter="20ms", distribution=distribution)
    count = 400
    assert len(path.offer(count, size=16, rate=200_000)) == count
    table = table_of(distribution)
    found = sorted((one - idle) / 20 * SCALE for one in path.took())
    chances = [bisect.bisect(table, one) / SIZE for one in found]
    distance = max(
        max((step + 1) / count - chance, chance - step / count) for step, chance in enumerate(chances)
    )
    assert distance < _KOLMOGOROV / math.sqrt(count)


@pytest.mark.parametrize(
    ("loss", "expected", "burst"),
    [
        ("0.1%", 0.001, 1.0),
        ("5%", 0.05, 1.0),
        ("gemodel 1% 50%", 0.01 / 0.51, 2.0),
        ("state 2% 25%", 0.02 / 0.27, 4.0),
    ],
)
def test_loss_and_its_bursts_are_those_of_the_model(
    path: Path, loss: str, expected: float, burst: float
) -> None:
    path.shape(loss=loss)
    count = 20_000
    lost = sorted(set(range(count)) - set(path.offer(count, size=16)))
    # The number of losses in bursts of mean length b varies by 2b - 1 times what independent ones would.
    spread = math.sqrt(expected * (1 - expected) / count * (2 * burst - 1))
    assert len(lost) / count == pytest.approx(expected, abs=3.29 * spread)
    if burst > 1:
        runs = sum(number - 1 not in lost[max(at - 1, 0) : at] for at, number in enumerate(lost))
        # Lengths are geometric, with a variance of b (b - 1).
        assert len(lost) / runs == pytest.approx(burst, abs=3.29 * math.sqrt(burst * (burst - 1) / runs))


@pytest.mark.parametrize("queue", ["codel ecn", "fq_codel", "red min 6kb max 20kb probability 1 ecn"])
def test_a_queue_that_fills_marks_what_may_be_marked_and_drops_the_rest(path: Path, queue: str) -> None:
    for marks, service in ((True, 2), (False, 0)):  # ECT(0) of RFC 3168, and none
        path.shape(rate="4mbit", queue=queue)
        before = _router_counts(path)
        path.sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, service)
        arrived = path.offer(200, rate=8e6)
        path.sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0)
        marked, dropped = (after - one for after, one in zip(_router_counts(path), before, strict=True))
        assert (marked > 0) == marks
        assert dropped == 200 - len(arrived)
        assert marks or dropped > 0


def _router_counts(path: Path) -> tuple[int, int]:
    found = next(one for one in path.net.counters() if (one.source, one.target) == ("ROUTER", "HOST2"))
    return found.ecn_marks or 0, found.queue_drops
