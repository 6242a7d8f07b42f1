"""ICMP for IPv4 and IPv6 as bytes: echo requests, checksums, and what error messages say. Pure.

Sources: RFC 792 (ICMP), RFC 4443 (ICMPv6), RFC 1071 (checksum); the numbers are those of the kernel's
`include/uapi/linux/icmp.h` and `icmpv6.h`, the words those of the usual `ping` and `traceroute`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple

#: Type numbers by Internet protocol version.
ECHO_REQUEST: Mapping[int, int] = {4: 8, 6: 128}
ECHO_REPLY: Mapping[int, int] = {4: 0, 6: 129}
UNREACHABLE: Mapping[int, int] = {4: 3, 6: 1}
TIME_EXCEEDED: Mapping[int, int] = {4: 11, 6: 3}
PARAMETER_PROBLEM: Mapping[int, int] = {4: 12, 6: 4}
PACKET_TOO_BIG = 2  # IPv6 only; IPv4 has code 4 of UNREACHABLE
FRAGMENTATION_NEEDED = 4

#: Types of the messages that quote a packet which could not be delivered.
ERRORS: Mapping[int, frozenset[int]] = {4: frozenset({3, 11, 12}), 6: frozenset({1, 2, 3, 4})}

#: The protocol number of ICMP itself, as a packet's header has it.
PROTOCOL: Mapping[int, int] = {4: 1, 6: 58}
UDP = 17

_HEADER = struct.Struct("!BBHI")
_FRAGMENT = 44
#: IPv6 extension headers whose second byte is their length in units of 8 bytes, less one (RFC 8200).
_EXTENSIONS = frozenset({0, 43, 60})


class Message(NamedTuple):
    """An ICMP message. `word` is the header's second half: identifier and sequence, MTU or pointer."""

    version: int
    kind: int
    code: int
    word: int
    body: bytes
    #: Whether the checksum is right; of IPv6 the kernel delivers no others.
    sound: bool = True

    @property
    def identifier(self) -> int:
        """The identifier of an echo message."""
        return self.word >> 16

    @property
    def sequence(self) -> int:
        """The sequence number of an echo message, 16 bits."""
        return self.word & 0xFFFF


class Quoted(NamedTuple):
    """The packet that an error message is about: where it went, and how its payload began."""

    destination: str
    protocol: int
    start: bytes

    @property
    def ports(self) -> tuple[int, int] | None:
        """The source and destination port of a UDP or TCP packet, if that much was quoted."""
        return struct.unpack_from("!HH", self.start) if len(self.start) >= 4 else None


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071); 0 for data that holds its own checksum.

    Since 2**16 is 1 modulo 65535, a one's complement sum of 16-bit words is a remainder, with 65535
    in place of 0 unless all is zero.
    """
    number = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    return 0xFFFF ^ (number % 0xFFFF or (0xFFFF if number else 0))


def echo_request(version: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """Return an echo request. IPv6's checksum is left to the kernel, which knows the addresses."""
    word = (identifier & 0xFFFF) << 16 | (sequence & 0xFFFF)
    blank = _HEADER.pack(ECHO_REQUEST[version], 0, 0, word) + payload
    if version == 6:
        return blank
    return _HEADER.pack(ECHO_REQUEST[version], 0, checksum(blank), word) + payload


def split_ipv4(packet: bytes) -> tuple[int, bytes] | None:
    """Return an IPv4 packet's time to live and what follows its header; None if it is cut short."""
    length = (packet[0] & 0x0F) * 4 if packet else 0
    return (packet[8], packet[length:]) if 20 <= length <= len(packet) else None


def read_message(version: int, data: bytes) -> Message | None:
    """Return the ICMP message that `data` is; None if it is cut short."""
    if len(data) < _HEADER.size:
        return None
    kind, code, _, word = _HEADER.unpack_from(data)
    return Message(version, kind, code, word, data[_HEADER.size :], version == 6 or checksum(data) == 0)


def quoted(message: Message) -> Quoted | None:
    """Return the packet that an error message quotes.

    None if it is no error message, quotes too little, or quotes a fragment other than the first, in
    which the packet's own header cannot be seen.
    """
    if message.kind not in ERRORS[message.version]:
        return None
    return (_quoted_ipv4 if message.version == 4 else _quoted_ipv6)(message.body)


def _quoted_ipv4(packet: bytes) -> Quoted | None:
    found = split_ipv4(packet)
    if found is None or int.from_bytes(packet[6:8], "big") & 0x1FFF:  # the fragment's offset
        return None
    return Quoted(socket.inet_ntop(socket.AF_INET, packet[16:20]), packet[9], found[1])


def _quoted_ipv6(packet: bytes) -> Quoted | None:
    if len(packet) < 40:
        return None
    destination = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    header, rest = packet[6], packet[40:]
    while header in _EXTENSIONS or header == _FRAGMENT:
        if len(rest) < 8 or (header == _FRAGMENT and int.from_bytes(rest[2:4], "big") >> 3):
            return None
        length = 8 if header == _FRAGMENT else 8 + rest[1] * 8
        header, rest = rest[0], rest[length:]
    return Quoted(destination, header, rest)


# -- in words ---------------------------------------------------------------------------------------

_UNREACHABLE_4 = (
    "Destination Net Unreachable",
    "Destination Host Unreachable",
    "Destination Protocol Unreachable",
    "Destination Port Unreachable",
    "Frag needed and DF set (mtu = {mtu})",
    "Source Route Failed",
    "Destination Net Unknown",
    "Destination Host Unknown",
    "Source Host Isolated",
    "Destination Net Prohibited",
    "Destination Host Prohibited",
    "Destination Net Unreachable for Type of Service",
    "Destination Host Unreachable for Type of Service",
    "Packet filtered",
    "Precedence Violation",
    "Precedence Cutoff",
)
_UNREACHABLE_6 = (
    "No route",
    "Administratively prohibited",
    "Beyond scope of source address",
    "Address unreachable",
    "Port unreachable",
)
_PARAMETER_6 = ("Wrong header field", "Unknown header", "Unknown option")


def describe(message: Message) -> str:
    """Return what an error message says, in the words of `ping`."""
    return (_describe_4 if message.version == 4 else _describe_6)(message)


def _describe_4(message: Message) -> str:
    code = message.code
    if message.kind == UNREACHABLE[4]:
        text = _pick(_UNREACHABLE_4, code, f"Dest Unreachable, Bad Code: {code}")
        return text.format(mtu=message.word & 0xFFFF)
    if message.kind == TIME_EXCEEDED[4]:
        known = ("Time to live exceeded", "Frag reassembly time exceeded")
        return _pick(known, code, f"Time exceeded, Bad Code: {code}")
    if message.kind == PARAMETER_PROBLEM[4]:
        return f"Parameter problem: pointer = {message.word >> 24}"
    return f"Bad ICMP type: {message.kind}"


def _describe_6(message: Message) -> str:
    code, unknown = message.code, f"code {message.code}"
    if message.kind == UNREACHABLE[6]:
        return f"Destination unreachable: {_pick(_UNREACHABLE_6, code, 'Unknown ' + unknown)}"
    if message.kind == PACKET_TOO_BIG:
        return f"Packet too big: mtu={message.word}"
    if message.kind == TIME_EXCEEDED[6]:
        return f"Time exceeded: {_pick(('Hop limit', 'Defragmentation failure'), code, unknown)}"
    if message.kind == PARAMETER_PROBLEM[6]:
        return f"Parameter problem: {_pick(_PARAMETER_6, code, unknown)} at {message.word}"
    return f"unknown icmp type: {message.kind}"


def _pick(texts: tuple[str, ...], index: int, otherwise: str) -> str:
    return texts[index] if index < len(texts) else otherwise


#: What `traceroute` marks codes of "unreachable" with; a port that is closed is the destination's answer.
_MARKS: Mapping[int, Mapping[int, str]] = {
    4: {
        **dict.fromkeys((0, 6, 8, 11), "!N"),
        **dict.fromkeys((1, 7, 12), "!H"),
        **dict.fromkeys((9, 10, 13), "!X"),
        2: "!P", 3: "", 5: "!S", 14: "!V", 15: "!C",
    },
    6: {0: "!N", 1: "!X", 2: "!H", 3: "!H", 4: ""},
}  # fmt: skip


def mark(message: Message) -> str | None:
    """Return how `traceroute` marks a message that ends the path ("" for an arrival); None for a hop's."""
    version, kind, code = message.version, message.kind, message.code
    if kind == TIME_EXCEEDED[version] and code == 0:
        return None
    if kind == ECHO_REPLY[version]:
        return ""
    if version == 6 and kind == PACKET_TOO_BIG:
        return f"!F-{message.word}"
    if kind != UNREACHABLE[version]:
        return f"!<{kind}-{code}>"
    if version == 4 and code == FRAGMENTATION_NEEDED:
        return f"!F-{message.word & 0xFFFF}"
    return _MARKS[version].get(code, f"!<{code}>")
