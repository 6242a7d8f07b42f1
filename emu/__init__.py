"""emu turns a networkx graph into a running network of Linux network namespaces."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # the keeper loads this module, and typing takes longer than all that it needs
if TYPE_CHECKING:
    from typing import Any

    from .daemons import DaemonFailed as DaemonFailed
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
    from .hookspecs import hookimpl as hookimpl
    from .hosts import with_hosts as with_hosts
    from .jobs import Job as Job
    from .jobs import JobFacts as JobFacts
    from .marking import topology as topology
    from .network import Network as Network
    from .node import Node as Node
    from .plan import Plan as Plan
    from .plugin_manager import plan_for as plan_for
    from .process import Process as Process

__version__ = "0.1.0"

#: Where each public name lives; loaded when it is first used, so that `emu --help` stays quick.
_PUBLIC = {
    "DaemonFailed": ".daemons",
    "Job": ".jobs",
    "JobFacts": ".jobs",
    "Network": ".network",
    "Node": ".node",
    "Plan": ".plan",
    "Process": ".process",
    "hookimpl": ".hookspecs",
    "plan_for": ".plugin_manager",
    "topology": ".marking",
    "with_hosts": ".hosts",
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
