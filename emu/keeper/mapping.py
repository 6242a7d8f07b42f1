"""Users and groups of a sandbox that was made without root: those that /etc/subuid and /etc/subgid lend.

Only programs with special rights may map more than one user: newuidmap(1) and newgidmap(1), which look
into those files. Without them a sandbox has one user, who is root in it. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import pwd

#: Kind of id → the file with who may have which, and the program that maps them.
SOURCES = {"uid": ("/etc/subuid", "newuidmap"), "gid": ("/etc/subgid", "newgidmap")}


class Lent:
    """Ids of one kind that may be mapped: `count` from `first` on, by a program."""

    def __init__(self, first: int, count: int, program: str) -> None:
        self.first, self.count, self.program = first, count, program


def lent_ids(uid: int) -> dict[str, Lent]:
    """Return what may be mapped for a user, by kind; only kinds for which there is all that it takes."""
    found = {}
    for kind, (path, name) in SOURCES.items():
        lent = lent_range(path, uid)
        program = find_program(name) if lent else None
        if lent and program:
            found[kind] = Lent(*lent, program)
    return found


def lent_range(path: str, uid: int) -> tuple[int, int] | None:
    """Return the first id and the number of ids of the largest range of a user: subuid(5)."""
    try:
        with open(path, errors="replace") as file:
            lines = [line.strip().split(":") for line in file]
    except OSError:
        return None
    names = {str(uid)}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(uid).pw_name)
    ranges = [
        (int(first), int(count))
        for name, first, count in (words for words in lines if len(words) == 3)
        if name in names and first.isdecimal() and count.isdecimal() and int(count)
    ]  # fmt: skip
    return max(ranges, key=lambda one: one[1], default=None)


def find_program(name: str) -> str | None:
    """Return where a program is."""
    folders = os.environ.get("PATH", os.defpath).split(":")
    return next((path for one in folders if os.access(path := os.path.join(one, name), os.X_OK)), None)


class Mapper:
    """A process outside of the user namespace that maps ids into it; start it before, use it after."""

    def __init__(self, lent: dict[str, Lent], ids: dict[str, int]) -> None:
        """Map our own `ids` to 0, and those that are `lent` to 1 and up."""
        self.read, self.write = os.pipe()
        target = os.getpid()
        self.pid = os.fork()
        if self.pid:
            os.close(self.read)
            return
        os.close(self.write)
        try:
            if os.read(self.read, 1):
                commands = [
                    [one.program, str(target), "0", str(ids[kind]), "1", "1", str(one.first), str(one.count)]
                    for kind, one in lent.items()
                ]
                # The keeper's own standard error is for what it cannot go on after.
                quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
                pids = [os.posix_spawn(words[0], words, os.environ, file_actions=quiet) for words in commands]
                for pid in pids:
                    os.waitpid(pid, 0)
        finally:
            os._exit(0)

    def map(self) -> None:
        """Have the ids mapped; what was refused is not mapped."""
        os.write(self.write, b"+")
        os.close(self.write)
        os.waitpid(self.pid, 0)
