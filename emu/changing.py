"""Changing a running network from one plan to another: all of the difference, or nothing of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .build import (
    await_rings,
    create_namespaces,
    send_settings,
    write_hosts,
    write_settings,
)
from .errors import EmuError
from .finding import link_number
from .graph.attributes import ANYTHING, Kind
from .graph.pins import link_name
from .link_control.applying import features_of
from .netlink.delivery import send
from .netlink.features import check_new_needs
from .netlink.lowering import address_operations, link_operations, up_operations
from .netlink.operations import BRIDGE, AddAltname, Enslave, Request, SetUp
from .netlink.present import NodeState, read_states
from .netlink.queueing import SetDiscipline, needs_of, shaping_operations
from .netlink.readiness import await_addresses, await_interfaces
from .netlink.removals import ChangeBridge, DeleteLink
from .netlink.service_curve import SetCurve
from .planning.changes import Changes, Used
from .planning.plan import End, LinkPlan, NodePlan, Plan
from .planning.routes import RouteTable
from .processes.daemons import furnish, start_daemons
from .processes.limiting import limit_nodes
from .reroute import attainable, difference, send_to_states
from .sandboxes.connection import Sandbox

if TYPE_CHECKING:
    from .running.network import Network


States = Mapping[str, NodeState]


def change(network: Network, attempt: str, make: Callable[[Changes, Plan, Used], Plan]) -> None:
    """Change a running network to the plan that `make` returns of its present one.

    Args:
        network: the network, whose plan is the new one afterwards.
        attempt: what is being done, for errors.
        make: gets what changes plans, the plan, and which numbers interfaces have in the kernel.

    Raises:
        PrivilegeError: the kernel lacks what a new link is to do.
        EmuError: it cannot be done, or the kernel refused something; the network is as before.
    """
    sandbox = network.sandbox
    changes = Changes(network.plugins.addressing, network.plugins.routes)

    def changed(old: Plan) -> Plan:
        there = set(sandbox.ask("names").message["names"])  # one may be missing after a change that failed
        states = read_states(sandbox, [node.name for node in old.nodes if node.name in there], ())
        used = {node.name: states[node.name].links.keys() if node.name in there else () for node in old.nodes}
        new = make(changes, old, used)
        _check_features(sandbox, old, new)
        return new

    def carry_out(old: Plan, new: Plan) -> None:
        try:
            _carry_out(sandbox, old, new)
        except BaseException:
            with contextlib.suppress(EmuError, OSError):
                _carry_out(sandbox, new, old)
            raise

    network.change_plan(attempt, changed, carry_out)


def add_link(network: Network, first: str, second: str, attributes: Mapping[str, Any]) -> End:
    """Add a link to a running network and return one of its ends; see `emu.Network.add_link`."""
    before: set[tuple[End, End]] = set()

    def make(changes: Changes, plan: Plan, used: Used) -> Plan:
        before.clear()  # of an attempt that others were faster than
        before.update(link.ends for link in plan.links)
        return changes.add_link(plan, first, second, attributes, used)

    change(network, f"add {link_name(first, second)}", make)
    return next(link.ends[0] for link in network.plan.links if link.ends not in before)


def remove_link(network: Network, first: str, second: str | None) -> None:
    """Remove a link from a running network; see `emu.Network.remove_link`."""
    if second is None:
        attempt = f"remove the link of {first}"
    else:
        first, second = network[first].name, network[second].name
        attempt = f"remove {link_name(first, second)}"

    def make(changes: Changes, plan: Plan, _: Used) -> Plan:
        return changes.remove_link(plan, link_number(plan, first, second, attempt))

    change(network, attempt, make)


def _carry_out(sandbox: Sandbox, old: Plan, new: Plan) -> None:
    """Do what leads from one plan to the other; what is done already, or half done, is no obstacle."""
    answer = sandbox.ask("names").message
    namespaces = dict(zip(answer["names"], answer["namespaces"], strict=True))
    wanted = {node.name for node in new.nodes}
    added = [node for node in new.nodes if node.name not in namespaces]
    namespaces |= create_namespaces(sandbox, [node.name for node in added])
    write_settings(sandbox, added)
    furnish(sandbox, added)
    if sandbox.groups is not None or new.optional_shaping != ANYTHING:
        limit_nodes(sandbox, added)
    states = read_states(sandbox, list(namespaces), ())
    send(sandbox, list(_ringed_bridges(old, new, states)), {})
    _add_links(sandbox, new, states, namespaces, {node.name for node in added})
    there = {link.ends for link in new.links}
    gone = [link for link in old.links if link.ends not in there]
    send(sandbox, [request for link in gone for request in _removal(old, link, states)], {})
    sandbox.ask("remove", names=[name for name in namespaces if name not in wanted])
    _write_changed_settings(sandbox, old, new)
    _route(sandbox, old, new)
    write_hosts(sandbox, new)
    await_rings(sandbox, new)
    start_daemons(sandbox, added)


def _check_features(sandbox: Sandbox, old: Plan, new: Plan) -> None:
    """Check that the kernel can do what new links are to do, unless the network does without."""
    if not new.optional_shaping and (needs := needs_of(new)):
        check_new_needs(needs_of(old), needs, features_of(sandbox))


def _ringed_bridges(old: Plan, new: Plan, states: States) -> Iterator[Request]:
    """Yield what tells switches that they are on a ring, before the link that closes it is up."""
    before = {node.name: node.spanning_tree for node in old.nodes}
    for node in new.nodes:
        bridge = _bridge(states[node.name])
        if node.spanning_tree and not before.get(node.name, True) and bridge is not None:
            yield ChangeBridge(node.name, BRIDGE, bridge)


def _bridge(state: NodeState) -> int | None:
    """Return the number of a switch's bridge."""
    return next((index for index, link in state.links.items() if link.name == BRIDGE), None)


def _add_links(
    sandbox: Sandbox, new: Plan, states: States, namespaces: Mapping[str, int], added: set[str]
) -> None:
    """Make the links that are not there, set them up, and give them their addresses."""
    absent = {
        (node.name, one.name)
        for node in new.nodes for one in node.interfaces if one.index not in states[node.name].links
    }  # fmt: skip
    links = tuple(link for link in new.links if not absent.isdisjoint(link.ends))
    ends = {end for link in links for end in link.ends}
    nodes = [_missing(node, ends, node.name in added) for node in new.nodes]
    send(sandbox, link_operations(dataclasses.replace(new, links=links)), namespaces)
    fresh = dataclasses.replace(new, nodes=tuple(node for node in nodes if node.name in added), links=links)
    send(sandbox, up_operations(fresh), namespaces)
    for node in nodes:
        if node.name not in added:
            send(sandbox, list(_grown(node, states[node.name])), namespaces)
    part = dataclasses.replace(new, nodes=tuple(nodes), links=links)
    late = {node.name: [one.index for one in node.interfaces] for node in nodes if node.interfaces}
    await_interfaces(sandbox, late)
    send(sandbox, address_operations(part), namespaces)
    there = features_of(sandbox) if needs_of(part) else None  # which asks for nothing anyway
    send(sandbox, list(_shaping(part, there)), namespaces)
    if 6 in new.families:
        await_addresses(sandbox, list(late))


def _shaping(plan: Plan, there: Collection[str] | None) -> Iterator[Request]:
    """Yield what shapes new links; others, a schedule perhaps, may have set something on them by now."""
    for one in shaping_operations(plan, there):
        yield dataclasses.replace(one, replace=True) if isinstance(one, SetDiscipline | SetCurve) else one


def _missing(node: NodePlan, ends: set[End], added: bool) -> NodePlan:
    """Return a node with only the interfaces of links that are to be made, and a loopback if it is new."""
    interfaces = tuple(one for one in node.interfaces if (node.name, one.name) in ends)
    return dataclasses.replace(node, interfaces=interfaces, loopback=node.loopback if added else ())


def _grown(node: NodePlan, state: NodeState) -> Iterator[Request]:
    """Yield what sets the new interfaces of a node up that was there before."""
    bridge = _bridge(state)
    for one in node.interfaces:
        if one.altname:
            yield AddAltname(node.name, one.name, one.index, one.altname)
        if bridge is not None and node.kind is Kind.SWITCH:
            yield Enslave(node.name, one.name, one.index, BRIDGE, bridge)
        yield SetUp(node.name, one.name, one.index)


def _removal(plan: Plan, link: LinkPlan, states: States) -> Iterator[Request]:
    """Yield what takes a link away, by an end that is there under its name."""
    for node, name in link.ends:
        index = plan.interfaces[node, name].index
        present = states[node].links.get(index) if node in states else None
        if present is not None and present.name == name:
            yield DeleteLink(node, name, index)
            return


def _write_changed_settings(sandbox: Sandbox, old: Plan, new: Plan) -> None:
    """Write what nodes have differently now: the largest number of hops follows the network's size."""
    before = {node.name: dict(node.settings) for node in old.nodes}
    writes: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for node in new.nodes:
        known = before.get(node.name, dict(node.settings))
        if differing := tuple(pair for pair in node.settings if known.get(pair[0]) != pair[1]):
            writes.setdefault(differing, []).append(node.name)
    for settings, names in writes.items():
        send_settings(sandbox, names, settings)


def _route(sandbox: Sandbox, old: Plan, new: Plan) -> None:
    """Make the routes of one plan those of the other; through what is down they come when it is up."""
    before = {node.name: node.routes for node in old.nodes}

    def operations(states: States) -> list[Request]:
        found: list[Request] = []
        for node in new.nodes:
            wanted = attainable(node, node.routes, states[node.name].links)
            found += difference(node, before.get(node.name, RouteTable()), wanted, states[node.name])
        return found

    send_to_states(sandbox, [node.name for node in new.nodes], new.families, operations)
