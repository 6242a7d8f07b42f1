"""Parts that a kernel may lack: why one is not there on this machine, and how to get it.

A part is there, or its module lies on the disk and was not loaded, or it was left out when the kernel was
made. The first is found by trying (`emu.netlink.features`), the rest by reading what is read here.
"""

from __future__ import annotations

import functools
import gzip
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kernel:
    """What this machine tells of its kernel's parts without trying any.

    Attributes:
        release: as `uname -r` prints it.
        loadable: the modules on the disk.
        loaded: the modules that have been loaded.
        builtin: the modules that are part of the kernel itself.
        config: the options that the kernel was made with; empty where that cannot be read.
        sealed: whether no module can be loaded any more (the setting kernel.modules_disabled).
        system: `ubuntu`, `fedora` …, as in /etc/os-release, first its own name, then those of its kin.
        installer: `apt` or `dnf`, where there is one.
    """

    release: str
    loadable: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()
    builtin: frozenset[str] = frozenset()
    config: frozenset[str] = frozenset()
    sealed: bool = False
    system: tuple[str, ...] = ()
    installer: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the kernel: its module, and the option that it is made with."""

    module: str
    option: str


def way_out(parts: Sequence[Part], kernel: Kernel) -> str:
    """Return how to get what consists of these parts, on one line; commands stand in quotes.

    Pure: the same kernel gets the same advice.
    """
    lacking = _lacking(parts, kernel)
    load = _loading([part.module for part in lacking])
    if all(part.module in kernel.loadable for part in lacking):
        return f"restart, since kernel.modules_disabled is 1, then {load}" if kernel.sealed else load
    if all(part.option in kernel.config for part in lacking):  # but their files are somewhere else
        return f"{load} on the machine that this container runs on"
    missing = [part for part in lacking if part.module not in kernel.loadable]
    *others, last = (f"CONFIG_{part.option}" for part in missing)
    options = f"{', '.join(others)} and {last}" if others else last
    if "microsoft" in kernel.release.lower():
        return f"'wsl --update' in Windows, or a kernel of your own with {options}"
    # A distribution's kernel has nearly all, but some modules lie in a package of their own.
    if kernel.builtin and "ubuntu" in kernel.system:
        return "'sudo apt install linux-modules-extra-$(uname -r)'"
    if kernel.builtin and kernel.installer == "dnf":
        return "'sudo dnf install kernel-modules-extra-$(uname -r)'"
    return f"boot a kernel with {options}, such as a distribution's own"


#: Modules with an option without which they would make interfaces on the machine.
_WITH_OPTION = {"ifb": "ifb numifbs=0"}


def _loading(modules: list[str]) -> str:
    """Return the command that loads modules, in quotes."""
    plain = [module for module in modules if module not in _WITH_OPTION]
    special = [_WITH_OPTION[module] for module in modules if module in _WITH_OPTION]
    steps = [f"sudo modprobe {module}" for module in special]
    if plain:
        steps.append(f"sudo modprobe {'-a ' if len(plain) > 1 else ''}{' '.join(plain)}")
    return f"'{' && '.join(steps)}'"


def state_of(parts: Sequence[Part], kernel: Kernel) -> str:
    """Return what is known of parts that do not work, in a few words."""
    if all(part.module in kernel.loadable for part in _lacking(parts, kernel)):
        return "module not loaded"
    unset = [part.option for part in parts if kernel.config and part.option not in kernel.config]
    return f"CONFIG_{unset[0]} is not set" if unset else "absent"


def _lacking(parts: Sequence[Part], kernel: Kernel) -> list[Part]:
    """Return those parts that are not at work: of some that were left out, none of the others."""
    idle = [part for part in parts if part.module not in kernel.builtin | kernel.loaded] or list(parts)
    left_out = [part for part in idle if kernel.config and part.option not in kernel.config]
    return left_out or idle


def read_kernel() -> Kernel:
    """Return what this machine tells of its kernel."""
    release = os.uname().release
    folder = Path("/lib/modules", release)
    return Kernel(
        release=release,
        loadable=_modules(folder / "modules.dep"),
        loaded=frozenset(line.partition(" ")[0] for line in _read(Path("/proc/modules")).splitlines()),
        builtin=_modules(folder / "modules.builtin"),
        config=_config(release),
        sealed=_read(Path("/proc/sys/kernel/modules_disabled")).strip() == "1",
        system=_system(),
        installer=next((name for name in ("apt", "dnf") if shutil.which(name)), None),
    )


def _modules(path: Path) -> frozenset[str]:
    """Return the modules that a file of /lib/modules lists, `kernel/net/sched/sch_netem.ko.xz: …`."""
    paths = (line.partition(":")[0] for line in _read(path).splitlines())
    return frozenset(one.rpartition("/")[2].partition(".ko")[0].replace("-", "_") for one in paths)


@functools.cache
def _config(release: str) -> frozenset[str]:
    """Return the options that are set, without `CONFIG_`; none where nothing tells."""
    places = "/proc/config.gz", f"/boot/config-{release}", f"/lib/modules/{release}/config"
    for path in map(Path, places):
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")
        except (OSError, EOFError):
            continue
        lines = (line.removeprefix("CONFIG_").partition("=") for line in text.splitlines())
        return frozenset(name for name, _, value in lines if value in ("y", "m"))
    return frozenset()


def _system() -> tuple[str, ...]:
    fields = (line.partition("=") for line in _read(Path("/etc/os-release")).splitlines())
    named = {key: value.strip("\"'") for key, _, value in fields}
    return (named.get("ID", ""), *named.get("ID_LIKE", "").split())


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
