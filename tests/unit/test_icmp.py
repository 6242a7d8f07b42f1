"""ICMP as bytes: what is sent is right, and whatever arrives is read or refused, never a failure."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu import icmp

ECHO = icmp.echo_request(4, 0x1234, 7, b"payload")
UDP_START = struct.pack("!HHHH", 40000, 33435, 40, 0)


def ipv4(payload: bytes, protocol: int = 1, options: bytes = b"", offset: int = 0) -> bytes:
    """Return a packet from 192.0.2.1 to 198.51.100.1, as an error message quotes it."""
    first = 0x45 + len(options) // 4
    addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.1")
    return (
        struct.pack("!BBHHHBBH", first, 0, 20 + len(payload), 1, offset, 63, protocol, 0)
        + addresses + options + payload
    )  # fmt: skip


def ipv6(payload: bytes, header: int) -> bytes:
    """Return a packet from fd00::1 to fd00:0:0:1::1, as an error message quotes it."""
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, one) for one in ("fd00::1", "fd00:0:0:1::1"))
    return struct.pack("!IHBB", 0x60000000, len(payload), header, 64) + addresses + payload


def error(version: int, kind: int, code: int = 0, word: int = 0, body: bytes = b"") -> icmp.Message:
    return icmp.Message(version, kind, code, word, body)


def test_the_checksum_of_the_example_in_rfc_1071() -> None:
    assert icmp.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.binary(max_size=200))
def test_the_checksum_is_the_complement_of_the_one_s_complement_sum(data: bytes) -> None:
    padded = data + b"\0" * (len(data) % 2)
    total = sum(word for (word,) in struct.iter_unpack("!H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    assert icmp.checksum(data) == 0xFFFF - total


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=100))
def test_an_echo_request_is_read_back_as_sound(identifier: int, sequence: int, payload: bytes) -> None:
    message = icmp.read_message(4, icmp.echo_request(4, identifier, sequence, payload))
    assert message is not None
    assert (message.kind, message.code, message.sound) == (8, 0, True)
    assert (message.identifier, message.sequence, message.body) == (identifier, sequence, payload)


def test_a_changed_bit_is_noticed() -> None:
    message = icmp.read_message(4, ECHO[:-1] + bytes([ECHO[-1] ^ 4]))
    assert message is not None
    assert not message.sound


def test_an_ipv6_request_leaves_the_checksum_to_the_kernel() -> None:
    assert icmp.echo_request(6, 1, 2, b"x") == bytes.fromhex("80000000 00010002") + b"x"


@pytest.mark.parametrize("options", [b"", b"\x07\x07\x04" + bytes(5)])
def test_an_ipv4_packet_is_split_behind_its_options(options: bytes) -> None:
    assert icmp.split_ipv4(ipv4(ECHO, options=options)) == (63, ECHO)


@pytest.mark.parametrize("packet", [b"", b"\x45", ipv4(b"")[:19], b"\x44" + bytes(30), b"\x4f" + bytes(30)])
def test_an_ipv4_packet_that_is_cut_short_is_refused(packet: bytes) -> None:
    assert icmp.split_ipv4(packet) is None


def test_an_error_message_quotes_the_request_it_is_about() -> None:
    found = icmp.quoted(error(4, 11, body=ipv4(ECHO, options=bytes(4))))
    assert found is not None
    assert (found.destination, found.protocol, found.start) == ("198.51.100.1", 1, ECHO)
    request = icmp.read_message(4, found.start)
    assert request is not None
    assert (request.identifier, request.sequence) == (0x1234, 7)


def test_the_eight_bytes_that_a_router_must_quote_are_enough() -> None:
    found = icmp.quoted(error(4, 3, body=ipv4(UDP_START, protocol=icmp.UDP)))
    assert found is not None
    assert found.ports == (40000, 33435)


def test_an_ipv6_packet_s_extension_headers_are_passed_over() -> None:
    hop_by_hop = bytes([44, 1]) + bytes(14)
    fragment = bytes([58, 0, 0, 1]) + bytes(4)  # the first one, with more to come
    found = icmp.quoted(error(6, 2, word=1300, body=ipv6(hop_by_hop + fragment + ECHO, header=0)))
    assert found == icmp.Quoted("fd00:0:0:1::1", 58, ECHO)


@pytest.mark.parametrize("message", [
    error(4, 3, body=ipv4(ECHO, offset=185)),
    error(4, 3, body=ipv4(ECHO)[:19]),
    error(4, 0, body=ipv4(ECHO)),
    error(6, 3, body=ipv6(bytes([58, 0, 0, 8]) + bytes(4) + ECHO, header=44)),
    error(6, 3, body=ipv6(bytes(7), header=44)),
    error(6, 3, body=ipv6(b"", header=58)[:39]),
])  # fmt: skip
def test_what_quotes_no_header_quotes_nothing(message: icmp.Message) -> None:
    assert icmp.quoted(message) is None


@given(st.sampled_from([4, 6]), st.binary(max_size=120))
def test_whatever_arrives_is_read_or_refused(version: int, data: bytes) -> None:
    icmp.split_ipv4(data)
    message = icmp.read_message(version, data)
    assert (message is None) == (len(data) < 8)
    if message is not None:
        found = icmp.quoted(message)
        assert found is None or found.ports is None or len(found.start) >= 4
        assert icmp.describe(message)
        assert (icmp.mark(message) or "!").startswith("!")


@pytest.mark.parametrize(("message", "words", "mark"), [
    (error(4, 11, 0), "Time to live exceeded", None),
    (error(4, 11, 1), "Frag reassembly time exceeded", "!<11-1>"),
    (error(4, 3, 0), "Destination Net Unreachable", "!N"),
    (error(4, 3, 1), "Destination Host Unreachable", "!H"),
    (error(4, 3, 2), "Destination Protocol Unreachable", "!P"),
    (error(4, 3, 3), "Destination Port Unreachable", ""),
    (error(4, 3, 4, 1300), "Frag needed and DF set (mtu = 1300)", "!F-1300"),
    (error(4, 3, 9), "Destination Net Prohibited", "!X"),
    (error(4, 3, 13), "Packet filtered", "!X"),
    (error(4, 3, 99), "Dest Unreachable, Bad Code: 99", "!<99>"),
    (error(4, 12, 0, 20 << 24), "Parameter problem: pointer = 20", "!<12-0>"),
    (error(6, 3, 0), "Time exceeded: Hop limit", None),
    (error(6, 1, 0), "Destination unreachable: No route", "!N"),
    (error(6, 1, 1), "Destination unreachable: Administratively prohibited", "!X"),
    (error(6, 1, 3), "Destination unreachable: Address unreachable", "!H"),
    (error(6, 1, 4), "Destination unreachable: Port unreachable", ""),
    (error(6, 1, 9), "Destination unreachable: Unknown code 9", "!<9>"),
    (error(6, 2, 0, 1300), "Packet too big: mtu=1300", "!F-1300"),
    (error(6, 4, 1, 6), "Parameter problem: Unknown header at 6", "!<4-1>"),
])  # fmt: skip
def test_error_messages_in_words(message: icmp.Message, words: str, mark: str | None) -> None:
    assert icmp.describe(message) == words
    assert icmp.mark(message) == mark


@pytest.mark.parametrize("version", [4, 6])
def test_an_echo_reply_ends_a_path(version: int) -> None:
    assert icmp.mark(error(version, icmp.ECHO_REPLY[version])) == ""
