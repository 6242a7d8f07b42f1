"""What this kernel can do for links, found out by trying, and what to say of what it cannot.

Each feature is tried in the sandbox's own network namespace, in which no node lives; what is made there is
taken away at once. The kernel loads a module for whoever asks, an unprivileged user too, if it lies on the
disk: a feature counts as there when it works. All together take a few milliseconds.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import BUILD_WITHOUT, PrivilegeError, joined
from ..kernel_parts import Kernel, Part, read_kernel, way_out
from .delivery import Batch, Refusal, exchange
from .filtering import NETLINK_NETFILTER, DropAtRandom, encode_removal
from .messages import (
    ACK,
    CREATE,
    DELQDISC,
    NESTED,
    NEW,
    NEWLINK,
    NEWQDISC,
    NEWTFILTER,
    REPLACE,
    REQUEST,
    ROOT,
    attribute,
    link,
    message,
    number,
    text,
    traffic,
)
from .seeds import keeps_seeds

if TYPE_CHECKING:
    from ..sandboxes.connection import Sandbox

# include/uapi/linux/{rtnetlink,pkt_sched,pkt_cls,if_link}.h
_LOOPBACK, _INGRESS, _INGRESS_HANDLE = 1, 0xFFFFFFF1, 0xFFFF0000
_TCA_KIND, _TCA_OPTIONS, _MATCHALL_ACTIONS, _ACT_KIND = 1, 2, 2, 1
#: A filter of the first priority, for all protocols (ETH_P_ALL).
_FIRST_FOR_ALL = 1 << 16 | socket.htons(3)
_IFLA_LINKINFO, _IFLA_NUM_TX_QUEUES, _INFO_KIND = 18, 31, 1
#: How the kernel says that it has no such kind: net/core/rtnetlink.c and net/sched/{sch,cls,act}_api.c.
#: Whatever else it says, about the options that are lacking here for example, comes from the kind itself.
_UNKNOWN = {errno.EOPNOTSUPP, errno.ENOENT}


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that a kernel can do for links, or not.

    Attributes:
        name: the kind, as `ip`, `tc` and `nft` call it; `redirect` is what matchall and mirred do together.
        parts: the parts of the kernel that it consists of.
        without: what it costs to lack it.
        trial: a netlink message that has no other fault than that the kernel may not know the kind, as
            its type, flags and body; None for what is tried in a way of its own.
        spawns: whether its module makes interfaces on the outer machine when it is loaded, so that
            it must not be tried before somebody did that.
        part_of: the feature that it is a part of, and that has to be there first.
        since: the kernel with which that feature got it.
    """

    name: str
    parts: tuple[Part, ...]
    without: str
    trial: tuple[int, int, bytes] | None = None
    spawns: bool = False
    part_of: str = ""
    since: str = ""

    def is_too_new(self, there: Collection[str]) -> bool:
        """Tell whether a kernel that has the features `there` lacks it for its age."""
        return self.name not in there and self.part_of in there


def _link(kind: str, option: str, without: str, module: str | None = None, spawns: bool = False) -> Feature:
    info = attribute(_IFLA_LINKINFO | NESTED, text(_INFO_KIND, kind))
    # No link has no queue at all: one of a known kind is refused, too, and nothing is made.
    trial = NEWLINK, NEW, link(0) + number(_IFLA_NUM_TX_QUEUES, 0) + info
    return Feature(kind, (Part(module or kind, option),), without, trial, spawns)


def _discipline(kind: str, major: int, without: str) -> Feature:
    # The kernel looks at the kind only when the handle is new.
    place = traffic(_LOOPBACK, major << 16, ROOT)
    trial = NEWQDISC, REQUEST | REPLACE | CREATE, place + text(_TCA_KIND, kind)
    return Feature(kind, (Part(f"sch_{kind}", f"NET_SCH_{kind.upper()}"),), without, trial)


def _redirect() -> tuple[Feature, Feature]:
    """Return what takes packets that come in to another interface: a place to do so, and how."""
    ingress = Part("sch_ingress", "NET_SCH_INGRESS")
    place = traffic(_LOOPBACK, _INGRESS_HANDLE, _INGRESS) + text(_TCA_KIND, "ingress")
    action = attribute(1, text(_ACT_KIND, "mirred"))
    classify = traffic(_LOOPBACK, 0, _INGRESS_HANDLE, _FIRST_FOR_ALL) + text(_TCA_KIND, "matchall")
    classify += attribute(_TCA_OPTIONS, attribute(_MATCHALL_ACTIONS, action))
    parts = ingress, Part("cls_matchall", "NET_CLS_MATCHALL"), Part("act_mirred", "NET_ACT_MIRRED")
    without = "no shaping of what comes in"
    return (
        Feature("ingress", (ingress,), without, (NEWQDISC, NEW, place)),
        Feature("redirect", parts, without, (NEWTFILTER, NEW, classify)),
    )


_AQM = "no queue of this kind on links"
_DISCIPLINES = {
    "netem": "no delay, jitter, duplicates, reordering or corruption on links",
    "tbf": "no rate limits on links without netem; pieces of 64 KB that TCP hands over count as one packet",
    "hfsc": "rates of links with such queues as fq_codel are less exact",
    "htb": "no rates shared by several kinds of traffic",
    **dict.fromkeys(("fq", "fq_codel", "codel", "pie", "red", "sfq", "cake"), _AQM),
}
#: What an older netem takes without a word, and leaves alone.
SEED = "netem seed"
#: The names of those that shape links; the others make them.
SHAPING = (*_DISCIPLINES, "numgen", SEED)
#: All features by name; those of links, then queue disciplines, then what works on packets that come in.
FEATURES: Mapping[str, Feature] = {
    one.name: one
    for one in (
        _link("veth", "VETH", "no network: links are veth pairs"),
        _link("bridge", "BRIDGE", "no switches"),
        _link("ifb", "IFB", "no shaping of what comes in", spawns=True),
        _link("vrf", "NET_VRF", "no virtual routers inside of a node"),
        _link("vlan", "VLAN_8021Q", "no VLANs", module="8021q"),
        _link("vxlan", "VXLAN", "no overlays"),
        _link("macvlan", "MACVLAN", "no interfaces that share another one's link"),
        *(_discipline(kind, major, cost) for major, (kind, cost) in enumerate(_DISCIPLINES.items(), start=1)),
        *_redirect(),
        Feature(
            "numgen",
            (
                Part("nf_tables", "NF_TABLES_NETDEV"),
                Part("nft_numgen", "NFT_NUMGEN"),
            ),
            "no random loss on links without netem",
        ),
        Feature(
            SEED,
            (Part("sch_netem", "NET_SCH_NETEM"),),
            "no losses that are the same ones each time",
            part_of="netem",
            since="Linux 6.6",
        ),
    )
}


def find_features(sandbox: Sandbox, names: Iterable[str] = FEATURES) -> frozenset[str]:
    """Return those of the named features that this kernel has.

    What would change the outer machine is not tried and counts as lacking: the module of `ifb` makes
    interfaces there when it is loaded.
    """
    chosen = [
        one for one in map(FEATURES.__getitem__, names)
        if not (one.spawns and _sleeps(one, read_kernel()))
    ]  # fmt: skip
    tried = [one for one in chosen if one.trial is not None]
    lacking = set(_unknown(sandbox, tried)) if tried else set()
    for name, has in (("numgen", _has_numgen), (SEED, keeps_seeds)):
        if any(one.name == name for one in chosen) and not has(sandbox):
            lacking.add(name)
    return frozenset(one.name for one in chosen) - lacking


def _unknown(sandbox: Sandbox, tried: list[Feature]) -> Iterator[str]:
    """Yield the names of those features that the kernel does not know."""
    refusals: list[Refusal] = []
    deque(exchange(sandbox, [_route_batch(tried)], refusals.append), maxlen=0)
    for refusal in refusals:
        if refusal.sequence < len(tried) and refusal.errno in _UNKNOWN:
            yield tried[refusal.sequence].name


def _has_numgen(sandbox: Sandbox) -> bool:
    """Tell whether packets that come in can be dropped at random: a rule for it is made and taken away."""
    refusals: list[Refusal] = []
    try:
        deque(exchange(sandbox, _transactions(), refusals.append), maxlen=0)
    except OSError:  # the kernel has no such protocol
        return False
    return not refusals


def _sleeps(feature: Feature, kernel: Kernel) -> bool:
    """Tell whether a feature's module would be loaded by asking for it."""
    return any(part.module in kernel.loadable - kernel.loaded for part in feature.parts)


def _route_batch(features: list[Feature]) -> Batch:
    """Return messages that try features, numbered in their order, and then take away what was made."""
    trials = [one.trial for one in features if one.trial is not None]
    parts = [message(kind, flags, sequence, body) for sequence, (kind, flags, body) in enumerate(trials)]
    last = len(trials)
    # Filters go with the discipline that they hang on.
    for parent in (ROOT, _INGRESS):
        asked = ACK if parent == _INGRESS else 0
        parts.append(message(DELQDISC, REQUEST | asked, last, traffic(_LOOPBACK, 0, parent)))
    return Batch(None, b"".join(parts), last)


def _transactions() -> list[Batch]:
    """Return transactions that make a filter with random numbers, and take it away again."""
    drop = DropAtRandom("", "lo", _LOOPBACK, 0.5)
    return [
        Batch(None, drop.encode(0, {}, acknowledge=True), drop.count - 1, NETLINK_NETFILTER),
        Batch(None, encode_removal(drop.count), drop.count, NETLINK_NETFILTER),
    ]


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a plan asks of the kernel.

    Attributes:
        feature: what it takes; a name of `FEATURES`.
        purpose: what for: `delay`.
        place: where: `HOST1-veth0 in HOST1`.
        otherwise: what does it, too, where the kernel lacks the feature.
        event: where the event of a schedule stands that asks for it, if one does.
    """

    feature: str
    purpose: str
    place: str
    otherwise: str | None = None
    event: str = ""


#: What keeps rates more exactly, and keeps queues from the sender's own limits.
_BETTER = ("netem", "hfsc")


def names_in(needs: Iterable[Need]) -> list[str]:
    """Return the names of all features that may do what is needed, and of those that make it better.

    tbf cuts what TCP hands over into packets.
    """
    found = list(needs)
    names = [name for need in found for name in (need.feature, need.otherwise) if name is not None]
    better = _BETTER if any(need.purpose in ("rate", "queue") for need in found) else ()
    return list(dict.fromkeys([*names, *(["tbf"] if names else []), *better]))


def unsupported(needs: Iterable[Need], there: Collection[str], kernel: Kernel) -> list[str]:
    """Return what cannot be had on a kernel that has the features `there`: a line for each that it lacks.

    Pure. A line names what it was for, the first place and how many more there are, and the way out.
    """
    return [_line(FEATURES[name], found, there, kernel) for name, found in _lacking(needs, there).items()]


def left_out(needs: Iterable[Need], there: Collection[str]) -> list[str]:
    """Return what cannot be had on a kernel that has the features `there`, each purpose once: `delay`."""
    lacking = (need for found in _lacking(needs, there).values() for need in found)
    return list(dict.fromkeys(need.purpose for need in lacking))


def _lacking(needs: Iterable[Need], there: Collection[str]) -> dict[str, list[Need]]:
    """Return the features that are not there, and nothing that does it, too, with what needs them."""
    found: dict[str, list[Need]] = {}
    for need in needs:
        if need.feature not in there and need.otherwise not in there:
            found.setdefault(need.feature, []).append(need)
    return {name: needed for name, needed in found.items() if FEATURES[name].part_of not in found}


def _line(feature: Feature, needs: list[Need], there: Collection[str], kernel: Kernel) -> str:
    purposes = joined(dict.fromkeys(need.purpose for need in needs))
    places = list(dict.fromkeys(need.place for need in needs))
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    cure = f"boot {feature.since} or newer" if feature.is_too_new(there) else way_out(feature.parts, kernel)
    event = f" ({needs[0].event})" if needs[0].event else ""
    return f"{purposes} on {places[0]}{event}{more}: this kernel lacks {feature.name}; to get it, {cure}"


def check_features(
    needs: Collection[Need], there: Collection[str], ignore: bool = False, optional: str = ""
) -> list[str]:
    """Check that the kernel has what is needed.

    Args:
        needs: what is needed.
        there: the features that it has.
        ignore: whether to go on without.
        optional: what all of it is for, where nobody asked for that: `delays from the map's distances`.

    Returns:
        With `ignore` a warning for each feature that it lacks, with `optional` one for all; else nothing.

    Raises:
        PrivilegeError: it lacks some; names all, each with the way out.
    """
    lacking = _lacking(needs, there)
    if not lacking:
        return []
    if optional:
        purposes = joined(dict.fromkeys(need.purpose for found in lacking.values() for need in found))
        lost = f"links carry packets without {purposes}"
        return [f"{optional} need {joined(lacking)}, which this kernel lacks: {lost}"]
    lines = unsupported(needs, there, read_kernel())
    if not ignore:
        raise PrivilegeError(f"{'; '.join(lines)}{BUILD_WITHOUT}")
    return lines


def check_new_needs(known: Iterable[Need], needs: Iterable[Need], there: Collection[str]) -> None:
    """Check that the kernel has what a change needs; what was needed before has been dealt with.

    Raises:
        PrivilegeError: it lacks some; names all, each with the way out.
    """
    before = {(one.feature, one.purpose) for one in known}
    fresh = [one for one in needs if (one.feature, one.purpose) not in before]
    if _lacking(fresh, there):
        raise PrivilegeError("; ".join(unsupported(fresh, there, read_kernel())))
