"""`HOST1 traceroute HOST2`, also where the machine has none: a program that nodes find in their PATH."""

from __future__ import annotations

from collections.abc import Callable

from emu.hooks.hookspecs import hookimpl


@hookimpl
def emu_register_programs(register: Callable[..., None]) -> None:
    """Register traceroute; it is a module of its own, as a program should not load what plugins do."""
    register("traceroute", "emu.programs.traceroute", standalone=True)
