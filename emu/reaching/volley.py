"""Echo requests from many nodes at once: one raw socket per node and family, one loop, no threads.

A probe is sent again when no reply came within a third of the timeout, so that neither a full buffer
nor a first packet that was dropped counts as unreachable. Every request carries the volley's own random
mark, the probe's number and the attempt's: a reply is ours, whoever else pings at the time, and its
round-trip time is that of the very request it answers. The kernel stamps replies as they arrive, so
that the time for which they wait to be read does not count.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .. import icmp

#: How often a probe is sent before it counts as lost.
ATTEMPTS = 3
#: How many requests are sent before replies are read. A small reply takes under 1 KiB of a socket's
#: buffer, and the kernel's default (net.core.rmem_default) is 208 KiB: all may be for the same socket.
_BURST = 64
_BUFFER = 1 << 20

#: What follows the ICMP header: the volley's mark, then the probe's number and the attempt.
_MARK, TAIL = 8, struct.Struct("!IB")
#: Enough of a packet for the headers of an error and the request that it quotes.
_HEAD, _CONTROL = 256, 128
_TIMESPEC = struct.Struct("@ll")
# include/uapi/asm-generic/socket.h; raw(7) and include/uapi/linux/icmp.h; include/uapi/linux/icmpv6.h
_SO_TIMESTAMPNS = 35
_FILTER = {4: (255, 1), 6: (socket.IPPROTO_ICMPV6, 1)}  # SOL_RAW, ICMP_FILTER; ICMPV6_FILTER

#: Queues that are full now and need not be later.
_FULL = frozenset({errno.ENOBUFS, errno.EAGAIN, errno.ENOMEM})


@dataclass(slots=True)
class Probe:
    """A question, whether `source` reaches `address` of `target`, and its answer.

    `rtt` is in seconds; where it is None once the volley is over, `reason` says why. `sent` holds when
    each attempt was made, in nanoseconds since 1970.
    """

    source: str
    target: str
    family: int
    address: str
    rtt: float | None = None
    reason: str = ""
    open: bool = True
    sent: list[int] = field(default_factory=list)


def prepare_socket(sock: socket.socket, family: int) -> None:
    """Let a raw ICMP socket take echo replies and errors only, stamped, and not block."""
    # A bit for each of the 32 or 256 types, in 32-bit words; those that are set are blocked.
    words = [0xFFFFFFFF] * (1 if family == 4 else 8)
    for kind in (icmp.ECHO_REPLY[family], *icmp.ERRORS[family]):
        words[kind // 32] &= ~(1 << kind % 32)
    sock.setsockopt(*_FILTER[family], struct.pack(f"={len(words)}I", *words))
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setblocking(False)


class Volley:
    """Sends probes and collects what comes back; `run` returns when each has its answer."""

    def __init__(
        self,
        probes: Sequence[Probe],
        sockets: Mapping[tuple[str, int], socket.socket],
        timeout: float,
        names: Mapping[str, str],
    ) -> None:
        """Take probes and a socket for each source and family.

        Args:
            probes: what to send, in this order; best such that neighbours in it have other sources.
            sockets: by node and family, each prepared by `prepare_socket`.
            timeout: after how many seconds a probe without an answer is lost.
            names: node per address, to say who sent an error.
        """
        self.probes, self.sockets, self.timeout, self.names = probes, sockets, timeout, names
        self.left = sum(probe.open for probe in probes)
        self.mark = os.urandom(_MARK)
        self.readers = {sock.fileno(): (sock, family) for (_, family), sock in sockets.items()}

    def run(self) -> None:
        """Send everything, again where need be, and read every answer."""
        with select.epoll() as epoll:
            for fd in self.readers:
                epoll.register(fd, select.EPOLLIN)
            # When to look at which probe again; as every probe waits equally long, always in order.
            due = deque((0.0, number) for number, probe in enumerate(self.probes) if probe.open)
            while self.left:
                now = time.monotonic()
                for _ in range(_BURST):
                    if not due or due[0][0] > now:
                        break
                    _, number = due.popleft()
                    if self.probes[number].open and self._send(number):
                        due.append((now + self.timeout / ATTEMPTS, number))
                self._read_all(epoll, max(0.0, due[0][0] - now) if due else 0.0)

    def _send(self, number: int) -> bool:
        """Send a probe's next request; return whether there is anything to wait for."""
        probe = self.probes[number]
        attempt = len(probe.sent)
        if attempt == ATTEMPTS:
            return self._close(probe, probe.reason or f"no reply within {self.timeout:g} s")
        packet = icmp.echo_request(probe.family, 0, attempt, self.mark + TAIL.pack(number, attempt))
        sock = self.sockets[probe.source, probe.family]
        probe.sent.append(time.time_ns())
        try:
            sock.sendto(packet, (probe.address, 0))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            if error.errno not in _FULL:
                return self._close(probe, reason)
            probe.reason = reason
        return True

    def _close(self, probe: Probe, reason: str = "") -> bool:
        probe.open, probe.reason = False, reason
        self.left -= 1
        return False

    def _read_all(self, epoll: select.epoll, wait: float) -> None:
        """Read what is there, after waiting for it as many seconds."""
        while ready := epoll.poll(wait):
            for fd, _ in ready:
                self._read(*self.readers[fd])
            wait = 0.0

    def _read(self, sock: socket.socket, family: int) -> None:
        """Read one packet, and close its probe if it is an answer to one of ours."""
        try:
            data, control, _, (sender, *_) = sock.recvmsg(_HEAD, _CONTROL)
        except OSError:  # another's error that the kernel reports here, or nothing there after all
            return
        at = data.find(self.mark) + _MARK
        if at < _MARK or len(data) < at + TAIL.size:
            return
        number, attempt = TAIL.unpack_from(data, at)
        probe = self.probes[number]
        if not probe.open:
            return
        # An IPv4 socket gets the IP header too (raw(7)), an IPv6 socket does not (RFC 3542).
        split = icmp.split_ipv4(data) if family == 4 else (0, data)
        if split and split[1][0] == icmp.ECHO_REPLY[family]:
            probe.rtt = max(0, arrival_time(control) - probe.sent[attempt]) / 1e9
            self._close(probe)
        elif split and (message := icmp.read_message(family, split[1])):
            self._close(probe, f"{self.names.get(sender, sender)} says {icmp.describe(message)}")


def arrival_time(control: Sequence[tuple[int, int, bytes]]) -> int:
    """Return when a packet arrived, in nanoseconds since 1970, as the kernel says or else now."""
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()
