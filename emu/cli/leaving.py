"""Leaving on a signal: in an orderly way, and for certain."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from ..errors import Terminated

#: How long an exception may take to be on its way before it is raised again, in seconds.
_PATIENCE = 0.1


@contextlib.contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Turn signals that end a command into an exit: the network is ended, the terminal put back.

    Those that whoever started the command had it ignore, as `nohup` does, stay ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    report = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if isinstance(lost.exc_value, Terminated) else report(lost)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = report


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """Raise Terminated, and again for as long as it is lost.

    Python drops exceptions in places where nobody could catch them, among which are the callbacks that
    run during an import, and imports take most of the time before the prompt.
    """

    def insist(*_: object) -> None:
        if not _on_the_way(sys.exc_info()[1]):
            raise Terminated(128 + number)

    signal.signal(signal.SIGALRM, insist)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE, _PATIENCE)
    raise Terminated(128 + number)


def _on_the_way(error: BaseException | None) -> bool:
    """Tell whether what is being handled is, or came on top of, a signal's exception."""
    while error is not None and not isinstance(error, Terminated):
        error = error.__context__
    return error is not None
