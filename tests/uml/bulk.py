"""What TCP and UDP carry between two hosts, whatever these are: each host is what opens a socket in it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Open = Callable[..., socket.socket]
#: IP and UDP headers, and Ethernet's, which count in a rate.
HEADERS = 28 + 14
#: Of a full frame of 1,514 bytes, what TCP carries with timestamps, and what UDP does.
TCP_SHARE, UDP_SHARE = 1448 / 1514, 1472 / 1514
#: SOL_UDP and UDP_SEGMENT of include/uapi/linux/udp.h: the kernel cuts what is sent at once into packets.
_UDP, _UDP_SEGMENT = 17, 103
#: How many packets are sent at once: less than the shortest queue holds.
_BATCH = 8


@contextmanager
def in_a_child(work: Callable[[], object]) -> Iterator[None]:
    """Do something in a process of its own, again and again, until the block ends."""
    child = os.fork()
    if not child:
        try:
            while True:
                work()
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextmanager
def tcp_bulk(first: Open, second: Open, address: str) -> Iterator[socket.socket]:
    """Send what a connection carries from the first host to the second, and yield its receiving end."""
    with second() as listening, first() as sending:
        listening.bind((address, 0))
        listening.listen()
        sending.connect(listening.getsockname())
        receiving, _ = listening.accept()
        with receiving, in_a_child(lambda: sending.sendall(bytes(1 << 16))):
            yield receiving


def tcp_goodput(first: Open, second: Open, address: str, seconds: float) -> float:
    """Return what a TCP connection carries after the first third of its time, in bit/s."""
    with tcp_bulk(first, second, address) as receiving:
        return carried(receiving, seconds)


def carried(receiving: socket.socket, seconds: float) -> float:
    """Return what comes in after the first third of some time, in bit/s."""
    began = now = time.perf_counter()
    start, total = 0.0, 0
    while now < began + seconds:
        size = len(receiving.recv(1 << 18))
        now = time.perf_counter()
        if start:
            total += size
        elif now > began + seconds / 3:
            start = now
    return total * 8 / (now - start)


def udp_goodput(first: Open, second: Open, address: str, rate: float, seconds: float) -> float:
    """Return what UDP carries of frames offered at a rate, in bit/s, after the first third of its time."""
    kind = socket.AF_INET, socket.SOCK_DGRAM
    with second(*kind) as receiving, first(*kind) as sending:
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        receiving.bind((address, 0))
        sending.setsockopt(_UDP, _UDP_SEGMENT, 1472)
        sending.connect(receiving.getsockname())
        due = time.perf_counter()

        def send() -> None:
            nonlocal due
            sending.send(bytes(_BATCH * 1472))
            due += _BATCH * (1472 + HEADERS) * 8 / rate
            time.sleep(max(0.0, due - time.perf_counter()))

        with in_a_child(send):
            return carried(receiving, seconds)
