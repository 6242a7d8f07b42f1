"""A random graph that resembles the Internet."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, routed


@emu.topology
def internet(systems: int = 20, seed: int = 1, hosts: bool = True) -> nx.Graph:
    """Autonomous systems in a random graph that resembles the Internet.

    Each system is one router. The first four to six are tier 1, a full mesh; then come the middle tier
    (15 %), content providers (5 %) and customers, each with a link to one or several providers. Routes
    are shortest paths, whatever the contracts between real systems may say. The model is that of
    A. Elmokashfi, A. Kvalbein and C. Dovrolis, "On the Scalability of BGP: The Role of Topology
    Growth", IEEE JSAC 28(8), 2010, as networkx has it; its authors used 1,000 systems and more.

    Args:
        systems: how many autonomous systems there are.
        seed: picks one of the random graphs; the same seed picks the same one.
        hosts: whether each system has a host, on a segment of its own: HOST7 is at AS7.

    >>> len(internet(systems=30, hosts=False))
    30
    """
    # With fewer, the model's fixed number of tier-1 systems leaves no room for the other kinds.
    check_least("internet", 10, systems=systems)
    check_links("internet", 2 * systems)
    found = nx.random_internet_as_graph(systems, seed)
    plain: nx.Graph = nx.Graph()
    plain.add_nodes_from(f"AS{number + 1}" for number in found)
    plain.add_edges_from((f"AS{a + 1}", f"AS{b + 1}") for a, b in found.edges)
    return routed(plain, "internet", hosts)
