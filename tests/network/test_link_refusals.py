"""What becomes of a link when the kernel refuses a change of it."""

from __future__ import annotations

from typing import Any

import pytest

import emu
from emu.link_control import applying
from emu.netlink.operations import Request
from emu.netlink.queueing import Place, RemoveDiscipline
from emu.netlink.rearranging import changes

pytestmark = pytest.mark.emu("two_segment")


def kernel_state(net: emu.Network) -> list[str]:
    """Return what the kernel does at HOST1's end of its link: queue disciplines, and the MTU."""
    words = ["tc", "qdisc", "show", "dev", "HOST1-veth0"]
    done = net["HOST1"].run(words, capture_output=True, text=True, check=True)
    mtu = net["HOST1"].run(["cat", "/sys/class/net/HOST1-veth0/mtu"], capture_output=True, text=True)
    return [mtu.stdout, *sorted(done.stdout.splitlines())]


@pytest.mark.parametrize("before", [{}, {"rate": "10mbit", "limit": 33, "mtu": 1400}], ids=str)
def test_a_change_that_is_refused_half_way_leaves_all_as_it_was(
    net: emu.Network, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any]
) -> None:
    link = net.link("HOST1", "ROUTER")
    link.set(rate="1mbit").clear().set(**before or {"rate": None})
    shaping, state = link.shaping, kernel_state(net)
    to_refuse = ["either", "direction"]

    def refused_at_last(place: Place, *shapings: Any) -> list[Request]:
        refused = RemoveDiscipline(place.node, place.name, place.index, 0x99, 0)
        return [*changes(place, *shapings), *([refused] if to_refuse and to_refuse.pop() else [])]

    monkeypatch.setattr(applying, "changes", refused_at_last)
    with pytest.raises(emu.KernelError):
        link.set(rate="5mbit", queue="bfifo", limit="9kb", mtu=1300)
    assert link.shaping == shaping
    assert kernel_state(net) == state
    link.set(rate="7mbit")
    assert any("7Mbit" in line for line in kernel_state(net))


def test_what_others_have_put_on_an_interface_stays(net: emu.Network) -> None:
    words = ["tc", "qdisc", "add", "dev", "HOST1-veth0", "root", "pfifo", "limit", "7"]
    net["HOST1"].run(words, check=True)
    link = net.link("HOST1", "ROUTER")
    link.set(mtu=1400)
    link.clear()
    assert any("pfifo" in line for line in kernel_state(net))
    link.set(rate="1mbit").clear()
    assert not any("qdisc pfifo" in line for line in kernel_state(net))
