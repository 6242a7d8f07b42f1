"""Plugins: the hooks, how they are found, and what they registered."""
