"""Links change while packets flow, by hand, by schedule and by trace."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import emu
from emu.link_control import RunningLink
from emu.netlink.features import find_features
from emu.prompt.session import Session
from emu.testing import NetworkFactory
from emu.topologies.two_segment import two_segment

from .helpers import WITHIN, eventually, fresh_name, run_emu

LINK = ["HOST1", "ROUTER"]


pytestmark = pytest.mark.emu("two_segment", scope="module")


@pytest.fixture
def link(net: emu.Network) -> Iterator[RunningLink]:
    found = net.link("HOST1", "ROUTER")
    yield found
    found.up().clear()


def disciplines(net: emu.Network) -> str:
    words = ["tc", "qdisc", "show", "dev", "HOST1-veth0"]
    return str(net["HOST1"].run(words, capture_output=True, text=True, check=True).stdout)


def flow(
    net: emu.Network, count: int, then: Callable[[int], object] = lambda _: None, wait: float = WITHIN
) -> list[int]:
    """Send numbered packets from HOST1 to HOST2 and return the numbers that arrive.

    They are in order of number: two processors may hand over what a queue lets go of at once. `wait` is for
    how many seconds each is waited for.
    """
    with (
        net["HOST1"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        net["HOST2"].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receiver.bind(("", 0))
        receiver.settimeout(wait)
        sender.connect((str(net["HOST2"].addresses[0].ip), receiver.getsockname()[1]))
        for number in range(count):
            sender.send(struct.pack("=I", number).ljust(600, b"\0"))
            then(number)
            time.sleep(0.0005)
        arrived: list[int] = []
        try:
            while len(arrived) < count:
                arrived.append(struct.unpack_from("=I", receiver.recv(1000))[0])
        except TimeoutError:
            pass
        return sorted(arrived)


def test_no_packet_is_lost_while_a_rate_changes(net: emu.Network, link: RunningLink) -> None:
    link.set(rate="8mbit", limit=1000)
    rates = {100: "3mbit", 200: "20mbit", 300: "1mbit", 400: "50mbit"}
    arrived = flow(net, 500, lambda number: link.set(rate=rates[number]) if number in rates else None)
    assert arrived == list(range(500))


def test_the_kernel_does_what_the_plan_says_whoever_was_last(net: emu.Network, link: RunningLink) -> None:
    def change(first: int) -> None:
        with emu.Network.attach(net.name) as other:
            for number in range(40):
                other.link("HOST1", "ROUTER").set("HOST1", rate=f"{first + number}mbit")

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(change, first) for first in (100, 200)]:
            done.result()
    net.refresh()
    shaping = link.shaping["HOST1"]
    assert shaping is not None
    assert shaping.rate is not None
    assert f"rate {shaping.rate // 10**6}Mbit" in disciplines(net)


def test_packets_that_wait_are_not_lost_when_all_is_cleared(net: emu.Network, link: RunningLink) -> None:
    link.set(rate="1mbit", limit=1000)
    arrived = flow(net, 100, lambda number: link.clear() if number == 80 else None)
    assert arrived == list(range(100))


def test_a_link_that_only_loses_packets_carries_the_others(net: emu.Network, link: RunningLink) -> None:
    if not find_features(net.sandbox, ["netem", "numgen"]):
        pytest.skip("this kernel cannot lose packets")
    link.set(rate="1mbit", loss="0.0001%").set(rate=None)
    assert flow(net, 50) == list(range(50))


def longest_frame(net: emu.Network, sender: socket.socket, receiver: socket.socket) -> int:
    """Return how long the longest frame is that comes to ROUTER while a megabyte is sent to it."""
    size = 1 << 20
    with net["ROUTER"].socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as watcher:
        watcher.bind(("ROUTER-veth0", 0))
        watcher.setblocking(False)
        thread = threading.Thread(target=lambda: sender.sendall(bytes(size)))
        thread.start()
        arrived = 0
        while arrived < size:
            arrived += len(receiver.recv(1 << 16))
        thread.join()
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, (_, _, kind, *_) = watcher.recvfrom(1 << 17)
                if kind != socket.PACKET_OUTGOING:
                    found.append(len(frame))
    return max(found)


def test_tcp_comes_in_single_packets_also_over_connections_that_there_were(
    net: emu.Network, link: RunningLink
) -> None:
    link.clear()
    with net["ROUTER"].socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((str(net["ROUTER"].addresses[0].ip), 0))
        listener.listen()
        with net["HOST1"].socket(socket.AF_INET, socket.SOCK_STREAM) as sender:
            sender.connect(listener.getsockname())
            receiver, _ = listener.accept()
            with receiver:
                assert longest_frame(net, sender, receiver) > 1514
                link.set(rate="1gbit")
                assert longest_frame(net, sender, receiver) == 1514
                link.clear()
                assert longest_frame(net, sender, receiver) > 1514


def test_a_link_has_queue_disciplines_only_while_it_has_something_to_do(
    net: emu.Network, link: RunningLink
) -> None:
    link.clear()  # once more: packets were in them when that was done before
    assert "noqueue" in disciplines(net)
    link.set(rate="10mbit")
    assert "10Mbit" in disciplines(net)
    link.set(rate=None)
    assert "noqueue" in disciplines(net)


def test_loss_comes_and_goes(net: emu.Network, link: RunningLink) -> None:
    if not find_features(net.sandbox, ["netem", "numgen"]):
        pytest.skip("this kernel cannot lose packets")
    link.set(source="HOST1", loss="100%")
    assert flow(net, 10, wait=0.3) == []
    link.set(loss="none")
    assert flow(net, 10) == list(range(10))


def test_what_is_left_out_is_not_shown_as_what_a_link_does(
    emu_network: NetworkFactory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = two_segment()
    graph.edges["HOST1", "ROUTER"].update(rate="5mbit", delay="50ms", loss="2%")
    net = emu_network(graph, ignore_unsupported=True)
    monkeypatch.setattr("emu.link_control.states.features_of", lambda _: frozenset({"tbf"}))
    assert Session(net, net.plugins).run_line("link HOST1 ROUTER show") == 0
    shown = capsys.readouterr().out
    assert "rate 5mbit, limit 20p (by default); left out: delay and loss" in shown
    assert "50ms" not in shown


def test_every_prompt_sees_a_change_and_a_direction_has_its_own(
    net: emu.Network, link: RunningLink, capsys: pytest.CaptureFixture[str]
) -> None:
    with emu.Network.attach(net.name) as other:
        session = Session(other, other.plugins)
        assert session.run_line("link HOST1 ROUTER set rate=2mbit from=HOST1") == 0
        assert session.run_line("link HOST1-veth0 show") == 0
    assert "rate 2mbit" in capsys.readouterr().out
    forth, back = link.shaping["HOST1"], link.shaping["ROUTER"]
    assert forth is not None
    assert forth.rate == 2_000_000
    assert back is None


def test_a_direction_that_is_cleared_takes_the_other_s_frames_as_before(
    net: emu.Network, link: RunningLink
) -> None:
    link.set(mtu=2000, rate="10mbit").clear("HOST1")
    words = ["ip", "-o", "link", "show", "HOST1-veth0"]
    assert " mtu 2000 " in net["HOST1"].run(words, capture_output=True, text=True, check=True).stdout
    link.set("HOST1", rate="1mbit")


def test_a_handle_knows_what_others_have_changed_meanwhile(net: emu.Network, link: RunningLink) -> None:
    link.set(rate="10mbit")
    with emu.Network.attach(net.name) as other:
        theirs = other.link("HOST1", "ROUTER").set(rate="5mbit")
        link.set(rate="10mbit")  # which it was before, as far as this handle knows
        assert "10Mbit" in disciplines(net)
        net.add_node("HOST4")
        net.add_link("HOST4", "ROUTER")
        other.link("HOST4", "ROUTER").set(rate="1mbit")
        net.remove_node("HOST4")
        with pytest.raises(emu.UsageError, match="there no more"):
            other.link("HOST4", "ROUTER").set(rate="2mbit")
        assert theirs.set(rate="2mbit").shaping == link.shaping


def test_a_link_that_was_down_reaches_as_before(net: emu.Network, link: RunningLink) -> None:
    link.down()
    assert not net.ping_all(timeout=0.1).ok
    link.up()
    assert net.ping_all(timeout=10).ok


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("link HOST1 ROTER down", "did you mean ROUTER?"),
        ("link HOST1 ROUTER set dely=1ms", "did you mean delay?"),
        ("link HOST1 ROUTER set bw=10mbit", "did you mean rate?"),
        ("link HOST1 ROUTER set bandwith=10mbit", "did you mean rate?"),
        ("link HOST1 ROUTER up now", "link up: it takes nothing, not now"),
        ("link HOST1 ROUTER down delay=5ms", "link down: it takes nothing, not delay=5ms"),
        ("link HOST1 ROUTER clear from=HOST1 now", "link clear: it takes from=NODE alone, not now"),
        ("link HOST1 ROUTER set trace=lte-walk", "an event of a schedule"),
        ("link HOST1 ROUTER set rate=", "rate=none takes it away"),
        ("link HOST1 ROUTER set loss=gemodel 1%", "has quotes around it, loss='gemodel 1%'"),
        ("link HOST1 ROUTER set rate=0", "lets nothing through"),
        ("link HOST1 ROUTER set jitter=1ms", "jitter without a delay"),
        ("link HOST1 ROUTER set limit=5", "limit without a rate"),
        ("link HOST1 ROUTER", "name one and what to do"),
        ("link HOST1 ROUTER set rate=1mbit from=HOST2", "no end of it"),
        ("link HOST9-veth0 down", "no interface HOST9-veth0"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    net: emu.Network, line: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Session(net, net.plugins).run_line(line) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_schedule_takes_effect_in_time_and_others_see_it(net: emu.Network, link: RunningLink) -> None:
    events = [{"at": f"{20 * n}ms", "link": LINK, "set": {"rate": f"{n + 1}mbit"}} for n in range(10)]
    events.append({"at": "0.2s", "node": "HOST2", "do": "down"})
    events.append({"at": "0.22s", "node": "HOST2", "do": "up"})
    playing = net.schedule(events, "test")
    playing.wait(WITHIN)
    assert playing.state == "done"
    assert [round(one.planned * 1000) for one in playing.log] == [20 * n for n in range(12)]
    assert min(one.late for one in playing.log) >= 0
    forth = link.shaping["HOST1"]
    assert forth is not None
    assert forth.rate == 10_000_000
    assert net.ping_all(timeout=10).ok


def test_a_schedule_leaves_no_file_in_the_network(net: emu.Network) -> None:
    net.schedule([{"at": 0, "link": LINK, "do": "up"}]).wait(WITHIN)
    words = ["find", "/run", "-name", "*schedule*"]
    assert net["HOST1"].run(words, capture_output=True, text=True, check=True).stdout == ""


def test_a_link_that_vanishes_ends_the_schedule_and_not_the_network(
    net: emu.Network, capsys: pytest.CaptureFixture[str]
) -> None:
    net.add_node("HOST3")
    net.add_link("HOST3", "ROUTER")
    playing = net.schedule([{"at": n / 10, "link": ["HOST3", "ROUTER"], "do": "up"} for n in range(50)])
    net.remove_node("HOST3")
    with pytest.raises(emu.EmuError, match="schedule event"):
        playing.wait(WITHIN)
    assert playing.state == "failed"
    assert Session(net, net.plugins).run_line("schedule") == 0
    *_, row, reason = capsys.readouterr().out.splitlines()
    assert row.split()[1:3] == ["failed", "-"]
    assert "HOST3" in reason
    assert net.ping_all(timeout=10).ok


def test_a_trace_is_replayed_and_can_be_cancelled(
    net: emu.Network, link: RunningLink, tmp_path: Path
) -> None:
    trace = tmp_path / "slow.trace"
    trace.write_text("100\n200\n310\n420\n550\n")  # a packet in about 100 ms
    playing = net.schedule([{"at": 0, "link": LINK, "trace": str(trace), "from": "HOST1"}])
    began = time.monotonic()
    assert flow(net, 8) == list(range(8))
    # 8 frames of 642 bytes at 121 kbit/s; the bucket holds one of full size from the beginning.
    assert time.monotonic() - began > 0.15
    playing.cancel()
    assert playing.state == "cancelled"


def test_a_schedule_whose_program_is_killed_says_so(net: emu.Network) -> None:
    playing = net.schedule([{"at": 0, "link": LINK, "do": "up"}, {"at": 60, "link": LINK, "do": "up"}])
    net.job(playing.number).send_signal(signal.SIGKILL)
    with pytest.raises(emu.EmuError, match=r"its process was ended$"):
        playing.wait(WITHIN)
    assert playing.state == "failed"


def test_a_schedule_is_begun_with_the_network_and_runs_commands(emu_network: NetworkFactory) -> None:
    graph = two_segment()
    graph.graph["schedule"] = [{"at": 0, "node": "HOST1", "run": "echo here"}]
    net = emu_network(graph)
    (playing,) = net.schedules()
    playing.wait(WITHIN)
    (job,) = (one for one in net.jobs() if one.node == "HOST1")
    assert net.job(job.number).wait(WITHIN) == 0
    assert net.job(job.number).log() == "here\n"


def test_several_files_with_schedules_are_played_together(tmp_path: Path) -> None:
    files = [tmp_path / "later.yaml", tmp_path / "first.yaml"]
    for file, at in zip(files, ("20ms", "10ms"), strict=True):
        file.write_text(f"- {{at: {at}, node: HOST1, run: echo {file.stem}}}\n")
    options = [word for file in files for word in ("--schedule", str(file))]
    words = ("run", "two_segment", "--name", fresh_name(), *options, "-c", "wait", "-c", "schedule")
    assert re.findall(r"run echo (\w+)", run_emu(*words)) == ["first", "later"]


def test_a_schedule_tells_of_programs_that_failed(
    net: emu.Network, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [{"at": 0, "node": "HOST1", "run": line} for line in ("true", "nosuchprog")]
    playing = net.schedule(runs)
    playing.wait(WITHIN)
    eventually(lambda: [one.command for one in playing.failed_programs] == ["nosuchprog"])
    assert playing.state == "done"
    assert Session(net, net.plugins).run_line("schedule") == 0
    assert re.search(r"^\[\d+\] exit 127  HOST1 nosuchprog$", capsys.readouterr().out, re.MULTILINE)
