"""Sandboxes: what allows them, where they are found, and talking to their keepers."""
