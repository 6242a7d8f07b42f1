"""Loss by nftables, measured packet by packet.

Packets of a protocol of our own (an EtherType for local experiments, IEEE 802) go through packet sockets:
the one that receives is bound to the protocol, so that it is behind the filter.
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import time
from collections.abc import Iterator

import networkx as nx
import pytest

import emu
from emu.netlink.delivery import send
from emu.netlink.features import FEATURES, Need, check_features, find_features
from emu.netlink.filtering import DropAtRandom
from emu.testing import NetworkFactory

from .helpers import WITHIN

PROTOCOL = 0x88B5
COUNT = 20_000
#: Packets are sent in so many at once, which fit any socket's buffer.
_VOLLEY = 100
#: Chance errors beyond so many standard deviations come once in a million times.
_DEVIATIONS = 5


class Path:
    """A link on which packets are counted at its end."""

    def __init__(self, net: emu.Network, source: str, target: str) -> None:
        self.net, self.target = net, target
        self._sending = net[source].socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._receiving = net[target].socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._sending.bind((net[source].interfaces[0].name, 0))
        self.interface = net[target].interfaces[0]
        self._receiving.bind((self.interface.name, PROTOCOL))
        self._receiving.setblocking(False)
        self._frame = b"\xff" * 6 + bytes(6) + struct.pack("!H", PROTOCOL) + bytes(46)

    def close(self) -> None:
        """Close both sockets."""
        self._sending.close()
        self._receiving.close()

    def lose(self, share: float) -> None:
        """Make the link lose packets, from now on."""
        send(
            self.net.sandbox,
            [DropAtRandom(self.target, self.interface.name, self.interface.index, share)],
            {},
        )

    def dropped(self) -> int:
        """Return how many packets the filter has dropped."""
        (one,) = (one for one in self.net.counters() if one.target == self.target)
        return one.loss_drops

    def arriving(self, count: int) -> int:
        """Send packets and return how many arrive."""
        dropped, arrived = self.dropped(), 0
        for _ in range(count // _VOLLEY):
            for _ in range(_VOLLEY):
                self._sending.send(self._frame)
            arrived += self._drain()
        deadline = time.monotonic() + WITHIN
        while arrived + self.dropped() - dropped < count and time.monotonic() < deadline:
            arrived += self._drain()
        assert arrived + self.dropped() - dropped == count
        return arrived

    def _drain(self) -> int:
        found = 0
        while True:
            try:
                self._receiving.recv(100)
            except BlockingIOError:
                return found
            found += 1


@pytest.fixture(scope="module")
def net(emu_network: NetworkFactory) -> emu.Network:
    # Without IPv6, whose nodes speak by themselves, all packets are the tests' own.
    net = emu_network(nx.path_graph(["A", "B"]), families=4)
    if "numgen" not in find_features(net.sandbox, ["numgen"]):
        pytest.skip("this kernel has no nftables with numgen")
    return net


@pytest.fixture
def path(net: emu.Network) -> Iterator[Path]:
    with contextlib.closing(Path(net, "A", "B")) as found:
        yield found
        found.lose(0)


@pytest.mark.parametrize("share", [0.001, 0.05])
def test_share_of_packets_that_is_lost(path: Path, share: float) -> None:
    path.lose(share)
    lost = COUNT - path.arriving(COUNT)
    spread = math.sqrt(COUNT * share * (1 - share))
    assert abs(lost - COUNT * share) < _DEVIATIONS * spread


def test_losses_are_single_packets(path: Path) -> None:
    """Packets are lost independently of each other: neither in turn nor in bursts."""
    path.lose(0.5)
    parts = [path.arriving(_VOLLEY) for _ in range(100)]
    mean = sum(parts) / len(parts)
    variance = sum((one - mean) ** 2 for one in parts) / (len(parts) - 1)
    expected = _VOLLEY / 4  # of a binomial distribution
    assert abs(variance / expected - 1) < _DEVIATIONS * math.sqrt(2 / (len(parts) - 1))


def test_loss_changes_while_packets_flow_and_goes_on_counting(path: Path) -> None:
    path.lose(1)
    assert path.arriving(_VOLLEY) == 0
    before = path.dropped()
    path.lose(0)
    assert path.arriving(_VOLLEY) == _VOLLEY
    assert path.dropped() == before
    path.lose(1)
    assert path.arriving(_VOLLEY) == 0
    assert path.dropped() == before + _VOLLEY


def test_only_one_direction_loses(net: emu.Network, path: Path) -> None:
    path.lose(1)
    with contextlib.closing(Path(net, "B", "A")) as back:
        assert back.arriving(_VOLLEY) == _VOLLEY


def test_trying_features_leaves_nothing(net: emu.Network) -> None:
    there = find_features(net.sandbox)
    assert "veth" in there
    assert there == find_features(net.sandbox)
    shown = net.popen(["ip", "-o", "link"], stdout=-1)
    interfaces = [line.split(": ")[1] for line in shown.communicate()[0].decode().splitlines()]
    assert interfaces == ["lo"]


def test_what_is_lacking_is_refused_with_the_way_out_or_warned_of(net: emu.Network) -> None:
    lacking = sorted(FEATURES.keys() - find_features(net.sandbox))
    if not lacking:
        pytest.skip("this kernel has everything")
    needs = [Need("veth", "link", "A-veth0"), Need(lacking[0], "purpose", "A-veth0")]
    there = find_features(net.sandbox)
    assert check_features(needs[:1], there) == []
    (warning,) = check_features(needs, there, ignore=True)
    assert warning.startswith(f"purpose on A-veth0: this kernel lacks {lacking[0]}; to get it, ")
    with pytest.raises(emu.PrivilegeError) as refused:
        check_features(needs, there)
    assert warning in str(refused.value)
    assert "--ignore-unsupported" in str(refused.value)
    assert "\n" not in str(refused.value)
