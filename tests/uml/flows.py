"""A path of two links, of which one can be shaped anew, and packets over it."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx

import emu
from emu.netlink.delivery import send
from emu.netlink.queueing import Place
from emu.netlink.rearranging import changes
from emu.shaping import Shaping, shaping_from
from emu.shaping.attributes import PARSERS

from .bulk import HEADERS

#: SO_TIMESTAMPNS_OLD in include/uapi/asm-generic/socket.h, which Python has no name for.
_TIMESTAMPS = 35


class Path:
    """HOST1 to HOST2 through ROUTER, of which the way from ROUTER to HOST2 can be shaped anew."""

    def __init__(self, net: emu.Network) -> None:
        self.net = net
        self.sender = net["HOST1"].socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver = net["HOST2"].socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.receiver.bind(("0.0.0.0", 0))
        self.receiver.setblocking(False)
        # When a packet came, and not when this program was told.
        self.receiver.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        address = next(one for one in net["HOST2"].plan.addresses if one.version == 4)
        self.sender.connect((str(address.ip), self.receiver.getsockname()[1]))
        self.shaping: Shaping | None = None
        #: When each of the packets offered last arrived, by their numbers.
        self.arrivals: dict[int, float] = {}
        self.departures: list[float] = []

    def close(self) -> None:
        """Close both sockets."""
        self.sender.close()
        self.receiver.close()

    def shape(self, **attributes: Any) -> None:
        """Change what the link does, in place."""
        new = shaping_from({name: PARSERS[name](value) for name, value in attributes.items()})
        one = next(one for one in self.net["ROUTER"].plan.interfaces if one.peer[0] == "HOST2")
        found = changes(Place("ROUTER", one.name, one.index), self.shaping, new)
        send(self.net.sandbox, found, {})
        self.shaping = new

    def offer(
        self,
        count: int,
        size: int = 1472,
        rate: float = math.inf,
        then: Callable[[int], None] = lambda _number: None,
    ) -> list[int]:
        """Send numbered packets, at a rate in bit/s; return the numbers that arrive, in order."""
        arrived: list[int] = []
        self.departures = []
        self.arrivals = {}
        began = time.monotonic()
        for number in range(count):
            self.departures.append(time.time())
            self.sender.send(struct.pack("=I", number).ljust(size, b"\0"))
            due = began + number * (size + HEADERS) * 8 / rate
            then(number)
            while number % 20 == 0 or time.monotonic() < due:
                if not select.select([self.receiver], [], [], max(0.0, due - time.monotonic()))[0]:
                    break
                arrived.append(self._receive())
        while select.select([self.receiver], [], [], 0.5)[0]:
            arrived.append(self._receive())
        return arrived

    def _receive(self) -> int:
        data, ancillary, _, _ = self.receiver.recvmsg(2048, 64)
        number = int(struct.unpack_from("=I", data)[0])
        seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
        self.arrivals[number] = seconds + nanoseconds / 1e9
        return number

    def carried(self) -> float:
        """Return the rate at which the packets of full size offered last arrived, in bit/s of frames."""
        times = sorted(self.arrivals.values())
        return (len(times) - 1) * (1472 + HEADERS) * 8 / (times[-1] - times[0])

    def took(self) -> list[float]:
        """Return for each number of the packets offered last how long it took, in ms; NaN if it is lost."""
        return [
            (self.arrivals.get(number, math.nan) - began) * 1000
            for number, began in enumerate(self.departures)
        ]


def round_trips(net: emu.Network, count: int, interval: float = 0.02) -> list[float]:
    """Return the round trips from HOST1 to HOST2 that ping sees, in ms."""
    words = ["ping", "-n", "-c", str(count), "-i", str(interval), "HOST2"]
    text = net["HOST1"].run(words, capture_output=True, text=True).stdout
    return [float(line.partition("time=")[2].split()[0]) for line in text.splitlines() if "time=" in line]


def a_path() -> Iterator[Path]:
    """Yield a path in a running network whose second link does nothing yet."""
    graph: nx.Graph = nx.Graph(name="shaped", families=4)
    graph.add_node("HOST1", kind="host")
    graph.add_node("ROUTER", kind="router")
    graph.add_node("HOST2", kind="host")
    graph.add_edge("HOST1", "ROUTER")
    graph.add_edge("ROUTER", "HOST2")
    with emu.Network(graph) as running, contextlib.closing(Path(running)) as found:
        found.offer(1)  # neighbours are known from here on
        yield found
