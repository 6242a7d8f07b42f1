"""What this machine offers to emu: found or missing, what it costs to lack it, and how to get it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .cgroups.places import Place, find_place
from .cgroups.values import CONTROLLERS
from .commands import bare_python
from .keeper.mapping import SOURCES, lent_ids, lent_range
from .kernel_parts import Kernel, Part, state_of, way_out
from .limits import find_rooms, nodes_for
from .netlink.features import FEATURES, Feature
from .sandboxes.privileges import (
    NAMESPACES,
    SETTINGS,
    causes,
    container,
    kernel_has_ipv6,
    may_make_namespaces,
)

#: The topic of what the kernel can do for links.
LINKS = "links"
_PROBE = "from emu.keeper.probe import main; main()"
#: In seconds; the probe takes a tenth of one.
_PROBE_DEADLINE = 30
#: pidfd_open(2), without which a network could outlive its owner.
_OLDEST_LINUX = (5, 3)
#: Fewer nodes are hardly a network, and for more nobody raises a limit; and what then to raise it to.
_FEW, _MANY = 10, 500
_ENOUGH = {"files": 1 << 20, "namespaces": 100_000, "memory": 1 << 32, "counted": 1 << 32, "tasks": 10_000}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that emu needs or can use.

    Attributes:
        what: the thing.
        required: whether there is no network without it.
        found: whether it is there; None where that could not be told.
        state: what was seen: a version, a number, the kernel's refusal.
        without: what it costs to lack it.
        cure: how to get it, where it is missing: a command where there is one.
        topic: what it is about, this machine or `LINKS`.
    """

    what: str
    required: bool
    found: bool | None
    state: str
    without: str
    cure: str = ""
    topic: str = "machine"


def find_kernel() -> Iterator[Finding]:
    """Yield what is known of the kernel without trying anything."""
    release = os.uname().release
    version = tuple(int(number) for number in re.findall(r"\d+", release)[:2])
    needed = ".".join(map(str, _OLDEST_LINUX))
    yield Finding(
        f"Linux {needed} or later", True, version >= _OLDEST_LINUX, release,
        "no network: it could not be ended with its owner",
        "boot a newer kernel (Debian 11, Ubuntu 20.04 and RHEL 9 have one)",
    )  # fmt: skip
    there = kernel_has_ipv6()
    yield Finding(
        "IPv6 in the kernel", False, there, "there" if there else "absent",
        "IPv4 only: 'emu run -4', or families=4 in the graph",
        "'sudo modprobe ipv6', or start the machine without ipv6.disable=1",
    )  # fmt: skip
    kind = container()
    if kind is not None:
        yield Finding("container", False, True, kind, "nothing; but containers often lack rights")


def find_namespaces() -> Iterator[Finding]:
    """Yield what came of really making namespaces of each kind, and of mounting in them."""
    refused = _probe()
    alone = may_make_namespaces()
    for kind, (word, _) in NAMESPACES.items():
        without = "no network" if kind != "user" or not alone else "nothing for root"
        yield _tried(f"{word} namespaces", kind != "user" or not alone, refused.get(kind), without)
    lacking = [kind for kind in NAMESPACES if refused.get(kind) and (kind != "user" or not alone)]
    for what, step, required, without in _TRIED_INSIDE:
        if lacking:
            yield Finding(what, required, None, "not tried, for lack of namespaces", without)
        else:
            yield _tried(what, required, refused.get(step), without)


#: What is tried inside of namespaces: the thing, its name in `emu.keeper.probe`, need, cost.
_TRIED_INSIDE = (
    ("returning to a namespace (setns)", "setns", True, "no network"),
    ("mounting a tmpfs", "tmpfs", True, "no network: /run would be the outer machine's"),
    ("mounting a fresh /proc", "proc", True, "no network: settings of nodes could not be written"),
    ("mounting a fresh /sys", "sysfs", False, "programs in nodes see the outer machine's /sys/class/net"),
    ("raw sockets", "raw", False, "no 'pingall', nor emu's own ping and traceroute"),
)


def _tried(what: str, required: bool, refusal: tuple[int, str] | None, without: str) -> Finding:
    if refusal is None:
        return Finding(what, required, True, "made" if "namespaces" in what else "works", without)
    found = list(causes(refusal[0]))
    cure = "; or ".join(dict.fromkeys(f"{cause.why}: {cause.cure}" for cause in found))
    return Finding(what, required, False, refusal[1], without, cure or "ask whoever runs this machine")


def _probe() -> dict[str, tuple[int, str] | None]:
    """Return what a probe process was refused: the step's name → errno and text."""
    try:
        done = subprocess.run(
            bare_python(_PROBE), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=_PROBE_DEADLINE, check=False,
        )  # fmt: skip
        found: dict[str, tuple[int, str] | None] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        number = error.errno or 0 if isinstance(error, OSError) else 0
        return dict.fromkeys(NAMESPACES, (number, f"the probe did not run: {error}"))
    return found


def find_settings(made: bool) -> Iterator[Finding]:
    """Yield the settings that forbid namespaces, and those that often do where they exist.

    `made` says that namespaces could be made all the same.
    """
    for setting in SETTINGS:
        value, cause = setting.value(), setting.cause()
        if value is None or (cause is None and not setting.unprivileged):
            continue
        cure = "" if cause is None else cause.cure
        without = "no network where it forbids namespaces"
        yield Finding(setting.name, False, cause is None or made, value, without, cure)


def find_limits() -> Iterator[Finding]:
    """Yield how large a network may be."""
    rooms = list(find_rooms())
    for one in rooms:
        nodes = nodes_for(one)
        state = f"{one.shown(max(one.room, 0))} left" + (f": {nodes:,} nodes" if nodes < sys.maxsize else "")
        without = "networks of that many nodes only" if 0 < nodes < sys.maxsize else "no network"
        yield Finding(one.what, nodes < _FEW, nodes >= _MANY, state, without, one.cure(_ENOUGH[one.kind]))
    least = min(rooms, key=nodes_for)
    state = f"{nodes_for(least):,} nodes, by {least.what}"
    yield Finding("the largest network", False, True, state, "nothing; each of these limits can be raised")


def find_groups() -> Iterator[Finding]:
    """Yield whether there can be control groups, which limit what the programs of nodes take."""
    found = find_place(CONTROLLERS.values())
    here = [key for key, one in CONTROLLERS.items() if isinstance(find_place([one]), Place)]
    if isinstance(found, Place):
        state, cure = f"below {found.path}", ""
    else:
        state, cure = f"{', '.join(here)} only: {found.why}" if here else found.why, found.cure
    without = "no cpu, memory and processes on nodes, or not all of them"
    yield Finding("limits of nodes", False, not cure, state, without, cure)


def find_folder() -> Iterator[Finding]:
    """Yield where running networks are found."""
    from .sandboxes.folders import base_for

    there = base_for(False).path
    asked = os.environ.get("XDG_RUNTIME_DIR")
    state = str(there)
    if os.geteuid() != 0 and there.parent != Path(asked or "/"):
        state += " (XDG_RUNTIME_DIR cannot be used)" if asked else " (XDG_RUNTIME_DIR is not set)"
    usable = os.access(there if there.exists() else there.parent, os.W_OK | os.X_OK)
    cure = f"remove {there} if it is not yours, or set XDG_RUNTIME_DIR to a folder of yours with mode 0700"
    yield Finding("folder for running networks", True, usable, state, "no network", cure)


#: Program: its packages in Debian, Fedora and Arch and their kin; what it costs to lack it.
_PROGRAMS = {
    "ip": ("iproute2", "iproute", "iproute2", "no 'HOST1 ip …' and 'ip netns'; emu itself does without"),
    "tc": ("iproute2", "iproute-tc", "iproute2", "no 'HOST1 tc …'; emu itself does without"),
    "ping": ("iputils-ping", "iputils", "iputils", "emu's own ping, with fewer options"),
    "traceroute": ("traceroute", "traceroute", "traceroute", "emu's own traceroute, with fewer options"),
    "tcpdump": ("tcpdump", "tcpdump", "tcpdump", "no 'HOST1 tcpdump …' to watch packets"),
    "nsenter": (
        "util-linux", "util-linux", "util-linux",
        "no entering nodes by hand; emu itself needs neither nsenter nor unshare: it makes the system calls",
    ),
}  # fmt: skip
_INSTALLERS = {
    "apt-get": "sudo apt install", "dnf": "sudo dnf install", "pacman": "sudo pacman -S",
}  # fmt: skip
_ADMIN_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find_programs() -> Iterator[Finding]:
    """Yield the programs that are of use in nodes."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_ADMIN_PATH])
    for program, (*packages, without) in _PROGRAMS.items():
        where = shutil.which(program, path=path)
        yield Finding(program, False, where is not None, where or "absent", without, _install(packages))
    there = importlib.util.find_spec("matplotlib") is not None
    state, without = "installed" if there else "absent", "no pictures: 'emu graph … -o FILE.png'"
    cure = f"'{sys.executable or 'python3'} -m pip install matplotlib'"
    yield Finding("matplotlib", False, there, state, without, cure)


def find_subordinates() -> Iterator[Finding]:
    """Yield whether more users than one can be had in a sandbox; for root all of the machine's are there."""
    if may_make_namespaces():
        return
    lent = lent_ids(os.geteuid())
    found = len(lent) == len(SOURCES)
    state = " and ".join(f"{one.count} {kind}s" for kind, one in lent.items()) if found else "absent"
    cures = {
        "'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)'":
            not all(lent_range(path, os.geteuid()) for path, _ in SOURCES.values()),
        _install(["uidmap", "shadow-utils", "shadow"]):
            not all(shutil.which(program) for _, program in SOURCES.values()),
    }  # fmt: skip
    without = "one user in nodes: no attribute 'user', and daemons that change users fail"
    cure = " and ".join(cure for cure, needed in cures.items() if needed)
    yield Finding("subordinate ids", False, found, state, without, cure)


def _install(packages: list[str]) -> str:
    for (manager, command), package in zip(_INSTALLERS.items(), packages, strict=True):
        if shutil.which(manager):
            return f"'{command} {package}'"
    return f"install the package {packages[0]}"


def find_link_features(there: frozenset[str] | None, kernel: Kernel) -> Iterator[Finding]:
    """Yield what the kernel can do for links, in the order of `emu.netlink.features`.

    `there` is what it can do, or None where nothing was tried. What is missing for the same reason has
    one way out together.
    """
    lacking: dict[str, list[Part]] = {}
    for feature in FEATURES.values():
        if there is None or feature.name not in there:
            lacking.setdefault(_reason(feature, kernel), []).extend(feature.parts)
    for feature in FEATURES.values():
        found = None if there is None else feature.name in there
        state = "there" if found else "not tried" if found is None else state_of(feature.parts, kernel)
        cure = "" if found else way_out(list(dict.fromkeys(lacking[_reason(feature, kernel)])), kernel)
        if there is not None and feature.is_too_new(there):
            state, cure = f"came with {feature.since}", f"boot {feature.since} or newer"
        yield Finding(feature.name, feature.name == "veth", found, state, feature.without, cure, LINKS)


def _reason(feature: Feature, kernel: Kernel) -> str:
    """Return in one word why a feature is not there."""
    return state_of(feature.parts, kernel).split()[-1]
