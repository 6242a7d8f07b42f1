"""`Network` and its parts: handles on something that runs, or will."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Hashable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..build import HOSTS, build, hosts_file
from ..commands import PROGRAMS, Words
from ..errors import NotRunning, UsageError, suggestion
from ..graph.attributes import ANYTHING
from ..limits import check_limits
from ..planning.plan import NodePlan, Plan
from ..processes.process import Process
from ..progress import Progress
from ..sandboxes.connection import Sandbox
from ..sandboxes.privileges import kernel_has_ipv6, refusal
from ..sandboxes.sandbox import create_sandbox, find_sandbox
from ..sharing import Known, Shared, SharedPlan
from .capturing import Capturing
from .changeable import Changeable
from .measuring import Measuring
from .node import Node
from .serving import Serving
from .sockets import Sockets

if TYPE_CHECKING:
    import networkx as nx

    from ..hooks.plugin_manager import PluginManager


class Network(Changeable, Measuring, Capturing, Serving, Shared):
    """A network that a graph describes: built by `with Network(graph) as net:`, gone when it is left.

    `net["HOST1"]` is a node; iterating yields all of them. Two networks in one process are two
    networks; a network may be used from several threads.
    """

    def __init__(
        self,
        graph: nx.Graph | Plan,
        name: str | None = None,
        *,
        families: tuple[int, ...] | None = None,
        plugins: PluginManager | None = None,
        progress: Progress | None = None,
        ignore_unsupported: bool = False,
    ) -> None:
        """Plan a network; nothing is built yet.

        Args:
            graph: any networkx graph, or a plan made by `emu.plan_for`.
            name: what to call the running network; default the graph's own name.
            families: `(4,)`, `(6,)` or `(4, 6)`; default what the graph says, or both.
            plugins: whose hooks to call; default those that are installed.
            progress: what is told how far planning and building are; `progress` of the network is it.
            ignore_unsupported: build without what this kernel cannot do for links, and without limits of
                nodes that cannot be had here; `unsupported` tells what.

        Raises:
            TopologyError: with every fault of the graph.
        """
        self._plugins = plugins
        #: What took, or takes, how long.
        self.progress = progress or Progress()
        self.plan = graph if isinstance(graph, Plan) else self._plan_here(graph, families)
        if ignore_unsupported:
            self.plan = dataclasses.replace(self.plan, optional_shaping=ANYTHING)
        #: What was left out since this kernel cannot do it, a line for each kind of thing.
        self.unsupported: tuple[str, ...] = ()
        self._wanted = name
        self._sandbox: Sandbox | None = None
        self._sockets = Sockets()
        #: Whether the nodes of the plan are there, or were.
        self._begun = False
        self._owned = True

    def _plan_here(self, graph: nx.Graph, families: tuple[int, ...] | None) -> Plan:
        """Return the plan of a graph, without IPv6 on a kernel that has none unless nothing is left."""
        plan = self.plugins.plan_for(graph, families=families, progress=self.progress)
        if plan.families != (4, 6) or kernel_has_ipv6():
            return plan
        warning = "this kernel has no IPv6: the network has IPv4 only"
        plan = self.plugins.plan_for(graph, families=(4,))
        return dataclasses.replace(plan, warnings=(*plan.warnings, warning))

    @classmethod
    def attach(cls, name: str) -> Network:
        """Return a handle on a network that is running already; leaving it does not end it.

        Raises:
            NotRunning: there is none of that name.
        """
        sandbox = find_sandbox(name)
        shared = SharedPlan(sandbox)
        network = cls(shared.plan)
        network._sandbox, network._owned, network._begun = sandbox, False, True
        network._known = shared._known
        return network

    @property
    def plugins(self) -> PluginManager:
        """The plugins whose hooks this network calls."""
        if self._plugins is None:
            from ..hooks.plugin_manager import default_plugins

            self._plugins = default_plugins()
        return self._plugins

    @property
    def name(self) -> str:
        """The running network's name, by which `emu attach` finds it."""
        return self.sandbox.name

    @property
    def sandbox(self) -> Sandbox:
        """The connection to the keeper; NotRunning before the start and after the end."""
        if self._sandbox is None:
            name = self._wanted or self.plan.name
            raise NotRunning(f"network {name} is not running: use it in a 'with' block")
        return self._sandbox

    def start(self, detached: bool = False) -> Self:
        """Build the network; `detached`, it outlives this process until `emu stop`.

        Raises:
            LimitError: this machine has too little of something; nothing was built.
            KernelError: the kernel refused something; nothing of the network is left.
            PrivilegeError: this machine does not allow namespaces.
        """
        if self._sandbox is not None:
            raise UsageError(f"start network {self.name}: it is running")
        check_limits(self.plan)
        unlimited = self._check_inside()
        sandbox, document = None, b""

        def write_document() -> None:
            nonlocal document
            document = self.plan.to_document()

        self.progress.begin("sandbox")
        try:
            self._sandbox = sandbox = create_sandbox(self._wanted, self.plan.name, detached, write_document)
            self._arrange(sandbox)
            self.unsupported = (*build(sandbox, self.plan, self.progress), *unlimited)
            self._furnish(sandbox, limited=not unlimited)
            self._begun = True
            self._hand_over(sandbox, document)
            self._start_daemons(sandbox)
            self.progress.end()
            self._begin_schedule(sandbox)
            self.plugins.call("emu_network_started", network=self)
            if detached:
                sandbox.ask("detach")
                self._owned = False
        except BaseException:
            self._sandbox = None
            if sandbox is not None:
                sandbox.end()
            raise
        return self

    def _arrange(self, sandbox: Sandbox) -> None:
        files = {HOSTS: (0o644, hosts_file(self.plan)), "/run/emu/resolv.conf": (0o644, "")}
        for name in self.plugins.programs:
            files[f"{PROGRAMS}/{name}"] = (0o755, self.plugins.programs[name].script())
        binds = {"/etc/hosts": HOSTS, "/etc/resolv.conf": "/run/emu/resolv.conf"}
        keep = [os.environ["XDG_RUNTIME_DIR"]] if os.environ.get("XDG_RUNTIME_DIR") else []
        try:
            sandbox.ask("arrange", files=files, binds=binds, keep=keep)
        except OSError as error:
            raise refusal("arrange the sandbox's files", error) from error

    def _hand_over(self, sandbox: Sandbox, document: bytes) -> None:
        try:
            self._known = Known(self.plan, sandbox.ask("put", document, version=0).message["version"])
        except OSError as error:
            raise refusal("leave the plan with the keeper", error) from error

    @property
    def _nodes(self) -> tuple[NodePlan, ...]:
        return self.plan.nodes if self._begun else ()

    def close(self) -> None:
        """End the network, or let go of it when it was attached to or detached. Twice is fine.

        A forked copy of the process that started it lets go of it, too.
        """
        sandbox = self._sandbox
        if sandbox is None:
            return
        if self._owned and sandbox.ours():
            self.stop()
        else:
            self._sandbox = None
            self._sockets.close(forked=not sandbox.ours())
            sandbox.close()

    def stop(self) -> None:
        """End the network, whoever started it."""
        sandbox = self._sandbox
        if sandbox is None:
            return
        try:
            with contextlib.suppress(NotRunning):
                self.plugins.call("emu_network_stopping", network=self)
        finally:
            try:
                self._sandbox = None
                self._sockets.close(forked=not sandbox.ours())
            finally:
                sandbox.end()

    def __enter__(self) -> Self:
        return self if self._sandbox is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:  # also when Ctrl-C came in between
            if self._sandbox is not None and self._owned:
                self._sandbox.close()
                self._sandbox = None

    def __repr__(self) -> str:
        state = f"running as {self._sandbox.name}" if self._sandbox is not None else "not running"
        return f"<network {self.plan.name}: {len(self.plan.nodes)} nodes, {state}>"

    def __getitem__(self, name: Hashable) -> Node:
        """Return a node by its name, or by its label in the graph; of a node, the node as it is now."""
        if isinstance(name, Node):
            name = name.name
        found = self._known_as(name) or self._current._known_as(name)
        if found is not None:
            return Node(self, found)
        if not self._nodes:
            raise NotRunning(f"network {self.plan.name} is not running: use it in a 'with' block")
        names = list(self.plan.places.nodes)
        raise UsageError(f"no node {name!r}{suggestion(str(name), names) or _known(names)}")

    def _known_as(self, name: Hashable) -> NodePlan | None:
        """Return the node of a name, or else the one with this label, as far as is known here."""
        if self._begun and name in self.plan.places.nodes:
            return self.plan.node(str(name))
        labelled = [node for node in self._nodes if node.label == str(name)]
        return labelled[0] if len(labelled) == 1 else None

    def __contains__(self, name: object) -> bool:
        return self._begun and name in self._current.plan.places.nodes

    def __iter__(self) -> Iterator[Node]:
        return (Node(self, node) for node in self._current._nodes)

    def __len__(self) -> int:
        return len(self._current._nodes)

    @property
    def uptime(self) -> float:
        """How long the network has been running, in seconds."""
        facts = self.sandbox.facts
        return time.time() - facts["started"] if facts is not None else 0.0

    def popen(self, args: Words, **options: Any) -> Process:
        """Start a program in the sandbox but in no node, where `ip netns` shows the nodes."""
        return Process(self.sandbox, None, args, **options)


def _known(names: Sequence[str]) -> str:
    return f"; the nodes are {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
