"""What a plan has is found by name, also after links were set anew."""

from __future__ import annotations

import networkx as nx
import pytest

import emu
from emu.errors import UsageError
from emu.finding import link_number
from emu.planning.plan import Plan
from emu.shaping import Shaping


@pytest.fixture
def plan() -> Plan:
    graph: nx.MultiGraph = nx.MultiGraph()
    graph.add_edges_from([("a router with a long name", "B"), ("B", "C"), ("B", "C")])
    return emu.plan_for(graph)


def test_everything_is_where_its_place_says(plan: Plan) -> None:
    shaped = plan.with_shapings({plan.links[1].ends[0]: Shaping(rate=1_000_000)})
    for one in (plan, shaped):
        assert [one.node(node.name) for node in one.nodes] == list(one.nodes)
        assert {end: one.interface(end) for end in one.interfaces} == one.interfaces
        assert all(
            one.places.links[end] == number for number, link in enumerate(one.links) for end in link.ends
        )
    assert shaped.interface(plan.links[1].ends[0]).shaping == Shaping(rate=1_000_000)
    assert shaped.interface(plan.links[1].ends[1]).shaping is None
    assert plan.interface(plan.links[1].ends[0]).shaping is None


def test_links_are_found_by_their_nodes_and_by_each_name_of_an_interface(plan: Plan) -> None:
    (first, name), (second, other) = plan.links[0].ends
    assert link_number(plan, first, second, "") == link_number(plan, second, first, "") == 0
    assert link_number(plan, "a router with a long name", "B", "") == 0
    names = [name, other, *filter(None, (plan.interface(end).altname for end in plan.links[0].ends))]
    assert len(names) > 2
    assert {link_number(plan, one, None, "") for one in names} == {0}


def test_parallel_links_are_told_apart(plan: Plan) -> None:
    first, second = (link.ends[0][1] for link in plan.links[1:])
    with pytest.raises(UsageError, match=f"there are 2; name an interface of one, {first} or {second}"):
        link_number(plan, "B", "C", "link")
    assert [link_number(plan, link.ends[0][1], None, "") for link in plan.links[1:]] == [1, 2]
    with pytest.raises(UsageError, match="there is none"):
        link_number(plan, plan.nodes[0].name, "C", "link")
