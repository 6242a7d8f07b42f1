"""The plugins that emu brings: one feature, one file."""
