"""What a measurement of throughput is asked for, and what it found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..running.node import Node


@dataclass(frozen=True)
class Request:
    """A measurement: `rate` in bit/s for each stream, 0 for no limit; `attempt` begins an error's text."""

    source: Node
    target: Node
    family: int
    address: str
    seconds: float
    udp: bool
    rate: int
    streams: int
    reverse: bool
    length: int
    attempt: str


@dataclass(frozen=True)
class Stream:
    """One stream, as its receiver counted it.

    Attributes:
        bytes: payload that arrived.
        seconds: in which time.
        retransmits: TCP: segments that the sender sent again.
        packets: UDP: packets that were sent.
        lost: UDP: how many of them did not arrive.
        jitter: UDP: how much the time on the way varied, in seconds (RFC 3550, section 6.4.1).
    """

    bytes: int
    seconds: float
    retransmits: int | None = None
    packets: int | None = None
    lost: int | None = None
    jitter: float | None = None

    @property
    def rate(self) -> float:
        """What arrived, in bit/s of payload."""
        return 8 * self.bytes / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Traffic:
    """What `iperf` found.

    Attributes:
        source: the node that sent.
        target: the node that received.
        protocol: "tcp" or "udp".
        family: 4 or 6.
        tool: what measured: "iperf3", or "emu" for emu's own.
        streams: each stream.
        overflow: UDP: packets among the lost ones that arrived and were dropped since the receiving program
            was too slow for them; None where that is not known.
    """

    source: str
    target: str
    protocol: str
    family: int
    tool: str
    streams: tuple[Stream, ...]
    overflow: int | None = None

    @property
    def bytes(self) -> int:
        """Payload that arrived, of all streams."""
        return sum(stream.bytes for stream in self.streams)

    @property
    def seconds(self) -> float:
        """How long the longest stream took."""
        return max(stream.seconds for stream in self.streams)

    @property
    def rate(self) -> float:
        """What arrived of all streams together, in bit/s of payload (goodput)."""
        return sum(stream.rate for stream in self.streams)

    @property
    def retransmits(self) -> int | None:
        """TCP: segments that were sent again; None with UDP, or where that is not known."""
        return _sum([stream.retransmits for stream in self.streams])

    @property
    def packets(self) -> int | None:
        """UDP: packets that were sent."""
        return _sum([stream.packets for stream in self.streams])

    @property
    def lost(self) -> int | None:
        """UDP: packets that did not arrive."""
        return _sum([stream.lost for stream in self.streams])

    @property
    def loss(self) -> float | None:
        """UDP: the share of packets that did not arrive, from 0 to 1."""
        return None if self.lost is None or not self.packets else self.lost / self.packets

    @property
    def jitter(self) -> float | None:
        """UDP: the mean of the streams' jitter, in seconds."""
        known = [stream.jitter for stream in self.streams if stream.jitter is not None]
        return sum(known) / len(known) if known else None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it, the sums included."""
        sums = ("bytes", "seconds", "rate", "retransmits", "packets", "lost", "loss", "jitter")
        return dataclasses.asdict(self) | {name: getattr(self, name) for name in sums}


def _sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
