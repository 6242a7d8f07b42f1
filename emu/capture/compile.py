"""Compile a filter: a script that runs in a network's sandbox, where its nodes' names have addresses.

It prints JSON: the program's instructions as hexadecimal digits, or what is wrong, and where. It uses the
libpcap that comes with the package cypcap, else the machine's own.

It compiles for an interface that libpcap has opened. Only then does `vlan` see a tag that the kernel keeps
beside the packet, and are `inbound` and `outbound` known.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import socket
import struct
import sys
from collections.abc import Callable

#: Returns the instructions of a filter; ValueError with libpcap's words when it is none.
Compile = Callable[[str], bytes]

_ETHERNET, _SNAPLEN = 1, 262144  # DLT_EN10MB, and as much of a packet as libpcap takes
_UNKNOWN_NETMASK = 0xFFFFFFFF
#: An interface that every namespace has, whose packets begin with Ethernet's header.
_INTERFACE = "lo"
_CLONE_NEWNET, _SIOCSIFFLAGS, _IFF_UP = 0x40000000, 0x8914, 1
_LIBRARIES = ("libpcap.so.1", "libpcap.so.0.8")
#: What could follow an unfinished filter.
_COMPLETIONS = ("", "1", "tcp", "host 192.0.2.1", "192.0.2.1", "::1", "= 1", "tcp] = 1", "/ 1", "1 = 1", "-2")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def _with_cypcap() -> Compile:
    import cypcap  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed

    handle = cypcap.create(_INTERFACE)
    try:
        handle.activate()
    except cypcap.Error:
        handle = cypcap.open_dead(cypcap.DatalinkType.EN10MB, _SNAPLEN)

    def compiled(text: str) -> bytes:
        try:
            program = handle.compile(text, True, _UNKNOWN_NETMASK)
        except cypcap.Error as error:
            raise ValueError(error.args[-1]) from None
        return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)

    return compiled


def _with_machine() -> Compile:
    library = next(filter(None, map(_loaded, _LIBRARIES)), None)
    if library is None:
        raise ImportError
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_geterr.restype = ctypes.c_char_p
    library.pcap_create.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.pcap_create(_INTERFACE.encode(), ctypes.create_string_buffer(256)))
    if not handle or library.pcap_activate(handle) < 0:
        handle = ctypes.c_void_p(library.pcap_open_dead(_ETHERNET, _SNAPLEN))

    def compiled(text: str) -> bytes:
        program = _Program()
        if library.pcap_compile(
            handle, ctypes.byref(program), text.encode(), 1, ctypes.c_uint(_UNKNOWN_NETMASK)
        ):
            raise ValueError(library.pcap_geterr(handle).decode(errors="replace"))
        return ctypes.string_at(program.instructions, program.length * 8)

    return compiled


def _loaded(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def fault_in(text: str, compiled: Compile) -> str:
    """Return what is wrong with a filter, and at which word: libpcap does not tell the latter."""

    def fault(candidate: str) -> str:
        try:
            compiled(candidate)
        except ValueError as error:
            return str(error)
        return ""

    reason = fault(text)
    if "syntax error" not in reason:
        return reason
    words = text.replace("(", " ( ").replace(")", " ) ").split()
    for number in range(1, len(words) + 1):
        begun = " ".join(words[:number])
        close = " )" * (begun.count("(") - begun.count(")"))
        if all(fault(f"{begun} {rest}{close}") for rest in _COMPLETIONS):
            before = f" after {' '.join(words[: number - 1])!r}" if number > 1 else ""
            return f"it cannot go on with {words[number - 1]!r}{before}"
    return "it ends too early"


def enter_namespace() -> None:
    """Move to a network namespace of our own whose interface is up, or libpcap would not open it."""
    ctypes.CDLL(None).unshare(_CLONE_NEWNET)
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", _INTERFACE.encode(), _IFF_UP))


def main(text: str) -> None:
    """Print what becomes of a filter."""
    enter_namespace()
    answer: dict[str, object]
    for find in (_with_cypcap, _with_machine):
        try:
            compiled = find()
        except ImportError:
            continue
        try:
            answer = {"code": compiled(text).hex()}
        except ValueError:
            answer = {"fault": fault_in(text, compiled)}
        break
    else:
        answer = {"missing": True}
    print(json.dumps(answer))  # noqa: T201  # what this script is for


if __name__ == "__main__":
    main(sys.argv[1])
