"""A captured packet, and what its first headers say."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from datetime import datetime

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_VLANS = frozenset({0x8100, 0x88A8})
_IPV4, _IPV6 = 0x0800, 0x86DD
#: EtherTypes (https://www.iana.org/assignments/ieee-802-numbers), beside those of IP.
_ETHERTYPES = {0x0806: "arp", 0x8847: "mpls", 0x88CC: "lldp"}
#: https://www.iana.org/assignments/protocol-numbers
_PROTOCOLS = {
    1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 58: "icmp6",
    89: "ospf", 112: "vrrp", 132: "sctp",
}  # fmt: skip
#: Protocols whose headers begin with the ports of sender and receiver, of 16 bits each.
_WITH_PORTS = frozenset({"tcp", "udp", "sctp"})
#: TCP's flags, the lowest bit first (RFC 9293, section 3.1).
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
#: IPv6's extension headers that tell their length in units of 8 bytes, and the fragment's, which is 8.
_EXTENSIONS, _FRAGMENT = frozenset({0, 43, 60, 135}), 44
#: The bits of a fragment's place, in IPv4's header and in IPv6's extension header.
_PLACE_4, _PLACE_6 = 0x1FFF, 0xFFF8


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as one interface saw it.

    Attributes:
        interface: the interface's name, as `HOST1-veth0`, or `HOST1:lo` for one that is not the plan's.
        time_ns: when, in nanoseconds since the epoch.
        outgoing: whether the node sent it; else it arrived.
        data: the frame from its Ethernet header on; from its IP header on where there is none.
        length: how long it was, in bytes.
    """

    interface: str
    time_ns: int
    outgoing: bool
    data: bytes
    length: int

    @property
    def time(self) -> float:
        """When, in seconds since the epoch; `time_ns` is exact."""
        return self.time_ns / 1e9

    @property
    def protocol(self) -> str:
        """`arp`, `icmp`, `icmp6`, `tcp`, `udp` …; for others a number: `ip 99`, or `0x88b5` of Ethernet."""
        kind, offset = self._network()
        if kind not in {_IPV4, _IPV6}:
            return _ETHERTYPES.get(kind, f"0x{kind:04x}")
        number, _ = self._transport(kind, offset)
        return _PROTOCOLS.get(number, f"ip {number}")

    @property
    def source(self) -> Address | None:
        """The IP address of the sender; None where there is none."""
        return self._address(0)

    @property
    def destination(self) -> Address | None:
        """The IP address that it goes to; None where there is none."""
        return self._address(1)

    @property
    def ports(self) -> tuple[int, int] | None:
        """The ports of the sender and the receiver; None where there are none, as in a later fragment."""
        head = self.data[self._transport(*self._network())[1] :][:4]
        return struct.unpack("!HH", head) if self.protocol in _WITH_PORTS and len(head) == 4 else None

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of TCP that are set: `("SYN", "ACK")`; of others none."""
        _, offset = self._transport(*self._network())
        bits = int.from_bytes(self.data[offset + 13 : offset + 14]) if self.protocol == "tcp" else 0
        return tuple(name for place, name in enumerate(_FLAGS) if bits >> place & 1)

    def _network(self) -> tuple[int, int]:
        """Return the EtherType, and the offset of what follows it."""
        data = self.data
        if len(data) >= 14:
            offset = 12
            while (kind := int.from_bytes(data[offset : offset + 2], "big")) in _VLANS:
                offset += 4
            if kind in {_IPV4, _IPV6} and data[offset + 2 : offset + 3]:
                version = data[offset + 2] >> 4
                if version == (4 if kind == _IPV4 else 6):
                    return kind, offset + 2
            elif not self._bare():
                return kind, offset + 2
        return {4: _IPV4, 6: _IPV6}.get(data[0] >> 4 if data else 0, 0), 0

    def _bare(self) -> bool:
        """Tell whether it looks like an IP packet without a header before it, as its length says."""
        if self.data[0] >> 4 == 4:
            return bool(struct.unpack_from("!H", self.data, 2)[0] == self.length)
        return self.data[0] >> 4 == 6 and struct.unpack_from("!H", self.data, 4)[0] + 40 == self.length

    def _transport(self, kind: int, offset: int) -> tuple[int, int]:
        """Return the number of IP's protocol and the offset of its header, if that is here."""
        data = self.data
        if kind not in {_IPV4, _IPV6}:
            return 0, len(data)
        if kind == _IPV4:
            later = int.from_bytes(data[offset + 6 : offset + 8]) & _PLACE_4
            start = len(data) if later else offset + 4 * (data[offset] & 0xF if data[offset:] else 0)
            return (data[offset + 9] if len(data) > offset + 9 else 0), start
        later = 0
        number, offset = (data[offset + 6] if len(data) > offset + 6 else 59), offset + 40
        while len(data) >= offset + 2 and (number in _EXTENSIONS or number == _FRAGMENT):
            size = 8 if number == _FRAGMENT else 8 * (data[offset + 1] + 1)
            if number == _FRAGMENT:
                later |= int.from_bytes(data[offset + 2 : offset + 4]) & _PLACE_6
            number, offset = data[offset], offset + size
        return number, len(data) if later else offset

    def _address(self, which: int) -> Address | None:
        kind, offset = self._network()
        first, size = {_IPV4: (12, 4), _IPV6: (8, 16)}.get(kind, (0, 0))
        packed = self.data[offset + first + which * size :][:size]
        return ipaddress.ip_address(packed) if size and len(packed) == size else None

    def __str__(self) -> str:
        seconds, nanoseconds = divmod(self.time_ns, 1_000_000_000)
        clock = datetime.fromtimestamp(seconds).strftime("%H:%M:%S")
        way = "out" if self.outgoing else "in "
        ports = self.ports or (None, None)
        ends = [_end(*one) for one in zip((self.source, self.destination), ports, strict=True)]
        between = f" {' > '.join(ends)}" if self.source is not None else ""
        what = " ".join([self.protocol + between, *self.flags])
        return f"{clock}.{nanoseconds:09} {self.interface} {way} {what}, {self.length} bytes"


def _end(address: Address | None, port: int | None) -> str:
    """Return where a packet comes from or goes to, as in a URL."""
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if isinstance(address, ipaddress.IPv6Address) else f"{address}:{port}"
