"""Opening what a capture reads and writes: the packet sockets in the nodes, and the file's beginning."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import socket
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import EmuError, KernelError, UsageError
from ..graph.attributes import Kind
from ..netlink.operations import BRIDGE
from ..planning.plan import InterfacePlan, NodePlan, Plan
from ..sandboxes.connection import Sandbox
from . import pcapng, ring
from .points import Point

#: How much memory the rings of one capture have, and one ring at least and at most, in bytes.
_ALL_RINGS, _LEAST, _MOST = 1 << 27, 1 << 19, 1 << 25
#: How many sockets are opened at the same time: this process may be allowed few open files.
_AT_ONCE = 64
_RTMGRP_LINK = 1  # include/uapi/linux/rtnetlink.h


@dataclass
class Header:
    """The blocks of interfaces that are known from the start."""

    capture_filter: str
    blocks: list[bytes] = field(default_factory=list)

    def add(self, name: str, description: str, link_type: int = pcapng.ETHERNET) -> int:
        """Add an interface and return its number."""
        self.blocks.append(pcapng.interface(link_type, name, description, self.capture_filter))
        return len(self.blocks) - 1


def size_of_rings(points: int) -> int:
    """Return how large each ring is by default, in bytes."""
    return max(_LEAST, min(_MOST, _ALL_RINGS // max(1, points)))


def open_points(
    sandbox: Sandbox, points: Sequence[Point], size: int, code: bytes, header: Header
) -> Iterator[tuple[list[socket.socket], dict[str, Any]]]:
    """Yield the sockets of each point, and what the worker is to know of it; they are closed after that.

    One is for packets. Unless it is bound to one interface, whose end it notices, another is for news of
    the node's interfaces.

    Packets arrive at it from now on.

    Raises:
        KernelError: the kernel refused it.
        UsageError: the node has no such interface.
    """
    for first in range(0, len(points), _AT_ONCE):
        with contextlib.ExitStack() as stack:
            opened = []
            for point in points[first : first + _AT_ONCE]:
                sock = stack.enter_context(_open_socket(sandbox, point.node.name, socket.AF_PACKET))
                opened.append((sock, _facts(sock, point, size, header)))
            _begin_all(opened, size, code)
            for sock, facts in opened:
                if facts["bound"]:
                    yield [sock], facts
                    continue
                with _open_news(sandbox, facts["node"]) as news:
                    yield [sock, news], facts


def _open_news(sandbox: Sandbox, node: str) -> socket.socket:
    """Return a socket to which the kernel tells of interfaces that come and go in a node."""
    sock = _open_socket(sandbox, node, socket.AF_NETLINK)
    sock.bind((0, _RTMGRP_LINK))
    return sock


def _open_socket(sandbox: Sandbox, node: str, family: int) -> socket.socket:
    try:
        frame = sandbox.ask("socket", node=node, family=family, kind=socket.SOCK_RAW, protocol=0)
    except OSError as error:
        raise KernelError("capture: socket()", node, error.errno or 0, error.strerror or "") from error
    return socket.socket(family, socket.SOCK_RAW, 0, fileno=frame.fds[0])


def _begin_all(opened: list[tuple[socket.socket, dict[str, Any]]], size: int, code: bytes) -> None:
    """Let packets arrive: at all sockets at the same time, as the kernel waits for milliseconds at each."""

    def begin(one: tuple[socket.socket, dict[str, Any]]) -> None:
        sock, facts = one
        try:
            ring.prepare(sock, size, code)
            ring.begin(sock, facts["interfaces"][0][0] if facts["bound"] else 0)
        except OSError as error:
            operation = f"capture with a buffer of {size:,} bytes"
            raise KernelError(operation, facts["node"], error.errno or 0) from error

    if len(opened) == 1:
        begin(opened[0])
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(opened)) as pool:
        list(pool.map(begin, opened))


def _facts(sock: socket.socket, point: Point, size: int, header: Header) -> dict[str, Any]:
    known: list[tuple[int, int]] = []
    for one in point.node.interfaces:
        if point.everything or one.name in point.planned:
            peer = f"{_shown(one)} of {point.node.name}, to {one.peer[1]} of {one.peer[0]}"
            known.append((one.index, header.add(_shown(one), peer)))
    named = {name: _index_of(sock, point.node, name) for name in point.named}
    known += [(index, header.add(f"{point.node.name}:{name}", "")) for name, index in named.items()]
    chosen = [*point.planned, *point.named]
    single = len(chosen) == 1 and not point.everything
    ignored = [_index_of(sock, point.node, BRIDGE)] if point.node.kind is Kind.SWITCH else []
    return {
        "node": point.node.name, "bound": chosen[0] if single else "", "size": size, "all": point.everything,
        "interfaces": known, "ignored": ignored,
    }  # fmt: skip


def _shown(interface: InterfacePlan) -> str:
    return interface.altname or interface.name


def _index_of(sock: socket.socket, node: NodePlan, name: str) -> int:
    try:
        return ring.index_of(sock, name)
    except OSError as error:
        names = ", ".join(_shown(one) for one in node.interfaces) or "none but lo"
        reason = "there is no such interface" if error.errno == errno.ENODEV else str(error.strerror)
        raise UsageError(f"capture {node.name}:{name}: {reason}; {node.name} has {names}") from None


def open_file(path: str | os.PathLike[str]) -> int:
    """Open a file for a capture, and empty it.

    Raises:
        EmuError: it cannot be written, or another capture is writing it.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    except (OSError, ValueError) as error:
        raise EmuError(f"capture to {os.fspath(path)}: {getattr(error, 'strerror', error)}") from error
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
    except OSError as error:
        os.close(fd)
        busy = "another capture is writing it" if isinstance(error, BlockingIOError) else error.strerror
        raise EmuError(f"capture to {os.fspath(path)}: {busy}") from error
    return fd


def write_header(fd: int, path: str, plan: Plan, application: str, header: Header) -> None:
    """Write what a file begins with: the network, the names of its addresses, the interfaces.

    Raises:
        EmuError: it finds no room.
        BrokenPipeError: nobody reads it.
    """
    known = ((address.ip.packed, node.name) for node in plan.nodes for address in node.addresses)
    data = pcapng.section(application, f"Linux {platform.release()}", f"network {plan.name}")
    view = memoryview(data + pcapng.names(known) + b"".join(header.blocks))
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EmuError(f"capture to {path}: {error.strerror}") from error
