"""The frames that a keeper and its clients exchange over a Unix stream socket.

A frame is a header (two 32-bit lengths, network byte order), a JSON object and a binary part. File
descriptors travel with the header (`SCM_RIGHTS`); the object's `fds` entry says how many.
Standard library only: the keeper runs it without site-packages.
"""

import json
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Any

HEADER = struct.Struct("!II")
#: The kernel's limit of descriptors in one message (SCM_MAX_FD in include/net/scm.h).
MAX_FDS = 253


@dataclass
class Frame:
    """One message: a JSON object, a binary part and the descriptors that came with it."""

    message: dict[str, Any]
    blob: bytes = b""
    fds: list[int] = field(default_factory=list)


def send_frame(
    sock: socket.socket, message: dict[str, Any], blob: bytes = b"", fds: tuple[int, ...] = ()
) -> None:
    """Send one frame; blocks until the kernel took all of it."""
    if fds:
        message = {**message, "fds": len(fds)}
    text = json.dumps(message, separators=(",", ":")).encode()
    head = HEADER.pack(len(text), len(blob)) + text
    sent = socket.send_fds(sock, [head], list(fds)) if fds else sock.send(head)
    if sent < len(head):
        sock.sendall(head[sent:])
    if blob:
        sock.sendall(blob)


class Receiver:
    """Puts the frames of one connection together from whatever pieces arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def feed(self, sock: socket.socket) -> bool:
        """Read what is there (waits for the first byte on a blocking socket); False at the end."""
        flags = socket.MSG_CMSG_CLOEXEC
        data, fds, _, _ = socket.recv_fds(sock, 1 << 18, MAX_FDS, flags)
        self._fds.extend(fds)
        self._buffer += data
        return bool(data)

    def next(self) -> Frame | None:
        """Return the next whole frame, or None until more has been fed."""
        if len(self._buffer) < HEADER.size:
            return None
        text_size, blob_size = HEADER.unpack_from(self._buffer)
        end = HEADER.size + text_size + blob_size
        if len(self._buffer) < end:
            return None
        text = self._buffer[HEADER.size : HEADER.size + text_size]
        frame = Frame(json.loads(text), bytes(self._buffer[HEADER.size + text_size : end]))
        del self._buffer[:end]
        frame.fds = [self._fds.popleft() for _ in range(frame.message.get("fds", 0))]
        return frame


def receive_frame(sock: socket.socket, receiver: Receiver) -> Frame | None:
    """Wait for one frame; None when the other side has closed the connection."""
    while (frame := receiver.next()) is None:
        if not receiver.feed(sock):
            return None
    return frame
