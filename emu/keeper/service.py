"""The keeper's event loop: clients come, ask and go; programs end; at last the network does.

Standard library only.
"""

import contextlib
import errno
import heapq
import itertools
import os
import selectors
import signal
import socket
import struct
import time
from collections.abc import Callable

from .client import Client
from .keeping import Keeping

#: How long programs may take to end on SIGTERM before the kernel ends them, in seconds.
GRACE = 0.5


class Keeper(Keeping):
    """Holds the namespaces of one network and serves its clients until it is told to end."""

    def __init__(self, name: str, listener: socket.socket, folder: int, owner: int) -> None:
        super().__init__(name)
        self.listener, self.folder, self.owner = listener, folder, owner
        self.full = False
        self.first: Client | None = None
        self.selector = selectors.DefaultSelector()
        #: What to do later: when, a number that keeps what is for the same moment in order, and what.
        self.plans: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()

    # -- the loop ---------------------------------------------------------------------------------

    def serve(self, first: socket.socket) -> None:
        """Serve until the owner dies or a client ends the network; then clean up, whatever happened."""
        try:
            self.begin(first)
            while not self.ending:
                for key, mask in self.selector.select(self.act_on_time()):
                    if not self.ending:  # or somebody would be told that the network is running
                        key.data(mask)
        finally:
            self.clean_up()

    def act_on_time(self) -> float | None:
        """Do what it is time for, and return how long there is nothing more to do, in seconds."""
        while self.plans and self.plans[0][0] <= time.monotonic():
            heapq.heappop(self.plans)[2]()
        return max(0.0, self.plans[0][0] - time.monotonic()) if self.plans else None

    def listen(self, fd: int, act: Callable[[], None]) -> None:
        """Call `act` whenever a descriptor is readable."""
        self.selector.register(fd, selectors.EVENT_READ, lambda _: act())

    def unlisten(self, fd: int) -> None:
        """Stop listening to a descriptor."""
        self.selector.unregister(fd)

    def later(self, delay: float, act: Callable[[], None]) -> None:
        """Call `act` once, in so many seconds."""
        heapq.heappush(self.plans, (time.monotonic() + delay, next(self.order), act))

    def begin(self, first: socket.socket) -> None:
        """Listen: to children, the owner's end, new clients and the first."""
        wake, self.alarm = socket.socketpair()
        for sock in (wake, self.alarm, self.listener):
            sock.setblocking(False)
        signal.set_wakeup_fd(self.alarm.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.end())
        self.selector.register(wake, selectors.EVENT_READ, lambda _: self.reap(wake))
        self.selector.register(self.listener, selectors.EVENT_READ, lambda _: self.accept())
        self.selector.register(self.owner, selectors.EVENT_READ, lambda _: self.lose_owner())
        self.first = self.add(first)
        # Whoever connects is told by the kernel that this process, and not the owner, is behind the socket.
        self.listener.listen(128)

    def end(self) -> None:
        """Leave the loop after the present event."""
        self.ending = True

    def lose_owner(self) -> None:
        """End with the owner, unless detached."""
        self.selector.unregister(self.owner)
        if not self.detached:
            self.end()

    def accept(self) -> None:
        """Take a new client, if it is the same user."""
        try:
            sock, _ = self.listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):  # until a client goes, or it would try for ever
                self.selector.unregister(self.listener)
                self.full = True
            return
        with contextlib.suppress(OSError):
            _, uid, _ = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid == os.geteuid():
                self.add(sock)
            else:
                sock.close()

    def add(self, sock: socket.socket) -> Client:
        """Serve one more connection."""

        def watch(sending: bool) -> None:
            events = selectors.EVENT_WRITE if sending else selectors.EVENT_READ
            self.selector.modify(sock, events, serve_client)

        def serve_client(mask: int) -> None:
            if client.sock.fileno() < 0:  # dropped since the selector saw it
                return
            if mask & selectors.EVENT_WRITE:
                client.flush()
            else:
                self.read(client)

        client = Client(sock, watch)
        self.selector.register(sock, selectors.EVENT_READ, serve_client)
        return client

    def read(self, client: Client) -> None:
        """Handle what a client sent, or that it is gone."""
        try:
            alive = client.receiver.feed(client.sock)
            while (frame := client.receiver.next()) is not None:
                self.handle(client, frame)
        except (OSError, ValueError):  # the connection broke, or does not speak our language
            alive = False
        if not alive:
            self.drop(client)

    def drop(self, client: Client) -> None:
        """Forget a client; what it started is hung up, as by a closing terminal.

        The owner's connection is the network's life, unless it is detached.
        """
        self.forget(client)
        self.selector.unregister(client.sock)
        client.close()
        if self.full:
            self.selector.register(self.listener, selectors.EVENT_READ, lambda _: self.accept())
            self.full = False
        if self.running.get(client.pid) is client:
            for number in (signal.SIGHUP, signal.SIGCONT):
                self.signal_group(client.pid, number)
        if client is self.first and not self.detached:
            self.end()

    def reap(self, wake: socket.socket) -> None:
        """Collect every child that stopped or ended, orphans included, and tell its client."""
        with contextlib.suppress(BlockingIOError):
            wake.recv(4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            client = self.running.get(pid)
            if client is None:
                self.changed_kept(pid, status)
                continue
            if os.WIFSTOPPED(status):
                client.tell({"stopped": os.WSTOPSIG(status)})
            else:
                del self.running[pid]
                starved = self.groups.starved(client.node, client.kills, status)
                client.tell({"exited": os.waitstatus_to_exitcode(status), "starved": starved})

    # -- the end ----------------------------------------------------------------------------------

    def clean_up(self) -> None:
        """Ask every program to end, wait a little, and remove the network's folder.

        The kernel does the rest when this process, the first of its PID namespace, exits. But control groups
        outlive their processes, and the folder tells whoever comes after a killed keeper where they are.
        """
        if not self.groups:
            self.remove_folder()  # first, so that the name is free at once
        self.listener.close()
        deadline = time.monotonic() + GRACE
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGTERM)
            os.kill(-1, signal.SIGCONT)
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < deadline:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.005)
        if self.groups:
            self.remove_groups()

    def remove_groups(self) -> None:
        """End every program, and remove the control groups, then the folder that tells of them."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        with contextlib.suppress(OSError):
            self.groups.close()
            self.remove_folder()

    def remove_folder(self) -> None:
        """Remove the network's folder, and an empty one above it, by way of a descriptor.

        It is older than our own mounts, which may hide the path.
        """
        with contextlib.suppress(OSError):
            for entry in os.listdir(self.folder):
                os.unlink(entry, dir_fd=self.folder)
            base = os.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=self.folder)
            if os.path.samestat(os.stat(self.name, dir_fd=base), os.fstat(self.folder)):
                os.rmdir(self.name, dir_fd=base)
            above = os.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=base)
            os.rmdir(os.path.basename(os.readlink(f"/proc/self/fd/{base}")), dir_fd=above)
