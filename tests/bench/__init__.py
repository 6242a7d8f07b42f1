"""The benchmarks: `emu bench`, or `make bench` in a checkout.

Everything runs in a sandbox of its own (see `apart`), as root of a user namespace, so that every contender
finds the same, whoever started it. Each part is a module of one table or a few; `parts` lists them.
"""
