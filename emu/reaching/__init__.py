"""Who reaches whom, and on which way: echo requests from many nodes at once."""
