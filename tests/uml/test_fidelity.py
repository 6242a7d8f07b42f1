"""How well links do what they are set to, measured.

Where chance decides, the bounds are those that a correct emulator leaves once in 100 times: 2.58 standard
deviations, or the quantile of Kolmogorov's distribution. What is beyond them is drawn once more. Where the
machine decides, the bounds are what is promised, and what a busy machine may do to a single packet does not
count (medians).
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import math
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path as Folder

import pytest

from emu.shaping.tables import SCALE, SIZE, table_from, table_of

from .bulk import HEADERS, TCP_SHARE, UDP_SHARE, Open, in_a_child, tcp_bulk, tcp_goodput, udp_goodput
from .flows import Path, a_path, round_trips
from .machine import load_modules
from .measured import MEASURED, Measure, drawn
from .replay import share_of_a_trace

pytestmark = MEASURED

#: sqrt(-ln(0.01 / 2) / 2): the largest distance of two distribution functions, times the root of the
#: number of samples, is more than that once in 100 times (A. Kolmogorov, 1933), and less often with jumps.
_KOLMOGOROV = 1.63
#: What is distributed normally is farther from its mean once in 100 times, in standard deviations.
_NORMAL = 2.58
#: The bits of a full frame.
FRAME = (1472 + HEADERS) * 8


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    load_modules(("sch_fq_codel", "sch_codel", "sch_red", "sch_pie"))
    yield from a_path()


@pytest.mark.parametrize("rate", [1, 4])
@pytest.mark.parametrize(
    "queue", ["fifo", "bfifo", "fq_codel target 10s interval 10s", "codel target 10s interval 10s"]
)
def test_a_rate_is_kept_to_one_percent_behind_any_queue(
    path: Path, measured: Measure, rate: int, queue: str
) -> None:
    """The queue holds all that is offered, so that all of it arrives, and as fast as the rate has it."""
    count = {1: 101, 4: 301}[rate]
    path.shape(rate=f"{rate}mbit", queue=queue, limit="4mb" if queue == "bfifo" else 3000)
    arrived = path.offer(count)
    assert sorted(arrived) == list(range(count))
    measured(f"rate, behind {queue.split(maxsplit=1)[0]}, Mbit/s", path.carried() / 1e6, rate, share=0.01)


def test_a_queue_that_is_full_adds_what_it_holds(path: Path, measured: Measure) -> None:
    path.shape(rate="4mbit", limit=40)
    path.offer(500, rate=12e6)
    waits = [one for one in path.took()[100:] if not math.isnan(one)]
    what = "wait in a full queue of 40 packets at 4 Mbit/s, ms"
    measured(what, statistics.median(waits), 40 * FRAME / 4e6 * 1000, share=0.03)


@pytest.mark.parametrize("rate", [1, 10, 100])  # with 200 it is the processor that ends it
@pytest.mark.parametrize("queue", ["fifo", "bfifo"])
def test_tcp_and_udp_get_what_the_rate_leaves_to_them(
    path: Path, measured: Measure, rate: int, queue: str
) -> None:
    path.shape(rate=f"{rate}mbit", queue=queue, limit="500ms")
    setting = f"at {rate} Mbit/s, {queue}, Mbit/s"
    tcp = tcp_goodput(*_ends(path), seconds=10)
    measured(f"goodput of TCP {setting}", tcp / 1e6, rate * TCP_SHARE, share=0.01)
    udp = udp_goodput(path.net, rate=1.2e6 * rate, seconds=10)
    measured(f"goodput of UDP {setting}", udp / 1e6, rate * UDP_SHARE, share=0.01)


@pytest.mark.parametrize(("rate", "delay"), [(10, 10), (10, 50), (50, 25), (100, 10)])
def test_tcp_fills_a_link_with_a_delay(path: Path, measured: Measure, rate: int, delay: int) -> None:
    path.shape(rate=f"{rate}mbit", delay=f"{delay}ms")
    found = tcp_goodput(*_ends(path), seconds=10)
    what = f"goodput of TCP at {rate} Mbit/s with {delay} ms, Mbit/s"
    measured(what, found / 1e6, rate * TCP_SHARE, share=0.03)


@pytest.mark.parametrize("beside", [{}, {"loss": "0.001%"}, {"queue": "bfifo", "limit": f"{40 * 1514}b"}])
def test_under_load_a_packet_takes_the_delay_and_what_the_queue_holds(
    path: Path, measured: Measure, beside: dict[str, str]
) -> None:
    path.shape(**{"rate": "4mbit", "delay": "100ms", "limit": 40, **beside})
    path.offer(500, rate=12e6)
    waits = [one for one in path.took()[100:] if not math.isnan(one)]
    what = f"delay of 100 ms, and a full queue of 40 packets at 4 Mbit/s{_words(beside)}, ms"
    measured(what, statistics.median(waits), 100 + 40 * FRAME / 4e6 * 1000, share=0.03)


def _words(beside: dict[str, str]) -> str:
    return "".join(f", {name} {value}" for name, value in beside.items() if name != "limit")


def test_tcp_lets_the_round_trip_grow_by_what_the_queue_holds(path: Path, measured: Measure) -> None:
    """Windows go up to where the queue is full, and then back: of some connections, one is always there."""
    path.shape(rate="10mbit", delay="20ms", limit=40)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            receiving = stack.enter_context(tcp_bulk(*_ends(path)))
            stack.enter_context(in_a_child(functools.partial(receiving.recv, 1 << 18)))
        time.sleep(3)
        trips = round_trips(path.net, 300)
    most = statistics.quantiles(trips, n=50)[-1]
    what = "round trip under TCP, 20 ms and a queue of 40 packets at 10 Mbit/s, ms"
    measured(what, most, 20 + 39 * FRAME / 10e6 * 1000, share=0.03)


def _ends(path: Path) -> tuple[Open, Open, str]:
    address = next(one for one in path.net["HOST2"].plan.addresses if one.version == 4)
    return path.net["HOST1"].socket, path.net["HOST2"].socket, str(address.ip)


@pytest.mark.parametrize("queue", ["fifo", "fq_codel"])
def test_a_trace_lets_through_as_many_packets_as_it_says(
    path: Path, measured: Measure, tmp_path: Folder, queue: str
) -> None:
    what = f"packets that a trace lets through, {queue}, of those it says"
    measured(what, share_of_a_trace(tmp_path, queue), 1, share=0.01)


#: Delays in ms, most of them short.
_SAMPLES = [70 + 60 * (step / 99) ** 2 for step in range(100)]


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto", "paretonormal", _SAMPLES])
def test_jitter_is_distributed_as_it_is_set_to(
    path: Path, measured: Measure, distribution: str | list[float]
) -> None:
    """The distribution is that of the table, within what the number of samples leaves to chance."""
    if isinstance(distribution, str):
        mean, spread, table = 100.0, 20.0, table_of(distribution)
    else:
        mean, spread, table = table_from(distribution)
    path.shape(delay=f"{mean}ms")
    path.offer(100, size=16, rate=200_000)
    idle = statistics.median(path.took())
    path.shape(delay=f"{mean}ms", jitter=f"{spread}ms", distribution=distribution)
    count = 1000

    def distance() -> float:
        assert len(path.offer(count, size=16, rate=200_000)) == count
        found = sorted((one - idle) / spread * SCALE for one in path.took())
        chances = [bisect.bisect(table, one) / SIZE for one in found]
        return max(max((at + 1) / count - one, one - at / count) for at, one in enumerate(chances))

    most = _KOLMOGOROV / math.sqrt(count)
    name = distribution if isinstance(distribution, str) else "samples"
    what = f"jitter, {name}: distance of distributions"
    measured(what, drawn(distance, lambda one: one < most), 0, within=most)


@pytest.mark.parametrize(
    ("loss", "expected", "burst"),
    [
        ("0.1%", 0.001, 1.0),
        ("5%", 0.05, 1.0),
        ("5% 25%", 0.05, 1 / 0.75 / 0.95),
        ("gemodel 1% 50%", 0.01 / 0.51, 2.0),
        ("state 2% 25%", 0.02 / 0.27, 4.0),
    ],
)
def test_loss_and_its_bursts_are_those_of_the_model(
    path: Path, measured: Measure, loss: str, expected: float, burst: float
) -> None:
    path.shape(loss=loss)
    count = 20_000
    # The number of losses in bursts of mean length b varies by 2b - 1 times what independent ones would.
    spread = _NORMAL * math.sqrt(expected * (1 - expected) / count * (2 * burst - 1))

    def losses() -> tuple[float, float, float]:
        """Return the share that is lost, how long its bursts are, and how far chance takes that."""
        lost = sorted(set(range(count)) - set(path.offer(count, size=16)))
        runs = sum(number - 1 not in lost[max(at - 1, 0) : at] for at, number in enumerate(lost))
        # Lengths are geometric, with a variance of b (b - 1).
        return len(lost) / count, len(lost) / runs, _NORMAL * math.sqrt(burst * (burst - 1) / runs)

    share, length, apart = drawn(
        losses, lambda one: abs(one[0] - expected) <= spread and (burst == 1 or abs(one[1] - burst) <= one[2])
    )
    measured(f"loss {loss}, share", share, expected, within=spread)
    if burst > 1:
        measured(f"loss {loss}, length of bursts", length, burst, within=apart)


@pytest.mark.parametrize(
    "queue", ["codel ecn", "fq_codel", "red min 6kb max 20kb probability 1 ecn", "pie ecn tupdate 200ms"]
)
def test_a_queue_that_fills_marks_what_may_be_marked_and_drops_the_rest(path: Path, queue: str) -> None:
    count = 1000  # pie lets all pass for 150 ms, and marks only while it would drop no more than 10 %
    for marks, service in ((True, 2), (False, 0)):  # ECT(0) of RFC 3168, and none
        path.shape(rate="4mbit", queue=queue, limit=300)
        before = _router_counts(path)
        path.sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, service)
        arrived = path.offer(count, rate=4.4e6)
        path.sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0)
        marked, dropped = (after - one for after, one in zip(_router_counts(path), before, strict=True))
        assert (marked > 0) == marks
        assert dropped == count - len(arrived)
        assert marks or dropped > 0


def _router_counts(path: Path) -> tuple[int, int]:
    found = next(one for one in path.net.counters() if (one.source, one.target) == ("ROUTER", "HOST2"))
    return found.ecn_marks or 0, found.queue_drops
