"""What the tests of captures share."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from pcapng import FileScanner, blocks

import emu

HOST1, HOST2 = "192.0.2.1", "198.51.100.1"


def read_back(path: Path) -> list[tuple[str, int, str, bytes]]:
    """Return the interface, stamp in ns, direction and data of each packet, as somebody else reads them."""
    with path.open("rb") as file:
        return [
            (
                one.interface.options["if_name"], one.timestamp_high << 32 | one.timestamp_low,
                one.options["epb_flags"].inout, one.packet_data,
            )
            for one in FileScanner(file) if isinstance(one, blocks.EnhancedPacket)
        ]  # fmt: skip


def send(network: emu.Network, count: int = 1, size: int = 4, port: int = 9) -> None:
    """Send numbered datagrams from HOST1 to HOST2, where nobody takes them."""
    with (
        network["HOST1"].socket(socket.AF_INET, socket.SOCK_DGRAM) as source,
        network["HOST2"].socket(socket.AF_INET, socket.SOCK_DGRAM) as target,
    ):
        target.bind((HOST2, port))  # or HOST2 says that the port is closed
        for number in range(count):
            source.sendto(struct.pack("!I", number) + bytes(size - 4), (HOST2, port))


def ping(network: emu.Network) -> None:
    network["HOST1"].run(["ping", "-c", "1", "HOST2"], capture_output=True, check=True)
