"""Built-in topologies as running networks: every address is reached, over both families."""

from __future__ import annotations

from typing import Any

import pytest

import emu
from emu.hooks.plugin_manager import default_plugins


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("two_hosts", {}),
        ("three_hosts", {}),
        ("one_router", {}),
        ("two_routers", {}),
        ("single", {"hosts": 12}),
        ("linear", {"switches": 4, "hosts": 2}),
        ("tree", {"depth": 3, "fanout": 2}),
        ("star", {"hosts": 8}),
        ("line", {"routers": 8}),
        ("ring", {"routers": 5}),
        ("mesh", {"routers": 5}),
        ("grid", {"rows": 2, "columns": 3}),
        ("torus", {"rows": 3, "columns": 3, "hosts": False}),
        ("dumbbell", {"left": 3, "right": 3}),
        ("parking_lot", {"hops": 3}),
        ("leaf_spine", {"leaves": 4, "spines": 3, "hosts": 2}),
        ("fat_tree", {"k": 4}),
        ("internet", {"systems": 12}),
    ],
)
def test_all_reach_all(name: str, parameters: dict[str, Any]) -> None:
    graph = default_plugins().topologies[name](**parameters)
    with emu.Network(graph) as net:
        results = net.ping_all(timeout=5)  # a lost ARP request is repeated after a second, on a busy machine
    assert results.ok, results.unreachable[:10]
    ends = sum(attributes["kind"] != "switch" for _, attributes in graph.nodes(data=True))
    assert results.families == (4, 6)
    assert results.sent == 2 * ends * (ends - 1)
