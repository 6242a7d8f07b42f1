"""Leaving on a signal: in an orderly way, and for certain."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import termios
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

from ..errors import Terminated
from ..progress_bar import put_away

#: How long an exception may take to be on its way before it is raised again, in seconds.
_PATIENCE = 0.1
#: How long an orderly exit may take, in seconds; the keeper needs its part of the two that all may take.
_DEADLINE = 1.2


@contextlib.contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Turn signals that end a command into an exit: the network is ended, the terminal put back.

    Those that whoever started the command had it ignore, as `nohup` does, stay ignored.
    """
    leaving = _Leaving()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leaving.leave)
    report = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if isinstance(lost.exc_value, Terminated) else report(lost)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = report


class _Leaving:
    """What happens on a signal, and the settings of the terminal to go back to."""

    def __init__(self) -> None:
        self._settings: list[Any] | None = None
        self._status = 0
        with contextlib.suppress(termios.error, OSError):  # no terminal
            self._settings = termios.tcgetattr(0)

    def leave(self, number: int, _: FrameType | None) -> NoReturn:
        """Raise Terminated, and again for as long as it is lost.

        Python drops exceptions in places where nobody could catch them, among which are the callbacks
        that run during an import, and imports take most of the time before the prompt. What waits for
        ever on its way out, for a lock or a thread, is left as it is: the network ends with this process.
        """
        if not self._status:
            self._status = 128 + number
            with contextlib.suppress(RuntimeError):  # there may be no room for another thread
                _thread.start_new_thread(self._exit, ())  # `threading` may hold its lock where we came
            signal.signal(signal.SIGALRM, self._insist)
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE, _PATIENCE)
        raise Terminated(self._status)

    def _insist(self, _number: int, _frame: FrameType | None) -> None:
        if not _on_the_way(sys.exc_info()[1]):
            raise Terminated(self._status)

    def _exit(self) -> None:
        time.sleep(_DEADLINE)
        if self._settings is not None:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])  # or we would stop in the background
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self._settings)
        put_away()
        os._exit(self._status)


def _on_the_way(error: BaseException | None) -> bool:
    """Tell whether what is being handled is, or came on top of, a signal's exception."""
    while error is not None and not isinstance(error, Terminated):
        error = error.__context__
    return error is not None
