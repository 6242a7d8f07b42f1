"""A node of a running network: its programs, its sockets, and what the kernel has of it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..commands import Words
from ..errors import KernelError
from ..graph.attributes import Kind
from ..graph.inside import PATIENCE
from ..planning.addressing import InterfaceAddress
from ..planning.plan import InterfacePlan, NodePlan, Plan
from ..processes.process import Process

if TYPE_CHECKING:
    from ..capture.handle import Capture
    from ..netlink.dumps import AddressState, InterfaceState, RouteState
    from ..processes.jobs import Job
    from ..reaching.reach import Reach
    from .network import Network

T = TypeVar("T")


class Node:
    """A node of a running network."""

    def __init__(self, network: Network, plan: NodePlan) -> None:
        # A network does not keep its nodes in turn: one that nobody holds any more ends at once.
        self._network, self._plan = network, plan

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and (other._network, other.name) == (self._network, self.name)

    def __hash__(self) -> int:
        return hash((self._network, self.name))

    def __repr__(self) -> str:
        return f"<{' '.join(map(str, (self.kind, self.name, *self.plan.addresses)))}>"

    @property
    def plan(self) -> NodePlan:
        """The node as the network's plan has it, or as it was before it was removed."""
        return self._in(self._network.plan)

    @property
    def name(self) -> str:
        """The name that can be typed at the prompt and that is the node's host name."""
        return self._plan.name

    @property
    def label(self) -> str:
        """What the graph calls the node."""
        return self.plan.label

    @property
    def kind(self) -> Kind:
        """Host, router or switch."""
        return self.plan.kind

    @property
    def interfaces(self) -> tuple[InterfacePlan, ...]:
        """The node's interfaces and their addresses as the network's plan has them now.

        What somebody has changed in the node with `ip` is not in it: `addresses` and `read_interfaces` ask
        the kernel.
        """
        return self._in(self._network._current.plan).interfaces

    @property
    def addresses(self) -> list[InterfaceAddress]:
        """The node's own addresses as the kernel has them now, without loopback and link-local ones."""
        return [one.address for one in self.read_addresses() if one.scope == "global"]

    def _in(self, plan: Plan) -> NodePlan:
        """Return the node as it is in a plan, or as it was last."""
        if self.name in plan.places.nodes:
            self._plan = plan.node(self.name)
        return self._plan

    def run(
        self,
        args: Words,
        *,
        input: Any = None,  # noqa: A002  # as in subprocess
        capture_output: bool = False,
        check: bool = False,
        timeout: float | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run a program in the node and wait for it; the options are those of `subprocess.run`.

        Raises:
            CommandNotFound: there is no such program.
            UsageError: there is no folder `cwd`.
            subprocess.CalledProcessError: with `check`, when the exit status is not zero.
            subprocess.TimeoutExpired: after `timeout` seconds; the program is killed.
        """
        if capture_output:
            options["stdout"] = options["stderr"] = subprocess.PIPE
        if input is not None:
            options["stdin"] = subprocess.PIPE
        words = [os.fsdecode(word) for word in args]
        with self.popen(args, **options) as process:
            try:
                out, err = process.communicate(input, timeout)
            except BaseException:
                process.send_signal(9, group=True)
                raise
        done = subprocess.CompletedProcess(words, process.wait(), out, err)
        if check:
            done.check_returncode()
        return done

    def popen(self, args: Words, **options: Any) -> Process:
        """Start a program in the node; the options are those of `emu.processes.process.Process`."""
        return Process(self._network.sandbox, self.name, args, **options)

    def start_job(
        self,
        command: str | Words,
        *,
        ready: Any = None,
        restart: str = "never",
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> Job:
        """Start a program that belongs to the network and goes on without this process; its output is a log.

        As a context manager the job ends with the block.

        Args:
            command: a command line for the shell, or a list of words.
            ready: wait for this: a TCP port, or a mapping as in the node's attribute `run`.
            restart: `never`, `on-failure` or `always`.
            env: the environment; by default ours and the node's.
            cwd: the folder in which it begins; by default the node's, or ours.

        Raises:
            CommandNotFound: there is no such program.
            UsageError: there is no folder `cwd`.
            DaemonFailed: it ended before it was ready, or did not get ready in time; it has been ended.
        """
        from ..processes.daemons import start_awaited

        return start_awaited(self._network.sandbox, self.name, command, ready, restart, env=env, cwd=cwd)

    def wait_for(self, *, timeout: float = PATIENCE, **conditions: Any) -> None:
        """Wait until something is so in this node.

        Args:
            timeout: in seconds.
            conditions: `tcp`, `udp`: a port that is open; `file`: a path that exists; `log`: a regular
                expression for a line that one of the node's jobs printed; `command`: a command that
                succeeds. Of several, all at once.

        Raises:
            TimedOut: after `timeout` seconds.
        """
        from ..processes.waiting import Check, conditions_of, wait_for

        wanted = conditions_of(conditions, timeout)
        check = Check(self._network.sandbox, self.name, wanted)
        wait_for(check, f"{wanted} in {self.name}", timeout)

    def socket(
        self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM, proto: int = 0  # noqa: A002  # as in socket
    ) -> socket.socket:  # fmt: skip
        """Return a socket that lives in the node and is used in this process.

        When the network ends it is closed, and so is what came from it, by `accept` for example: an open
        socket would keep the node's namespace. A thread that waits for one then gets an error.
        """
        try:
            sandbox = self._network.sandbox
            frame = sandbox.ask("socket", node=self.name, family=family, kind=type, protocol=proto)
        except OSError as error:
            raise KernelError("socket()", self.name, error.errno or 0, str(error.strerror)) from error
        sock = socket.socket(family, type, proto, fileno=frame.fds[0])
        self._network._sockets.add(sock)
        return sock

    def can_reach(self, target: Node | str, *, family: int | None = None, timeout: float = 1.0) -> Reach:
        """Return whether `target` answers a ping, and why not if so; see `emu.reaching.reach.can_reach`."""
        from ..reaching.reach import can_reach

        return can_reach(self, target, family=family, timeout=timeout)

    def capture(self, interface: str | None = None, *args: Any, **options: Any) -> Capture:
        """Begin to capture packets of one of its interfaces, or of all; see `Network.capture`."""
        what = self.name if interface is None else f"{self.name}:{interface}"
        return self._network.capture(what, *args, **options)

    def read_interfaces(self) -> list[InterfaceState]:
        """Return the node's interfaces as the kernel has them now."""
        from ..netlink.dumps import read_interfaces

        return _dump(self, read_interfaces)

    def read_addresses(self) -> list[AddressState]:
        """Return the node's addresses as the kernel has them now."""
        from ..netlink.dumps import read_addresses

        return _dump(self, read_addresses)

    def read_routes(self) -> list[RouteState]:
        """Return the routes of the node's main table as the kernel has them now."""
        from ..netlink.dumps import read_routes

        return _dump(self, read_routes)


def _dump(node: Node, read: Callable[[socket.socket], list[T]]) -> list[T]:
    """Return what `read` makes of a netlink socket in a node."""
    with node.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        return read(sock)
