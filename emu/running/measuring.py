"""What can be found out about a running network: the methods of `Network` that only look and try."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from .facet import Facet

if TYPE_CHECKING:
    from ..counting.counter_log import CounterLog
    from ..counting.counters import LinkCounters
    from ..reaching.ping import PingResults
    from ..reaching.reach import Path
    from ..traffic import Traffic
    from .node import Node

#: Of how many nodes a notebook shows a picture unasked: drawing a thousand takes about three seconds.
_DRAWN_UP_TO = 1000


class Measuring(Facet):
    """The part of `Network` that changes nothing."""

    @property
    def is_running(self) -> bool:
        """Whether the network has been built and has not ended."""
        sandbox = self._itself._sandbox
        return sandbox is not None and sandbox.alive()

    def counters(self, nodes: Collection[str] | None = None) -> list[LinkCounters]:
        """Return what both directions of each link have counted: `emu.counting.counters.read_counters`."""
        from ..counting.counters import read_counters

        network = self._current
        return read_counters(network.sandbox, network.plan, nodes)

    def log_counters(self, path: str | os.PathLike[str], interval: float = 1.0, **options: Any) -> CounterLog:
        """Write `counters` to a CSV file every `interval` seconds until stopped; see `CounterLog`."""
        from ..counting.counter_log import CounterLog

        return CounterLog(path, interval, self.counters, **options)

    def ping_all(
        self, *, family: int | None = None, timeout: float = 1.0, sample: int | None = None
    ) -> PingResults:
        """Ping every node from every node, all at once; see `emu.reaching.ping.ping_all`."""
        from ..reaching.ping import ping_all

        return ping_all(self._current, family=family, timeout=timeout, sample=sample)

    def ping_pair(
        self, first: Node | str | None = None, second: Node | str | None = None, **options: Any
    ) -> PingResults:
        """Ping two nodes from each other, the first two hosts by default: `emu.reaching.ping.ping_pair`."""
        from ..reaching.ping import ping_pair

        return ping_pair(self._current, first, second, **options)

    def path(
        self, source: Node | str, target: Node | str, *, family: int | None = None, timeout: float = 1.0
    ) -> Path:
        """Return the nodes that a ping from `source` to `target` really passes: `emu.reaching.reach.path`."""
        from ..reaching.reach import path

        return path(self._current, source, target, family=family, timeout=timeout)

    def iperf(self, source: Node | str, target: Node | str, **options: Any) -> Traffic:
        """Send as much as the way carries, or `rate`, and return what arrived; see `emu.traffic.iperf`."""
        from ..traffic import iperf

        return iperf(self._current, source, target, **options)

    def _repr_svg_(self) -> str | None:
        """Return a picture, for notebooks; None without matplotlib, or where drawing would take long."""
        plan = self._current.plan
        if len(plan.nodes) > _DRAWN_UP_TO:
            return None
        try:
            import matplotlib as _  # noqa: F401
        except ImportError:
            return None
        from ..picture.drawing import svg_of

        return svg_of(plan)
