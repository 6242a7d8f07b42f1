"""What of a running network can be changed, as methods of `emu.Network`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .facet import Facet

if TYPE_CHECKING:
    from ..link_control import RunningLink
    from ..playing import Playing
    from ..reroute import Rerouting
    from ..sandboxes.connection import Sandbox
    from .node import Node


class Changeable(Facet):
    """The part of `Network` that changes it while it runs."""

    def reroute(self, *, dry_run: bool = False) -> Rerouting:
        """Make all routes those over the links that work now; see `emu.reroute.reroute`.

        Args:
            dry_run: only find out what would be changed.

        Raises:
            KernelError: the kernel refused a route; the others are as before.
        """
        from ..reroute import reroute

        return reroute(self._itself, dry_run=dry_run)

    def link(self, first: Node | str, second: Node | str | None = None) -> RunningLink:
        """Return the link between two nodes, or that of an interface: `net.link("HOST1-veth1")`.

        Raises:
            UsageError: there is no such link, or there are several.
        """
        from ..link_control import RunningLink

        net = self._itself

        def found() -> RunningLink:
            if second is not None:
                return RunningLink(net, net[first].name, net[second].name)
            return RunningLink(net, first if isinstance(first, str) else net[first].name)

        try:
            return found()
        except UsageError:
            if not net.refresh():
                raise
            return found()  # which somebody else has added

    def schedule(self, events: Any, name: str = "") -> Playing:
        """Have things happen to links and nodes while the network runs, also when this process has ended.

        Args:
            events: a list of events as in a graph's attribute `schedule`; times count from now.
            name: what to call it in lists.

        Raises:
            UsageError: events name what is not there, contradict each other or go back in time.
            PrivilegeError: the kernel lacks what they take.
        """
        from ..playing import play, read_events

        return play(self._itself, read_events(events), name or "from Python")

    #: When the network was built and its schedule began, by `time.monotonic()`; 0 on one attached to.
    began = 0.0

    def _begin_schedule(self, sandbox: Sandbox) -> None:
        """Begin what the plan says is to happen."""
        self.began = time.monotonic()
        if events := self._itself.plan.schedule:
            from ..playing import begin

            begin(sandbox, events, self._itself.plan.name)
            self.began = time.monotonic()

    def schedules(self) -> list[Playing]:
        """Return the schedules of the network, those that are over too."""
        from ..playing import playing_on

        return playing_on(self._itself.sandbox)

    def add_node(self, name: str, **attributes: Any) -> Node:
        """Add a node while the network runs, and return it; nothing else changes.

        Args:
            name: its name, which nobody else has.
            attributes: as on the node of a graph; without a `kind` it is a host, however many links it
                gets.

        Raises:
            UsageError: it cannot have that name.
            TopologyError: its attributes have faults.
            KernelError: the kernel refused something; the network is as before.
        """
        from ..changing import change

        change(self._itself, f"add node {name}", lambda make, plan, _: make.add_node(plan, name, attributes))
        return self._itself[name]

    def add_link(self, first: Node | str, second: Node | str, **attributes: Any) -> RunningLink:
        """Add a link between two nodes while the network runs, and return it; addresses and routes follow.

        Args:
            first: one of the nodes, or its name.
            second: the other one.
            attributes: as on the edge of a graph.

        Raises:
            PrivilegeError: the kernel lacks what the link is to do.
            TopologyError: its attributes have faults, or it would join two segments with prefixes.
            KernelError: the kernel refused something; the network is as before.
        """
        from ..changing import add_link

        net = self._itself
        end = add_link(net, net[first].name, net[second].name, attributes)
        interface = net.plan.interfaces[end]
        return self.link(interface.altname or interface.name)

    def remove_link(self, first: str, second: str | None = None) -> None:
        """Remove a link while the network runs; routes follow.

        Args:
            first: a node; or alone, the name of an interface of the link, to tell parallel links apart.
            second: the node at the other end.

        Raises:
            UsageError: there is no such link, several of them, or it holds a segment together.
        """
        from ..changing import remove_link

        remove_link(self._itself, first, second)

    def remove_node(self, name: Node | str) -> None:
        """Remove a node and its links while the network runs; its programs are killed, routes follow.

        Raises:
            UsageError: it holds a segment together, or is the last one.
        """
        from ..changing import change

        node = self._itself[name].name
        change(self._itself, f"remove node {node}", lambda make, plan, _: make.remove_node(plan, node))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network as it is now to a file that `emu run` builds again, by its suffix.

        Addresses, prefixes and names are pinned in it.

        Raises:
            UsageError: emu does not read such files.
            EmuError: the file cannot be written.
        """
        from .saving import save_plan

        net = self._current
        save_plan(net.plan, Path(path), net.plugins)
