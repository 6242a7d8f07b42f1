"""`python -m emu` and the `emu` command: nothing is loaded before Ctrl-C has been given a meaning."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    try:
        from .cli import main as run
    except KeyboardInterrupt:  # while the modules are loaded
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
