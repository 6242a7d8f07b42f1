"""Programs that run inside nodes.

Each is a process of its own, started anew for every command: these modules import little, and nothing
of emu but each other and `emu.icmp`.
"""
