"""The keeper's side of one connection. Standard library only."""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable

from .wire import Receiver, encode_frame

TYPE_CHECKING = False  # typing itself takes longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any


class Client:
    """One connection. A connection that started a program stands for it until it exits.

    Nothing here waits: what a client does not take at once is kept until it does, and until then
    nothing more is read from it.
    """

    def __init__(self, sock: socket.socket, watch: Callable[[bool], None]) -> None:
        """Serve `sock`; `watch` is told whether there is something to send, or else to receive."""
        sock.setblocking(False)
        self.sock, self._watch = sock, watch
        self.receiver = Receiver()
        self._sending = False
        #: The program that it stands for, or 0.
        self.pid = 0
        #: Its node, and how many processes of that had been killed for lack of memory when it began.
        self.node: str | None = None
        self.kills = 0
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()

    def tell(self, message: dict[str, Any], blob: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Send a frame, now or when the client takes it; the descriptors may be closed after this."""
        if self.sock.fileno() < 0:
            return
        data = memoryview(encode_frame(message, blob, len(fds)))
        self._unsent.append((data, [os.dup(fd) for fd in fds]))
        self.flush()

    def flush(self) -> None:
        """Send what can be sent without waiting."""
        while self._unsent:
            data, fds = self._unsent[0]
            try:
                sent = socket.send_fds(self.sock, [data], fds) if fds else self.sock.send(data)
            except BlockingIOError:
                break
            except OSError:  # it is gone; reading will tell so too
                self._forget_unsent()
                with contextlib.suppress(OSError):
                    self.sock.shutdown(socket.SHUT_RDWR)
                break
            for fd in fds:
                os.close(fd)
            self._unsent[0] = (data[sent:], [])
            if sent == len(data):
                self._unsent.popleft()
        if self._sending != bool(self._unsent):
            self._sending = not self._sending
            self._watch(self._sending)

    def close(self) -> None:
        """Close the connection, and the descriptors that were on their way."""
        self.sock.close()
        self.receiver.close()
        self._forget_unsent()

    def _forget_unsent(self) -> None:
        for _, fds in self._unsent:
            for fd in fds:
                os.close(fd)
        self._unsent.clear()
