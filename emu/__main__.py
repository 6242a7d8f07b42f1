"""`python -m emu` and the `emu` command: a Ctrl-C while its modules are loaded ends it without a word."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # There is nothing yet to put in order, and an exception could be lost in the import of a module.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as run

    run()


if __name__ == "__main__":
    main()
