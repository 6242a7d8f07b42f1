"""Why this machine refuses what a network needs, and what to do about it: one table for all who ask.

Sources: user_namespaces(7), namespaces(7), unshare(2), capabilities(7); the errors of a refused
namespace or mount say little by themselves, so that each cause is looked for where the kernel shows it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import EmuError, LimitError, PrivilegeError

#: Kinds of namespaces: the name in /proc/self/ns, what people call it, the kernel option it needs.
NAMESPACES = {
    "user": ("user", "CONFIG_USER_NS"),
    "mnt": ("mount", "CONFIG_NAMESPACES"),
    "pid": ("PID", "CONFIG_PID_NS"),
    "net": ("network", "CONFIG_NET_NS"),
    "ipc": ("IPC", "CONFIG_IPC_NS"),
    "uts": ("UTS", "CONFIG_UTS_NS"),
}
#: Numbers of include/uapi/linux/capability.h.
_CAP_SYS_ADMIN, _CAP_SETFCAP = 21, 31
_REFUSED = frozenset({errno.EPERM, errno.EACCES})
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS})


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason for a refusal, and the way out of it: a command where there is one."""

    why: str
    cure: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A sysctl, as a path below /proc/sys, that forbids namespaces when it has the value `forbids`."""

    key: str
    forbids: str
    why: str
    better: str
    errnos: frozenset[int]
    #: Whether it concerns only those who lack CAP_SYS_ADMIN.
    unprivileged: bool

    @property
    def name(self) -> str:
        """The setting's name, as `sysctl` has it."""
        return self.key.replace("/", ".")

    def value(self) -> str | None:
        """Return what it is set to, or None where this kernel has no such setting."""
        return read_setting(self.key)

    def cause(self) -> Cause | None:
        """Return what to say about it, or None when it does not forbid anything here."""
        if self.value() != self.forbids or (self.unprivileged and has_capability(_CAP_SYS_ADMIN)):
            return None
        otherwise = ", or run emu as root" if self.unprivileged else ""
        return Cause(self.why, f"'sudo sysctl {self.name}={self.better}'{otherwise}")


SETTINGS = (
    Setting(
        "kernel/apparmor_restrict_unprivileged_userns", "1",
        "AppArmor restricts user namespaces (Ubuntu 23.10 and later)", "0", _REFUSED, unprivileged=True,
    ),
    Setting(
        "kernel/unprivileged_userns_clone", "0",
        "this system allows user namespaces to root only", "1", _REFUSED, unprivileged=True,
    ),
    *(
        Setting(
            f"user/max_{kind}_namespaces", "0", f"the limit of {word} namespaces is zero", "100000",
            frozenset({errno.ENOSPC}), unprivileged=kind == "user",
        )
        for kind, (word, _) in NAMESPACES.items()
    ),
)  # fmt: skip


def explain_refusal(attempt: str, error: OSError) -> str:
    """Return one line on a refused namespace or mount: the attempt, the reason, the way out."""
    reason = f"{attempt}: {refusal_text(error)}"
    for cause in causes(error.errno or 0):
        return f"{reason}; {cause.why}: {cause.cure}"
    return f"{reason}; 'emu doctor' tells what this machine allows"


def refusal(attempt: str, error: OSError) -> EmuError:
    """Return the error to raise for a refusal, which `explain_refusal` words."""
    kind = LimitError if error.errno in EXHAUSTED else PrivilegeError
    return kind(explain_refusal(attempt, error))


def refusal_text(error: OSError) -> str:
    """Return what was refused and the kernel's own words for it, each once."""
    words = os.strerror(error.errno or 0)
    about = error.strerror or words
    text = about if words in about else f"{about}: {words}"
    return f"{text} ({error.filename})" if error.filename else text


def causes(number: int) -> Iterator[Cause]:
    """Yield what explains that the kernel refused with this errno, the likeliest first."""
    for setting in SETTINGS:
        if number in setting.errnos and (found := setting.cause()):
            yield found
    for numbers, look in _LOOKS:
        if (not numbers or number in numbers) and (found := look()):
            yield found


def container() -> str | None:
    """Return what kind of container this is, as far as it shows: docker, podman, kubernetes, lxc."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    for sign, kind in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if os.path.exists(sign):
            return kind
    known = os.environ.get("container") or _read("/run/systemd/container")  # noqa: SIM112  # so it is written
    return known.strip() if known else None


def has_capability(number: int) -> bool:
    """Tell whether this process has a capability in effect; without /proc, whether it is root's."""
    mask = _status("CapEff")
    return bool(int(mask, 16) >> number & 1) if mask else os.geteuid() == 0


def may_make_namespaces() -> bool:
    """Tell whether namespaces can be made without a user namespace around them."""
    return has_capability(_CAP_SYS_ADMIN)


def read_setting(key: str) -> str | None:
    """Return a sysctl of this machine, or None where there is none of that name."""
    found = _read(f"/proc/sys/{key}")
    return None if found is None else found.strip()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return None


def _status(key: str) -> str:
    lines = (_read("/proc/self/status") or "").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{key}:")), "")


# -- causes that show elsewhere than in a setting ------------------------------------------------------


def _no_proc() -> Cause | None:
    if os.path.exists("/proc/self/ns"):
        return None
    return Cause("/proc is not mounted", "'mount -t proc proc /proc' as root")


def _no_dev() -> Cause | None:
    if os.path.exists("/dev/null"):
        return None
    return Cause("/dev is empty", "'mount --rbind /dev FOLDER/dev' before 'chroot FOLDER'")


def _limit_reached() -> Cause | None:
    if any(errno.ENOSPC in setting.errnos and setting.cause() for setting in SETTINGS):
        return None
    return Cause(
        "a limit of namespaces is reached, here or around this user namespace",
        "end what holds them ('lsns' lists them), or raise user.max_*_namespaces with sysctl",
    )


def _too_many_files() -> Cause | None:
    return Cause("a limit of open files is reached", "raise it: 'ulimit -Hn', or sysctl fs.file-max")


def _too_many_tasks() -> Cause | None:
    return Cause(
        "a limit of processes and threads is reached",
        "end some, or raise it: 'ulimit -u', the control group's pids.max, or sysctl kernel.pid_max",
    )


def _too_little_memory() -> Cause | None:
    return Cause("there is too little memory", "end other programs, raise its limit, or make it smaller")


def _nested_too_deep() -> Cause | None:
    return Cause("user namespaces are nested too deep", "run emu further outside")


def _not_in_kernel() -> Cause | None:
    lacking = [name for name in NAMESPACES if not os.path.exists(f"/proc/self/ns/{name}")]
    if not lacking:
        return None
    words = ", ".join(NAMESPACES[name][0] for name in lacking)
    options = ", ".join(NAMESPACES[name][1] for name in lacking)
    cure = f"boot a distribution's kernel, or one with {options}"
    return Cause(f"this kernel has no {words} namespaces", cure)


def _unmapped() -> Cause | None:
    """A user without a name of its own in a user namespace cannot make another one in it: unshare(2)."""
    ranges = [line.split() for line in (_read("/proc/self/uid_map") or "").splitlines()]
    if not ranges and not os.path.exists("/proc/self/uid_map"):
        return None
    if any(int(first) <= os.geteuid() < int(first) + int(count) for first, _, count in ranges):
        return None
    return Cause("this user has no id in this user namespace", "map it, as 'unshare --map-current-user' does")


def _chroot() -> Cause | None:
    table = _read("/proc/self/mountinfo")
    if table is None or any(line.split()[4] == "/" for line in table.splitlines()):
        return None
    return Cause(
        "this is a chroot, whose root is no mount point",
        "'mount --bind FOLDER FOLDER' before 'chroot FOLDER', and be root in it",
    )


def _in_container() -> Cause | None:
    kind = container()
    if kind is None:
        return None
    return Cause(f"this {kind} container lacks the rights", _CONTAINERS.get(kind, _CONTAINERS[""]))


_CONTAINERS = {
    "docker": "start it with '--privileged', or with '--security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined'",
    "podman": "start it with '--privileged', or with '--security-opt seccomp=unconfined "
    "--security-opt unmask=ALL'",
    "kubernetes": "give the container 'securityContext: {privileged: true}'",
    "lxc": "'lxc config set CONTAINER security.nesting true' on its host",
    "": "start it with the right to make namespaces and to mount",
}  # fmt: skip


def _filtered() -> Cause | None:
    if _status("Seccomp") != "2":
        return None
    cure = "run emu outside of the sandbox or the service that set it"
    return Cause("a seccomp filter forbids system calls here", cure)


def _weak_root() -> Cause | None:
    if os.geteuid() != 0 or has_capability(_CAP_SYS_ADMIN):
        return None
    lacking = "CAP_SYS_ADMIN" if has_capability(_CAP_SETFCAP) else "CAP_SYS_ADMIN and CAP_SETFCAP"
    return Cause(f"root lacks {lacking} here", "run emu as an ordinary user, or where root has them")


#: The errnos that a look is for (none: any), and the look.
_LOOKS: tuple[tuple[frozenset[int], Callable[[], Cause | None]], ...] = (
    (frozenset({errno.ENOENT}), _no_dev),
    (frozenset({errno.ENOENT}), _no_proc),
    (frozenset({errno.ENOSPC}), _limit_reached),
    (frozenset({errno.EMFILE, errno.ENFILE}), _too_many_files),
    (frozenset({errno.EAGAIN}), _too_many_tasks),
    (frozenset({errno.ENOMEM, errno.ENOBUFS}), _too_little_memory),
    (frozenset({errno.EUSERS}), _nested_too_deep),
    (frozenset({errno.EINVAL, errno.ENOSYS}), _not_in_kernel),
    (frozenset({errno.EPERM}), _unmapped),
    (frozenset({errno.EPERM, errno.EINVAL}), _chroot),
    (_REFUSED, _in_container),
    (_REFUSED, _weak_root),
    (_REFUSED | {errno.ENOSYS}, _filtered),
)


def kernel_has_ipv6() -> bool:
    """Tell whether namespaces have IPv6 here: the kernel may lack it, or have been started without."""
    return os.path.exists("/proc/net/if_inet6")
