"""What TCP and UDP carry between two hosts. For TCP these are whatever opens a socket in each."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import emu

Open = Callable[..., socket.socket]
#: IP and UDP headers, and Ethernet's, which count in a rate.
HEADERS = 28 + 14
#: Of a full frame of 1,514 bytes, what TCP carries with timestamps, and what UDP does.
TCP_SHARE, UDP_SHARE = 1448 / 1514, 1472 / 1514
#: SOL_UDP and UDP_SEGMENT of include/uapi/linux/udp.h: the kernel cuts what is sent at once into packets.
_UDP, _UDP_SEGMENT = 17, 103
#: How many packets are sent at once, as one piece of up to 64 KB.
_BATCH = 40


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


def udp_goodput(net: emu.Network, rate: float, seconds: float) -> float:
    """Return what UDP from HOST1 carries to HOST2 of frames of a rate, in bit/s, after a third of its time.

    What arrives is counted by the last link: to read each packet takes more time than to carry it.
    """
    kind = socket.AF_INET, socket.SOCK_DGRAM
    address = next(str(one.ip) for one in net["HOST2"].plan.addresses if one.version == 4)
    with net["HOST2"].socket(*kind) as receiving, net["HOST1"].socket(*kind) as sending:
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
            time.sleep(seconds / 3)
            _arrived(net)  # for the first time, which takes longer
            began, before = _arrived(net)
            time.sleep(seconds * 2 / 3)
            ended, after = _arrived(net)
    return (after - before) * 1472 * 8 / (ended - began)


def _arrived(net: emu.Network) -> tuple[float, int]:
    """Return the time, and how many packets had arrived at HOST2 by then."""
    asked = time.perf_counter()
    found = sum(one.packets for one in net.counters() if one.target == "HOST2")
    return (asked + time.perf_counter()) / 2, found
