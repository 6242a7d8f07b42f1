"""What a plan asks of the kernel, against what the kernel has."""

from __future__ import annotations

import pytest

from emu.errors import PrivilegeError
from emu.kernel_parts import Kernel
from emu.netlink.features import FEATURES, Need, check_new_needs, unsupported

MODULES = Kernel("6.1", loadable=frozenset({"sch_netem"}))


def test_nothing_is_said_of_what_is_there() -> None:
    assert unsupported([Need("tbf", "rate", "A-veth0")], {"tbf", "netem"}, MODULES) == []


def test_a_line_for_each_feature_names_purposes_places_and_the_way_out() -> None:
    needs = [
        *(Need("netem", purpose, "A-veth0") for purpose in ("delay", "jitter")),
        Need("tbf", "rate", "A-veth0"),
        *(Need("netem", "delay", place) for place in ("B-veth0", "C-veth0")),
        Need("cake", "queue", "B-veth0"),
    ]
    netem, cake = unsupported(needs, {"tbf"}, MODULES)
    assert netem == (
        "delay and jitter on A-veth0 and 2 more: this kernel lacks netem; "
        "to get it, 'sudo modprobe sch_netem'"
    )
    assert cake.startswith("queue on B-veth0: this kernel lacks cake; to get it, boot a kernel with")
    assert "CONFIG_NET_SCH_CAKE" in cake


def test_another_way_to_have_it_will_do() -> None:
    need = Need("netem", "loss", "A-veth0", otherwise="numgen")
    assert unsupported([need], {"numgen"}, MODULES) == []
    (line,) = unsupported([need], {"tbf"}, MODULES)
    assert line.startswith("loss on A-veth0: this kernel lacks netem; ")


def test_every_feature_says_what_it_costs_to_lack_it() -> None:
    assert all(one.without and one.parts for one in FEATURES.values())
    assert all(name == one.name for name, one in FEATURES.items())


def test_a_change_is_refused_for_what_it_adds_and_not_for_what_was_there() -> None:
    delay, cake = Need("netem", "delay", "A-veth0"), Need("cake", "queue", "B-veth0")
    check_new_needs([delay], [delay], frozenset())
    with pytest.raises(PrivilegeError, match=r"^queue on B-veth0: this kernel lacks cake"):
        check_new_needs([delay], [delay, cake], frozenset())
