"""One message of thousands that the kernel refuses: it is told which, and nothing is left."""

from __future__ import annotations

import dataclasses
import errno
import ipaddress
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest

import emu
from emu.bench.line import line
from emu.errors import KernelError
from emu.planning.plan import NodePlan, Plan
from emu.planning.routes import NextHop, Route, RouteTable
from emu.testing import NetworkFactory

from .helpers import fresh_name
from .traces import Traces

ROUTERS = 450
#: How many refusals a socket's usual buffer does not hold.
MANY = 1000


@pytest.fixture(scope="module")
def plan() -> Plan:
    return emu.plan_for(line(ROUTERS))


def twice_an_address(node: NodePlan) -> NodePlan:
    first, *others = node.interfaces
    return dataclasses.replace(
        node, interfaces=(dataclasses.replace(first, addresses=first.addresses * 2), *others)
    )


def twice_a_number(node: NodePlan) -> NodePlan:
    first, second, *others = node.interfaces
    return dataclasses.replace(
        node, interfaces=(first, dataclasses.replace(second, index=first.index), *others)
    )


def strange_routes(node: NodePlan, count: int = 1) -> NodePlan:
    """Return the node with routes to 20.0.0.0/32 and so on, over a neighbour that is none."""
    hop = NextHop(node.interfaces[0].name, ipaddress.ip_address("203.0.113.1"))
    first = ipaddress.ip_address("20.0.0.0")
    routes = [Route(ipaddress.ip_network(first + number), (hop,)) for number in range(count)]
    return dataclasses.replace(node, routes=RouteTable.of(routes))


def changed(plan: Plan, changes: dict[str, Callable[[NodePlan], NodePlan]]) -> Plan:
    nodes = tuple(changes[one.name](one) if one.name in changes else one for one in plan.nodes)
    return dataclasses.replace(plan, nodes=nodes)


def address_command(plan: Plan, name: str) -> str:
    first = plan.node(name).interfaces[0]
    return f"ip -n {name} address add {first.addresses[0]} dev {first.name}"


def route_command(plan: Plan, name: str) -> str:
    return f"ip -n {name} route add 20.0.0.0/32 via 203.0.113.1 dev {plan.node(name).interfaces[0].name}"


def link_command(plan: Plan, name: str) -> str:
    second = plan.node(name).interfaces[1]
    return f"ip link add {second.name} type veth peer name {second.peer[1]}"


FIRST, MIDDLE, LAST = "R0", f"R{ROUTERS // 2}", f"R{ROUTERS - 1}"
CASES: dict[str, tuple[dict[str, Callable[[NodePlan], NodePlan]], Any, str, int]] = {
    "the first address": ({FIRST: twice_an_address}, address_command, FIRST, errno.EEXIST),
    "an address": ({MIDDLE: twice_an_address}, address_command, MIDDLE, errno.EEXIST),
    "the last route": ({LAST: strange_routes}, route_command, LAST, errno.ENETUNREACH),
    "a link": ({MIDDLE: twice_a_number}, link_command, MIDDLE, errno.EEXIST),
    "many routes": (
        {MIDDLE: lambda node: strange_routes(node, MANY)}, route_command, MIDDLE, errno.ENETUNREACH,
    ),
    "addresses and routes of several nodes": (
        {FIRST: strange_routes, MIDDLE: twice_an_address, LAST: twice_an_address},
        address_command, MIDDLE, errno.EEXIST,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "command", "node", "number"), CASES.values(), ids=CASES.keys())
def test_the_first_that_the_kernel_refuses_is_told_and_nothing_is_left(
    plan: Plan, changes: dict[str, Callable[[NodePlan], NodePlan]], command: Any, node: str, number: int
) -> None:
    name = fresh_name()
    with pytest.raises(KernelError) as caught:
        emu.Network(changed(plan, changes), name).start()
    error = caught.value
    assert (error.operation, error.node, error.errno) == (command(plan, node), node, number)
    assert str(error).startswith(f"{error.operation!r} in {node}: ")
    Traces(name).assert_gone()


def test_a_node_with_more_interfaces_than_a_socket_holds_answers(emu_network: NetworkFactory) -> None:
    graph: nx.MultiGraph = nx.MultiGraph(families=4, routes="none")
    graph.add_nodes_from("AB", kind="router")
    graph.add_edges_from([("A", "B")] * 400)
    assert sum(one.up and one.carrier for one in emu_network(graph)["B"].read_interfaces()) == 401
