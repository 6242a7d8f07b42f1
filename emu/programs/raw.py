"""Names, addresses and raw ICMP sockets for the node programs."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .. import icmp
from .options import Refusal

#: Its control message holds two 64-bit numbers on every machine (include/uapi/asm-generic/socket.h).
SO_TIMESTAMPNS_NEW = 64
#: include/uapi/linux/icmp.h and icmpv6.h
_SOL_RAW, _ICMP_FILTER, _ICMPV6_FILTER = 255, 1, 1
#: include/uapi/linux/in.h and in6.h: the path's MTU as a connected socket knows it.
_MTU_OPTIONS = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}
_HOPS_OPTIONS = {
    4: (socket.IPPROTO_IP, socket.IP_TTL, socket.IP_MULTICAST_TTL),
    6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, socket.IPV6_MULTICAST_HOPS),
}
_NAME_SIZE = 16  # IFNAMSIZ of include/uapi/linux/if.h
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

SocketAddress = tuple[Any, ...]


class Target(NamedTuple):
    """A destination. `literal` tells that it was given as an address, not by a name."""

    name: str
    version: int
    address: SocketAddress
    literal: bool


class Arrival(NamedTuple):
    """A received ICMP message; `hops` is the time to live it came with, `wall` its time in ns."""

    message: icmp.Message
    source: SocketAddress
    hops: int | None
    wall: int


class Moment(NamedTuple):
    """When something was sent, in ns, by the clock of the kernel's time stamps and by one never set."""

    wall: int
    steady: int


def now() -> Moment:
    """Return the present."""
    return Moment(time.time_ns(), time.monotonic_ns())


def elapsed(sent: Moment, wall: int) -> int:
    """Return the ns from a sending to a receipt at the time `wall`, which the kernel stamped.

    Should somebody have set the clock in between, it is the time until this call.
    """
    until_now = time.monotonic_ns() - sent.steady
    return wall - sent.wall if 0 <= wall - sent.wall <= until_now else until_now


# -- names ------------------------------------------------------------------------------------------


def resolve(host: str, version: int | None = None) -> list[Target]:
    """Return the addresses of a host, the preferred one first.

    Args:
        host: a name or an address.
        version: 4 or 6 for addresses of that kind only.

    Raises:
        Refusal: there is none; says so in the C library's words.
    """
    # As bytes, a plain name is spared Python's IDNA codec and the milliseconds of loading it.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_RAW)
    except socket.gaierror as error:
        raise Refusal(f"{host}: {_reason(error)}") from None
    except UnicodeError:
        raise Refusal(f"{host}: Name or service not known") from None
    literal = bool(_literal_version(host))
    targets = [Target(host, 4 if one[0] == socket.AF_INET else 6, one[4], literal) for one in found]
    if wanted := [one for one in targets if version in {None, one.version}]:
        return wanted
    raise Refusal(f"{host}: Address family for hostname not supported")


def _reason(error: socket.gaierror) -> str:
    """Return why a look-up failed; without any name server, trying again will not help."""
    if error.errno == socket.EAI_AGAIN and not _has_name_server():
        return "Name or service not known"
    return str(error.strerror)


def _has_name_server() -> bool:
    try:
        with open("/etc/resolv.conf", "rb") as lines:
            return any(line.split()[:1] == [b"nameserver"] for line in lines)
    except OSError:
        return False


def _literal_version(text: str) -> int | None:
    """Return the version of the address that `text` is; None if it is a name."""
    try:
        found = socket.getaddrinfo(text.encode(errors="replace"), None, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, ValueError):
        return None
    return 4 if found[0][0] == socket.AF_INET else 6


def source_version(text: str) -> int | None:
    """Return the version of a source address, written in full; None if it names an interface."""
    for version, family in _FAMILIES.items():
        try:
            socket.inet_pton(family, text.partition("%")[0])
        except (OSError, ValueError):
            continue
        return version
    return None


class NameBook:
    """Names of addresses, each looked up once."""

    def __init__(self, numeric: bool) -> None:
        self.numeric = numeric
        self._known: dict[SocketAddress, str | None] = {}

    def address(self, address: SocketAddress) -> str:
        """Return an address as text, a link-local one with its interface."""
        return socket.getnameinfo(address, socket.NI_NUMERICHOST)[0]

    def name(self, address: SocketAddress) -> str | None:
        """Return the name of an address; None if it has none or none is wanted."""
        if self.numeric:
            return None
        if address not in self._known:
            try:
                self._known[address] = socket.getnameinfo(address, socket.NI_NAMEREQD)[0]
            except OSError:
                self._known[address] = None
        return self._known[address]


# -- sockets ----------------------------------------------------------------------------------------


def open_icmp(version: int, kinds: Iterable[int]) -> socket.socket:
    """Return a raw socket that receives ICMP messages of some types, with their time and hop limit.

    Raises:
        Refusal: this process may not open one.
    """
    try:
        sock = socket.socket(_FAMILIES[version], socket.SOCK_RAW, icmp.PROTOCOL[version])
    except PermissionError as error:
        raise Refusal(f"socket: {error.strerror}; run it as the node's root (CAP_NET_RAW)") from None
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS_NEW, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    passed = sum(1 << kind for kind in kinds)
    if version == 4:
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~passed & 0xFFFFFFFF))
    else:
        words = [~(passed >> shift) & 0xFFFFFFFF for shift in range(0, 256, 32)]
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("=8I", *words))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    return sock


def limit_hops(sock: socket.socket, version: int, hops: int) -> None:
    """Let what is sent from now on pass `hops` nodes at most."""
    level, *options = _HOPS_OPTIONS[version]
    for option in options:
        sock.setsockopt(level, option, hops)


def open_udp(version: int, source: str | None = None, device: str | None = None) -> socket.socket:
    """Return a UDP socket, bound to an address and an interface where they are given."""
    sock = socket.socket(_FAMILIES[version], socket.SOCK_DGRAM)
    try:
        tie(sock, source, device)
    except BaseException:
        sock.close()
        raise
    return sock


def tie(sock: socket.socket, source: str | None, device: str | None) -> None:
    """Bind a socket to a source address and to an interface, where they are given.

    Raises:
        Refusal: the node has no such address or interface.
    """
    hint = "-I takes an address or an interface of this node"
    if device is not None:
        try:
            name = os.fsencode(device)
            if len(name) >= _NAME_SIZE:  # the kernel would cut it, and might find another
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        except OSError as error:
            raise Refusal(f"SO_BINDTODEVICE {device}: {error.strerror}; {hint}") from None
    if source is not None:
        try:
            # Looked up, since only so a link-local address keeps its interface.
            found = socket.getaddrinfo(source, None, sock.family, flags=socket.AI_NUMERICHOST)
            sock.bind(found[0][4])
        except OSError as error:
            raise Refusal(f"bind {source}: {error.strerror or error}; {hint}") from None


def path_to(target: Target, source: str | None = None, device: str | None = None) -> tuple[str, int]:
    """Return the source address and the MTU in bytes that the kernel chooses for a target.

    Nothing is sent.

    Raises:
        OSError: there is no route.
    """
    with open_udp(target.version, source, device) as sock:
        sock.connect((target.address[0], 9, *target.address[2:]))
        return sock.getsockname()[0], sock.getsockopt(*_MTU_OPTIONS[target.version])


def arrivals(sock: socket.socket, version: int) -> Iterator[Arrival]:
    """Yield the messages that have arrived on a socket of `open_icmp`, without waiting for more."""
    while True:
        try:
            data, extras, _, source = sock.recvmsg(1 << 17, 128)
        except BlockingIOError:
            return
        wall, hops = time.time_ns(), None
        for level, kind, value in extras:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS_NEW):
                seconds, nanoseconds = struct.unpack("=qq", value)
                wall = seconds * 1_000_000_000 + nanoseconds
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT):
                hops = struct.unpack("=i", value)[0]
        if version == 4:
            found = icmp.split_ipv4(data)
            if found is None:
                continue
            hops, data = found
        message = icmp.read_message(version, data)
        if message is not None:
            yield Arrival(message, source, hops, wall)
