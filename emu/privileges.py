"""Why this machine refuses what a network needs, and what to do about it."""

from __future__ import annotations

import os
from pathlib import Path


def explain_refusal(attempt: str, error: OSError) -> str:
    """Return one line on a refused namespace or mount: the attempt, the reason, the way out."""
    reason = f"{attempt}: {error.strerror}"
    for setting, value, why, cure in _CAUSES:
        if _setting(setting) == value and os.geteuid() != 0:
            return f"{reason}; {why}: {cure}, or run emu as root"
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return f"{reason}; this container lacks the rights: start it with --privileged"
    if os.geteuid() == 0:
        return f"{reason}; root lacks CAP_SYS_ADMIN here, as in a container: 'emu doctor' tells more"
    return f"{reason}; 'emu doctor' tells what this machine allows"


#: Setting below /proc/sys, the value that forbids, why, and what an administrator can do.
_CAUSES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns", "1",
        "AppArmor restricts user namespaces (Ubuntu 23.10 and later)",
        "'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0'",
    ),
    (
        "kernel/unprivileged_userns_clone", "0",
        "this system allows user namespaces to root only",
        "'sudo sysctl kernel.unprivileged_userns_clone=1'",
    ),
    (
        "user/max_user_namespaces", "0",
        "the limit of user namespaces is zero",
        "'sudo sysctl user.max_user_namespaces=10000'",
    ),
    (
        "user/max_net_namespaces", "0",
        "the limit of network namespaces is zero",
        "'sudo sysctl user.max_net_namespaces=10000'",
    ),
)  # fmt: skip


def _setting(path: str) -> str | None:
    try:
        return Path("/proc/sys", path).read_text().strip()
    except OSError:
        return None
