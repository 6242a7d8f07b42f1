"""The `emu>` prompt on a running network."""
