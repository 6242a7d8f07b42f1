"""From a plan to the operations that build it, in an order in which it works. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from ..graph.attributes import Kind
from ..planning.plan import NodePlan, Plan
from ..planning.routes import RouteTable
from .operations import (
    BATCH,
    BRIDGE,
    AddAddress,
    AddAltname,
    AddRoutes,
    CreateBridge,
    CreateNamespace,
    CreateVeth,
    Enslave,
    Operation,
    Request,
    SetUp,
    WriteSetting,
    route_size,
)
from .queueing import shaping_operations


def operations_for(plan: Plan, there: Collection[str] | None = None) -> list[Operation]:
    """Return everything that builds the plan, in an order in which it works.

    `there` are the kernel's features for links; None is all of them.

    First every namespace with its settings (an interface takes them over when it is made), then all
    links, then all interfaces up, then addresses and routes: an IPv6 address is usable at once where the
    link already carries packets.
    """
    operations: list[Operation] = [CreateNamespace(node.name) for node in plan.nodes]
    operations += [WriteSetting(node.name, key, value) for node in plan.nodes for key, value in node.settings]
    for step in steps(there).values():
        operations += step(plan)
    return operations


def steps(there: Collection[str] | None = None) -> dict[str, Callable[[Plan], list[Request]]]:
    """Return what follows namespaces and settings, in this order, on a kernel with the features `there`."""
    return {
        "links": link_operations,
        "shaping": partial(shaping_operations, there=there),
        "interfaces": up_operations,
        "addresses": address_operations,
        "routes": route_operations,
    }


def link_operations(plan: Plan) -> list[Request]:
    """Return what makes all links."""
    return [
        CreateVeth(node, name, one.index, peer_node, peer_name, peer.index, one.mac, peer.mac)
        for (node, name), (peer_node, peer_name) in (link.ends for link in plan.links)
        for one, peer in [(plan.interfaces[node, name], plan.interfaces[peer_node, peer_name])]
    ]


def up_operations(plan: Plan) -> list[Request]:
    """Return what sets all interfaces up, and joins those of switches before that."""
    return [
        operation
        for node in plan.nodes
        for operation in (
            SetUp(node.name, "lo", 1),
            *(
                AddAltname(node.name, one.name, one.index, one.altname)
                for one in node.interfaces if one.altname
            ),
            *(_switch_operations(node) if node.kind is Kind.SWITCH else _ups(node)),
        )
    ]  # fmt: skip


def _ups(node: NodePlan) -> list[Request]:
    return [SetUp(node.name, one.name, one.index) for one in node.interfaces]


def _switch_operations(node: NodePlan) -> list[Request]:
    name, index = BRIDGE, max((one.index for one in node.interfaces), default=1) + 1
    return [
        CreateBridge(node.name, name, index, node.spanning_tree),
        *(Enslave(node.name, one.name, one.index, name, index) for one in node.interfaces),
        *_ups(node),
        SetUp(node.name, name, index),
    ]


def address_operations(plan: Plan) -> list[Request]:
    """Return what gives all interfaces their addresses."""
    return [
        AddAddress(node.name, name, index, address)
        for node in plan.nodes
        for name, index, addresses in (
            ("lo", 1, node.loopback), *((one.name, one.index, one.addresses) for one in node.interfaces)
        )
        for address in addresses
    ]  # fmt: skip


def route_operations(plan: Plan) -> list[Request]:
    """Return what gives all nodes their routes."""
    return [operation for node in plan.nodes if node.routes for operation in routes_of(node)]


def routes_of(node: NodePlan) -> list[Request]:
    """Return what gives a node its routes."""
    indices = {one.name: one.index for one in node.interfaces}
    return [
        AddRoutes(node.name, part, tuple(indices[hop.interface] for hop in group.next_hops))
        for group in RouteTable.of(node.routes).groups
        for part in group.parts(max(1, BATCH // route_size(len(group.next_hops))))
    ]
