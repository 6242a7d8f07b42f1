"""Network namespaces of nodes: making them, and working inside them. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator

from .namespaces import CLONE_NEWNET, setns, unshare, write_file

# include/uapi/linux/netlink.h
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSG_ERROR, NLMSGERR_ATTR_MSG, NLM_F_ACK = 2, 1, 4
MESSAGE, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")


class Refusal:
    """A netlink message that the kernel refused: its sequence number, errno and the kernel's text."""

    def __init__(self, sequence: int, errno: int, reason: str) -> None:
        self.sequence, self.errno, self.reason = sequence, errno, reason


def create_namespaces(count: int) -> list[int]:
    """Make `count` empty network namespaces; return a descriptor for each."""
    made: list[int] = []
    errors: list[OSError] = []

    def create(many: int) -> None:
        try:
            for _ in range(many):
                unshare(CLONE_NEWNET)
                made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        except OSError as error:
            errors.append(error)

    # Two threads are 1.8 times as fast as one; more wait for the kernel's own locks.
    threads = [threading.Thread(target=create, args=(many,)) for many in (count // 2, count - count // 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        for fd in made:
            os.close(fd)
        raise errors[0]
    return made


@contextlib.contextmanager
def inside(net_fd: int, home: int) -> Iterator[None]:
    """Put the calling thread into a network namespace, and back `home` afterwards."""
    setns(net_fd, CLONE_NEWNET)
    try:
        yield
    finally:
        setns(home, CLONE_NEWNET)


def write_sysctl(key: str, value: str) -> None:
    """Write one setting of the current network namespace; the error names the key."""
    write_file(f"/proc/sys/{key}", value)


def read_sysctl(key: str) -> str | None:
    """Return one setting of the current network namespace, or None when there is none of that name."""
    try:
        with open(f"/proc/sys/{key}") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def exchange(messages: bytes) -> list[Refusal]:
    """Send netlink messages in the current namespace and return those the kernel refused.

    The last message must ask for an acknowledgement, which ends the exchange. The others need not:
    the kernel always reports an error, and it handles messages in order, before `send` returns.
    OSError when the acknowledgement is not there then, or what was sent are no such messages.
    """
    last = last_sequence(messages)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(messages) + 4096)
        sock.send(messages)
        sock.setblocking(False)
        refusals = []
        while True:
            for sequence, refusal in answers(sock.recv(1 << 16)):
                if refusal is not None:
                    refusals.append(refusal)
                if sequence == last:
                    return refusals


def last_sequence(messages: bytes) -> int:
    """Return the sequence number of the last netlink message in `messages`; OSError if they are none."""
    offset = sequence = flags = 0
    while offset < len(messages):
        left = len(messages) - offset
        size = 0
        if left >= MESSAGE.size:
            size, _, flags, sequence, _ = MESSAGE.unpack_from(messages, offset)
        if not MESSAGE.size <= size <= left:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG), "netlink messages")
        offset += (size + 3) & ~3
    if not flags & NLM_F_ACK:
        raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG), "netlink messages")
    return sequence


def answers(data: bytes) -> Iterator[tuple[int, Refusal | None]]:
    """Yield the sequence number of each acknowledgement in `data`, with its refusal if it is one."""
    offset = 0
    while offset < len(data):
        size, kind, _, sequence, _ = MESSAGE.unpack_from(data, offset)
        if kind == NLMSG_ERROR:
            (number,) = struct.unpack_from("=i", data, offset + MESSAGE.size)
            if number:
                # Behind the error number: the header of the refused message, then attributes.
                attributes = data[offset + MESSAGE.size + 4 + MESSAGE.size : offset + size]
                yield sequence, Refusal(sequence, -number, reason_in(attributes))
            else:
                yield sequence, None
        offset += (size + 3) & ~3


def reason_in(attributes: bytes) -> str:
    """Return the kernel's own explanation among the attributes of a refusal, or an empty text."""
    offset = 0
    while offset + ATTRIBUTE.size <= len(attributes):
        size, kind = ATTRIBUTE.unpack_from(attributes, offset)
        if kind == NLMSGERR_ATTR_MSG:
            return attributes[offset + 4 : offset + size].rstrip(b"\0").decode()
        offset += max((size + 3) & ~3, ATTRIBUTE.size)
    return ""
