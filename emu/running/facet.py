"""What the parts of `emu.Network` have in common."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

from ..errors import NotRunning

if TYPE_CHECKING:
    from .network import Network


class Facet:
    """A part of `Network`: methods that belong together."""

    @property
    def _itself(self) -> Network:
        """The whole network, of which the part is one of several base classes."""
        return cast("Network", self)

    @property
    def _current(self) -> Network:
        """The whole network, with its plan as others, such as another prompt, have changed it since.

        What reads the plan begins with this: one question to the keeper, who answers with a number where
        nothing has changed. A network that is not running is as it was planned.
        """
        network = self._itself
        if network._sandbox is not None:
            with contextlib.suppress(NotRunning):
                network.refresh()
        return network
