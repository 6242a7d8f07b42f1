"""Getting netlink messages into nodes: by the keeper, many at a time, while the next are being made."""

from __future__ import annotations

import bisect
import contextlib
import errno
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import EmuError, KernelError
from .operations import BATCH, Request

if TYPE_CHECKING:
    from ..sandboxes.connection import Sandbox

#: Messages are sent in pieces of about this many bytes: the keeper stays responsive, and the next piece
#: is encoded while the kernel works on the one before.
_PIECE = 1 << 17


class Batch(NamedTuple):
    """Messages for one place: a node, or None for the sandbox's own namespace.

    `last` is the sequence number of the last message, which must ask for an acknowledgement or a list;
    `protocol` the netlink protocol, NETLINK_ROUTE unless told otherwise.
    """

    place: str | None
    messages: bytes
    last: int
    protocol: int = 0


class Refusal(NamedTuple):
    """A message that the kernel refused: its sequence number, errno and the kernel's own text."""

    sequence: int
    errno: int
    reason: str


class Answer(NamedTuple):
    """What became of a batch: what the kernel sent, whole netlink messages."""

    batch: Batch
    data: bytes


def exchange(
    sandbox: Sandbox, batches: Iterable[Batch], refused: Callable[[Refusal], None]
) -> Iterator[Answer]:  # fmt: skip
    """Send batches in order and yield the answer to each; `refused` is called for each refusal before it."""
    sent: deque[list[Batch]] = deque()

    def pieces() -> Iterator[tuple[dict[str, Any], bytes]]:
        for piece in _pieces(batches):
            sent.append(piece)
            yield {"batches": _described(piece)}, b"".join(one.messages for one in piece)

    for frame in sandbox.ask_all("netlink", pieces()):
        for refusal in frame.message["refused"]:
            refused(Refusal(*refusal))
        offset = 0
        for batch, size in zip(sent.popleft(), frame.message["sizes"], strict=True):
            yield Answer(batch, frame.blob[offset : offset + size])
            offset += size


@contextlib.contextmanager
def nodes_expected() -> Iterator[None]:
    """Raise EmuError where a node is missed that was there before: somebody has removed it."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        raise EmuError("a node is gone: others change the network at the same time; try again") from error


def send(
    sandbox: Sandbox,
    requests: Sequence[Request],
    namespaces: Mapping[str, int],
    done: Callable[[int, float], None] = lambda *_: None,
) -> None:
    """Send requests in order, those for one place that stand together as one batch.

    `done` is told now and then how many messages have been dealt with, and how many seconds were spent
    on encoding.

    Raises:
        KernelError: the kernel refused one; the first that it refused.
        EmuError: somebody has removed a node.
    """
    encoder = _Encoder(requests, namespaces)
    with nodes_expected():
        for answer in exchange(sandbox, encoder, encoder.refuse):
            done(answer.batch.last + 1, encoder.seconds)


class Parcel:
    """Requests as a keeper takes them all at once, beside something else: `batches` describes the `blob`."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._encoder = _Encoder(requests, {})
        found = list(self._encoder)
        self.batches, self.blob = _described(found), b"".join(one.messages for one in found)

    def check(self, refused: Iterable[Sequence[Any]]) -> None:
        """Raise KernelError for the first of what the keeper says was refused, if anything was."""
        for refusal in refused:
            self._encoder.refuse(Refusal(*refusal))


class _Encoder:
    """Yields requests as batches; notes how long that took, and the number of each one's first message."""

    def __init__(self, requests: Sequence[Request], namespaces: Mapping[str, int]) -> None:
        self.requests, self.namespaces = requests, namespaces
        self.starts: list[int] = []
        self.seconds, self.sequence = 0.0, 0

    def refuse(self, refusal: Refusal) -> None:
        """Raise KernelError for a message that was refused."""
        number = bisect.bisect_right(self.starts, refusal.sequence) - 1
        request = self.requests[number]
        commands = request.commands()
        command = commands[refusal.sequence - self.starts[number] if request.count > 1 else 0]
        raise KernelError(command, request.node, refusal.errno, refusal.reason)

    def __iter__(self) -> Iterator[Batch]:
        for (place, protocol, _), group in groupby(self.requests, key=_together):
            begin = time.perf_counter()
            for batch in self._batches(place, protocol, list(group)):
                self.seconds += time.perf_counter() - begin
                yield batch
                begin = time.perf_counter()

    def _batches(self, place: str | None, protocol: int, requests: Sequence[Request]) -> Iterator[Batch]:
        messages: list[bytes] = []
        size = 0
        for request in requests:
            full = request is requests[-1] or size >= BATCH
            self.starts.append(self.sequence)
            messages.append(request.encode(self.sequence, self.namespaces, acknowledge=full))
            size += len(messages[-1])
            self.sequence += request.count
            if full:
                yield Batch(place, b"".join(messages), self.sequence - 1, protocol)
                messages, size = [], 0


def _together(request: Request) -> tuple[str | None, int, int]:
    """Return what is the same for requests that may be sent together; a transaction goes alone."""
    return request.place, request.protocol, id(request) if request.protocol else 0


def _described(batches: Iterable[Batch]) -> list[tuple[str | None, int, int, int]]:
    """Return what tells a keeper of batches whose messages it gets one after the other."""
    return [(one.place, len(one.messages), one.last, one.protocol) for one in batches]


def _pieces(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Yield batches in lists of about `_PIECE` bytes."""
    piece: list[Batch] = []
    size = 0
    for batch in batches:
        piece.append(batch)
        size += len(batch.messages)
        if size >= _PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece
