"""Filling a sandbox with what a plan says."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from .errors import EmuError, KernelError, LimitError
from .graph.attributes import ANYTHING, Kind
from .graph.names import host_names
from .netlink.delivery import send
from .netlink.dumps import read_interfaces
from .netlink.features import check_features, find_features, names_in
from .netlink.lowering import steps
from .netlink.operations import WriteSetting
from .netlink.queueing import needs_at, needs_of
from .netlink.readiness import await_addresses, await_interfaces
from .planning.plan import NodePlan, Plan
from .planning.sysctls import COMMANDING
from .progress import Progress
from .sandboxes.connection import Sandbox
from .sandboxes.privileges import explain_refusal
from .schedules import check_schedule

#: Where nodes find each other's names; bound over `/etc/hosts`.
HOSTS = "/run/emu/hosts"
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


def write_hosts(sandbox: Sandbox, plan: Plan) -> None:
    """Make names stand for the addresses of a plan, in all nodes of a running network."""
    sandbox.ask("write", hosts_file(plan).encode(), path=HOSTS)


def build(sandbox: Sandbox, plan: Plan, progress: Progress) -> list[str]:
    """Do in the sandbox all that the plan's operations say, in the order of `operations_for`.

    Returns:
        Warnings of what is left out, since the kernel cannot do it.

    Raises:
        KernelError: the kernel refused one; the first that it refused.
        LimitError: this machine has run out of something.
        PrivilegeError: the kernel lacks what the links are to do.
    """
    try:
        return _build(sandbox, plan, progress)
    except OSError as error:
        raise LimitError(explain_refusal(f"build network {plan.name}", error)) from error


def _build(sandbox: Sandbox, plan: Plan, progress: Progress) -> list[str]:
    needs = needs_of(plan) + [
        need for end, shaping, event in check_schedule(plan.schedule, plan)[1]
        for need in needs_at(*end, shaping, event)
    ]  # fmt: skip
    there = find_features(sandbox, names_in(needs)) if needs else None  # which asks for nothing anyway
    what = plan.optional_shaping
    warnings = check_features(needs, there or (), bool(what), "" if what == ANYTHING else what)
    progress.begin("namespaces", len(plan.nodes))
    namespaces = create_namespaces(sandbox, [node.name for node in plan.nodes])
    progress.begin("settings", len(plan.nodes))
    write_settings(sandbox, plan.nodes)
    for name, operations in steps(there).items():
        requests = operations(plan)
        progress.begin(name, sum(request.count for request in requests))
        send(sandbox, requests, namespaces, progress.advance)
        if name == "interfaces":
            _await_links(sandbox, plan)
            await_rings(sandbox, plan)
    if 6 in plan.families:
        await_addresses(sandbox, [node.name for node in plan.nodes if node.kind is not Kind.SWITCH])
    return warnings


def create_namespaces(sandbox: Sandbox, names: Sequence[str]) -> dict[str, int]:
    """Make a network namespace per node; return the keeper's descriptor of each."""
    try:
        fds = sandbox.ask("create", names=names).message["namespaces"]
    except OSError as error:
        count = len(names)
        attempt = f"make {count:,} network namespace{'s' if count != 1 else ''}"
        raise LimitError(explain_refusal(attempt, error)) from error
    return dict(zip(names, fds, strict=True))


def write_settings(sandbox: Sandbox, nodes: Sequence[NodePlan]) -> None:
    """Write the settings that new namespaces do not have already.

    All new namespaces begin alike, with the outer host's IPv4 settings and the kernel's others. So the
    first of those nodes that shall have the same settings shows what must be written in all of them.

    Raises:
        KernelError: the kernel refused one.
    """
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for node in nodes:
        alike.setdefault(node.settings, []).append(node.name)
    for settings, (first, *others) in alike.items():
        written: list[tuple[str, str]] = []
        # Those that change others come first, and what the others are is read after that.
        for part in ([pair for pair in settings if pair[0] in COMMANDING], settings):
            present = sandbox.ask("read_sysctl", node=first, keys=[key for key, _ in part]).message["values"]
            differing = [(key, value) for key, value in part if present[key] not in (None, value)]
            send_settings(sandbox, [first], differing)
            written += differing
        send_settings(sandbox, others, written)


def send_settings(sandbox: Sandbox, nodes: Sequence[str], settings: Sequence[tuple[str, str]]) -> None:
    """Write the same settings in some nodes.

    Raises:
        KernelError: the kernel refused one.
    """
    if not nodes or not settings:
        return
    for node, key, number in sandbox.ask("sysctl", nodes=nodes, settings=settings).message["refused"]:
        raise KernelError(WriteSetting(node, key, dict(settings)[key]).commands()[0], node, number)


def _await_links(sandbox: Sandbox, plan: Plan) -> None:
    """Wait until every link is in service.

    Its end in the earlier node lags behind. Both may where IPv6 waits for it, and at a switch, whose port
    forwards nothing before.
    """
    order = {node.name: number for number, node in enumerate(plan.nodes)}
    indices = {
        node.name: [
            one.index for one in node.interfaces
            if 6 in plan.families or node.kind is Kind.SWITCH or order[one.peer[0]] > order[node.name]
        ]
        for node in plan.nodes
    }  # fmt: skip
    await_interfaces(sandbox, indices)


def await_rings(sandbox: Sandbox, plan: Plan) -> None:
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
