"""One end of a measurement of throughput, as emu itself has it: a process for each stream, TCP or UDP.

Not for the command line: `emu.traffic` starts one in each of two nodes, tells by JSON what to do, and reads
what it did, a line of JSON for each stream. A receiver first prints its ports; what the sender has sent is
told to it on standard input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

#: What a TCP stream is written and read by; large, as each call costs a process in Python some microseconds.
_CHUNK = 1 << 17
#: For how many seconds a connection is tried, and waited for.
_PATIENCE = 10.0
#: For how long, in seconds, nothing may come before what is missing of UDP counts as lost.
_SILENCE = 1.0
#: In front of a UDP packet: its number, and when it was sent in ns (CLOCK_MONOTONIC, one for all nodes).
_HEADER = struct.Struct("!QQ")
#: struct tcp_info of include/uapi/linux/tcp.h: where tcpi_rtt (µs) and tcpi_total_retrans stand.
_RTT, _RETRANSMITS, _TCP_INFO = 68, 100, 104
#: include/uapi/asm-generic/socket.h and linux/sock_diag.h: what a full buffer dropped.
_SO_RCVBUFFORCE, _SO_MEMINFO, _MEMINFO_DROPS = 33, 55, 8
_BUFFER = 4 << 20

Settings = dict[str, Any]


def main() -> int:
    """Do what the first argument, JSON, says; return the exit status."""
    settings: Settings = json.loads(sys.argv[1])
    act = {"listen": _listen, "connect": _connect, "collect": _collect, "send": _send}
    try:
        act[settings["act"]](settings)
    except OSError as error:
        _tell({"error": error.strerror or str(error)})
        return 1
    return 0


def _tell(record: dict[str, Any]) -> None:
    """Write a line, short enough to stay whole (PIPE_BUF) beside those of other streams."""
    os.write(1, json.dumps(record).encode() + b"\n")


def _family(settings: Settings) -> socket.AddressFamily:
    return socket.AF_INET6 if settings["family"] == 6 else socket.AF_INET


def _each(works: list[Callable[[], None]]) -> None:
    """Do each work in a process of its own and wait for all."""
    children = []
    for work in works:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work()
                status = 0
            except OSError as error:
                _tell({"error": error.strerror or str(error)})
            finally:
                os._exit(status)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


# -- TCP --------------------------------------------------------------------------------------------


def _listen(settings: Settings) -> None:
    """Take as many connections as there are streams and send or receive on each."""
    with socket.socket(_family(settings), socket.SOCK_STREAM) as listener:
        listener.bind((settings["address"], 0))
        listener.listen(128)
        listener.settimeout(_PATIENCE)
        _tell({"ports": [listener.getsockname()[1]]})
        socks = [listener.accept()[0] for _ in range(settings["streams"])]
    _each([lambda sock=sock: _transfer(sock, settings) for sock in socks])  # type: ignore[misc]


def _connect(settings: Settings) -> None:
    """Open as many connections as there are streams and send or receive on each."""
    socks = []
    for _ in range(settings["streams"]):
        sock = socket.socket(_family(settings), socket.SOCK_STREAM)
        sock.settimeout(_PATIENCE)
        sock.connect((settings["address"], settings["ports"][0]))
        socks.append(sock)
    _each([lambda sock=sock: _transfer(sock, settings) for sock in socks])  # type: ignore[misc]


def _transfer(sock: socket.socket, settings: Settings) -> None:
    if settings["sends"]:
        _send_tcp(sock, settings)
    else:
        _receive_tcp(sock, settings)


def _receive_tcp(sock: socket.socket, settings: Settings) -> None:
    """Count what arrives within the time, from the first byte on, then close the connection."""
    sock.settimeout(_PATIENCE)
    buffer = bytearray(_CHUNK)
    count = sock.recv_into(buffer)
    start = last = time.monotonic()
    end = start + settings["seconds"]
    while count and (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            got = sock.recv_into(buffer)
        except (TimeoutError, ConnectionError):
            break
        if not got:
            break
        last = time.monotonic()
        if last <= end:
            count += got
    ended = time.monotonic() >= end
    sock.close()
    _tell({"bytes": count, "seconds": (end if ended else last) - start})


def _send_tcp(sock: socket.socket, settings: Settings) -> None:
    """Send until the receiver has enough, no faster than the rate if there is one."""
    payload, total = bytes(_CHUNK), 0
    start = time.monotonic()
    end = start + settings["seconds"] + _PATIENCE
    piece = _CHUNK if not settings["rate"] else max(1, min(_CHUNK, int(settings["rate"] / 8 / 50)))
    try:
        while time.monotonic() < end:
            if settings["rate"]:
                _sleep_until(start + total * 8 / settings["rate"])
            total += sock.send(payload[:piece] if piece < _CHUNK else payload)
    except OSError:  # the receiver has left
        pass
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO)
    _tell({
        "retransmits": int.from_bytes(info[_RETRANSMITS : _RETRANSMITS + 4], sys.byteorder),
        "rtt": int.from_bytes(info[_RTT : _RTT + 4], sys.byteorder) / 1e6,
    })  # fmt: skip


def _sleep_until(moment: float) -> None:
    if (left := moment - time.monotonic()) > 0:
        time.sleep(left)


# -- UDP --------------------------------------------------------------------------------------------


def _collect(settings: Settings) -> None:
    """Receive on a port for each stream, until all that was sent has come or nothing comes any more."""
    socks, told = [], []
    for _ in range(settings["streams"]):
        sock = socket.socket(_family(settings), socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, _SO_RCVBUFFORCE):
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            except PermissionError:  # the machine's limit holds
                continue
        sock.bind((settings["address"], 0))
        socks.append(sock)
        told.append(os.pipe())
    _tell({"ports": [sock.getsockname()[1] for sock in socks]})
    works = [
        lambda sock=sock, fd=read, index=index: _receive_udp(sock, index, fd)
        for index, (sock, (read, _)) in enumerate(zip(socks, told, strict=True))
    ]
    relay = os.fork()
    if relay == 0:  # whoever started us says on standard input how much each stream sent
        line = os.read(0, 4096)
        for (_, write), count in zip(told, json.loads(line or b"[]"), strict=False):
            os.write(write, struct.pack("=Q", count))
        os._exit(0)
    _each(works)  # type: ignore[arg-type]
    os.kill(relay, signal.SIGKILL)
    os.waitpid(relay, 0)


class _Arrivals:
    """What is counted of one UDP stream; times in seconds."""

    def __init__(self) -> None:
        self.packets = self.bytes = self.late = 0
        self.jitter = self.first = self.last = 0.0
        self._highest = -1
        self._transit: float | None = None

    def take(self, data: memoryview, size: int) -> None:
        now = time.monotonic_ns()
        number, sent = _HEADER.unpack_from(data)
        transit = (now - sent) / 1e9
        if self._transit is not None:  # RFC 3550, section 6.4.1
            self.jitter += (abs(transit - self._transit) - self.jitter) / 16
        self._transit = transit
        self.late += number < self._highest
        self._highest = max(self._highest, number)
        self.packets += 1
        self.bytes += size
        self.last = now / 1e9
        self.first = self.first or self.last


def _receive_udp(sock: socket.socket, index: int, told: int) -> None:
    seen, sent = _Arrivals(), None
    buffer = memoryview(bytearray(1 << 16))
    sock.setblocking(False)
    while sent is None or seen.packets < sent:
        awaited, patience = ([sock.fileno(), told], None) if sent is None else ([sock.fileno()], _SILENCE)
        ready = select.select(awaited, [], [], patience)[0]
        if not ready:
            break
        if told in ready:
            (sent,) = struct.unpack("=Q", os.read(told, 8))
        for _ in range(256):
            try:
                seen.take(buffer, sock.recv_into(buffer))
            except BlockingIOError:
                break
    memory = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
    _tell({
        "stream": index, "bytes": seen.bytes, "seconds": seen.last - seen.first, "packets": seen.packets,
        "jitter": seen.jitter, "out_of_order": seen.late,
        "overflow": struct.unpack_from("=I", memory, 4 * _MEMINFO_DROPS)[0],
    })  # fmt: skip


def _send(settings: Settings) -> None:
    """Send to each of the receiver's ports."""
    _each([
        lambda port=port, index=index: _send_udp(settings, index, port)  # type: ignore[misc]
        for index, port in enumerate(settings["ports"])
    ])  # fmt: skip


def _send_udp(settings: Settings, index: int, port: int) -> None:
    """Send packets at the rate for the time."""
    with socket.socket(_family(settings), socket.SOCK_DGRAM) as sock:
        sock.connect((settings["address"], port))
        packet, number = bytearray(settings["length"]), 0
        pause = 8 * settings["length"] / settings["rate"] if settings["rate"] else 0.0
        start = time.monotonic()
        end = start + settings["seconds"]
        while (moment := start + number * pause) < end and time.monotonic() < end:
            _sleep_until(moment)
            _HEADER.pack_into(packet, 0, number, time.monotonic_ns())
            number += 1
            try:
                sock.send(packet)
            except (ConnectionError, BlockingIOError):  # an ICMP error for an earlier one
                continue
            except OSError as error:
                if error.errno != 105:  # ENOBUFS: a queue is full, and this one lost
                    raise
        _tell({"stream": index, "sent": number, "seconds": time.monotonic() - start})


if __name__ == "__main__":
    sys.exit(main())
