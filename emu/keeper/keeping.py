"""Requests on the programs that a network keeps, and on how its nodes look from inside.

Standard library only.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from . import netns
from .client import Client
from .kept import LAST_WORDS, Kept, close_all, open_output
from .programs import start
from .requests import Requests
from .wire import Frame

TYPE_CHECKING = False  # typing itself takes longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any

#: How many programs that have ended are remembered, and how many of them with all of their log.
REMEMBERED, LOGGED = 1000, 100
#: What a shell says of a program that cannot be started.
NOT_STARTED = 127


class Keeping(Requests):
    """Starts programs for the network itself, reads what they print, and tells whoever wants to know."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.kept: dict[int, Kept] = {}
        self.last = 0
        #: Counts what became different about the programs.
        self.news = 0
        self.watching: dict[Client, tuple[int, dict[int, int]]] = {}

    # -- what the event loop offers ------------------------------------------------------------------

    def listen(self, fd: int, act: Callable[[], None]) -> None:
        """Call `act` whenever a descriptor is readable."""
        raise NotImplementedError

    def unlisten(self, fd: int) -> None:
        """Stop listening to a descriptor."""
        raise NotImplementedError

    def later(self, delay: float, act: Callable[[], None]) -> None:
        """Call `act` once, in so many seconds."""
        raise NotImplementedError

    # -- requests ------------------------------------------------------------------------------------

    def do_keep(
        self, client: Client, frame: Frame, node: str | None, about: Any, again: Any, **what: Any
    ) -> None:  # fmt: skip
        """Start a program that belongs to the network; answer with its number and process id.

        A descriptor that comes along is its standard input, when it is first started.
        """
        if again is not None:
            delay, most = float(again["delay"]), float(again["most"])
            again = {"always": bool(again["always"]), "delay": delay, "most": most}
        kept = Kept(self.last + 1, node, self.program_of(node, [], **what), about, again)
        self.begin_kept(kept, *frame.fds)
        self.last += 1
        self.kept[kept.number] = kept
        self.tell_news()
        client.tell({"number": kept.number, "pid": kept.pid})

    def do_number(self, client: Client, _: Frame) -> None:
        """Answer with a number that no program of the network has, nor will have."""
        self.last += 1
        client.tell({"number": self.last})

    def do_watch(self, client: Client, _: Frame, news: int, logs: dict[str, int]) -> None:
        """Answer when something is new: something about the programs, or beyond these positions of logs.

        The answer has `news`, the facts of all `programs` or None where those are not new, and for each log
        with something new its number, the position of the part that the frame brings, and its length.
        """
        self.watching[client] = (news, {int(number): position for number, position in logs.items()})
        self.inform(client)

    def do_signal_kept(self, client: Client, _: Frame, number: int, signal_number: int, end: bool) -> None:
        """Send a signal to a kept program and what it started; to `end` it, it is not started again."""
        kept = self.kept[number]
        if end:
            kept.told, kept.delay = True, 0.0
        if kept.ended is None:
            self.signal_group(kept.pid, signal_number)
            if end:
                self.signal_group(kept.pid, signal.SIGCONT)
        if end or signal_number == signal.SIGCONT:
            kept.stopped = False
            self.tell_news()
        client.tell({"sent": kept.ended is None})

    def do_read_net(self, client: Client, _: Frame, node: str, names: list[str]) -> None:
        """Answer with files of /proc/net as a node has them; those that are not there are empty."""
        parts = []
        with netns.returning(self.home):
            self.enter(node)
            for name in names:
                try:
                    with open(f"/proc/thread-self/net/{os.path.basename(name)}", "rb") as file:
                        parts.append(file.read())
                except OSError:
                    parts.append(b"")
        client.tell({"sizes": [len(part) for part in parts]}, b"".join(parts))

    # -- the programs --------------------------------------------------------------------------------

    def begin_kept(self, kept: Kept, stdin: int | None = None) -> None:
        """Start a kept program, and read what it prints from now on."""
        ours, theirs = open_output()
        try:
            if kept.program.user is not None:
                with suppress(OSError):  # whoever opens the output anew, as /dev/stdout, must be its owner
                    os.fchown(theirs, *kept.program.user[:2])
            nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            try:
                kept.program.fds = [nothing if stdin is None else stdin, theirs, theirs]
                kept.kills = self.groups.kills(kept.node)
                pid = start(kept.program, self.view_of(kept.node), self.groups.joining(kept.node))
            finally:
                close_all([nothing, theirs])
        except BaseException:
            os.close(ours)
            raise
        self.close_kept(kept)  # what is left of the one before
        kept.begin(pid, ours)
        self.listen(ours, lambda: self.read_kept(kept))

    def read_kept(self, kept: Kept) -> None:
        """Read what a kept program printed."""
        if not kept.read():
            self.close_kept(kept)
        for client, (_, logs) in list(self.watching.items()):
            if kept.number in logs:
                self.inform(client)

    def close_kept(self, kept: Kept) -> None:
        """Read no more of what a kept program prints."""
        if kept.output >= 0:
            self.unlisten(kept.output)
            kept.close()

    def changed_kept(self, pid: int, status: int) -> None:
        """Take note that a child stopped or ended, with this status of waitpid, if it is a kept program."""
        kept = next((one for one in self.kept.values() if one.pid == pid and one.ended is None), None)
        if kept is None:
            return
        if os.WIFSTOPPED(status):
            kept.stopped = True
        else:
            kept.drain()
            kept.starved = self.groups.starved(kept.node, kept.kills, status)
            self.end_kept(kept, os.waitstatus_to_exitcode(status))
        self.tell_news()

    def end_kept(self, kept: Kept, status: int) -> None:
        """Take note that a kept program ended, and start it again when it is time."""
        gone = kept.node is not None and kept.node not in self.nodes
        kept.told = kept.told or gone
        if kept.end(status):
            self.later(kept.delay, lambda: self.restart(kept))
        ended = [one for one in self.kept.values() if one.ended is not None and not one.due]
        for one in ended[: max(0, len(ended) - LOGGED)]:
            one.log.shorten(LAST_WORDS)
        for one in ended[: max(0, len(ended) - REMEMBERED)]:
            self.close_kept(one)
            del self.kept[one.number]

    def restart(self, kept: Kept) -> None:
        """Start a kept program again, unless it was ended for good meanwhile."""
        if not kept.due or kept.told:
            return
        try:
            self.begin_kept(kept)
        except Exception as error:  # noqa: BLE001  # whatever it is, others' programs go on
            kept.log.add(f"emu: cannot be started: {error}\n".encode())
            self.end_kept(kept, NOT_STARTED)
        self.tell_news()

    # -- whoever wants to know -----------------------------------------------------------------------

    def tell_news(self) -> None:
        """Tell everybody who watches that something about the programs is new."""
        self.news += 1
        for client in list(self.watching):
            self.inform(client)

    def inform(self, client: Client) -> None:
        """Answer a client that watches, if there is something new for it."""
        news, logs = self.watching[client]
        known = [number for number in logs if number in self.kept]
        found = [(number, *self.kept[number].log.part(logs[number])) for number in known]
        parts = [(number, position, part) for number, position, part in found if part]
        if news == self.news and not parts:
            return
        del self.watching[client]
        programs = None if news == self.news else [kept.facts() for kept in self.kept.values()]
        answer = {
            "news": self.news, "programs": programs,
            "logs": [(number, position, len(part)) for number, position, part in parts],
        }  # fmt: skip
        client.tell(answer, b"".join(part for _, _, part in parts))

    # -- how nodes look from inside -------------------------------------------------------------------

    def do_furnish(self, client: Client, _: Frame, nodes: dict[str, dict[str, Any]]) -> None:
        """Say how nodes shall look to their programs: folders of their own, environment, folder, user."""
        for name, given in nodes.items():
            user = given.get("user")
            if user is not None and not is_mapped(*user[:2]):
                raise OSError(errno.EINVAL, f"user {user[0]}, group {user[1]} of {name}")
            for folder in given.get("private", ()):
                if not os.path.isdir(os.path.join("/", folder.split("/")[1])):
                    raise OSError(errno.ENOENT, f"the private folder {folder} of {name}")
        self.furnished.update(nodes)
        client.tell({"furnished": len(nodes)})

    def do_group(self, client: Client, frame: Frame, name: str, controllers: list[str]) -> None:
        """Make the folder of the network's control groups in the one that comes along; see `Groups.make`."""
        self.groups.make(frame.fds[0], name, controllers)
        client.tell({"made": True})

    def do_limit(self, client: Client, _: Frame, nodes: dict[str, dict[str, str]]) -> None:
        """Make control groups of nodes, and write their settings."""
        for node, settings in nodes.items():
            self.groups.limit(node, settings)
        client.tell({"limited": len(nodes)})

    def do_remove(self, client: Client, frame: Frame, names: list[str]) -> None:
        """Forget how nodes look, too, and start none of their programs again."""
        for name in names:
            self.furnished.pop(name, None)
        for kept in self.kept.values():
            if kept.node in names and kept.ended is not None:
                kept.told, kept.delay = True, 0.0
        super().do_remove(client, frame, names)

    def count_programs(self) -> tuple[int, int]:
        """Count the kept programs, too."""
        running = sum(kept.ended is None for kept in self.kept.values())
        return len(self.running) + running, sum(kept.failed for kept in self.kept.values())

    def forget(self, client: Client) -> None:
        """Tell a client nothing any more."""
        with suppress(KeyError):
            del self.watching[client]


def is_mapped(uid: int, gid: int) -> bool:
    """Tell whether a user and a group exist in this user namespace (user_namespaces(7))."""
    for kind, number in (("uid", uid), ("gid", gid)):
        with open(f"/proc/self/{kind}_map") as file:
            ranges = [[int(word) for word in line.split()] for line in file]
        if not any(first <= number < first + count for first, _, count in ranges):
            return False
    return True
