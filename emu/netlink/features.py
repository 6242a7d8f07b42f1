"""Asking the kernel which kinds of links and queue disciplines it has, by trying them in a node."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .operations import _NEW, Request, _link_message

if TYPE_CHECKING:
    from ..connection import Sandbox

# include/uapi/linux/rtnetlink.h and pkt_sched.h
_NEWQDISC, _ROOT, _LOOPBACK = 36, 0xFFFFFFFF, 1
_REQUEST, _REPLACE, _CREATE = 0x1, 0x100, 0x400
#: How the kernel says that it has no such kind: net/core/rtnetlink.c and net/sched/sch_api.c. Whatever
#: else it says, about the options that are lacking here for example, comes from the kind itself.
_UNKNOWN = {errno.EOPNOTSUPP, errno.ENOENT}


@dataclass(frozen=True, slots=True)
class TryLink(Request):
    """Make a link of some kind, with no options."""

    kind: str

    def commands(self) -> tuple[str, ...]:
        """Return the equal command."""
        return self._ip(f"link add type {self.kind}")

    def _message(self, namespaces: Any) -> Any:  # noqa: ARG002  # one namespace only
        return _link_message(_NEW, 0, [("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", self.kind)]})])


@dataclass(frozen=True, slots=True)
class TryDiscipline(Request):
    """Give the loopback interface a queue discipline, with no options, instead of the one it has."""

    kind: str
    #: The major number of its handle; the kernel looks at the kind only when the handle is new.
    major: int

    def commands(self) -> tuple[str, ...]:
        """Return the equal command."""
        return (f"tc -n {self.node} qdisc replace dev lo root handle {self.major:x}: {self.kind}",)

    def _message(self, namespaces: Any) -> Any:  # noqa: ARG002  # one namespace only
        from pyroute2.netlink.rtnl.tcmsg import tcmsg

        message = tcmsg()
        message["header"]["type"], message["header"]["flags"] = _NEWQDISC, _REQUEST | _REPLACE | _CREATE
        message["index"], message["handle"], message["parent"] = _LOOPBACK, self.major << 16, _ROOT
        message["attrs"] = [("TCA_KIND", self.kind)]
        return message


def unknown_kinds(
    sandbox: Sandbox, node: str, links: Iterable[str] = (), disciplines: Iterable[str] = ()
) -> set[str]:  # fmt: skip
    """Return those of the named kinds that the kernel does not have.

    What can be made is made, in `node`, and stays there. The kernel may load a module for it; `ifb`,
    `dummy` and `bond` must not be asked for, since their modules make interfaces on the outer machine.
    """
    requests: Sequence[TryLink | TryDiscipline] = [
        *(TryLink(node, kind) for kind in links),
        *(TryDiscipline(node, kind, major) for major, kind in enumerate(disciplines, start=1)),
    ]
    messages = [request.encode(number, {}, acknowledge=True) for number, request in enumerate(requests)]
    unknown = set()
    for request, message in zip(requests, messages, strict=True):
        batches = [(node, len(message))]
        for _, number, _ in sandbox.ask("netlink", message, batches=batches).message["refused"]:
            if number in _UNKNOWN:
                unknown.add(request.kind)
    return unknown
