"""Neighbour entries for networks in which everybody talks to everybody.

The kernel bounds the neighbours that are learned by ARP or neighbour discovery: 1,024 of each family,
counted over all namespaces of the machine together (`gc_thresh3` in arp(7)), and only root on the outer
host could raise that. A hundred hosts on one segment have 9,900; beyond the bound the kernel drops
packets without a word. Entries that a control plane adds (NTF_EXT_LEARNED in
include/uapi/linux/neighbour.h) do not count; they age and are verified like learned ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph.attributes import Kind
from ..netlink.delivery import Batch, exchange
from ..netlink.messages import ACK, CREATE, FAMILY, REQUEST, attribute, message
from ..planning.plan import Plan

if TYPE_CHECKING:
    from ..running.network import Network

#: How many neighbours a network is left to learn: half of the bound, as others may share it.
LEARNED = 512

# include/uapi/linux/{rtnetlink,neighbour,sockios}.h
_NEIGHBOUR, _NEWNEIGH = struct.Struct("=BxxxiHBx"), 28
_NUD_REACHABLE, _NTF_EXT_LEARNED = 0x02, 0x10
_NDA_DST, _NDA_LLADDR = 1, 2
_SIOCGIFHWADDR = 0x8927


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a node is on a segment: its interface's name and number, and its address, as bytes."""

    node: str
    interface: str
    index: int
    address: bytes


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`known[i]` are those whom `attachments[i]` must know, as indices of `attachments`."""

    attachments: tuple[Attachment, ...]
    known: tuple[frozenset[int], ...]

    def __len__(self) -> int:
        return sum(map(len, self.known))


def neighbours_for(plan: Plan, family: int, pairs: Iterable[tuple[str, str]]) -> Neighbours:
    """Return who must know whose link-layer address for these pairs of nodes to talk. Pure.

    On each segment: the nodes of a pair one another, and everybody the routers.
    """
    attachments: list[Attachment] = []
    known: list[set[int]] = []
    on: dict[str, dict[int, int]] = {node.name: {} for node in plan.nodes}  # node → segment → attachment
    for segment, (members, routers) in enumerate(_members(plan, family)):
        numbers = range(len(attachments), len(attachments) + len(members))
        attachments += members
        known += [set(numbers) if one.node in routers else set() for one in members]
        for number, member in zip(numbers, members, strict=True):
            known[number].update(n for n in numbers if attachments[n].node in routers)
            on[member.node].setdefault(segment, number)
    for source, target in pairs:
        for segment in on[source].keys() & on[target].keys():
            here, there = on[source][segment], on[target][segment]
            known[here].add(there)
            known[there].add(here)
    return Neighbours(tuple(attachments), tuple(frozenset(them - {me}) for me, them in enumerate(known)))


def _members(plan: Plan, family: int) -> Iterable[tuple[list[Attachment], set[str]]]:
    """Yield the attachments and the names of the routers of each segment."""
    kinds = {node.name: node.kind for node in plan.nodes}
    for segment in plan.segments:
        yield [
            Attachment(*end, plan.interfaces[end].index, address.packed)
            for end in segment.interfaces
            for address in plan.interfaces[end].addresses if address.version == family
        ], {node for node, _ in segment.interfaces if kinds[node] is Kind.ROUTER}  # fmt: skip


def add_neighbours(network: Network, neighbours: Neighbours) -> None:
    """Let the nodes know their neighbours, as if they had learned them just now.

    What the kernel refuses, such as an interface that is gone, is left to ARP and neighbour discovery;
    an entry that a node has already keeps its link-layer address.
    """
    macs = _read_macs(network, neighbours)
    for _ in exchange(network.sandbox, _batches(neighbours, macs), lambda _: None):
        pass


def _batches(neighbours: Neighbours, macs: dict[int, bytes]) -> Iterator[Batch]:
    addresses = [one.address for one in neighbours.attachments]
    for one, known in zip(neighbours.attachments, neighbours.known, strict=True):
        wanted = [number for number in known if number in macs]
        if wanted:
            messages = b"".join(
                _message(one.index, addresses[number], macs[number], number == wanted[-1])
                for number in wanted
            )
            yield Batch(one.node, messages, last=1)


def _read_macs(network: Network, neighbours: Neighbours) -> dict[int, bytes]:
    """Return the link-layer address of each attachment whose interface is there (netdevice(7))."""
    by_node: dict[str, list[int]] = {}
    for number, one in enumerate(neighbours.attachments):
        by_node.setdefault(one.node, []).append(number)
    found = {}
    for node, numbers in by_node.items():
        with network[node].socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in numbers:
                request = struct.pack("16s24x", neighbours.attachments[number].interface.encode())
                with contextlib.suppress(OSError):
                    found[number] = fcntl.ioctl(sock, _SIOCGIFHWADDR, request)[18:24]
    return found


def _message(index: int, address: bytes, mac: bytes, last: bool) -> bytes:
    """Return the netlink message of `ip neighbour add ADDRESS lladdr MAC nud reachable extern_learn`.

    The last of a batch has a number of its own and asks for an answer, which ends the batch.
    """
    body = _NEIGHBOUR.pack(FAMILY[4 if len(address) == 4 else 6], index, _NUD_REACHABLE, _NTF_EXT_LEARNED)
    body += attribute(_NDA_DST, address) + attribute(_NDA_LLADDR, mac)
    return message(_NEWNEIGH, REQUEST | CREATE | (ACK if last else 0), int(last), body)
