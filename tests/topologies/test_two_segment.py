"""The founding example: two hosts, a router between them."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys

import pytest

import emu
import emu.topologies.two_segment as module
from emu.errors import PlanError, TopologyError
from emu.topologies.two_segment import two_segment


def test_its_order_size_and_degrees() -> None:
    graph = two_segment()
    assert (graph.order(), graph.size()) == (3, 2)
    assert dict(graph.degree) == {"HOST1": 1, "ROUTER": 2, "HOST2": 1}


def test_one_prefix_per_segment() -> None:
    plan = emu.plan_for(two_segment())
    prefixes = [str(prefix) for segment in plan.segments for prefix in segment.prefixes]
    assert prefixes == ["192.0.2.0/24", "198.51.100.0/24"]


def test_both_prefixes_can_be_chosen() -> None:
    plan = emu.plan_for(two_segment("10.1.0.0/16", "10.2.0.0/30"))
    first = [str(node.addresses[0]) for node in plan.nodes]
    assert first == ["10.1.0.1/16", "10.1.255.254/16", "10.2.0.1/30"]


def test_ipv6_prefixes_can_be_chosen() -> None:
    plan = emu.plan_for(two_segment("2001:db8:1::/64", "2001:db8:2::/64"), families=(6,))
    assert str(plan.node("HOST2").addresses[0]) == "2001:db8:2::1/64"


@pytest.mark.parametrize(
    ("network1", "network2", "fault"),
    [
        ("192.0.2.0/24", "192.0.2.128/25", "overlap"),
        ("192.0.2.0/24", "192.0.2.0/24", "overlap"),
        ("192.0.2.1/24", "198.51.100.0/24", "host bits set"),
        ("nonsense", "198.51.100.0/24", "does not appear to be"),
        ("224.0.0.0/24", "198.51.100.0/24", "no interface can have"),
    ],
)
def test_prefixes_that_cannot_be(network1: str, network2: str, fault: str) -> None:
    with pytest.raises(TopologyError, match=fault):
        emu.plan_for(two_segment(network1, network2))


def test_a_prefix_that_is_too_small() -> None:
    with pytest.raises(PlanError, match="too few addresses"):
        emu.plan_for(two_segment("192.0.2.0/32"))


def test_its_documentation_is_true() -> None:
    assert doctest.testmod(module).attempted == 1
    assert doctest.testmod(module).failed == 0


PROGRAM = """
import emu, networkx as nx
letters = frozenset("abc")
graph = nx.Graph([(letters, frozenset("bcd")), (letters, object()), (("x", 1), frozenset())])
print(emu.plan_for(graph).to_json())
"""


def test_the_plan_of_any_graph_is_the_same_in_every_process() -> None:
    plans = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "1", "42")
    }
    assert len(plans) == 1
