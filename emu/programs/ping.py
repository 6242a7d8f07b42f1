"""`ping` for nodes of a machine that has none: the common options and the form of iputils' ping."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import Any

from .. import icmp
from . import raw
from .options import Refusal, complain, run_program, say
from .ping_report import Tally, brief_millis, damage
from .ping_settings import USAGE, Settings, read_settings

#: A payload starts with the time of sending, as two 64-bit numbers: seconds and microseconds.
_STAMP = struct.Struct("=qq")
#: The pace of `-i 0` while no reply comes, in seconds.
_FASTEST = 0.01


def open_path(settings: Settings) -> tuple[raw.Target, str]:
    """Return the address to ping and the source address that leads there.

    Raises:
        Refusal: the host is unknown or there is no route to it.
    """
    first: Refusal | None = None
    for target in raw.resolve(settings.host, settings.version):
        try:
            return target, raw.path_to(target, settings.source, settings.device)[0]
        except OSError as error:
            first = first or Refusal(_no_path(target, error))
    raise first or Refusal(f"{settings.host}: no address")


def _no_path(target: raw.Target, error: OSError) -> str:
    address = target.address[0]
    if error.errno == errno.EACCES and target.version == 4:
        return f"{address} is a broadcast address; emu's own ping has no -b: install iputils-ping for it"
    if error.errno == errno.EINVAL and target.version == 6:
        return f"connect: {error.strerror}; say through which interface: {target.name}%NAME or -I NAME"
    return f"connect: {error.strerror}"


class Pinger:
    """One run of ping."""

    def __init__(self, settings: Settings, target: raw.Target, source: str) -> None:
        self.settings, self.target = settings, target
        self.tally = Tally()
        self.names = raw.NameBook(settings.numeric or target.literal)
        self.identifier = os.getpid() & 0xFFFF
        self.pattern = bytes(index & 0xFF for index in range(settings.size))
        self.timed = settings.size >= _STAMP.size
        #: When each of the last 65,536 requests was sent, and which of them were answered.
        self._sent: dict[int, raw.Moment] = {}
        self._answered: set[int] = set()
        self._stopping = False
        self._first = self._last = self._next = time.monotonic()
        self._until = self._first + settings.deadline if settings.deadline else None
        kinds = {icmp.ECHO_REPLY[target.version], *icmp.ERRORS[target.version]}
        self.sock = raw.open_icmp(target.version, kinds)
        raw.tie(self.sock, settings.source, settings.device)
        if settings.hops is not None:
            raw.limit_hops(self.sock, target.version, settings.hops)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        chosen = settings.source or settings.device
        self._origin = f" from {source} {settings.device or ''}:" if chosen else ""

    def header(self) -> str:
        """Return the first line."""
        host, size = self.target.name, self.settings.size
        address = self.names.address(self.target.address)
        if self.target.version == 4:
            return f"PING {host} ({address}){self._origin} {size}({size + 28}) bytes of data."
        return f"PING {host}({self._label(self.target.address)}){self._origin} {size} data bytes"

    def run(self) -> int:
        """Ping until it is enough; return the exit status."""
        wake = self._catch_signals()
        say(self.header())
        while not self._is_done():
            if time.monotonic() >= self._next and not self._all_sent():
                self._send()
                continue  # it may have failed, and that was the last one
            left = min(self._next, self._until or self._next) - time.monotonic()
            select.select([self.sock.fileno(), wake], [], [], max(0.0, left))
            while select.select([wake], [], [], 0)[0]:
                os.read(wake, 64)
            for arrival in raw.arrivals(self.sock, self.target.version):
                self._handle(arrival)
                if self._is_done():
                    break
        say(self.tally.summary(self.target.name, self._last - self._first, self.timed))
        least = self.settings.wanted if self.settings.deadline and self.settings.wanted else 1
        return 0 if self.tally.received >= least else 1

    def _catch_signals(self) -> int:
        """Arrange for Ctrl-C and Ctrl-backslash; return a descriptor that they make readable."""
        wake, end = os.pipe()
        os.set_blocking(end, False)
        signal.set_wakeup_fd(end, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGQUIT, self._print_snapshot)
        return wake

    def _stop(self, *_: Any) -> None:
        self._stopping = True

    def _print_snapshot(self, *_: Any) -> None:
        complain(f"\r{self.tally.snapshot(self.timed)}")

    def _all_sent(self) -> bool:
        wanted = self.settings.wanted
        return wanted is not None and self.tally.sent >= wanted and self._until is None

    def _is_done(self) -> bool:
        """Tell whether there is nothing to wait for; iputils' `-w` also ends at the first error."""
        tally, wanted, moment = self.tally, self.settings.wanted, time.monotonic()
        if self._stopping or (wanted is not None and tally.received + tally.errors >= wanted):
            return True
        if self._until is not None:
            return moment >= self._until or tally.errors > 0
        return self._all_sent() and moment >= self._next

    def _send(self) -> None:
        sequence = (self.tally.sent + 1) & 0xFFFF
        self._answered.discard(sequence)
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        stamp = _STAMP.pack(seconds, nanoseconds // 1000) if self.timed else b""
        payload = stamp + self.pattern[len(stamp) :]
        packet = icmp.echo_request(self.target.version, self.identifier, sequence, payload)
        self._sent[sequence] = raw.now()
        self._last = time.monotonic()
        if not self.tally.sent:
            self._first = self._last
        self.tally.sent += 1
        try:
            self.sock.sendto(packet, self.target.address)
        except OSError as error:
            self._explain(error)
        self._schedule()

    def _schedule(self) -> None:
        """Set when to send next, or how long to wait for the last replies."""
        interval = self.settings.interval
        if not self._all_sent():
            self._next = max(self._next + interval, self._last) if interval else self._last + _FASTEST
        elif self.tally.received:
            self._next = self._last + max(interval, 2 * self.tally.highest / 1_000_000)
        else:
            self._next = self._last + self.settings.linger

    def _explain(self, error: OSError) -> None:
        """Say why a request was not sent. A full queue is a loss like any other."""
        if error.errno in {errno.EAGAIN, errno.ENOBUFS}:
            return
        text = f"sendmsg: {error.strerror}"
        if error.errno == errno.EMSGSIZE:
            self.tally.errors += 1
            mtu = raw.path_to(self.target, self.settings.source, self.settings.device)[1]
            text = f"local error: message too long, mtu={mtu}"
        if not self.settings.quiet:
            complain(f"ping: {text}")

    # -- what arrives -----------------------------------------------------------------------------

    def _handle(self, arrival: raw.Arrival) -> None:
        message = arrival.message
        if message.kind == icmp.ECHO_REPLY[self.target.version]:
            if message.identifier == self.identifier and message.sequence in self._sent:
                self._handle_reply(arrival)
        elif (sequence := self._refused(message)) is not None:
            self.tally.errors += 1
            self.tally.acknowledge(sequence)
            if not self.settings.quiet:
                text = icmp.describe(message)
                say(f"From {self._label(arrival.source)} icmp_seq={sequence} {text}")

    def _refused(self, message: icmp.Message) -> int | None:
        """Return the number of the request of ours that an error message quotes, if it does."""
        packet = icmp.quoted(message)
        if packet is None or packet.protocol != icmp.PROTOCOL[message.version]:
            return None
        request = icmp.read_message(message.version, packet.start)
        if request is None or packet.destination != self.target.address[0].partition("%")[0]:
            return None
        ours = request.kind == icmp.ECHO_REQUEST[message.version] and request.identifier == self.identifier
        return request.sequence if ours else None

    def _handle_reply(self, arrival: raw.Arrival) -> None:
        message, tally = arrival.message, self.tally
        repeated = message.sequence in self._answered
        if not message.sound:
            tally.corrupted += 1
        elif repeated:
            tally.duplicates += 1
        else:
            tally.received += 1
            self._answered.add(message.sequence)
        tally.acknowledge(message.sequence)
        micros = raw.elapsed(self._sent[message.sequence], arrival.wall) // 1000
        if message.sound:
            tally.count_time(micros)
        if not self.settings.interval and not self._all_sent():
            self._next = min(self._next, time.monotonic())
        if not self.settings.quiet:
            say(self._reply_line(arrival, micros, repeated))

    def _reply_line(self, arrival: raw.Arrival, micros: int, repeated: bool) -> str:
        body = arrival.message.body
        text = f"{len(body) + 8} bytes from {self._label(arrival.source)}:"
        text += f" icmp_seq={arrival.message.sequence}"
        text += f" ttl={arrival.hops}" if arrival.hops is not None else ""
        text += f" time={brief_millis(micros)} ms" if self.timed else ""
        text += " (DUP!)" if repeated else ""
        text += "" if arrival.message.sound else " (BAD CHECKSUM!)"
        return text + damage(body, self.pattern, _STAMP.size if self.timed else 0)

    def _label(self, address: raw.SocketAddress) -> str:
        """Return an address with its name, where it has one."""
        name, text = self.names.name(address), self.names.address(address)
        return f"{name} ({text})" if name else text


def ping(words: list[str]) -> int:
    """Run ping on the words of a command line; return the exit status."""
    settings = read_settings(words)
    if settings is None:
        say(USAGE)
        return 0
    return Pinger(settings, *open_path(settings)).run()


if __name__ == "__main__":
    sys.exit(run_program("ping", ping))
