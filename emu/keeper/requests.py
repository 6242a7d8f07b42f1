"""What clients ask of a keeper, and how it answers. Standard library only.

It knows namespaces, bytes, sockets and programs; graphs, addresses and links are its clients' affair.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from . import netns
from .client import Client
from .groups import Groups
from .namespaces import arrange_files
from .programs import Program, View, open_view, start
from .wire import LANGUAGE, Frame

TYPE_CHECKING = False  # typing itself takes longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any

    #: A node or (None) the sandbox's own namespace, how many bytes of messages are for it, the last one's
    #: number, which must ask for an answer, and the netlink protocol.
    Batch = tuple[str | None, int, int, int]
    #: A message's number, errno, and the kernel's reason.
    Refused = tuple[int, int, str]

#: Descriptors the keeper needs beside one per node.
RESERVE = 64
#: For how many nodes one proc file system is used when settings are written.
SOME = 16
#: How many nodes' sockets for transactions are kept open, out of that reserve.
KEPT = 32
#: The files that clients may replace.
FILES = "/run/emu/"


class Requests:
    """What a network's keeper holds, and the requests on it: `do_NAME` answers the request `NAME`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.nodes: dict[str, int] = {}
        self.views: dict[str, View] = {}
        #: How nodes look to their programs, where they look like anything special.
        self.furnished: dict[str, dict[str, Any]] = {}
        self.groups = Groups()
        self.transactions: dict[str | None, socket.socket] = {}
        self.running: dict[int, Client] = {}
        self.document, self.version = b"", 0
        #: The version that the document came with, and by key what was changed of it since, with its version.
        self.since = 0
        self.amendments: dict[str, tuple[int, Any]] = {}
        self.started = time.time()
        self.detached = self.ending = False
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def handle(self, client: Client, frame: Frame) -> None:
        """Answer one request: `do` names the method, the rest are its arguments."""
        frame.message.pop("fds", None)
        try:
            request: Callable[..., None] = getattr(self, "do_" + frame.message.pop("do"))
            request(client, frame, **frame.message)
        except OSError as error:
            about = error.filename or error.strerror
            client.tell({"errno": error.errno or errno.EIO, "about": str(about)})
        except MemoryError:
            client.tell({"errno": errno.ENOMEM, "about": os.strerror(errno.ENOMEM)})
        except Exception as error:  # noqa: BLE001  # a client of another version, or no client of ours
            client.tell({"errno": errno.EINVAL, "about": f"{type(error).__name__}: {error}"})
        finally:
            for fd in frame.fds:
                os.close(fd)

    def enter(self, node: str | None) -> None:
        """Go into a node's namespace, or (None) into the sandbox's own."""
        netns.enter(self.home if node is None else self.namespace_of(node))

    def namespace_of(self, node: str) -> int:
        """Return the descriptor of a node's namespace; somebody else may have removed the node."""
        if node not in self.nodes:
            raise OSError(errno.ENODEV, "no such node")
        return self.nodes[node]

    def do_arrange(self, client: Client, _: Frame, files: Any, binds: Any, keep: Any) -> None:
        """Give the sandbox its host name and files; see `arrange_files`."""
        socket.sethostname(self.name)
        arrange_files(files, binds, keep)
        client.tell({"arranged": True})

    def do_hello(self, client: Client, _: Frame) -> None:
        """Say how the network is."""
        running, failed = self.count_programs()
        known = {
            "started": self.started, "detached": self.detached,
            "nodes": len(self.nodes), "programs": running, "failed": failed, "language": LANGUAGE,
        }  # fmt: skip
        client.tell(known)

    def count_programs(self) -> tuple[int, int]:
        """Return how many programs run, and how many of the network's own ended by themselves and badly."""
        return len(self.running), 0

    def do_names(self, client: Client, _: Frame) -> None:
        """Answer with the names of all nodes, in order, and their namespaces' descriptors."""
        client.tell({"names": list(self.nodes), "namespaces": list(self.nodes.values())})

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

    def do_remove(self, client: Client, _: Frame, names: list[str]) -> None:
        """Kill everything that runs in nodes, and let go of them; those that are gone are no obstacle."""
        for name in names:
            if name in self.nodes:
                netns.kill_inside(self.nodes[name])
                with suppress(OSError):  # then it is removed with the network's
                    self.groups.remove(name)
                os.close(self.nodes.pop(name))
                with suppress(FileNotFoundError):
                    os.unlink(f"/run/netns/{name}")
            for held in (self.views.pop(name, None), self.transactions.pop(name, None)):
                if held is not None:
                    held.close()
        client.tell({"nodes": len(self.nodes)})

    def do_sysctl(self, client: Client, _: Frame, nodes: list[str], settings: list[tuple[str, str]]) -> None:
        """Write the same settings in some nodes; answer with [node, key, errno] for each that was refused."""
        refused = []
        for first in range(0, len(nodes), SOME):
            with netns.returning(self.home), netns.proc_of_its_own() as proc:
                for node in nodes[first : first + SOME]:
                    self.enter(node)
                    for key, value in settings:
                        try:
                            netns.write_sysctl(proc, key, value)
                        except OSError as error:
                            refused.append((node, key, error.errno))
        client.tell({"refused": refused})

    def do_read_sysctl(self, client: Client, _: Frame, node: str, keys: list[str]) -> None:
        """Answer with the settings of a node; None for those that this kernel does not have."""
        with netns.returning(self.home):
            self.enter(node)
            values = {key: netns.read_sysctl(key) for key in keys}
        client.tell({"values": values})

    @contextmanager
    def netlink(self, node: str | None, protocol: int) -> Iterator[socket.socket]:
        """Go into a namespace and lend a netlink socket in it.

        Those for transactions are kept. Closing one waits until the kernel has tidied up behind the last
        change, which takes longer than the change itself (nft_rcv_nl_event in net/netfilter/nf_tables_api.c).
        """
        self.enter(node)
        if protocol == socket.NETLINK_ROUTE:
            with netns.open_netlink(protocol) as sock:
                yield sock
            return
        kept = node in self.transactions
        sock = self.transactions.pop(node) if kept else netns.open_netlink(protocol)
        try:
            yield sock
        except BaseException:
            sock.close()
            raise
        self.transactions[node] = sock  # as the one that was used last
        if len(self.transactions) > KEPT:
            self.transactions.pop(next(iter(self.transactions))).close()

    def do_netlink(self, client: Client, frame: Frame, batches: list[Batch]) -> None:
        """Send the frame's netlink messages; answer with what was refused, and what the kernel sent."""
        refused, answers = self.exchange(frame.blob, batches)
        client.tell({"refused": refused, "sizes": [len(one) for one in answers]}, b"".join(answers))

    def exchange(self, messages: bytes, batches: list[Batch]) -> tuple[list[Refused], list[bytes]]:
        """Send netlink messages, and return which were refused, and what the kernel sent for each batch."""
        offset = 0
        refused: list[Refused] = []
        answers: list[bytes] = []
        with netns.returning(self.home):
            for node, size, last, protocol in batches:
                with self.netlink(node, protocol) as sock:
                    refusals, answer = netns.exchange(sock, messages[offset : offset + size], last)
                refused += [(one.sequence, one.errno, one.reason) for one in refusals]
                answers.append(answer)
                offset += size
        return refused, answers

    def do_socket(self, client: Client, _: Frame, node: str, family: int, kind: int, protocol: int) -> None:
        """Open a socket in a node and hand it over."""
        with netns.returning(self.home):
            self.enter(node)
            sock = socket.socket(family, kind, protocol)
        with sock:
            client.tell({"socket": True}, fds=(sock.fileno(),))

    def do_start(self, client: Client, frame: Frame, node: str | None, **what: Any) -> None:
        """Start a program in a node, or in the sandbox itself when `node` is None."""
        program = self.program_of(node, frame.fds, **what)
        if len(program.fds) != (1 if program.terminal else 3):
            raise OSError(errno.EBADF, "a program has one terminal or three descriptors")
        client.node, client.kills = node, self.groups.kills(node)
        pid = start(program, self.view_of(node), self.groups.joining(node))
        client.pid = pid
        self.running[pid] = client
        client.tell({"pid": pid})

    def program_of(self, node: str | None, fds: list[int], **what: Any) -> Program:
        """Return what to run in a node; what the node itself has holds where the caller has not `chosen`."""
        own = {} if node is None else self.furnished.get(node, {})
        chosen = what["chosen"]
        env = what["env"] if "env" in chosen else {**what["env"], **own.get("env", {})}
        env = {**env, **what.get("extra", {})}
        cwd = what["cwd"] if "cwd" in chosen else own.get("cwd")
        return Program(
            argv=[encode(word) for word in what["argv"]],
            env={encode(name): encode(value) for name, value in env.items()},
            cwd=encode(cwd or what["cwd"]),
            is_chosen=bool(cwd),
            umask=what["umask"],
            nofile=tuple(what["nofile"]),
            terminal=what["terminal"],
            fds=fds,
            user=own.get("user"),
        )

    def view_of(self, node: str | None) -> View | None:
        """Return the namespaces of a node's programs, made when the first of them starts."""
        if node is None:
            return None
        if node not in self.views:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            if len(self.nodes) + 2 * (len(self.views) + 1) + RESERVE // 2 > limit:
                # The rest is for connections: without them nobody could even end the network.
                about = f"a node's first program takes 2 for good, and ulimit -Hn is {limit}"
                raise OSError(errno.EMFILE, about)
            private = self.furnished.get(node, {}).get("private", ())
            self.views[node] = open_view(self.namespace_of(node), node, private)
        return self.views[node]

    def do_signal(self, client: Client, _: Frame, number: int, group: bool) -> None:
        """Send a signal to this connection's program, or to its process group; no answer."""
        if self.running.get(client.pid) is client:
            if group:
                self.signal_group(client.pid, number)
            else:
                os.kill(client.pid, number)

    def do_write(self, client: Client, frame: Frame, path: str) -> None:
        """Replace a file's content in place, so that every bind mount of it shows the new one."""
        real = os.path.realpath(path)
        if not real.startswith(FILES):
            raise PermissionError(errno.EPERM, f"not below {FILES}", path)
        # Without waiting: somebody may have put a pipe there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOFOLLOW
        with open(os.open(real, flags, 0o644), "wb") as file:
            file.write(frame.blob)
        client.tell({"written": len(frame.blob)})

    def do_get(self, client: Client, _: Frame, known: int = -1) -> None:
        """Answer with the version, the document, and its amendments; to whoever knows some, with the rest."""
        whole = known < self.since or known < 0
        news = {key: value for key, (since, value) in self.amendments.items() if whole or since > known}
        client.tell({"version": self.version, "amendments": news}, self.document if whole else b"")

    def do_put(self, client: Client, frame: Frame, version: int) -> None:
        """Replace the document if nobody else has done so since `version`; what was amended since stays."""
        fits, kept = self.since <= version <= self.version, {}
        if fits:
            kept = {key: value for key, (since, value) in self.amendments.items() if since > version}
            self.document, self.version = frame.blob, self.version + 1
            self.since = self.version
            self.amendments = {key: (self.version, value) for key, value in kept.items()}
        client.tell({"version": self.version, "stored": fits, "amendments": kept})

    def do_amend(
        self, client: Client, frame: Frame, version: int, amendments: dict[str, Any], batches: list[Batch]
    ) -> None:  # fmt: skip
        """Take small changes of the document, by keys, if nobody else has changed it since `version`.

        The frame's netlink messages are sent at the same time, as by `do_netlink`, so that the kernel gets
        what several do in the order in which the document does. What the kernel refuses is not taken.
        """
        refused: list[Refused] = []
        if stored := version == self.version:
            refused, _ = self.exchange(frame.blob, batches)
            stored = not refused
        if stored:
            self.version += 1
            self.amendments.update((key, (self.version, value)) for key, value in amendments.items())
        client.tell({"version": self.version, "stored": stored, "refused": refused})

    def do_detach(self, client: Client, _: Frame) -> None:
        """Outlive the owner."""
        self.detached = True
        client.tell({"detached": True})

    def do_end(self, _client: Client, _: Frame) -> None:
        """End the network; the end of the connection is the answer."""
        self.ending = True

    def signal_group(self, pid: int, number: int) -> None:
        """Send a signal to a program's process group, if there still is one."""
        with suppress(ProcessLookupError):
            os.killpg(pid, number)


def encode(text: str) -> bytes:
    """Return the bytes that a client's text stands for, whatever its own encoding was."""
    return text.encode("utf-8", "surrogateescape")
