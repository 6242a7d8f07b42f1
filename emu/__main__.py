"""`python -m emu`: the same as the `emu` command."""

from .cli import main

if __name__ == "__main__":
    main()
