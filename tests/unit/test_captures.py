"""Files of captures, what packets say of themselves, and where captures are. No sockets."""

from __future__ import annotations

import io
import struct
from ipaddress import ip_address

import networkx as nx
import pytest
from pcapng import FileScanner, blocks

import emu
from emu.capture import pcapng
from emu.capture.packet import Packet
from emu.capture.points import points_for

ETHERNET = bytes(12)


def ipv4(protocol: int, payload: bytes = b"") -> bytes:
    ends = bytes([192, 0, 2, 1, 198, 51, 100, 1])
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + ends + payload


def ipv6(header: int, payload: bytes = b"") -> bytes:
    ends = ip_address("fd00::1").packed + ip_address("fd00::2").packed
    return struct.pack("!IHBB", 6 << 28, len(payload), header, 64) + ends + payload


def packet(data: bytes) -> Packet:
    return Packet("HOST1-veth0", 0, outgoing=True, data=data, length=len(data))


@pytest.mark.parametrize(
    ("frame", "protocol"),
    [
        (ETHERNET + b"\x08\x00" + ipv4(1), "icmp"),
        (ETHERNET + b"\x08\x00" + ipv4(6), "tcp"),
        (ETHERNET + b"\x08\x00" + ipv4(99), "ip 99"),
        (ETHERNET + b"\x81\x00\x00\x05\x08\x00" + ipv4(17), "udp"),
        (ETHERNET + b"\x86\xdd" + ipv6(58), "icmp6"),
        (ETHERNET + b"\x86\xdd" + ipv6(0, b"\x3a\x00" + bytes(6)), "icmp6"),
        (ETHERNET + b"\x86\xdd" + ipv6(44, b"\x11\x00" + bytes(6)), "udp"),
        (ETHERNET + b"\x08\x06" + bytes(28), "arp"),
        (ETHERNET + b"\x88\xb5" + bytes(50), "0x88b5"),
        (ipv4(6), "tcp"),
        (ipv6(17), "udp"),
    ],
)
def test_packets_tell_their_protocol(frame: bytes, protocol: str) -> None:
    assert packet(frame).protocol == protocol


def test_packets_tell_their_addresses() -> None:
    first, second = packet(ETHERNET + b"\x08\x00" + ipv4(1)), packet(ipv6(58))
    assert (str(first.source), str(first.destination)) == ("192.0.2.1", "198.51.100.1")
    assert (str(second.source), str(second.destination)) == ("fd00::1", "fd00::2")
    assert packet(ETHERNET + b"\x08\x06" + bytes(28)).source is None


def test_a_packet_shows_itself_in_a_line() -> None:
    one = Packet("HOST1-veth0", 1_700_000_000_000_000_001, outgoing=True, data=bytes(60), length=60)
    assert str(one).endswith(".000000001 HOST1-veth0 out 0x0000, 60 bytes")


TCP = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 0x14, 0, 0, 0)
LATER = struct.pack("!BBHI", 6, 0, 8, 0)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (ETHERNET + b"\x08\x00" + ipv4(6, TCP), "tcp 192.0.2.1:40000 > 198.51.100.1:80 RST ACK, 54 bytes"),
        (ipv4(17, TCP[:8]), "udp 192.0.2.1:40000 > 198.51.100.1:80, 28 bytes"),
        (ipv4(1, TCP[:8]), "icmp 192.0.2.1 > 198.51.100.1, 28 bytes"),
        (ipv6(6, TCP), "tcp [fd00::1]:40000 > [fd00::2]:80 RST ACK, 60 bytes"),
        (ipv6(44, LATER + TCP), "tcp fd00::1 > fd00::2, 68 bytes"),
        (ipv4(6, TCP[:3]), "tcp 192.0.2.1 > 198.51.100.1, 23 bytes"),
        (ETHERNET + b"\x08\x06" + bytes(28), "arp, 42 bytes"),
    ],
)
def test_a_line_has_ports_and_flags(frame: bytes, text: str) -> None:
    assert str(packet(frame)).endswith(f" out {text}")


@pytest.mark.parametrize("size", range(0, 60, 3))
def test_packets_cut_anywhere_are_no_error(size: int) -> None:
    cut = packet((ETHERNET + b"\x86\xdd" + ipv6(0, b"\x3a\x00" + bytes(6)))[:size])
    assert cut.protocol in str(cut)
    assert str(packet((ETHERNET + b"\x08\x00" + ipv4(6, TCP))[:size]))


@pytest.mark.filterwarnings("ignore:Field type should not be:DeprecationWarning")  # the reader's own
def test_files_are_what_others_read() -> None:
    stamp = 1_700_000_000_123_456_789
    data = b"".join(
        (
            pcapng.section("emu", "Linux", "network lab"),
            pcapng.names([(bytes([192, 0, 2, 1]), "HOST1")]),
            pcapng.interface(pcapng.ETHERNET, "HOST1-veth0", "to ROUTER", "icmp"),
            pcapng.interface(pcapng.RAW, "HOST1:tun0"),
            pcapng.packet(0, stamp, b"12345", 1500, 4 | pcapng.OUTBOUND),
            pcapng.packet(1, stamp, b"1234", 4, pcapng.INBOUND),
            pcapng.statistics(0, stamp, stamp, 1, 7, "why"),
        )
    )
    head, names, first, second, sent, received, counts = FileScanner(io.BytesIO(data))
    assert head.options["opt_comment"] == "network lab"
    assert names.records == [{"type": 1, "address": "192.0.2.1", "names": ["HOST1"]}]
    assert (first.link_type, first.options["if_name"]) == (1, "HOST1-veth0")
    assert (second.link_type, second.options["if_name"]) == (101, "HOST1:tun0")
    assert isinstance(sent, blocks.EnhancedPacket)
    assert (sent.packet_data, sent.packet_len, sent.timestamp_resolution) == (b"12345", 1500, 1e-9)
    assert sent.timestamp_high << 32 | sent.timestamp_low == stamp
    assert sent.options["epb_flags"].inout == "outbound"
    assert (received.interface_id, received.options["epb_flags"].inout) == (1, "inbound")
    assert (counts.options["isb_ifrecv"], counts.options["isb_osdrop"]) == (1, 7)
    reader = pcapng.Reader()
    found = [one for byte in data for one in reader.feed(bytes([byte]))]
    assert [one[:3] for one in found] == [("HOST1-veth0", stamp, b"12345"), ("HOST1:tun0", stamp, b"1234")]


@pytest.fixture(scope="module")
def plan() -> emu.Plan:
    graph: nx.MultiGraph = nx.MultiGraph([("A", "B"), ("A", "B"), ("B", "C")])
    graph.add_edge("C", "a-node-of-a-long-name")
    return emu.plan_for(graph)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("A", [("A", True, [], [])]),
        ("B-veth2", [("B", False, ["B-veth2"], [])]),
        ("B:B-veth2,B:lo", [("B", False, ["B-veth2"], ["lo"])]),
        ("A--B", [("A", False, ["A-veth0", "A-veth1"], []), ("B", False, ["B-veth0", "B-veth1"], [])]),
        ("a-node-of-a-long-name-veth0", [("a-node-of-a-long-name", False, ["veth0"], [])]),
        ("C,A,C", [("A", True, [], []), ("C", True, [], [])]),
    ],
)
def test_places_are_nodes_with_interfaces(plan: emu.Plan, where: str, found: list[object]) -> None:
    points = points_for(plan, where.split(","))
    assert [(one.node.name, one.everything, one.planned, one.named) for one in points] == found


def test_everything_is_every_node(plan: emu.Plan) -> None:
    assert [(one.node, one.everything) for one in points_for(plan, ["*"])] == [
        (node, True) for node in plan.nodes
    ]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("A-veth9", "did you mean"),
        ("A--C", "there is no link between these nodes"),
        ("", "NODE:INTERFACE"),
    ],
)
def test_places_that_are_not_there_are_told(plan: emu.Plan, where: str, said: str) -> None:
    with pytest.raises(emu.UsageError, match=said):
        points_for(plan, [where])


def test_a_name_of_two_things_asks_which() -> None:
    long = "a-node-of-a-long-name"
    plan = emu.plan_for(nx.Graph([(long, "veth0")]))
    with pytest.raises(emu.UsageError, match=f"write {long}:veth0"):
        points_for(plan, ["veth0"])
    assert points_for(plan, [f"{long}:veth0"])[0].planned == ["veth0"]
