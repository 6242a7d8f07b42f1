"""The attributes `cpu`, `memory` and `processes` of a node, and the files of cgroups that say them. Pure.

Sources: Documentation/admin-guide/cgroup-v2.rst for the files, kernel/sched/core.c for what `cpu.max` may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import shown
from ..shaping.units import quantity

#: Attribute → the controller that it takes.
CONTROLLERS = {"cpu": "cpu", "memory": "memory", "processes": "pids"}
#: In µs; the kernel's own period, of which a quota must be 1 ms at least.
_PERIOD, _LEAST_QUOTA = 100_000, 1_000
_MOST_CPUS = 10_000
#: Less than that, and nearly any program is killed before it begins.
_LEAST_MEMORY, _MOST_MEMORY = 1 << 20, 1 << 50
#: PID_MAX_LIMIT of include/linux/threads.h.
_MOST_PROCESSES = 1 << 22
#: Powers of 1,024, as the kernel and systemd read them.
_UNITS = {
    f"{letter}{rest}": 1 << power
    for letter, power in (("k", 10), ("m", 20), ("g", 30), ("t", 40)) for rest in ("", "b", "ib")
}  # fmt: skip


def parse_cpu(value: Any) -> float:
    """Return how much of the processors all programs of a node have together: 0.5 is half of one."""
    cpus = quantity(value, "cpu", {"": 1}, "")
    if not _LEAST_QUOTA <= cpus * _PERIOD <= _MOST_CPUS * _PERIOD:
        raise ValueError(f"cpu {shown(value)} is not a number of CPUs between 0.01 and {_MOST_CPUS:,}")
    return float(cpus)


def parse_memory(value: Any) -> int:
    """Return how much memory all programs of a node may have together, in bytes: `"256M"`, `"1.5G"`."""
    size = round(quantity(value, "memory", {"": 1, "b": 1, **_UNITS}, "M"))
    if size < _LEAST_MEMORY:
        text = shown(value).strip("'")
        meant = f"; write '{text}M' for MiB" if text.isdigit() and 0 < size < 1 << 14 else ""
        raise ValueError(f"memory {shown(value)} is less than 1M{meant}")
    if size > _MOST_MEMORY:
        raise ValueError(f"memory {shown(value)} is more than 1024T")
    return size


def parse_processes(value: Any) -> int:
    """Return how many processes and threads a node may have at once."""
    count = quantity(value, "processes", {"": 1}, "")
    if count.denominator != 1 or not 1 <= count <= _MOST_PROCESSES:
        raise ValueError(f"processes {shown(value)} is not a whole number between 1 and {_MOST_PROCESSES:,}")
    return int(count)


#: Attribute of a node → its parser.
PARSERS = {"cpu": parse_cpu, "memory": parse_memory, "processes": parse_processes}


def show_memory(size: int) -> str:
    """Return a size as `parse_memory` reads it.

    >>> show_memory(256 << 20), show_memory(3 << 29), show_memory(1_000_001)
    ('256M', '1536M', '1000001')
    """
    for unit, power in (("G", 30), ("M", 20), ("K", 10)):
        if size % (1 << power) == 0:
            return f"{size >> power}{unit}"
    return str(size)


def settings_of(limits: Mapping[str, float | int | None]) -> dict[str, str]:
    """Return the files of a control group that hold some limits, with their content.

    Memory that is swapped out would be memory beyond the limit, so there is no swap.

    >>> settings_of({"cpu": 0.5, "memory": 1 << 20, "processes": None})
    {'cpu.max': '50000 100000', 'memory.max': '1048576', 'memory.swap.max': '0'}
    """
    found = {}
    if (cpu := limits.get("cpu")) is not None:
        found["cpu.max"] = f"{round(cpu * _PERIOD)} {_PERIOD}"
    if (memory := limits.get("memory")) is not None:
        found |= {"memory.max": str(memory), "memory.swap.max": "0"}
    if (processes := limits.get("processes")) is not None:
        found["pids.max"] = str(processes)
    return found
