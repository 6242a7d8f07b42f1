"""Built-in topologies as running networks: every address is reached, over both families."""

from __future__ import annotations

from typing import Any

import pytest

from emu.testing import NetworkFactory


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
def test_all_reach_all(name: str, parameters: dict[str, Any], emu_network: NetworkFactory) -> None:
    net = emu_network(name, **parameters)
    results = net.ping_all(timeout=10)  # a lost ARP request is repeated after a second, on a busy machine
    assert results.ok, results.unreachable[:10]
    ends = sum(node.kind != "switch" for node in net)
    assert results.families == (4, 6)
    assert results.sent == 2 * ends * (ends - 1)
