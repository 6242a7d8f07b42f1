"""What runs in a network's nodes by itself, and waiting for it: methods of `emu.Network`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..graph.attributes import ANYTHING
from ..graph.inside import PATIENCE
from .facet import Facet

if TYPE_CHECKING:
    from ..processes.jobs import Job, JobFacts
    from ..sandboxes.connection import Sandbox


class Serving(Facet):
    """The part of `Network` that has to do with daemons and jobs."""

    def jobs(self) -> list[JobFacts]:
        """Return how all jobs are: daemons, and what was started in the background at any prompt."""
        from ..processes.jobs import read_jobs

        return read_jobs(self._itself.sandbox)

    def job(self, number: int) -> Job:
        """Return a handle on a job, by its number."""
        from ..processes.jobs import Job

        return Job(self._itself.sandbox, number)

    def wait_for(
        self, condition: Callable[[], object] | str, timeout: float = PATIENCE, **conditions: Any
    ) -> None:  # fmt: skip
        """Wait until something is so: `net.wait_for("HOST2", tcp=80)`, `net.wait_for(lambda: ...)`.

        Args:
            condition: a function, until it returns something true; or a node's name.
            timeout: in seconds.
            conditions: those of the node, as in `Node.wait_for`.

        Raises:
            TimedOut: after `timeout` seconds.
        """
        from ..processes.waiting import wait_for

        if isinstance(condition, str):
            self._itself[condition].wait_for(timeout=timeout, **conditions)
        elif conditions:
            raise UsageError(f"wait for {', '.join(conditions)}: say in which node")
        else:
            wait_for(condition, getattr(condition, "__name__", "a condition"), timeout)

    def _check_inside(self) -> list[str]:
        """Check that nodes can have their limits here; return a warning where the network does without."""
        plan = self._itself.plan
        if not any(node.inside is not None and node.inside.limits for node in plan.nodes):
            return []
        from ..processes.limiting import check_nodes

        return check_nodes(plan.nodes, ignore=plan.optional_shaping == ANYTHING)

    def _furnish(self, sandbox: Sandbox, limited: bool = True) -> None:
        """Have nodes look to their programs as the plan says, and if they are `limited` take no more."""
        if nodes := [node for node in self._itself.plan.nodes if node.inside is not None]:
            from ..processes.daemons import furnish
            from ..processes.limiting import limit_nodes

            furnish(sandbox, nodes)
            if limited:
                limit_nodes(sandbox, nodes)

    def _start_daemons(self, sandbox: Sandbox) -> None:
        """Start what the plan says that nodes run, and wait until it is ready."""
        network = self._itself
        if nodes := [node for node in network.plan.nodes if node.inside is not None and node.inside.run]:
            from ..processes.daemons import start_daemons

            network.progress.begin("daemons")
            start_daemons(sandbox, nodes)
