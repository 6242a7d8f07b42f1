"""From what a user names, topologies, files and settings, to a graph."""
