"""What the parts of `emu.Network` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .network import Network


class Facet:
    """A part of `Network`: methods that belong together."""

    @property
    def _itself(self) -> Network:
        """The whole network, of which the part is one of several base classes."""
        return cast("Network", self)
