"""System calls on namespaces and mounts, and the sandbox's own file system.

Standard library only; ctypes because Python 3.11 has neither `os.unshare` nor `mount`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Sequence

# include/uapi/linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
SANDBOX = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS

# include/uapi/linux/mount.h
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18

# include/uapi/asm-generic/unistd.h, the same for all machines, and include/uapi/linux/mount.h
SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT = 430, 431, 432
PR_SET_PDEATHSIG = 1  # prctl(2)
FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC, FSCONFIG_CMD_CREATE = 1, 1, 6

#: Where the private folders of nodes are, each below its node's name.
PRIVATE = "/run/emu/private"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces, as the system call does."""
    _call("unshare", flags)


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace that `fd` refers to, as the system call does."""
    _call("setns", fd, kind)


def end_with_parent() -> None:
    """End this process, by SIGKILL, when the thread that started it ends."""
    _call("prctl", PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount; the error names the target."""
    try:
        _call(
            "mount", source.encode(), target.encode(), kind.encode(),
            ctypes.c_ulong(flags), options.encode(),
        )  # fmt: skip
    except OSError as error:
        reason = f"mount {kind or 'bind'} on {target}: {os.strerror(error.errno or 0)}"
        raise OSError(error.errno, reason) from error


def open_proc() -> int:
    """Return a descriptor of a proc file system of its own, which is gone when that is closed.

    The names of all namespaces' settings end up in one list of the kernel's cache for each such file
    system, and with a thousand namespaces each look-up takes as long as all the rest of writing one.
    """
    context = _libc.syscall(SYS_FSOPEN, b"proc", FSOPEN_CLOEXEC)
    if context < 0:
        raise OSError(ctypes.get_errno(), "fsopen")
    try:
        if _libc.syscall(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0) < 0:
            raise OSError(ctypes.get_errno(), "fsconfig")
        directory = int(_libc.syscall(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, 0))
        if directory < 0:
            raise OSError(ctypes.get_errno(), "fsmount")
        return directory
    finally:
        os.close(context)


def write_file(path: str, text: str) -> None:
    """Make `text` the content of a file."""
    with open(path, "w") as file:
        file.write(text)


def enter_user_namespace_of(uid: int, gid: int) -> None:
    """Map root inside the user namespace just entered to `uid` and `gid` outside (user_namespaces(7)).

    What is mapped already stays as it is.
    """
    for kind, lines in (
        ("uid", {"uid_map": f"0 {uid} 1"}), ("gid", {"setgroups": "deny", "gid_map": f"0 {gid} 1"}),
    ):  # fmt: skip
        with open(f"/proc/self/{kind}_map") as file:
            if file.read().strip():
                continue
        for name, text in lines.items():
            try:
                write_file(f"/proc/self/{name}", text)
            except OSError as error:
                reason = f"write /proc/self/{name}: {os.strerror(error.errno or 0)}"
                raise OSError(error.errno, reason) from error


def arrange_files(files: dict[str, tuple[int, str]], binds: dict[str, str], keep: list[str]) -> None:
    """Give the sandbox its own `/run` and `/proc`, write `files` and bind them over outer ones.

    `files` maps a path to mode and content, `binds` a target to its source; folders in `keep` that
    lie under `/run` stay visible. The outer `/run` is hidden because a resolver's or a cache's
    socket in it would carry look-ups to the outer network.
    """
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    visible = [path for path in keep if path.startswith("/run/") and os.path.isdir(path)]
    kept = {path: os.open(path, os.O_PATH) for path in visible}
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for path, fd in kept.items():
        os.makedirs(path, exist_ok=True)
        mount(f"/proc/self/fd/{fd}", path, flags=MS_BIND | MS_REC)
        os.close(fd)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.makedirs("/run/netns", exist_ok=True)
    for path, (mode, content) in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(path, content)
        os.chmod(path, mode)
    for target, source in binds.items():
        real = os.path.realpath(target)
        if not os.path.exists(real) and real.startswith("/run/"):  # a link into the hidden /run
            os.makedirs(os.path.dirname(real), exist_ok=True)
            write_file(real, "")
        if os.path.exists(real):
            mount(source, real, flags=MS_BIND)


def become_node(net_fd: int, name: str, private: Sequence[str] = ()) -> None:
    """Move this process into a node: namespaces, `/sys` and folders of its own."""
    setns(net_fd, CLONE_NEWNET)
    unshare(CLONE_NEWNS | CLONE_NEWUTS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    socket.sethostname(name)
    # sysfs shows the network namespace of whoever mounts it. A container may forbid the mount.
    with contextlib.suppress(OSError):
        groups = os.open("/sys/fs/cgroup", os.O_PATH)
        mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount(f"/proc/self/fd/{groups}", "/sys/fs/cgroup", flags=MS_BIND | MS_REC)
    for folder in private:
        own = f"{PRIVATE}/{name}{folder}"
        os.makedirs(own, exist_ok=True)
        give_folder(own, os.path.realpath(folder))


def give_folder(own: str, target: str) -> None:
    """Put the folder `own` over `target`, with its mode and owner; where there is none, make room for it.

    The outer machine's files stay as they are: the nearest folder above that exists is covered with an
    empty one that shows all that was in it, and has room for more.
    """
    if not os.path.isdir(target):
        cover_for(target)
        os.makedirs(target, exist_ok=True)
    found = os.stat(target)
    os.chmod(own, found.st_mode & 0o7777)
    with contextlib.suppress(OSError):  # an owner who does not exist in this user namespace
        os.chown(own, found.st_uid, found.st_gid)
    mount(own, target, flags=MS_BIND)


def cover_for(target: str) -> None:
    """Cover the nearest folder above `target` that exists, so that something can be made in it."""
    above = os.path.dirname(target)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    if above == "/" or above.startswith("/run"):  # the root cannot be covered, and /run is our own
        return
    before = os.open(above, os.O_PATH | os.O_DIRECTORY)
    try:
        mode = os.fstat(before).st_mode & 0o7777
        mount("tmpfs", above, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:o}")
        for entry in os.listdir(f"/proc/self/fd/{before}"):
            show_again(f"/proc/self/fd/{before}/{entry}", f"{above}/{entry}")
    finally:
        os.close(before)


def show_again(source: str, target: str) -> None:
    """Make an entry of a folder be seen in another one."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    mount(source, target, flags=MS_BIND | MS_REC)
