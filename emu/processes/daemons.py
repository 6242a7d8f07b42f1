"""Daemons: what the nodes' attribute `run` says, started and awaited when a network is built."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..commands import Words
from ..errors import EmuError, UsageError
from ..graph.inside import Command, Conditions, Daemon, Inside, Restart, parse_conditions
from .jobs import Job, start_job
from .waiting import Check, pauses
from .watching import ending

if TYPE_CHECKING:
    from ..planning.plan import NodePlan
    from ..sandboxes.connection import Sandbox

#: How many lines of a log are shown when its program failed.
TAIL = 10


class DaemonFailed(EmuError):
    """A daemon ended before it was ready, or did not get ready in time; `log` is what it printed last."""

    def __init__(self, attempt: str, reason: str, log: str) -> None:
        self.log = log
        super().__init__(f"{attempt}: {reason}{quoted_tail(log)}")


def quoted_tail(log: str) -> str:
    """Return the end of a log to stand behind a line that speaks of it."""
    lines = log.rstrip().splitlines()[-TAIL:]
    return (
        "; the last it printed:\n" + "\n".join(f"  {line}" for line in lines)
        if lines
        else "; it printed nothing"
    )


def furnish(sandbox: Sandbox, nodes: Sequence[NodePlan]) -> None:
    """Tell the keeper how nodes look to their programs; before the first program of a node starts.

    Raises:
        UsageError: a node's user does not exist.
        EmuError: this machine does not allow it; says why and what to do.
    """
    given = {node.name: _furniture(node.name, node.inside) for node in nodes if node.inside is not None}
    if not given:
        return
    try:
        sandbox.ask("furnish", nodes=given)
    except OSError as error:
        raise EmuError(_refusal(error)) from error


def _furniture(node: str, inside: Inside) -> dict[str, Any]:
    env, user = dict(inside.env), None
    if inside.user is not None:
        entry = _user(node, inside.user)
        user = (entry.pw_uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid))
        env = {"USER": entry.pw_name, "LOGNAME": entry.pw_name, "HOME": entry.pw_dir, **env}
    return {"private": inside.private, "env": env, "cwd": inside.cwd, "user": user}


def _user(node: str, name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise UsageError(f"node {node}: this machine has no user {name!r}") from None


def _refusal(error: OSError) -> str:
    about = str(error.strerror)
    if about.startswith("user"):
        return f"run programs as {about}: not mapped into the sandbox; see 'subordinate ids' of 'emu doctor'"
    return f"make {about}: only folders below one that exists in / can be had"


@dataclass
class _Queue:
    """The daemons of a node that are not ready yet, and when the first of them must be."""

    node: str
    waiting: list[Daemon]
    job: Job | None = None
    check: Check | None = None
    deadline: float = 0.0

    def advance(self, sandbox: Sandbox) -> None:
        """Go as far as possible without waiting.

        Raises:
            DaemonFailed: the daemon that is waited for ended, or took too long.
        """
        while self.waiting:
            daemon = self.waiting[0]
            if self.job is None:
                self.job = start_job(
                    sandbox, self.node, daemon.command,
                    more_env=daemon.env, cwd=daemon.cwd, restart=daemon.restart, daemon=True,
                )  # fmt: skip
                if daemon.ready is not None:
                    self.expect(sandbox, daemon.ready)
            if self.check is not None and not self.check():
                self._judge(self.job, daemon)
                return
            self.waiting.pop(0)
            self.job = self.check = None

    def expect(self, sandbox: Sandbox, ready: Conditions) -> None:
        """Wait for these conditions from now on."""
        assert self.job is not None
        self.check = Check(sandbox, self.node, ready, self.job.number)
        self.deadline = time.monotonic() + ready.timeout

    def _judge(self, job: Job, daemon: Daemon) -> None:
        attempt = f"start {str(daemon)!r} in {self.node}"
        facts = job.facts()
        if facts.over and self.check is not None and self.check():  # it got ready meanwhile
            return
        if facts.over:
            reason = f"it ended ({ending(facts.status or 0)}) before it was ready: {daemon.ready}"
            raise DaemonFailed(attempt, reason, job.log(TAIL))
        if time.monotonic() >= self.deadline:
            assert daemon.ready is not None
            reason = f"not ready within {daemon.ready.timeout:g} s: {daemon.ready}"
            raise DaemonFailed(attempt, reason, job.log(TAIL))


def start_awaited(
    sandbox: Sandbox, node: str, command: Command | Words, ready: Any, restart: str, **options: Any
) -> Job:
    """Start a job and wait until it is ready; see `emu.Node.start_job`."""
    try:
        conditions = None if ready is None else parse_conditions(ready)
        wanted = Restart(restart)
    except ValueError as error:
        raise UsageError(f"start a job in {node}: {error}") from error
    job = start_job(sandbox, node, command, restart=wanted, **options)
    if conditions is not None:
        words = command if isinstance(command, str) else tuple(map(os.fsdecode, command))
        queue = _Queue(node, [Daemon(words, conditions)], job)
        queue.expect(sandbox, conditions)
        try:
            for pause in pauses():
                queue.advance(sandbox)
                if not queue.waiting:
                    break
                time.sleep(pause)
        except BaseException:
            job.kill()
            raise
    return job


def start_daemons(sandbox: Sandbox, nodes: Sequence[NodePlan]) -> None:
    """Start the daemons of nodes and wait until they are ready.

    Those of one node start in order, each when the one before is ready; nodes do not wait for each other.

    Raises:
        DaemonFailed: one ended before it was ready, or did not get ready in time.
        CommandNotFound: there is no such program.
    """
    queues = list(_queues(nodes))
    for pause in pauses():
        for queue in queues:
            queue.advance(sandbox)
        queues = [queue for queue in queues if queue.waiting]
        if not queues:
            return
        time.sleep(pause)


def _queues(nodes: Sequence[NodePlan]) -> Iterator[_Queue]:
    for node in nodes:
        if node.inside is not None and node.inside.run:
            yield _Queue(node.name, list(node.inside.run))
