"""Marking functions: as topologies, as hooks. And what is wrong with a plugin's marks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

from ..errors import suggestion
from . import hookspecs
from .hookspecs import hookimpl

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "emu_topology"
#: What pluggy's marker leaves on a function.
_HOOK_MARK = "emu_impl"


def topology(function: F) -> F:
    """Mark a function that returns a networkx graph as a topology, under its own name."""
    setattr(function, _MARK, True)
    return function


def marked_topologies(module: ModuleType) -> list[Callable[..., Any]]:
    """Return a module's own functions that `@emu.topology` marks, in the order of definition.

    What it imported from elsewhere is somebody else's; from a module inside of it, a package's own.
    """
    own = f"{module.__name__}."
    return [
        item for item in vars(module).values()
        if callable(item) and getattr(item, _MARK, False) is True and f"{item.__module__}.".startswith(own)
    ]  # fmt: skip


def is_hook(function: object) -> bool:
    """Tell whether `@emu.hookimpl` marks a function."""
    return hasattr(function, _HOOK_MARK)


def hook_faults(plugin: object) -> Iterator[str]:
    """Yield a line for each function of a plugin that looks like a hook and will not be called."""
    known = [name for name in vars(hookspecs) if name.startswith("emu_")]
    for name, function in inspect.getmembers(plugin, inspect.isroutine):
        if is_hook(function) and name not in known:
            yield f"there is no hook {name!r}{suggestion(name, known)}"
        elif name in known and not is_hook(function):
            yield f"{name} is not called; mark it with @emu.hookimpl"


class MarkedTopologies:
    """Registers a module's marked functions, as the module's own hook would."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    @hookimpl
    def emu_register_topologies(self, register: Callable[..., None]) -> None:
        """Register them."""
        for function in marked_topologies(self.module):
            register(function)
