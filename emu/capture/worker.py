"""The process that reads packet sockets and writes their packets to a file. Standard library only.

It gets its sockets and the file over a connection to whoever captures, and ends with it, with the network,
when it is told to, or when the file cannot be written any more. In every case all that had been captured is
written first.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import select
import signal
import socket
import stat
import sys
import time

from ..netlink.answers import attributes_in, messages_in
from ..netlink.messages import DELLINK, LINK
from . import pcapng, ring

TYPE_CHECKING = False  # typing itself takes longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any

#: sll_pkttype → flags of a packet: how it was received, and its direction.
_FLAGS = {
    0: 1 << 2 | pcapng.INBOUND, 1: 3 << 2 | pcapng.INBOUND, 2: 2 << 2 | pcapng.INBOUND,
    3: 4 << 2 | pcapng.INBOUND, 4: pcapng.OUTBOUND,
}  # fmt: skip
_OUTGOING, _LOOPBACK = 4, 772  # sll_pkttype, ARP hardware type
_IFLA_IFNAME = 3  # include/uapi/linux/if_link.h
#: By when packets of several sockets have all been handed over, in nanoseconds; until then they wait.
_HORIZON = (2 * ring.RETIRE + 20) * 1_000_000
#: How long a packet that is just being taken in may need, in seconds.
_SETTLE = 0.005
#: How long a pipe's reader may take for the last of it, in milliseconds.
_LAST_READ = 2000


class Interface:
    """An interface in the file."""

    def __init__(self, number: int) -> None:
        self.number, self.packets = number, 0


class Point:
    """One socket: a node with all of its interfaces, or with some."""

    def __init__(self, facts: dict[str, Any], sock: socket.socket, writer: Writer) -> None:
        self.node, self.bound = facts["node"], facts["bound"]
        self.ring = ring.Ring(sock, facts["size"])
        self._all, self._writer = facts["all"], writer
        self._ignored = set(facts["ignored"])
        self.interfaces: dict[int, Interface] = {}
        for index, number in facts["interfaces"]:
            self.interfaces[index] = Interface(number)
        self.drops = 0

    def take(self, time: int, index: int, kind: int, hardware: int, data: bytes, length: int) -> None:
        """Take a packet in."""
        interface = self.interfaces.get(index)
        if interface is None:
            if not self.captures(index):
                return
            interface = self._meet(index, hardware)
        if hardware == _LOOPBACK and kind == _OUTGOING:  # which comes in, too
            return
        interface.packets += 1
        block = pcapng.packet(interface.number, time, data, length, _FLAGS.get(kind, pcapng.INBOUND))
        self._writer.waiting.append((time, block))

    def _meet(self, index: int, hardware: int) -> Interface:
        """Return an interface that was not there, or not known, when the capture began."""
        name = f"{self.node}:{ring.name_of(self.ring.sock, index) or index}"
        link_type = pcapng.ETHERNET if ring.is_ethernet(hardware) else pcapng.RAW
        number = self._writer.add_interface(pcapng.interface(link_type, name))
        self.interfaces[index] = interface = Interface(number)
        return interface

    def captures(self, index: int) -> bool:
        """Tell whether packets of an interface are captured."""
        return index in self.interfaces or (self._all and index not in self._ignored)

    def gone(self) -> bool:
        """Tell whether the one interface that it is bound to has been removed."""
        return bool(self.bound) and not self.ring.sock.getsockname()[0]


class Writer:
    """The file. Packets wait until they are written in the order of their stamps."""

    def __init__(self, fd: int, interfaces: int) -> None:
        self.fd, self._interfaces = fd, interfaces
        self.waiting: list[tuple[int, bytes]] = []
        self.packets = 0
        #: Descriptors that become readable when the capture is to end.
        self.enders: tuple[int, ...] = ()
        self._plain = stat.S_ISREG(os.fstat(fd).st_mode)
        #: Why it cannot be written any more; empty for a reader who has left.
        self.error: str | None = None

    def add_interface(self, block: bytes) -> int:
        """Write an interface's block and return its number."""
        self.write(block)
        self._interfaces += 1
        return self._interfaces - 1

    def write_until(self, time: int | None) -> None:
        """Write the packets that wait, of before a time in nanoseconds since the epoch."""
        self.waiting.sort(key=_stamp)
        ready, self.waiting = self.waiting, []
        if time is not None and ready and ready[-1][0] >= time:
            count = next(index for index, (stamp, _) in enumerate(ready) if stamp >= time)
            ready, self.waiting = ready[:count], ready[count:]
        if ready and self.write(b"".join([block for _, block in ready])):
            self.packets += len(ready)

    def write(self, data: bytes) -> bool:
        """Write whole blocks; when they find no room, the file ends before them."""
        if self.error is not None:
            return False
        begin = os.lseek(self.fd, 0, os.SEEK_CUR) if self._plain else 0
        view = memoryview(data)
        try:
            while view:
                view = view[self._write_some(view) :]
        except OSError as error:
            self.error = "" if isinstance(error, BrokenPipeError) else str(error.strerror)
            self._keep_whole_blocks(begin, data[: len(data) - len(view)])
        return self.error is None

    def _write_some(self, view: memoryview) -> int:
        """Write some bytes and return how many; BrokenPipeError when the end comes and nobody reads."""
        if self._plain:
            return os.write(self.fd, view)
        state = select.poll()
        state.register(self.fd, select.POLLOUT)
        for fd in self.enders:
            state.register(fd, select.POLLIN)
        if not any(fd == self.fd for fd, _ in state.poll()):
            for fd in self.enders:
                state.unregister(fd)
            if not state.poll(_LAST_READ):
                raise BrokenPipeError
        return os.write(self.fd, view[: select.PIPE_BUF])  # for which there is room when there is any

    def _keep_whole_blocks(self, begin: int, written: bytes) -> None:
        """Cut a file that has no more room after its last whole block, and count the packets that it got."""
        whole = 0
        while whole + 8 <= len(written):
            kind = int.from_bytes(written[whole : whole + 4], sys.byteorder)
            size = int.from_bytes(written[whole + 4 : whole + 8], sys.byteorder)
            if whole + size > len(written):
                break
            whole += size
            self.packets += kind == pcapng.PACKET
        with contextlib.suppress(OSError):  # which a pipe cannot
            os.ftruncate(self.fd, begin + whole)


def _stamp(item: tuple[int, bytes]) -> int:
    return item[0]


class Worker:
    """One capture."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.points: dict[int, Point] = {}
        #: Sockets that tell of interfaces which go.
        self._news: dict[int, tuple[Point, socket.socket]] = {}
        self._epoll = select.epoll()
        self._started = time.time_ns()
        self._untold: list[str] = []

    def prepare(self) -> bool:
        """Take over the sockets and the file; False when nobody wants that any more."""
        points: list[tuple[dict[str, Any], list[socket.socket]]] = []
        while True:
            data, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 2)
            if not data:
                return False
            message = json.loads(data)
            if "known" in message:
                break
            points.append((message, [socket.socket(fileno=fd) for fd in fds]))
        self.writer = Writer(fds[0], message["known"])
        self.keeper = fds[1]
        self.writer.enders = (self.control.fileno(), self.keeper)
        for facts, (sock, *news) in points:
            self.points[sock.fileno()] = point = Point(facts, sock, self.writer)
            self._news.update({one.fileno(): (point, one) for one in news})
        self.all_points = list(self.points.values())
        for fd in (*self.points, *self._news):
            self._epoll.register(fd, select.EPOLLIN)
        for fd in (self.control.fileno(), self.keeper):
            self._epoll.register(fd, select.EPOLLIN)
        with contextlib.suppress(PermissionError):  # a plain file
            self._epoll.register(self.writer.fd, select.EPOLLERR)  # the reader of a pipe leaves
        return True

    def run(self) -> None:
        """Capture until something ends it."""
        several = len(self.points) > 1
        while self.writer.error is None and self.points:
            wait = _HORIZON / 1e9 if self.writer.waiting else -1
            ready = {fd for fd, _ in self._epoll.poll(wait)}
            if not ready.isdisjoint({self.control.fileno(), self.keeper}):
                return
            if self.writer.fd in ready:
                self.writer.error = ""
                return
            now = time.time_ns()
            for fd in ready:
                self._hear(*self._news[fd]) if fd in self._news else self._take(fd)
            self.writer.write_until(now - _HORIZON if several else None)
            self._tell({"size": 1})

    def _take(self, fd: int) -> None:
        point = self.points[fd]
        point.ring.take(point.take)
        error = point.ring.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == errno.ENETDOWN and point.gone():
            self._epoll.unregister(fd)
            point.ring.take_rest(point.take)
            del self.points[fd]
            self._tell({"note": f"interface {point.bound} of {point.node} is gone"})

    def _hear(self, point: Point, news: socket.socket) -> None:
        """Tell of an interface that went."""
        try:
            data = news.recv(1 << 16, socket.MSG_DONTWAIT)
        except OSError:  # of what was too much at once, nothing is told
            return
        for kind, start, end in messages_in(data):
            family, _, index, _, _ = LINK.unpack_from(data, start)
            if kind == DELLINK and family == socket.AF_UNSPEC and point.captures(index):
                first, last = attributes_in(data, start + LINK.size, end)[_IFLA_IFNAME]
                name = data[first:last].rstrip(b"\0").decode(errors="replace")
                self._tell({"note": f"interface {name} of {point.node} is gone"})

    def finish(self) -> None:
        """Write what is left, and what was counted."""
        for point in self.points.values():
            ring.refuse_all(point.ring.sock)
        time.sleep(_SETTLE)
        for point in self.all_points:
            if point.ring.sock.fileno() in self.points:
                point.ring.take_rest(point.take)
            point.drops = point.ring.drops()
        self.writer.write_until(None)
        ended = time.time_ns()
        for point in self.all_points:
            self._write_counts(point, ended)
        drops = sum(point.drops for point in self.all_points)
        os.close(self.writer.fd)
        last = {
            "packets": self.writer.packets,
            "drops": drops,
            "error": self.writer.error,
            "notes": self._untold,
        }
        with contextlib.suppress(OSError):
            self.control.send(json.dumps(last).encode())
        # Closing the sockets, each of which takes the kernel milliseconds, is left to this process's end.

    def _write_counts(self, point: Point, ended: int) -> None:
        drops: int | None = point.drops
        several = len(point.interfaces) > 1
        comment = f"drops are of all captured interfaces of {point.node}" if several else ""
        for one in point.interfaces.values():
            self.writer.write(
                pcapng.statistics(one.number, self._started, ended, one.packets, drops, comment)
            )
            drops, comment = (None, "") if several else (drops, comment)

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self.control.send(json.dumps(message).encode(), socket.MSG_DONTWAIT)
        except OSError:  # whoever captures has not read what was told before, or is gone
            self._untold += [message["note"]] if "note" in message else []


def main(control: int) -> None:
    """Capture as whoever is at the other end of a connection says."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the connection tells when to end
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    worker = Worker(socket.socket(fileno=control))
    if worker.prepare():
        worker.run()
        worker.finish()
