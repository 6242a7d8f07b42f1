"""A plan as the shell script that builds the same network by hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from .netlink.filtering import DropAtRandom
from .netlink.lowering import operations_for
from .netlink.operations import (
    AddAddress,
    AddAltname,
    AddRoutes,
    CreateBridge,
    CreateNamespace,
    CreateVeth,
    Enslave,
    Operation,
    SetUp,
    WriteSetting,
)
from .netlink.queueing import SetDiscipline, SetMtu
from .netlink.service_curve import SetCurve
from .planning.plan import Plan
from .planning.sysctls import FORWARDING

#: Whether a command of an operation belongs to a step.
Chosen = Callable[[Operation, str], bool]


def _forwards(operation: Operation, _: str = "") -> bool:
    return isinstance(operation, WriteSetting) and operation.key in FORWARDING.values()


def _early(operation: Operation, _: str) -> bool:
    """An interface takes these over when it is made, so that its IPv6 address works at once."""
    if not isinstance(operation, WriteSetting) or not operation.key.startswith("net/ipv6/"):
        return False
    switches_off = operation.key.endswith("disable_ipv6") and operation.value == "1"
    return not switches_off and not _forwards(operation)


def _any_of(*kinds: type[Operation]) -> Chosen:
    return lambda operation, _: isinstance(operation, kinds)


def _makes_link(operation: Operation, command: str) -> bool:
    return isinstance(operation, CreateVeth) and " address " not in command


#: The order in which a person would do it, and what to say about each step.
_STEPS: Sequence[tuple[str, Chosen]] = (
    ("A network namespace per node: a network stack of its own.", _any_of(CreateNamespace)),
    ("IPv6 settings, which interfaces take over when they are made.", _early),
    ("A veth pair per link, and either end moved into its node.", _makes_link),
    ("MAC addresses that tell the node and are the same each time.", _any_of(CreateVeth)),
    ("A bridge per switch, and the links' ends as its ports.", _any_of(CreateBridge, Enslave)),
    ("Second names for interfaces whose own would be longer than 15 characters.", _any_of(AddAltname)),
    (
        "What links do to packets: rate, queue, delay, loss.",
        _any_of(SetMtu, SetDiscipline, SetCurve, DropAtRandom),
    ),
    ("An address per interface, from which the kernel knows the way to its prefix.", _any_of(AddAddress)),
    ("The interfaces up.", _any_of(SetUp)),
    ("Routes to the segments beyond.", _any_of(AddRoutes)),
    ("Routers forward packets, the others do not.", _forwards),
    (
        "Settings that a new namespace may have inherited from this machine.",
        _any_of(WriteSetting),
    ),
)  # fmt: skip


def script_for(plan: Plan, there: Collection[str] | None = None) -> Iterator[str]:
    """Yield the lines of a shell script, for root, that builds the plan with `ip` and `sysctl`.

    It has the same operations that `emu run` sends to the kernel, in the order in which they are
    usually taught, each on a line of its own. `there` are the kernel's features for links; None is all.
    """
    yield f"# {plan.name}: {len(plan.nodes)} nodes, {len(plan.links)} links. Run as root."
    rest = [(operation, line) for operation in operations_for(plan, there) for line in operation.commands()]
    for title, chosen in _STEPS:
        step = [line for operation, line in rest if chosen(operation, line)]
        rest = [pair for pair in rest if not chosen(*pair)]
        if step:
            yield ""
            yield f"# {title}"
            yield from step
    assert not rest, f"no step for {rest[0]}"
    yield from _closing(plan)


def _closing(plan: Plan) -> Iterator[str]:
    """Yield what to do with the network, and how to be rid of it."""
    ends = [node for node in (plan.nodes[0], plan.nodes[-1]) if node.addresses]
    yield ""
    if len(ends) == 2 and ends[0] is not ends[1]:
        source, target = ends[0], ends[1].addresses[0].ip
        yield "# Try it:"
        yield f"# ip netns exec {source.name} ping -c 1 -I {source.addresses[0].ip} {target}"
    yield "# To undo it all:"
    yield from (f"# ip netns delete {node.name}" for node in plan.nodes)
