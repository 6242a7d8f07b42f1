"""emu turns a networkx graph into a running network of Linux network namespaces."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # the keeper loads this module, and typing takes longer than all that it needs
if TYPE_CHECKING:
    from typing import Any

    from .errors import EmuError as EmuError
    from .errors import KernelError as KernelError
    from .errors import LimitError as LimitError
    from .errors import NotRunning as NotRunning
    from .errors import PlanError as PlanError
    from .errors import PluginError as PluginError
    from .errors import PrivilegeError as PrivilegeError
    from .errors import TimedOut as TimedOut
    from .errors import TopologyError as TopologyError
    from .errors import UsageError as UsageError
    from .graph.hosts import with_hosts as with_hosts
    from .hooks.hookspecs import hookimpl as hookimpl
    from .hooks.marking import topology as topology
    from .hooks.plugin_manager import plan_for as plan_for
    from .planning.plan import Plan as Plan
    from .processes.daemons import DaemonFailed as DaemonFailed
    from .processes.jobs import Job as Job
    from .processes.jobs import JobFacts as JobFacts
    from .processes.process import Process as Process
    from .running.network import Network as Network
    from .running.node import Node as Node

__version__ = "0.1.0"

#: Where each public name lives; loaded when it is first used, so that `emu --help` stays quick.
_PUBLIC = {
    "DaemonFailed": ".processes.daemons",
    "Job": ".processes.jobs",
    "JobFacts": ".processes.jobs",
    "Network": ".running.network",
    "Node": ".running.node",
    "Plan": ".planning.plan",
    "Process": ".processes.process",
    "hookimpl": ".hooks.hookspecs",
    "plan_for": ".hooks.plugin_manager",
    "topology": ".hooks.marking",
    "with_hosts": ".graph.hosts",
    "EmuError": ".errors",
    "KernelError": ".errors",
    "LimitError": ".errors",
    "NotRunning": ".errors",
    "PlanError": ".errors",
    "PluginError": ".errors",
    "PrivilegeError": ".errors",
    "TimedOut": ".errors",
    "TopologyError": ".errors",
    "UsageError": ".errors",
}
__all__ = sorted(_PUBLIC)  # noqa: PLE0605  # derived, so that it is not kept in step by hand


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
