"""The frames that a keeper and its clients exchange over a Unix stream socket.

A frame is a header (two 32-bit lengths, network byte order), a JSON object and a binary part. File
descriptors travel with the header (`SCM_RIGHTS`); the object's `fds` entry says how many.
Standard library only: the keeper runs it without site-packages.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import struct
from collections import deque

TYPE_CHECKING = False  # typing itself takes longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any

#: The language that keepers and their clients speak: another number whenever a request, an answer or the form
#: of the plan that they share changes. Of all languages `hello`, with what it tells, and `end` are the same.
LANGUAGE = 1

HEADER = struct.Struct("!II")
#: The kernel's limit of descriptors in one message (SCM_MAX_FD in include/net/scm.h).
MAX_FDS = 253
#: The most bytes that either part of a frame may have: a header that says more is no header of ours.
MAX_PART = 1 << 28
#: The signal that gives a program the foreground of its terminal when SIGCONT follows; without it, it goes on
#: in the background.
FRONT = signal.SIGRTMIN
#: How an error about a program begins that cannot begin in the folder that was chosen for it.
FOLDER = "folder "


class Frame:
    """One message: a JSON object, a binary part and the descriptors that came with it."""

    def __init__(self, message: dict[str, Any], blob: bytes = b"") -> None:
        self.message, self.blob = message, blob
        self.fds: list[int] = []


def encode_frame(message: dict[str, Any], blob: bytes = b"", fds: int = 0) -> bytes:
    """Return a frame as bytes, with which so many descriptors must be sent."""
    if fds:
        message = {**message, "fds": fds}
    text = json.dumps(message, separators=(",", ":")).encode()
    return HEADER.pack(len(text), len(blob)) + text + blob


def send_frame(
    sock: socket.socket, message: dict[str, Any], blob: bytes = b"", fds: tuple[int, ...] = ()
) -> None:
    """Send one frame; blocks until the kernel took all of it."""
    data = memoryview(encode_frame(message, blob, len(fds)))
    sent = socket.send_fds(sock, [data], list(fds)) if fds else 0
    sock.sendall(data[sent:])


class Receiver:
    """Puts the frames of one connection together from whatever pieces arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def feed(self, sock: socket.socket) -> bool:
        """Read what is there (waits for the first byte on a blocking socket); False at the end.

        Never reads beyond the present frame: while there is another one, the socket stays readable,
        so that whoever waits for the socket learns of it.
        """
        flags = socket.MSG_CMSG_CLOEXEC
        data, fds, _, _ = socket.recv_fds(sock, min(self._missing(), 1 << 18), MAX_FDS, flags)
        self._fds.extend(fds)
        self._buffer += data
        return bool(data)

    def _missing(self) -> int:
        """Return how many bytes the present frame, or its header, still lacks."""
        if len(self._buffer) < HEADER.size:
            return HEADER.size - len(self._buffer)
        text_size, blob_size = HEADER.unpack_from(self._buffer)
        return HEADER.size + int(text_size) + int(blob_size) - len(self._buffer)

    def next(self) -> Frame | None:
        """Return the next whole frame, or None until more has been fed.

        Raises ValueError for what is no frame; nothing that follows on the connection is one either.
        """
        if len(self._buffer) < HEADER.size:
            return None
        text_size, blob_size = HEADER.unpack_from(self._buffer)
        if max(text_size, blob_size) > MAX_PART:
            raise ValueError("a frame longer than any")
        end = HEADER.size + text_size + blob_size
        if len(self._buffer) < end:
            return None
        text = self._buffer[HEADER.size : HEADER.size + text_size]
        frame = Frame(parse(text), bytes(self._buffer[HEADER.size + text_size : end]))
        del self._buffer[:end]
        expected = frame.message.get("fds", 0)
        frame.fds = [self._fds.popleft() for _ in range(min(expected, len(self._fds)))]
        if len(frame.fds) < expected:  # the kernel drops what the receiver's limit leaves no room for
            for fd in frame.fds:
                os.close(fd)
            about = "too many open files (ulimit -n)"
            return Frame({**frame.message, "fds": 0, "errno": errno.EMFILE, "about": about})
        return frame

    def close(self) -> None:
        """Close the descriptors that came with no frame."""
        while self._fds:
            os.close(self._fds.popleft())


def parse(text: bytes | bytearray) -> dict[str, Any]:
    """Return the object of a frame; ValueError when it is none."""
    try:
        message: Any = json.loads(text)
    except RecursionError as error:  # brackets in brackets in brackets
        raise ValueError("a frame nested too deeply") from error
    if isinstance(message, dict):
        count = message.get("fds", 0)
        if type(count) is int and 0 <= count <= MAX_FDS:
            return message
    raise ValueError("a frame that is no object, or no number of descriptors")


def receive_frame(sock: socket.socket, receiver: Receiver) -> Frame | None:
    """Wait for one frame; None when the other side has closed the connection."""
    while (frame := receiver.next()) is None:
        if not receiver.feed(sock):
            return None
    return frame
