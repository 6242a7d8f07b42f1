"""From a networkx graph, or the short form of one, to a checked `Topology`. Pure."""
