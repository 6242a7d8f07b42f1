"""Network namespaces of nodes: making them, and working inside them. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator

from .namespaces import CLONE_NEWNET, open_proc, setns, unshare

# include/uapi/linux/netlink.h
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSG_ERROR, NLMSG_DONE, NLMSGERR_ATTR_MSG = 2, 3, 1
MESSAGE, ATTRIBUTE, ERROR = struct.Struct("=IHHII"), struct.Struct("=HH"), struct.Struct("=i")
#: So many bytes of messages fit a socket's usual buffer, of 208 KiB. Only root may have a larger one than
#: net.core.wmem_max, which often is the same.
SMALL = 200_000
#: How often to look for processes that have not died yet.
ROUNDS = 100


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
        try:
            thread.start()
        except RuntimeError:  # a limit of processes and threads
            errors.append(OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)))
    for thread in threads:
        if thread.ident is not None:
            thread.join()
    if errors:
        for fd in made:
            os.close(fd)
        raise errors[0]
    return made


def enter(net_fd: int) -> None:
    """Put the calling thread into a network namespace."""
    setns(net_fd, CLONE_NEWNET)


def kill_inside(net_fd: int) -> None:
    """Kill every process in a network namespace, and those that they start meanwhile."""
    space = os.fstat(net_fd)
    for _ in range(ROUNDS):
        found = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):  # it has ended
                if os.path.samestat(space, os.stat(f"/proc/{pid}/ns/net")):
                    os.kill(int(pid), signal.SIGKILL)
                    found += 1
        if not found:
            return
        time.sleep(0.001)


@contextlib.contextmanager
def returning(home: int) -> Iterator[None]:
    """Put the calling thread back into the namespace `home` afterwards, wherever it went."""
    try:
        yield
    finally:
        enter(home)


@contextlib.contextmanager
def proc_of_its_own() -> Iterator[int]:
    """Lend a descriptor of a proc file system with nothing in its cache; the usual one where refused."""
    try:
        directory = open_proc()
    except OSError:  # by a kernel before 5.2, or in a container that hides parts of /proc
        directory = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)


def write_sysctl(proc: int, key: str, value: str) -> None:
    """Write one setting of the current network namespace."""
    fd = os.open(f"sys/{key}", os.O_WRONLY, dir_fd=proc)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def read_sysctl(key: str) -> str | None:
    """Return one setting of the current network namespace, or None when there is none of that name."""
    try:
        with open(f"/proc/sys/{key}") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def open_netlink(protocol: int) -> socket.socket:
    """Return a netlink socket in the current namespace, on which the kernel explains its refusals."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    return sock


def exchange(sock: socket.socket, messages: bytes, last: int) -> tuple[list[Refusal], bytes]:
    """Send netlink messages; return those that were refused, and all answers.

    Message number `last` ends the exchange: it must be the last one and ask for an acknowledgement, or
    for a list. The others need not: the kernel always reports an error, and it handles messages in
    order, before `send` returns. OSError when that answer is not there then, unless one was refused: of
    a transaction (NETLINK_NETFILTER) that may be the first, and nothing is said of the rest.
    """
    refusals: list[Refusal] = []
    found: list[bytes] = []
    ended = lost = False
    for part in parts_of(messages):
        sock.send(part)
        while not ended:
            try:
                data = sock.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True  # more answers than the socket holds; the first ones follow
                continue
            ended, refused = ending(data, last)
            refusals += refused
            found.append(data)
    if not refusals and (lost or not ended):
        number = errno.ENOBUFS if lost else errno.EBADMSG
        raise OSError(number, os.strerror(number), "netlink messages")
    return refusals, b"".join(found)


def parts_of(messages: bytes) -> Iterator[bytes]:
    """Yield netlink messages in parts that a socket takes at once, with its usual buffer."""
    begin = end = 0
    while len(messages) - begin > SMALL:
        while end - begin < SMALL // 2 and end < len(messages):
            end += (MESSAGE.unpack_from(messages, end)[0] + 3) & ~3
        yield messages[begin:end]
        begin = end
    if begin < len(messages):
        yield messages[begin:]


def ending(data: bytes, last: int) -> tuple[bool, list[Refusal]]:
    """Tell whether the answer to message `last` ends in `data`, and which messages it says are refused."""
    offset, ended, refusals = 0, False, []
    while offset < len(data):
        size, kind, _, sequence, _ = MESSAGE.unpack_from(data, offset)
        if kind == NLMSG_ERROR:
            (number,) = ERROR.unpack_from(data, offset + MESSAGE.size)
            if number:
                # Behind the error number: the header of the refused message, then attributes.
                attributes = data[offset + MESSAGE.size + ERROR.size + MESSAGE.size : offset + size]
                refusals.append(Refusal(sequence, -number, reason_in(attributes)))
        if kind in (NLMSG_ERROR, NLMSG_DONE) and sequence == last:
            ended = True
        offset += (size + 3) & ~3
    return ended, refusals


def reason_in(attributes: bytes) -> str:
    """Return the kernel's own explanation among the attributes of a refusal, or an empty text."""
    offset = 0
    while offset + ATTRIBUTE.size <= len(attributes):
        size, kind = ATTRIBUTE.unpack_from(attributes, offset)
        if kind == NLMSGERR_ATTR_MSG:
            return attributes[offset + 4 : offset + size].rstrip(b"\0").decode()
        offset += max((size + 3) & ~3, ATTRIBUTE.size)
    return ""
