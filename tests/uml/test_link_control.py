"""Links change by hand, by schedule and by trace on a kernel with netem, and lose nothing by it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import emu
from emu.shaping.queues import DISCIPLINES
from emu.topologies.two_segment import two_segment

from ..network.helpers import eventually
from ..network.test_link_control import LINK, disciplines, flow
from .machine import load_modules


@pytest.fixture(scope="module")
def net() -> Iterator[emu.Network]:
    load_modules(tuple(f"sch_{kind}" for kind in DISCIPLINES if not kind.endswith("fifo")))
    with emu.Network(two_segment(), families=(4,)) as running:
        yield running


def delay(net: emu.Network) -> float:
    """Return the median round trip between the hosts, in ms."""
    words = ["ping", "-c", "5", "-i", "0.2", "HOST2"]
    text = net["HOST1"].run(words, capture_output=True, text=True, check=True).stdout
    times = [float(line.partition("time=")[2].split()[0]) for line in text.splitlines() if "time=" in line]
    return statistics.median(times)


def test_delay_rate_and_loss_come_and_go_without_losing_a_packet(net: emu.Network) -> None:
    link = net.link("HOST1", "ROUTER").set(rate="20mbit", limit=1000)
    steps: dict[int, dict[str, Any]] = {
        50: {"delay": "20ms"}, 100: {"rate": "5mbit"}, 150: {"delay": None}, 200: {"rate": "50mbit"},
    }  # fmt: skip
    arrived = flow(net, 250, lambda number: link.set(**steps[number]) if number in steps else None, 0.002)
    assert sorted(arrived) == list(range(250))
    link.clear()
    assert link.shaping == {"HOST1": None, "ROUTER": None}


def test_slots_are_as_they_were_set_last(net: emu.Network) -> None:
    """A running netem goes on drawing from a distribution that it once had."""
    link = net.link("HOST1", "ROUTER").set("HOST1", slot="distribution normal 10us 1us")
    for slot in ("50ms packets 1", "40ms 60ms packets 1", "distribution uniform 50ms 0s packets 1"):
        link.set("HOST1", slot=slot)
        began = time.monotonic()
        assert flow(net, 10) == list(range(10))
        assert time.monotonic() - began > 0.3
    link.clear()


def test_a_queue_has_the_options_that_were_set_last(net: emu.Network) -> None:
    link = net.link("HOST1", "ROUTER").set(rate="10mbit", queue="fq_codel flows 512 target 20ms")
    link.set(rate="5mbit", limit=50)
    assert "limit 50p flows 512 " in disciplines(net)
    link.set(queue="fq_codel")
    assert "limit 50p flows 1024 quantum 1514 target 5ms " in disciplines(net)
    link.clear()


def test_a_schedule_and_a_trace_delay_packets(net: emu.Network) -> None:
    link = net.link("HOST1", "ROUTER")
    net.schedule([{"at": 0, "link": LINK, "set": {"delay": "15ms"}}]).wait(20)
    assert 30 <= delay(net) < 60
    playing = net.schedule([{"at": 0, "link": LINK, "trace": "satellite-handover"}])
    assert 35 < delay(net) < 120
    playing.cancel()
    link.clear()


def test_what_waits_leaves_by_the_rate_that_a_trace_has_by_then(net: emu.Network, tmp_path: Path) -> None:
    """netem would let each packet leave by the rate of when it came, here one in 0.6 s."""
    trace = tmp_path / "slow-fast.csv"
    trace.write_text("time,rate\n0,8kbit\n0.3,20mbit\n60,21mbit\n")
    link = net.link("HOST1", "ROUTER").set(rate="8kbit", limit=1000)
    playing = net.schedule([{"at": 0, "link": LINK, "trace": str(trace), "from": "HOST1"}])
    began = time.monotonic()
    assert flow(net, 40, lambda _: None) == list(range(40))
    assert time.monotonic() - began < 15  # and not 26
    playing.cancel()
    link.clear()


def test_another_queue_can_be_set_while_packets_are_on_their_way_after_a_clear(net: emu.Network) -> None:
    """What `clear` leaves because of them has the handles of what is set then."""
    link = net.link("HOST1", "ROUTER")
    for before, after in (("fq_codel", "red"), ("fq_codel", "fq"), ("fq", "fq_codel")):
        link.set(rate="10mbit", delay="2s", queue=before)
        net["HOST1"].run(["ping", "-c", "1", "-W", "0.1", "HOST2"], capture_output=True)
        link.clear()
        assert f"qdisc {before} " in disciplines(net)  # the packet is still on its way
        link.set(rate="10mbit", queue=after, limit=1000)
        assert f"qdisc {after} " in disciplines(net)
        assert f"qdisc {before} " not in disciplines(net)
        assert flow(net, 20, lambda _: None) == list(range(20))
        link.set(rate=None, queue=None, limit=None)
        link.clear()


def test_what_a_clear_leaves_goes_with_a_later_one_also_where_an_mtu_stays(net: emu.Network) -> None:
    link = net.link("HOST1", "ROUTER").set(mtu=2000, delay="2s")
    net["HOST1"].run(["ping", "-c", "1", "-W", "0.1", "HOST2"], capture_output=True)
    link.clear("HOST1")
    assert "qdisc netem" in disciplines(net)
    eventually(lambda: bool(link.clear("HOST1")) and "qdisc netem" not in disciplines(net))
    link.clear()


def test_what_a_clear_leaves_amid_packets_gives_no_options_to_what_is_set_next(net: emu.Network) -> None:
    link = net.link("HOST1", "ROUTER").set(rate="10mbit", delay="2s", queue="fq_codel flows 512 target 20ms")
    net["HOST1"].run(["ping", "-c", "1", "-W", "0.1", "HOST2"], capture_output=True)
    link.clear()
    assert " flows 512 " in disciplines(net)
    link.set(rate="10mbit", queue="fq_codel flows 256")
    assert " flows 256 quantum 1514 target 5ms " in disciplines(net)
    link.clear()


@pytest.mark.parametrize("queue", DISCIPLINES)
def test_a_link_with_any_queue_changes_while_packets_wait(net: emu.Network, queue: str) -> None:
    link = net.link("HOST1", "ROUTER").set(rate="10mbit", queue=queue)
    link.set(rate="4mbit")  # and with it what the queue holds
    link.set(limit="1mb" if DISCIPLINES[queue].unit == "bytes" else 1000)
    before = net.counters(["HOST1"])[0].queue_drops
    steps: dict[int, dict[str, Any]] = {20: {"rate": "3mbit"}, 40: {"rate": "8mbit", "delay": "5ms"}}
    arrived = flow(net, 60, lambda number: link.set(**steps[number]) if number in steps else None)
    # Some drop a packet by their own mind where a machine is slow, and say so.
    assert len(arrived) + net.counters(["HOST1"])[0].queue_drops - before == 60
    link.set(rate=None, queue=None, limit=None, delay=None)
    link.clear()


def test_duplicates_begin_where_a_rate_was_before(net: emu.Network) -> None:
    """What kept the rate stays, with its packets perhaps; but no netem may duplicate beside it."""
    link = net.link("HOST1", "ROUTER")
    for kept in ({"loss": "0.0001%"}, {}):
        link.set(rate="10mbit", delay="2s", **kept)
        net["HOST1"].run(["ping", "-c", "1", "-W", "0.1", "HOST2"], capture_output=True)
        link.set(rate=None, delay=None)
        link.set(duplicate="100%")
        assert flow(net, 10)[:2] == [0, 0]
        link.set(duplicate=None, rate="10mbit")
        assert flow(net, 10) == list(range(10))
        link.set(rate=None, loss=None)
        link.clear()
