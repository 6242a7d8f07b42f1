"""The keeper's event loop: clients ask, the keeper answers. Standard library only.

It knows namespaces, bytes, sockets and programs; graphs, addresses and links are its clients' affair.
"""

import contextlib
import errno
import os
import resource
import selectors
import signal
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from . import netns
from .namespaces import CLONE_NEWNET, arrange_files, setns
from .programs import Program, View, open_view, start
from .wire import Frame, Receiver, send_frame

#: How long programs may take to end on SIGTERM before the kernel ends them, in seconds.
GRACE = 0.5
#: Descriptors the keeper needs beside one per node.
RESERVE = 64


class Client:
    """One connection. A connection that started a program stands for it until it exits."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.receiver = Receiver()
        self.pid: int | None = None
        self.background = False

    def tell(self, message: dict[str, Any], blob: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Send a frame; a client that is gone, or never reads, loses it."""
        with contextlib.suppress(OSError):
            send_frame(self.sock, message, blob, fds)


class Keeper:
    """Holds the namespaces of one network and serves its clients until it is told to end."""

    def __init__(self, name: str, listener: socket.socket, folder: int, owner: int) -> None:
        self.name, self.listener, self.folder, self.owner = name, listener, folder, owner
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.nodes: dict[str, int] = {}
        self.views: dict[str, View] = {}
        self.running: dict[int, Client] = {}
        self.document, self.version = b"", 0
        self.started = time.time()
        self.detached = self.ending = False
        self.first: Client | None = None
        self.selector = selectors.DefaultSelector()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    # -- the loop ---------------------------------------------------------------------------------

    def serve(self, first: socket.socket) -> None:
        """Serve until the owner dies or a client ends the network; then clean up."""
        wake, alarm = socket.socketpair()
        for sock in (wake, alarm, self.listener):
            sock.setblocking(False)
        signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.end())
        self.selector.register(wake, selectors.EVENT_READ, lambda: self.reap(wake))
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(self.owner, selectors.EVENT_READ, self.end)
        self.first = self.add(first)
        while not self.ending:
            for key, _ in self.selector.select():
                key.data()
        self.clean_up()

    def end(self) -> None:
        """Leave the loop after the present event."""
        self.ending = True

    def accept(self) -> None:
        """Take a new client, if it is the same user."""
        with contextlib.suppress(OSError):
            sock, _ = self.listener.accept()
            _, uid, _ = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid == os.geteuid():
                self.add(sock)
            else:
                sock.close()

    def add(self, sock: socket.socket) -> Client:
        """Serve one more connection."""
        sock.setblocking(True)
        sock.settimeout(5)  # a client that stopped reading must not stop the keeper
        client = Client(sock)
        self.selector.register(sock, selectors.EVENT_READ, lambda: self.read(client))
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
        self.selector.unregister(client.sock)
        client.sock.close()
        if client.pid in self.running and not client.background:
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
                continue
            if os.WIFSTOPPED(status):
                client.tell({"stopped": os.WSTOPSIG(status)})
            else:
                del self.running[pid]
                client.tell({"exited": os.waitstatus_to_exitcode(status)})

    def handle(self, client: Client, frame: Frame) -> None:
        """Answer one request: `do` names the method, the rest are its arguments."""
        frame.message.pop("fds", None)
        try:
            request: Callable[..., None] = getattr(self, "do_" + frame.message.pop("do"))
            request(client, frame, **frame.message)
        except OSError as error:
            about = error.filename or error.strerror
            client.tell({"errno": error.errno, "about": str(about)})
        except (AttributeError, KeyError, TypeError) as error:  # a client of another version
            client.tell({"errno": errno.EINVAL, "about": f"{type(error).__name__}: {error}"})
        finally:
            for fd in frame.fds:
                os.close(fd)

    # -- requests ---------------------------------------------------------------------------------

    def do_arrange(self, client: Client, _: Frame, files: Any, binds: Any, keep: Any) -> None:
        """Give the sandbox its host name and files; see `arrange_files`."""
        socket.sethostname(self.name)
        arrange_files(files, binds, keep)
        client.tell({"arranged": True})

    def do_hello(self, client: Client, _: Frame) -> None:
        """Say how the network is, and hand over a pidfd of this process."""
        known = {
            "started": self.started, "detached": self.detached,
            "nodes": len(self.nodes), "programs": len(self.running),
        }  # fmt: skip
        pidfd = os.pidfd_open(os.getpid())
        client.tell(known, fds=(pidfd,))
        os.close(pidfd)

    def do_names(self, client: Client, _: Frame) -> None:
        """Answer with the names of all nodes, in order."""
        client.tell({"names": list(self.nodes)})

    def do_create(self, client: Client, _: Frame, names: list[str]) -> None:
        """Make a network namespace per name, visible to `ip netns`; answer with their descriptors."""
        room = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - len(self.nodes) - RESERVE
        if len(names) > room:
            about = f"{len(names)} nodes: the limit of open files (ulimit -Hn) leaves room for {room}"
            client.tell({"errno": errno.EMFILE, "about": about})
            return
        fds = netns.create_namespaces(len(names))
        for name, fd in zip(names, fds, strict=True):
            os.symlink(f"/proc/1/fd/{fd}", f"/run/netns/{name}")
            self.nodes[name] = fd
        client.tell({"namespaces": fds})

    def do_sysctl(self, client: Client, _: Frame, writes: list[tuple[str, list[tuple[str, str]]]]) -> None:
        """Write settings in nodes; answer with [node, key, errno] for each that was refused."""
        refused = []
        for node, settings in writes:
            netns.enter(self.nodes[node])
            for key, value in settings:
                try:
                    netns.write_sysctl(key, value)
                except OSError as error:
                    refused.append((node, key, error.errno))
        setns(self.home, CLONE_NEWNET)
        client.tell({"refused": refused})

    def do_read_sysctl(self, client: Client, _: Frame, node: str, keys: list[str]) -> None:
        """Answer with the settings of a node; None for those that this kernel does not have."""
        netns.enter(self.nodes[node])
        values = {key: netns.read_sysctl(key) for key in keys}
        setns(self.home, CLONE_NEWNET)
        client.tell({"values": values})

    def do_netlink(self, client: Client, frame: Frame, batches: list[tuple[str, int]]) -> None:
        """Send the frame's netlink messages, so many bytes per node in turn.

        Answers with [sequence number, errno, reason] for each message that was refused.
        """
        offset, refused = 0, []
        for node, size in batches:
            netns.enter(self.nodes[node])
            refusals = netns.exchange(frame.blob[offset : offset + size])
            refused += [(one.sequence, one.errno, one.reason) for one in refusals]
            offset += size
        setns(self.home, CLONE_NEWNET)
        client.tell({"refused": refused})

    def do_socket(self, client: Client, _: Frame, node: str, family: int, kind: int, protocol: int) -> None:
        """Open a socket in a node and hand it over."""
        netns.enter(self.nodes[node])
        try:
            sock = socket.socket(family, kind, protocol)
        finally:
            setns(self.home, CLONE_NEWNET)
        with sock:
            client.tell({"socket": True}, fds=(sock.fileno(),))

    def do_start(
        self, client: Client, frame: Frame, node: str | None, background: bool, **what: Any
    ) -> None:  # fmt: skip
        """Start a program in a node, or in the sandbox itself when `node` is None."""
        program = Program(
            argv=[encode(word) for word in what["argv"]],
            env={encode(name): encode(value) for name, value in what["env"].items()},
            cwd=encode(what["cwd"]),
            umask=what["umask"],
            nofile=tuple(what["nofile"]),
            terminal=what["terminal"],
            fds=frame.fds,
        )
        view = None
        if node is not None:
            if node not in self.views:
                self.views[node] = open_view(self.nodes[node], node)
            view = self.views[node]
        pid = start(program, view)
        client.pid, client.background = pid, background
        self.running[pid] = client
        client.tell({"pid": pid})

    def do_signal(self, client: Client, _: Frame, number: int, group: bool) -> None:
        """Send a signal to this connection's program, or to its process group; no answer."""
        if client.pid in self.running:
            if group:
                self.signal_group(client.pid, number)
            else:
                os.kill(client.pid, number)

    def do_write(self, client: Client, frame: Frame, path: str) -> None:
        """Replace a file's content in place, so that every bind mount of it shows the new one."""
        with open(path, "wb") as file:
            file.write(frame.blob)
        client.tell({"written": len(frame.blob)})

    def do_get(self, client: Client, _: Frame) -> None:
        """Answer with the network's document and its version."""
        client.tell({"version": self.version}, self.document)

    def do_put(self, client: Client, frame: Frame, version: int) -> None:
        """Replace the document if nobody else has since `version`."""
        fits = version == self.version
        if fits:
            self.document, self.version = frame.blob, version + 1
        client.tell({"version": self.version, "stored": fits})

    def do_detach(self, client: Client, _: Frame) -> None:
        """Outlive the owner."""
        if not self.detached:
            self.selector.unregister(self.owner)
        self.detached = True
        client.tell({"detached": True})

    def do_end(self, _client: Client, _: Frame) -> None:
        """End the network; the end of the connection is the answer."""
        self.end()

    # -- the end ----------------------------------------------------------------------------------

    def signal_group(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)

    def clean_up(self) -> None:
        """Ask every program to end, wait a little, and remove the network's folder.

        The kernel does the rest when this process, the first of its PID namespace, exits.
        """
        # First the folder: the name is free at once.
        self.remove_folder()
        self.listener.close()
        deadline = time.monotonic() + GRACE
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGTERM)
            os.kill(-1, signal.SIGCONT)
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < deadline:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.005)

    def remove_folder(self) -> None:
        """Remove the network's folder, through a descriptor that is older than our own mounts."""
        with contextlib.suppress(OSError):
            for entry in os.listdir(self.folder):
                os.unlink(entry, dir_fd=self.folder)
            parent = os.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=self.folder)
            os.rmdir(self.name, dir_fd=parent)


def encode(text: str) -> bytes:
    """Return the bytes that a client's text stands for, whatever its own encoding was."""
    return text.encode("utf-8", "surrogateescape")
