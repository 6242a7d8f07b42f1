"""What a plan asks of the kernel, against what the kernel has."""

from __future__ import annotations

import struct

import pytest

import emu
from emu.errors import PrivilegeError
from emu.kernel_parts import Kernel
from emu.netlink.features import FEATURES, SEED, Need, check_new_needs, unsupported
from emu.netlink.messages import NEWQDISC, ROOT, attribute, message, text, traffic
from emu.netlink.queueing import needs_at
from emu.netlink.seeds import has_seed
from emu.schedules import check_schedule
from emu.shaping.possible import possible
from emu.topologies.two_segment import two_segment

from .shaped import shaping

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


def test_a_line_names_the_event_that_needs_what_is_not_there() -> None:
    graph = two_segment()
    at = {"link": ["HOST1", "ROUTER"], "from": "HOST1"}
    graph.graph["schedule"] = [
        {"at": 1, **at, "set": {"rate": "1mbit"}}, {"at": 2, **at, "set": {"delay": "5ms"}},
        {"at": 3, **at, "set": {"jitter": "1ms"}},
    ]  # fmt: skip
    plan = emu.plan_for(graph)
    _, given = check_schedule(plan.schedule, plan)
    needs = [need for end, shaping, event in given for need in needs_at(*end, shaping, event)]
    (line,) = unsupported(needs, {"tbf"}, MODULES)
    assert line.startswith(
        "delay and jitter on HOST1-veth0 in HOST1 (schedule event 2): this kernel lacks netem"
    )


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


def test_a_kernel_that_is_too_old_for_seeds_is_told_from_one_without_netem() -> None:
    needs = [Need("netem", "jitter", "A-veth0"), Need(SEED, "seed", "A-veth0")]
    (line,) = unsupported(needs, {"netem"}, MODULES)
    assert line == "seed on A-veth0: this kernel lacks netem seed; to get it, boot Linux 6.6 or newer"
    (line,) = unsupported(needs, (), MODULES)
    assert line.startswith("jitter on A-veth0: this kernel lacks netem; ")
    assert unsupported(needs, {"netem", SEED}, MODULES) == []
    seeded = shaping(delay="5ms", jitter="1ms", seed=3)
    assert possible(seeded, {"netem", SEED}) == seeded
    assert possible(seeded, {"netem"}) == shaping(delay="5ms", jitter="1ms")


def _answer(kind: str, *attributes: bytes) -> bytes:
    """Return how the kernel lists one queue discipline."""
    options = attribute(2, struct.pack("=6I", 0, 1, 0, 0, 0, 0) + b"".join(attributes))
    return message(NEWQDISC, 2, 1, traffic(1, 1 << 16, ROOT) + text(1, kind) + options)


def test_a_seed_is_there_when_it_can_be_read_back() -> None:
    correlations, seed = attribute(1, bytes(12)), attribute(14, struct.pack("=Q", 1))
    assert has_seed(_answer("netem", correlations, seed))
    assert has_seed(_answer("pfifo") + _answer("netem", seed))
    assert not has_seed(_answer("netem", correlations))
    assert not has_seed(_answer("fq", seed))
    assert not has_seed(b"")
