"""Filling a sandbox with what a plan says."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence

from .connection import Sandbox
from .errors import EmuError, KernelError
from .names import host_names
from .netlink.dumps import read_interfaces
from .netlink.operations import CreateNamespace, Request, WriteSetting, operations_for
from .netlink.readiness import await_interfaces
from .plan import Plan

#: Netlink messages are sent in pieces of about this size, so that the keeper stays responsive.
_PIECE = 1 << 19
#: How long to wait for links to carry packets, in seconds; it takes a few milliseconds.
_READY = 2.0
#: How long the switches of a ring may take to agree, in seconds; 60 of them take 11 s.
_AGREED = 60.0
#: How often to look, in seconds.
_PAUSE = 0.05


def hosts_file(plan: Plan) -> str:
    """Return `/etc/hosts` for all nodes: every address of a node, under its name."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [
        f"{address.ip} {' '.join(host_names(node.name))}"
        for node in plan.nodes for address in plan.addresses_of(node)
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def build(sandbox: Sandbox, plan: Plan) -> None:
    """Do in the sandbox all that the plan's operations say.

    Raises:
        KernelError: the kernel refused one; the first that it refused.
    """
    operations = operations_for(plan)
    names = [one.node for one in operations if isinstance(one, CreateNamespace)]
    try:
        fds = sandbox.ask("create", names=names).message["namespaces"]
    except OSError as error:
        reason = f"{error.strerror}; see the limits 'ulimit -Hn' and user.max_net_namespaces"
        raise KernelError("ip netns add", "the sandbox", error.errno or 0, reason) from error
    _write_settings(sandbox, [one for one in operations if isinstance(one, WriteSetting)])
    requests = [one for one in operations if isinstance(one, Request)]
    send(sandbox, requests, dict(zip(names, fds, strict=True)))
    _await_links(sandbox, plan)
    _await_rings(sandbox, plan)


def _await_links(sandbox: Sandbox, plan: Plan) -> None:
    """Wait until every link carries packets; it is the end in the earlier node that lags behind."""
    order = {node.name: number for number, node in enumerate(plan.nodes)}
    deadline = time.monotonic() + _READY
    for node in plan.nodes:
        first = [one.index for one in node.interfaces if order[one.peer[0]] > order[node.name]]
        if first:
            with _route_socket(sandbox, node.name) as sock:
                await_interfaces(sock, first, deadline)


def _await_rings(sandbox: Sandbox, plan: Plan) -> None:
    """Wait until the switches on rings have agreed on the links to leave unused."""
    deadline = time.monotonic() + _AGREED
    for node in plan.nodes:
        if node.spanning_tree:
            with _route_socket(sandbox, node.name) as sock:
                while any(one.port in ("listening", "learning") for one in read_interfaces(sock)):
                    if time.monotonic() > deadline:
                        raise EmuError(f"wait for the switches: {node.name} has not settled in {_AGREED:g} s")
                    time.sleep(_PAUSE)


def _route_socket(sandbox: Sandbox, node: str) -> socket.socket:
    """Return a NETLINK_ROUTE socket in a node."""
    frame = sandbox.ask(
        "socket", node=node, family=socket.AF_NETLINK, kind=socket.SOCK_RAW, protocol=socket.NETLINK_ROUTE
    )  # fmt: skip
    return socket.socket(fileno=frame.fds[0])


def send(sandbox: Sandbox, requests: Sequence[Request], namespaces: dict[str, int]) -> None:
    """Send netlink requests in order, those for one node that stand together as one batch."""
    batches: list[tuple[str, int]] = []
    blob = bytearray()
    for sequence, request in enumerate(requests):
        last_of_node = sequence + 1 == len(requests) or requests[sequence + 1].node != request.node
        message = request.encode(sequence, namespaces, acknowledge=last_of_node)
        if batches and batches[-1][0] == request.node:
            batches[-1] = (request.node, batches[-1][1] + len(message))
        else:
            batches.append((request.node, len(message)))
        blob += message
        if (last_of_node and len(blob) > _PIECE) or sequence + 1 == len(requests):
            _report(requests, sandbox.ask("netlink", bytes(blob), batches=batches).message["refused"])
            batches, blob = [], bytearray()


def _report(requests: Sequence[Request], refused: Iterable[tuple[int, int, str]]) -> None:
    for sequence, number, reason in refused:
        operation = requests[sequence]
        raise KernelError(operation.commands()[0], operation.node, number, reason)


def _write_settings(sandbox: Sandbox, settings: Sequence[WriteSetting]) -> None:
    """Write the settings that a new namespace does not have already.

    All new namespaces start alike: with the outer host's IPv4 settings and the kernel's others.
    """
    if not settings:
        return
    keys = sorted({one.key for one in settings})
    present = sandbox.ask("read_sysctl", node=settings[0].node, keys=keys).message["values"]
    writes: dict[str, list[tuple[str, str]]] = {}
    touched: set[str] = set()
    for one in settings:
        # Forwarding resets other settings; whoever writes it writes them all.
        if present[one.key] == one.value and one.node not in touched:
            continue
        if one.key.endswith(("ip_forward", "all/forwarding")):
            touched.add(one.node)
        if present[one.key] is not None:
            writes.setdefault(one.node, []).append((one.key, one.value))
    refused = sandbox.ask("sysctl", writes=list(writes.items())).message["refused"]
    for node, key, number in refused:
        setting = next(one for one in settings if (one.node, one.key) == (node, key))
        raise KernelError(setting.commands()[0], node, number)
