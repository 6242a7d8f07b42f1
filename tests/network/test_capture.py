"""Captures of running networks from Python."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest
from pcapng import FileScanner, blocks

import emu
from emu.netlink.readiness import await_interfaces
from emu.topologies.two_segment import two_segment

from .captures import HOST1, HOST2, ping, read_back, send
from .helpers import eventually

# What the reader of the tests says of itself.
pytestmark = pytest.mark.filterwarnings("ignore:Field type should not be:DeprecationWarning")

MANY = 10_000
PROTOCOL = 0x88B5


@pytest.fixture(scope="module")
def network() -> Iterator[emu.Network]:
    # Without IPv6, whose nodes speak by themselves, all packets are the tests' own.
    with emu.Network(two_segment(), families=(4,)) as running:
        yield running


def test_ten_thousand_packets_and_as_many_answers_are_in_the_file(
    network: emu.Network, tmp_path: Path
) -> None:
    path = tmp_path / "many.pcapng"
    with (
        network["HOST1"].socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        network["HOST2"].socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        network.capture("HOST1-veth0", path, "udp") as capture,
    ):
        there.bind((HOST2, 7))
        for number in range(MANY):
            here.sendto(struct.pack("!I", number), (HOST2, 7))
            data, source = there.recvfrom(100)
            there.sendto(data, source)
    assert (capture.packets, capture.drops) == (2 * MANY, 0)
    found = read_back(path)
    for direction in ("outbound", "inbound"):
        sent = [data[42:46] for name, _, way, data in found if way == direction]
        assert sent == [struct.pack("!I", number) for number in range(MANY)]
    stamps = [stamp for _, stamp, _, _ in found]
    assert stamps == sorted(stamps)
    assert stamps[0] > time.time_ns() - 120 * 10**9
    assert len({stamp % 1000 for stamp in stamps}) > 100  # they are finer than microseconds


def test_full_frames_at_full_speed_are_not_lost(network: emu.Network) -> None:
    with network.capture("ROUTER", filter="udp") as capture:
        send(network, MANY, 1400)
    assert (capture.packets, capture.drops) == (2 * MANY, 0)


def test_what_a_small_buffer_loses_is_reported(network: emu.Network, tmp_path: Path) -> None:
    path = tmp_path / "lost.pcapng"
    with network.capture("HOST1-veth0", path, "udp", buffer=1 << 13) as capture:
        send(network, MANY, 1000)
    assert capture.packets is not None
    assert capture.drops is not None
    assert capture.drops > 0
    assert capture.packets + capture.drops == MANY
    assert f"{capture.drops:,} lost" in capture.summary()
    with path.open("rb") as file:
        (counts,) = (one for one in FileScanner(file) if isinstance(one, blocks.InterfaceStatistics))
    assert counts.options["isb_osdrop"] == capture.drops


def test_everything_at_once_is_in_order_with_its_names(network: emu.Network, tmp_path: Path) -> None:
    path = tmp_path / "all.pcapng"
    with network.capture(path=path, filter="icmp"):
        ping(network)
    found = read_back(path)
    assert [(name, way) for name, _, way, _ in found] == [
        ("HOST1-veth0", "outbound"), ("ROUTER-veth0", "inbound"),
        ("ROUTER-veth1", "outbound"), ("HOST2-veth0", "inbound"),
        ("HOST2-veth0", "outbound"), ("ROUTER-veth1", "inbound"),
        ("ROUTER-veth0", "outbound"), ("HOST1-veth0", "inbound"),
    ]  # fmt: skip


def test_files_name_the_nodes_of_addresses(network: emu.Network, tmp_path: Path) -> None:
    network.capture("HOST1", tmp_path / "names.pcapng").stop()
    with (tmp_path / "names.pcapng").open("rb") as file:
        (names,) = (one for one in FileScanner(file) if isinstance(one, blocks.NameResolution))
    assert {one["address"]: one["names"] for one in names.records}[HOST2] == ["HOST2"]


@pytest.mark.parametrize(
    ("text", "count"),
    [("icmp", 2), ("icmp and src host HOST1", 1), ("icmp and dst HOST1", 1), ("host ROUTER", 0), ("", 2)],
)
def test_filters_choose_packets_and_know_the_nodes(network: emu.Network, text: str, count: int) -> None:
    ping(network)  # the neighbours are known
    with network.capture("HOST1-veth0", filter=text) as capture:
        ping(network)
    # Neighbours may be asked again.
    assert [one.protocol for one in capture if one.protocol != "arp"] == ["icmp"] * count


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("icmp an tcp", "it cannot go on with 'an' after 'icmp'"),
        ("host", "it ends too early"),
        ("(udp or tcp", "it ends too early"),
        ("host HOST3", "unknown host 'HOST3'"),
        ("port nonsense", "unknown port 'nonsense'"),
    ],
)
def test_a_mistake_in_a_filter_is_shown_with_its_place(
    network: emu.Network, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(emu.UsageError) as caught:
        network.capture("HOST1-veth0", tmp_path / "no.pcapng", text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "no.pcapng").exists()


def test_both_libraries_make_the_same_of_a_filter(network: emu.Network) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import compile_filter as one, json;"
        "one.enter_namespace();"
        "print(json.dumps([find()(sys.argv[2]).hex() for find in (one._with_cypcap, one._with_machine)]))"
    )
    folder = Path(emu.__file__).parent / "capture"
    words = [sys.executable, "-P", "-c", script.replace("compile_filter", "compile"), str(folder)]
    with network.popen(
        [*words, "tcp port 80 or icmp6"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        out, err = process.communicate(timeout=60)
    if b"ImportError" in err:
        pytest.skip("one of cypcap and libpcap is missing")
    first, second = json.loads(out)
    assert first == second


def test_packets_can_be_had_while_they_come_and_afterwards(network: emu.Network) -> None:
    with network["HOST1"].capture("HOST1-veth0", filter="icmp") as capture:
        assert capture.next(0.01) is None
        ping(network)
        request = capture.next(10)
        assert request is not None
        ping(network)
    assert (request.interface, request.outgoing, request.protocol) == ("HOST1-veth0", True, "icmp")
    assert (str(request.source), str(request.destination)) == (HOST1, HOST2)
    assert abs(request.time - time.time()) < 60
    assert request.length == len(request.data) == 98
    assert [packet.outgoing for packet in capture] == [False, True, False]
    assert list(capture) == []


def test_loopback_packets_are_there_once(network: emu.Network) -> None:
    with network.capture("HOST1:lo", filter="icmp") as capture:
        network["HOST1"].run(["ping", "-c", "1", "127.0.0.1"], capture_output=True, check=True)
    assert [(one.interface, one.protocol) for one in capture] == [("HOST1:lo", "icmp")] * 2


def test_switches_show_a_packet_as_it_comes_and_as_it_goes() -> None:
    graph = nx.Graph([("A", "S"), ("S", "a-host-with-a-long-name")])
    graph.nodes["S"]["kind"] = "switch"
    with emu.Network(graph, families=(4,)) as net, net.capture(filter="arp") as capture:
        net["A"].run(["ping", "-c", "1", "a-host-with-a-long-name"], capture_output=True, check=True)
    request = [(one.interface, one.outgoing) for one in capture][:4]
    assert request == [
        ("A-veth0", True), ("S-veth0", False), ("S-veth1", True), ("a-host-with-a-long-name-veth0", False),
    ]  # fmt: skip


def test_vlan_tags_are_there(network: emu.Network) -> None:
    frame = b"\xff" * 6 + bytes(6) + struct.pack("!HHH", 0x8100, 5, PROTOCOL) + bytes(50)
    with (
        network["HOST1"].socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock,
        network.capture("HOST1--ROUTER") as capture,
    ):
        sock.bind(("HOST1-veth0", 0))
        sock.send(frame)
    assert [(one.outgoing, one.data) for one in capture if one.protocol == f"0x{PROTOCOL:04x}"] == [
        (True, frame), (False, frame),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "count"), [("vlan", 2), ("vlan 5", 2), ("vlan 6", 0), ("not vlan", 0)])
def test_filters_see_vlan_tags_that_the_kernel_keeps_beside_the_packet(
    network: emu.Network, text: str, count: int
) -> None:
    frame = b"\xff" * 6 + bytes(6) + struct.pack("!HHH", 0x8100, 5, PROTOCOL) + bytes(50)
    with (
        network["HOST1"].socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock,
        network.capture("HOST1--ROUTER", filter=text) as capture,
    ):
        sock.bind(("HOST1-veth0", 0))
        sock.send(frame)
    assert [one.data for one in capture if one.protocol == f"0x{PROTOCOL:04x}"] == [frame] * count


@pytest.mark.parametrize("where", ["HOST1", "*", "HOST1:w0,HOST1-veth0"])
def test_an_interface_that_goes_is_told_where_others_go_on(network: emu.Network, where: str) -> None:
    if shutil.which("ip") is None:
        pytest.skip("ip is missing")
    node = network["HOST1"]
    node.run(["ip", "link", "add", "w0", "up", "type", "veth", "peer", "name", "w1"], check=True)
    with network.capture(where.split(",")) as capture:
        node.run(["ip", "link", "delete", "w0"], check=True)
        notes: set[str] = set()

        def told() -> bool:
            notes.update(capture.take_notes())
            return "interface w0 of HOST1 is gone" in notes

        eventually(told)
        assert capture.running
    assert notes <= {f"interface w{number} of HOST1 is gone" for number in (0, 1)}


def test_an_interface_that_goes_ends_its_capture_and_is_told(network: emu.Network, tmp_path: Path) -> None:
    if shutil.which("ip") is None:
        pytest.skip("ip is missing")
    node = network["HOST1"]
    node.run(["ip", "link", "add", "x0", "up", "type", "veth", "peer", "name", "x1"], check=True)
    capture = network.capture("HOST1:x0", tmp_path / "gone.pcapng")
    node.run(["ip", "link", "delete", "x0"], check=True)
    eventually(lambda: not capture.running)
    assert capture.take_notes() == ["interface x0 of HOST1 is gone"]
    capture.stop()
    read_back(tmp_path / "gone.pcapng")


def test_an_interface_that_comes_is_in_a_node_s_capture(network: emu.Network) -> None:
    if shutil.which("ip") is None:
        pytest.skip("ip is missing")
    node = network["HOST1"]
    with network.capture("HOST1", filter=f"ether proto {PROTOCOL}") as capture:
        node.run(["ip", "link", "add", "y0", "up", "type", "veth", "peer", "name", "y1"], check=True)
        node.run(["ip", "link", "set", "y1", "up"], check=True)
        new = [one.index for one in node.read_interfaces() if one.name in ("y0", "y1")]
        assert await_interfaces(network.sandbox, {"HOST1": new})  # until then nothing passes
        with node.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.bind(("y0", 0))
            sock.send(b"\xff" * 6 + bytes(6) + struct.pack("!H", PROTOCOL) + bytes(50))
        node.run(["ip", "link", "delete", "y0"], check=True)
    assert {(one.interface, one.outgoing) for one in capture} <= {("HOST1:y0", True), ("HOST1:y1", False)} | {
        (f"HOST1:{index}", way) for index in range(1000) for way in (True, False)
    }  # by its number when it was gone before it was asked for its name
    assert capture.packets == 2


def test_a_file_is_complete_when_the_network_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "ended.pcapng"
    with emu.Network(two_segment(), families=(4,)) as net:
        capture = net.capture("HOST1", path, "udp")
        send(net, 100)
    assert (capture.packets, len(read_back(path))) == (100, 100)


def test_one_file_is_of_one_capture(network: emu.Network, tmp_path: Path) -> None:
    path = tmp_path / "one.pcapng"
    path.write_text("what was there before")
    with network.capture("HOST1", path), pytest.raises(emu.EmuError, match="another capture is writing it"):
        network.capture("HOST2", path)
    with network.capture("HOST2", path, "udp"):
        send(network)
    assert len(read_back(path)) == 1


@pytest.mark.parametrize("path", ["/nowhere/x.pcapng", "/dev/full", "/"])
def test_a_file_that_cannot_be_written_is_one_line(network: emu.Network, path: str) -> None:
    with pytest.raises(emu.EmuError, match=f"^capture to {path}: [A-Z][a-z ]+$"):
        network.capture("HOST1", path)
