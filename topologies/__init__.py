"""The topologies that emu brings: one file each, found by their mark."""
