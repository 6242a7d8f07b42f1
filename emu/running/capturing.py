"""What of a running network's packets can be captured, as a method of `emu.Network`."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .facet import Facet

if TYPE_CHECKING:
    from ..capture.handle import Capture
    from .node import Node


class Capturing(Facet):
    """The part of `Network` that captures packets."""

    _captures: weakref.WeakSet[Capture] | None = None

    def capture(
        self,
        what: Node | str | Sequence[str] = "*",
        path: str | os.PathLike[str] | int | None = None,
        filter: str = "",  # noqa: A002  # what everybody calls it
        *,
        buffer: int | None = None,
    ) -> Capture:
        """Begin to capture packets, and return the capture: a context manager that yields them.

        Args:
            what: an interface, a node with all of its interfaces, `NODE:INTERFACE`, `NODE--NODE` for both
                ends of a link; or several of these. Default everything.
            path: a file for the packets, in the format pcapng; what it held is lost. Without one, packets
                are kept in memory.
            filter: which packets, in the language of tcpdump (pcap-filter(7)); default all.
            buffer: bytes that packets of each node wait in until they are written; default 32 MiB, or
                less with many nodes.

        Raises:
            UsageError: there is no such interface or node, or a mistake in the filter.
            EmuError: the file cannot be written, or there is no libpcap for a filter.
            KernelError: the kernel refused something.
        """
        from ..capture.handle import Capture

        network = self._current
        if not isinstance(what, str | Sequence):  # what the graph calls a node
            what = network[what].name
        begun = Capture(network.sandbox, network.plan, what, path, filter, buffer=buffer)
        self._captures = self._captures if self._captures is not None else weakref.WeakSet()
        self._captures.add(begun)
        return begun

    def end_captures(self) -> None:
        """End all captures, so that their files are complete; done when the network ends, too."""
        for begun in list(self._captures or ()):
            begun.close()
