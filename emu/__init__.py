"""emu turns a networkx graph into a running network of Linux network namespaces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import EmuError, KernelError, NotRunning, PlanError, PluginError, PrivilegeError
    from .errors import TopologyError as TopologyError
    from .errors import UsageError as UsageError
    from .hookspecs import hookimpl
    from .network import Network, Node
    from .plan import Plan
    from .plugin_manager import plan_for, topology
    from .process import Process

__version__ = "0.1.0"

#: Where each public name lives; loaded when it is first used, so that `emu --help` stays quick.
_PUBLIC = {
    "Network": ".network",
    "Node": ".network",
    "Plan": ".plan",
    "Process": ".process",
    "hookimpl": ".hookspecs",
    "plan_for": ".plugin_manager",
    "topology": ".plugin_manager",
    "EmuError": ".errors",
    "KernelError": ".errors",
    "NotRunning": ".errors",
    "PlanError": ".errors",
    "PluginError": ".errors",
    "PrivilegeError": ".errors",
    "TopologyError": ".errors",
    "UsageError": ".errors",
}
__all__ = sorted(_PUBLIC)  # noqa: PLE0605  # derived, so that it is not kept in step by hand


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
