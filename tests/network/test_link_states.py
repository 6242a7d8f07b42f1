"""Links that are cut and mended while others are down, or somebody else cuts them again."""

from __future__ import annotations

from typing import Any

import pytest

import emu
from emu.link_control import states
from emu.netlink.delivery import send
from emu.netlink.operations import SetUp
from emu.netlink.present import read_states
from emu.netlink.readiness import await_interfaces

from .helpers import WITHIN

pytestmark = pytest.mark.emu("line", families=(4, 6))


def test_links_of_a_node_come_back_one_by_one(net: emu.Network) -> None:
    links = [net.link(first[0], second[0]) for first, second in (link.ends for link in net.plan.links)]
    for link in links:
        link.down()
    for link in links:
        link.up()
    for family in (4, 6):
        assert net.ping_all(family=family, timeout=WITHIN).ok


def test_a_link_may_be_cut_by_others_while_it_is_mended(
    net: emu.Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = net.link("HOST1", "ROUTER1")

    def cut_behind(*arguments: Any) -> bool:
        found = await_interfaces(*arguments)
        link.down()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(states, "await_interfaces", cut_behind)
        link.down().up()
    assert not net.ping_all(timeout=0.2).ok
    link.up()
    assert net.ping_all(timeout=WITHIN).ok


def test_nodes_and_links_are_added_while_a_link_is_down(net: emu.Network) -> None:
    link = net.link("HOST1", "ROUTER1").down()
    net.add_node("HOST3")
    net.add_link("HOST3", "ROUTER1")
    link.up()
    for family in (4, 6):
        assert net.ping_all(family=family, timeout=WITHIN).ok


def test_a_node_that_others_have_removed_is_told_in_emu_s_words(net: emu.Network) -> None:
    node = net.plan.node("HOST2")
    net.remove_node("HOST2")
    with pytest.raises(emu.EmuError, match="a node is gone"):
        await_interfaces(net.sandbox, {node.name: [one.index for one in node.interfaces]})
    with pytest.raises(emu.EmuError, match="a node is gone"):
        read_states(net.sandbox, [node.name], ())
    with pytest.raises(emu.EmuError, match="a node is gone"):
        send(net.sandbox, [SetUp(node.name, one.name, one.index) for one in node.interfaces], {})
