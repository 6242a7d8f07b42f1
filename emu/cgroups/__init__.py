"""What a node's programs may take of the machine: control groups of version 2, see cgroups(7)."""
