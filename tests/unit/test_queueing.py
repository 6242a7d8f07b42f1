"""What shapes links is what `tc` sends for the commands that are printed for it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import emu
from emu.netlink.arrangement import layers_of
from emu.netlink.disciplines import Tbf
from emu.netlink.lowering import operations_for
from emu.netlink.messages import HEADER
from emu.netlink.operations import Request, SetUp
from emu.netlink.queueing import (
    Place,
    RemoveDiscipline,
    SetDiscipline,
    SetMtu,
    needs_of,
    shaping_operations,
)
from emu.netlink.rearranging import changes
from emu.netlink.service_curve import SetCurve
from emu.planning.plan import Plan
from emu.shaping import Shaping
from emu.shaping.merging import set_attributes
from emu.shaping.model import limit_in
from emu.shaping.possible import possible
from emu.topologies.two_segment import two_segment

from .shaped import requests, shaping

#: What iproute2 6.1.0 sent on x86-64 for each of the commands, with its sequence number set to zero and
#: without the tables of rates (TCA_TBF_RTAB). Captured by
#:     strace -e trace=sendmsg -e write=all COMMAND
#: in a namespace A with the interface A-veth0, which has the number 2. Of those with a distribution's table
#: there is the SHA-256 only; TC_LIB_DIR was a folder with emu's own tables, `emu.shaping.tables.table_of`.
CAPTURED: dict[str, str] = json.loads(Path(__file__).with_name("golden").joinpath("tc.json").read_text())
PLACE = Place("A", "A-veth0", 2)


def command(request: Request) -> str:
    (line,) = request.commands()
    return line


def parts(data: bytes, start: int, nested: bool = True) -> list[Any]:
    """Return a message's attributes, sorted, with those of TCA_OPTIONS taken apart where it holds some."""
    found = []
    while start + 4 <= len(data):
        size, kind = (int.from_bytes(data[start + at : start + at + 2], "little") for at in (0, 2))
        value: Any = data[start + 4 : start + size]
        if kind == 2 and nested and len(value) > 4:
            fixed = 24 if b"netem" in data else 0
            value = b"sfq" in data or (value[:fixed], parts(value, fixed, nested=False))
        found.append((kind, value))
        start += (size + 3) & ~3
    return sorted(found)


@pytest.mark.parametrize("request_", requests(), ids=command)
def test_messages_are_those_of_the_tc_command_but_for_the_order_of_options(request_: Request) -> None:
    ours, captured = request_.encode(0, {}, acknowledge=True), CAPTURED[command(request_)]
    if captured.startswith("sha256 "):
        assert f"sha256 {hashlib.sha256(ours).hexdigest()}" == captured
        return
    theirs = bytes.fromhex(captured)
    assert len(ours) == len(theirs)
    assert ours == theirs or (ours[:36], parts(ours, 36)) == (theirs[:36], parts(theirs, 36))


@pytest.mark.parametrize(
    ("attributes", "kinds"),
    [
        ({"rate": "10mbit"}, ["netem", "netem"]),
        ({"delay": "10ms", "loss": "1%"}, ["netem"]),
        ({"rate": "10mbit", "delay": "10ms"}, ["netem", "netem"]),
        ({"rate": "10mbit", "delay": "10ms", "loss": "1%"}, ["netem", "netem", "netem"]),
        ({"rate": "10mbit", "queue": "fq_codel"}, ["netem", "hfsc", "fq_codel"]),
        ({"rate": "10mbit", "queue": "bfifo", "limit": "64kb"}, ["netem", "hfsc", "bfifo"]),
        ({"rate": "10mbit", "delay": "1ms", "duplicate": "1%"}, ["netem", "hfsc", "pfifo"]),
        ({"queue": "fq"}, ["netem", "fq"]),
        ({"rate": "10mbit", "queue": "fq"}, ["netem", "tbf", "fq"]),
        ({"rate": "10mbit", "queue": "cake bandwidth 9mbit"}, ["netem", "tbf", "cake"]),
        ({"rate": "100gbit", "queue": "fq_codel"}, ["netem", "tbf", "fq_codel"]),
    ],
)  # fmt: skip
def test_what_stands_below_what(attributes: dict[str, Any], kinds: list[str]) -> None:
    layers = layers_of(shaping(**attributes))
    assert [layer.discipline.kind for layer in layers] == ["tbf", *kinds]
    assert [layer.parent for layer in layers] == [0, *(layer.major for layer in layers)][: len(layers)]
    majors = [layer.major for layer in layers]
    assert majors == sorted(majors)


@pytest.mark.parametrize(("mtu", "burst"), [(1500, "1578b"), (9000, "9078b")])
@pytest.mark.parametrize("there", [None, {"tbf"}, {"tbf", "netem"}])
def test_pieces_of_many_packets_are_cut_before_anything_else(
    mtu: int, burst: str, there: set[str] | None
) -> None:
    """A bucket has room for one packet, also for one with tags."""
    for attributes in ({"rate": "10mbit", "limit": 7}, {"loss": "1%"}, {"queue": "fq"}):
        root, *_ = layers_of(shaping(mtu=mtu, **attributes), there)
        assert root.discipline.words()[:4] == ["rate", "1000gbit", "burst", burst]


def test_a_kernel_without_what_cuts_them_does_the_rest() -> None:
    layers = layers_of(shaping(rate="10mbit"), there={"netem"})
    assert [(layer.discipline.kind, layer.parent) for layer in layers] == [
        ("netem", 0), ("netem", layers[0].major),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "before", "behind"),
    [
        ({"delay": "9ms", "jitter": "1ms", "loss": "1%"}, ["delay", "9ms", "1ms"], ["loss", "1%"]),
        ({"delay": "9ms", "loss": "1%", "seed": 7}, ["delay", "9ms"], ["loss", "1%", "seed", "7"]),
        ({"delay": "9ms", "jitter": "1ms", "seed": 7}, ["delay", "9ms", "1ms", "seed", "7"], None),
        ({"delay": "9ms", "corrupt": "1%"}, ["delay", "9ms"], ["corrupt", "1%"]),
        ({"delay": "9ms", "reorder": "5%"}, [], ["delay", "9ms", "reorder", "5%", "gap", "1"]),
    ],
)  # fmt: skip
def test_only_the_delay_comes_before_the_rate(
    attributes: dict[str, Any], before: list[str], behind: list[str] | None
) -> None:
    """What overtakes must not overtake the queue, and needs the delay for it."""
    _, first, pace, *last = layers_of(shaping(rate="10mbit", limit=50, **attributes))
    assert first.discipline.words() == ["limit", "1000000", *before]
    assert pace.discipline.words() == ["limit", "50", "rate", "10mbit"]
    assert [one.discipline.words() for one in last] == ([["limit", "1000000", *behind]] if behind else [])


def test_the_way_never_drops_what_the_queue_has_room_for() -> None:
    """Kernels count what is in the queue as being on the way, too."""
    for queue in ("fifo", "fq_codel"):
        _, way, *_ = layers_of(shaping(rate="1gbit", limit=5_000_000, queue=queue))
        assert int(way.discipline.words()[1]) > 5_000_000


def test_a_rate_does_without_netem() -> None:
    _, *layers = layers_of(shaping(rate="10mbit", limit=50), there={"tbf"})
    assert [layer.discipline.words() for layer in layers] == [
        ["rate", "10mbit", "burst", "5000b", "limit", "50b"], ["limit", "50"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"rate": "10mbit"}, {"rate": "1mbit"}),
        ({"rate": "10mbit"}, {"rate": "10mbit", "delay": "50ms", "loss": "1%"}),
        ({"rate": "10mbit", "delay": "50ms"}, {"rate": "10mbit"}),
        ({"delay": "50ms"}, {"delay": "50ms", "rate": "1mbit", "limit": 10}),
        ({"rate": "10mbit", "delay": "50ms"}, {}),
        ({"rate": "10mbit", "queue": "fq_codel"}, {"rate": "5mbit", "delay": "9ms", "queue": "fq_codel ecn"}),
        ({"delay": "5ms", "jitter": "1ms", "loss": "gemodel 1% 5%"}, {"delay": "5ms", "loss": "2%"}),
    ],
)
def test_changes_are_made_in_place(old: dict[str, Any], new: dict[str, Any]) -> None:
    found = changes(PLACE, shaping(**old), shaping(**new))
    assert found
    for one in found:
        assert isinstance(one, SetDiscipline | SetCurve)
        flags = HEADER.unpack_from(one.encode(0, {}, acknowledge=False))[2]
        assert flags == 0x501  # NLM_F_REQUEST, NLM_F_REPLACE, NLM_F_CREATE
    handles = {layer.major for layer in layers_of(shaping(**old))}
    assert {one.layer.major for one in found if isinstance(one, SetDiscipline)} <= handles | {2, 3, 4}


@pytest.mark.parametrize("queue", ["red", "cake", "sfq"])
def test_a_queue_of_any_length_can_be_asked_for(queue: str) -> None:
    for limit in ({"limit": 4_000_000_000}, {"limit": "1000s"}, {}):
        far = shaping(rate="1tbit", delay="100s", queue=queue, **limit)
        assert all(one.encode(0, {}, acknowledge=False) for one in changes(PLACE, None, far))


def test_a_limit_in_time_goes_with_a_rate_that_a_kernel_cannot_keep() -> None:
    """What the queue holds in it would be nothing."""
    found = possible(shaping(rate="1mbit", queue="fq_codel", limit="50ms"), {"netem", "fq_codel"})
    assert found == shaping(queue="fq_codel")


@pytest.mark.parametrize("queue", ["bfifo", "fifo", "red"])
def test_a_limit_in_time_has_room_for_a_frame_at_the_lowest_rate(queue: str) -> None:
    """A queue of 12 bytes would let nothing through."""
    short = shaping(rate="1mbit", limit="100us", queue=queue)
    assert limit_in(short, "bytes") == short.frame
    assert limit_in(short, "packets") == 1


def test_what_does_not_change_is_not_touched() -> None:
    same = shaping(rate="10mbit", delay="50ms", queue="fq_codel")
    assert changes(PLACE, same, same) == []
    other = shaping(rate="10mbit", delay="60ms", queue="fq_codel", limit=100)
    assert [one.layer.major for one in changes(PLACE, same, other) if isinstance(one, SetDiscipline)] == [2]


def test_a_queue_of_another_kind_is_a_new_one() -> None:
    found = changes(PLACE, shaping(rate="1mbit", queue="red"), shaping(rate="1mbit", queue="fq_codel"))
    removed = next(one for one in found if isinstance(one, RemoveDiscipline))
    assert command(removed) == "tc -n A qdisc del dev A-veth0 parent 5:1 handle 6:"
    assert found.index(removed) < len(found) - 1


@pytest.mark.parametrize(("old", "new", "place"), [(1500, 9000, -1), (9000, 1500, 0)])
def test_no_frame_comes_that_a_link_has_no_room_for(old: int, new: int, place: int) -> None:
    """All that holds frames has room for the longer ones while interfaces take those."""
    found = changes(PLACE, shaping(rate="1mbit", mtu=old), shaping(rate="1mbit", mtu=new))
    assert len(found) > 1
    assert found[place] == SetMtu("A", "A-veth0", 2, new)


def test_what_no_kernel_can_change_is_made_anew_or_left_alone() -> None:
    """sfq has no options that could be changed; a rate that changes would empty it again and again."""
    before = shaping(rate="10mbit", delay="50ms", queue="sfq")
    slower = shaping(rate="5mbit", delay="9ms", queue="sfq")
    found = changes(PLACE, before, slower)
    assert found
    assert not [one for one in found if isinstance(one, RemoveDiscipline) or "sfq" in command(one)]
    for other in (
        shaping(rate="10mbit", queue="sfq", limit=50),
        shaping(rate="10mbit", queue="sfq perturb 9"),
    ):
        kinds = [command(one).split()[4] for one in changes(PLACE, slower, other) if " 6:" in command(one)]
        assert kinds == ["del", "replace"]


@pytest.mark.parametrize("queued", [{"rate": "1mbit"}, {"queue": "fq_codel"}])
def test_a_tbf_that_loses_what_is_below_it_is_made_anew(queued: dict[str, Any]) -> None:
    """Else the kernel drops all: loss without netem needs nothing below the root."""
    found = changes(PLACE, shaping(loss="1%", **queued), shaping(loss="1%"), {"tbf", "numgen", "fq_codel"})
    assert [command(one).split()[3:8] for one in found] == [
        ["qdisc", "del", "dev", "A-veth0", "root"], ["qdisc", "replace", "dev", "A-veth0", "root"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "anew"),
    [
        ("fq_codel target 20ms noecn", "fq_codel target 20ms noecn", False),
        ("fq_codel target 20ms", "fq_codel target 9ms ecn", False),
        ("fq_codel ecn", "fq_codel noecn", False),
        ("fq_codel target 20ms noecn", "fq_codel noecn", True),
        ("fq_codel flows 512", "fq_codel flows 512 ecn", False),
        ("fq_codel flows 512", "fq_codel flows 256", True),
        ("fq_codel", "fq_codel flows 256", True),
        ("red ecn min 9kb", "red", False),
    ],
)
def test_a_queue_is_made_anew_where_a_change_could_not_make_what_is_wanted(
    old: str, new: str, anew: bool
) -> None:
    """The kernel keeps options that a change does not mention, and refuses to hear of flows."""
    found = changes(PLACE, shaping(rate="1mbit", queue=old), shaping(rate="2mbit", queue=new))
    assert any(isinstance(one, RemoveDiscipline) for one in found) == anew
    said = [command(one).partition(" limit ")[2] for one in found if " handle 6: " in command(one)]
    assert anew or not any("flows" in words for words in said)


def test_a_change_says_what_is_no_more() -> None:
    """The kernel keeps correlations, corruption, reordering and slots that a change does not mention."""
    before = shaping(delay="5ms", corrupt="1%", reorder="1%", slot="1ms", jitter="1ms", distribution="normal")
    (change,) = changes(PLACE, before, shaping(delay="5ms", jitter="1ms"))
    options = dict(
        next(value for kind, value in parts(change.encode(0, {}, acknowledge=False), 36) if kind == 2)[1]
    )
    assert [options[kind] for kind in (1, 3, 4, 12)] == [bytes(12), bytes(8), bytes(8), bytes(40)]
    assert len(options[2]) == 2 * 4096  # a uniform table in the place of the normal one


def shaped_plan(**attributes: Any) -> Plan:
    graph = two_segment()
    graph.edges["HOST1", "ROUTER"].update(attributes)
    return emu.plan_for(graph)


def test_links_that_are_not_shaped_have_no_queue_disciplines() -> None:
    assert shaping_operations(shaped_plan()) == []
    assert shaping_operations(shaped_plan(mtu=9000)) == [
        SetMtu("HOST1", "HOST1-veth0", 2, 9000), SetMtu("ROUTER", "ROUTER-veth0", 2, 9000),
    ]  # fmt: skip
    shaped = shaping_operations(shaped_plan(delay="10ms"))
    assert {one.name for one in shaped if isinstance(one, SetDiscipline)} == {"HOST1-veth0", "ROUTER-veth0"}


def test_links_are_shaped_before_they_are_up() -> None:
    operations = operations_for(shaped_plan(rate={"HOST1": "1mbit"}, delay="10ms"))
    shaped = max(index for index, one in enumerate(operations) if isinstance(one, SetDiscipline))
    assert shaped < min(index for index, one in enumerate(operations) if isinstance(one, SetUp))


def test_what_is_asked_of_the_kernel() -> None:
    plan = shaped_plan(rate={"HOST1": "1mbit"}, delay={"ROUTER": "10ms"}, queue={"HOST1": "fq_codel"})
    assert {(one.feature, one.purpose, one.place) for one in needs_of(plan)} == {
        ("hfsc", "rate", "HOST1-veth0 in HOST1"), ("fq_codel", "queue", "HOST1-veth0 in HOST1"),
        ("netem", "delay", "ROUTER-veth0 in ROUTER"),
    }  # fmt: skip


def test_nothing_needs_nothing() -> None:
    assert layers_of(None) == layers_of(Shaping()) == ()


def test_a_bucket_that_each_step_of_a_trace_fills_is_small() -> None:
    steady = shaping(rate="100mbit")
    sizes = [
        layer.discipline.burst
        for one in (steady, dataclasses.replace(steady, varies=True))
        for layer in layers_of(one, {"tbf"}) if isinstance(layer.discipline, Tbf) and layer.parent
    ]  # fmt: skip
    assert sizes == [50_000, 1578]


@pytest.mark.parametrize("attributes", [{"loss": "1%"}, {"delay": "9ms"}, {"rate": "5mbit"}])
def test_setting_something_amid_a_trace_leaves_its_queue(attributes: dict[str, Any]) -> None:
    """Nor does the trace's next step begin it anew."""
    traced = dataclasses.replace(shaping(rate="10mbit"), varies=True)
    after, back = set_attributes((traced, None), attributes, ("A", "B"))
    assert after is not None
    assert back is not None
    assert not back.varies
    assert not any(isinstance(one, RemoveDiscipline) for one in changes(PLACE, traced, after))
    none, _ = set_attributes((after, back), {"rate": None, "loss": "1%"}, ("A", "B"))
    assert none is not None
    assert not none.varies


def test_values_of_the_other_end_are_not_passed_over_where_one_direction_is_meant() -> None:
    with pytest.raises(ValueError, match="rate names the other end, but only what leaves A is to change"):
        set_attributes((None, None), {"rate": {"B": "1mbit"}}, ("A", "B"), source="A")
    here, there = set_attributes((None, None), {"rate": {"A": "1mbit"}}, ("A", "B"), source="A")
    assert (here, there) == (shaping(rate="1mbit"), None)
