"""What this machine lets a keeper do: each thing is really tried, in a process that ends at once.

`emu doctor` starts it as a program of its own. Whatever is made here is made in namespaces that end with
the process; the outer machine is not touched. Standard library only.
"""

import json
import os
import socket
import sys
from collections.abc import Callable

from .main import enter_sandbox
from .namespaces import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    enter_user_namespace_of,
    mount,
    setns,
    unshare,
)
from .netns import write_sysctl

Step = Callable[[], None]

#: The namespaces of a sandbox, by their names in /proc/self/ns.
KINDS = {
    "mnt": CLONE_NEWNS, "pid": CLONE_NEWPID, "net": CLONE_NEWNET, "ipc": CLONE_NEWIPC, "uts": CLONE_NEWUTS,
}  # fmt: skip


def attempt(step: Step) -> tuple[int, str] | None:
    """Run `step` in a process of its own; return errno and text when it was refused."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            step()
        except OSError as error:
            about = f" ({error.filename})" if error.filename else ""
            os.write(writing, json.dumps([error.errno, f"{error.strerror or error}{about}"]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answers:
        answer = answers.read()
    os.waitpid(child, 0)
    return tuple(json.loads(answer)) if answer else None


def inside(step: Step) -> Step:
    """Return a step that does `step` as the first process of a new sandbox."""

    def whole() -> None:
        enter_sandbox()
        if refusal := attempt(lambda: prepared(step)):
            raise OSError(*refusal)

    def prepared(step: Step) -> None:
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        step()

    return whole


def make_user_namespace() -> None:
    """Make a user namespace of which this user is root."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    enter_user_namespace_of(uid, gid)


def use_fresh_proc() -> None:
    """Mount /proc and write a setting of a new network namespace in it."""
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    write_sysctl(proc, "net/ipv4/ip_forward", "1")


def move_between_namespaces() -> None:
    """Go back into a network namespace by its descriptor."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    unshare(CLONE_NEWNET)
    setns(home, CLONE_NEWNET)


STEPS: dict[str, Step] = {
    "user": make_user_namespace,
    **{kind: lambda flag=flag: enter_sandbox(flag) for kind, flag in KINDS.items()},  # type: ignore[misc]  # a default
    "tmpfs": inside(lambda: mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")),
    "proc": inside(use_fresh_proc),
    "sysfs": inside(lambda: mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)),
    "setns": inside(move_between_namespaces),
    "raw": inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()),
}


def main() -> None:
    """Print what was refused as JSON: name of the step → [errno, text], or null when it worked."""
    json.dump({name: attempt(step) for name, step in STEPS.items()}, sys.stdout)
