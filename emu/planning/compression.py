"""Routing tables with the fewest routes that forward every address as before.

The algorithm is ORTC: R. Draves, C. King, S. Venkatachary, B. Zill, "Constructing Optimal IP Routing
Tables", INFOCOM 1999. Its passes run over the tree of prefixes once, for all nodes at the same time: a
node's set of possible next hops is one bit of a word per next hop, and a numpy array holds one word
per routing table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..graph.attributes import Prefix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]
    Labels = NDArray[np.int64 | np.int32]

#: The label of addresses that have no route, and of those where any will do (the node is on the link).
NO_ROUTE, ANY = 0, -1
_WORD = 64
#: How many tables are compressed at once; bounds the memory to this, times prefixes, times 16 bytes.
_BLOCK = 1024


@dataclass
class _TreeNode:
    """A prefix in the binary tree. A leaf has a column of the labels; a gap has none: no route."""

    prefix: Prefix
    column: int | None = None
    children: tuple[_TreeNode, ...] = ()
    sets: Words | None = field(default=None, repr=False)


def compress(prefixes: Sequence[Prefix], labels: Labels) -> Iterator[tuple[Prefix, Labels, Labels]]:
    """Yield for all tables the fewest routes that mean the same.

    Args:
        prefixes: disjoint prefixes of one family.
        labels: shape (tables, prefixes): which next hop the table has for the prefix, as a number
            from 1 of the table's own counting, `NO_ROUTE` or `ANY`.

    Yields:
        A prefix, the indices of tables that have a route for it, and the label of each one's route.
        `NO_ROUTE` is the label of a route that says unreachable.
    """
    import numpy as np

    if not prefixes or not len(labels):
        return
    root = _tree(prefixes)
    words = np.maximum(labels.max(axis=1), 0) // _WORD + 1
    for count in np.unique(words):
        rows = np.flatnonzero(words == count)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            _gather(root, labels[block], int(count))
            for prefix, indices, chosen in _choose(root, len(block)):
                yield prefix, block[indices], chosen


def _tree(prefixes: Sequence[Prefix]) -> _TreeNode:
    """Return the root, 0.0.0.0/0 or ::/0, of the tree whose leaves are `prefixes` and the gaps."""
    kind = type(prefixes[0])
    order = sorted(range(len(prefixes)), key=lambda index: int(prefixes[index].network_address))

    def subtree(prefix: Prefix, columns: list[int]) -> _TreeNode:
        if not columns:
            return _TreeNode(prefix)
        if prefixes[columns[0]] == prefix:
            return _TreeNode(prefix, columns[0])
        low, high = prefix.subnets()
        middle = int(high.network_address)
        at = next(
            (i for i, column in enumerate(columns) if int(prefixes[column].network_address) >= middle),
            len(columns),
        )
        if at in (0, len(columns)):
            return chain(prefix, columns)
        return _TreeNode(prefix, children=(subtree(low, columns[:at]), subtree(high, columns[at:])))

    def chain(prefix: Prefix, columns: list[int]) -> _TreeNode:
        """A prefix that holds nothing but one narrower one, and gaps around that.

        From the second gap upwards nothing but "no route" is worth a thought, so two nodes do for
        a chain of any length.
        """
        first, last = prefixes[columns[0]], prefixes[columns[-1]]
        common = _common(first, last)
        parent = common.supernet()
        sibling = next(half for half in parent.subnets() if half != common)
        bottom = _TreeNode(parent, children=(subtree(common, columns), _TreeNode(sibling)))
        if parent == prefix:
            return bottom
        return _TreeNode(prefix, children=(bottom, _TreeNode(prefix)))

    return subtree(kind((0, 0)), order)


def _common(first: Prefix, last: Prefix) -> Prefix:
    """Return the longest prefix that holds both."""
    bits = first.max_prefixlen
    differing = int(first.network_address) ^ int(last.broadcast_address)
    length = min(bits - differing.bit_length(), first.prefixlen, last.prefixlen)
    shift = bits - length
    return type(first)((int(first.network_address) >> shift << shift, length))


def _gather(node: _TreeNode, labels: Labels, words: int) -> None:
    """Fill in `sets`, from the leaves up: what both halves can agree on, else what either could use."""
    import numpy as np

    stack = [(node, False)]
    while stack:
        node, ready = stack.pop()
        if not node.children:
            node.sets = _leaf_sets(node, labels, words)
        elif not ready:
            stack.append((node, True))
            stack.extend((child, False) for child in node.children)
        else:
            low, high = (child.sets for child in node.children)
            assert low is not None
            assert high is not None
            both = low & high
            agreed = both.any(axis=0)
            node.sets = np.where(agreed, both, low | high)


def _leaf_sets(leaf: _TreeNode, labels: Labels, words: int) -> Words:
    """Return the sets of a leaf, shape (words, tables)."""
    import numpy as np

    if leaf.column is None:
        gap = np.zeros((words, len(labels)), np.uint64)
        gap[0] = 1 << NO_ROUTE
        return gap
    column = labels[:, leaf.column]
    if words == 1:  # as in most tables
        sets = (np.uint64(1) << column.astype(np.uint64))[None]
    else:
        word, bit = np.divmod(column, _WORD)
        one = np.uint64(1) << bit.astype(np.uint64)
        sets = np.where(np.arange(words)[:, None] == word, one, np.uint64(0))
    sets[:, column == ANY] = ~np.uint64(0)
    return sets


def _choose(root: _TreeNode, tables: int) -> Iterator[tuple[Prefix, Labels, Labels]]:
    """Yield, from the root down, each prefix with the tables that need a route for it, and its label.

    Where one half can live with what it inherits, the route is left to the other half: as many routes
    in all, but narrower ones, which say more to a reader.
    """
    import numpy as np

    stack: list[tuple[_TreeNode, Labels]] = [(root, np.full(tables, NO_ROUTE))]
    while stack:
        node, inherited = stack.pop()
        missing = ~_has(node, inherited)
        if all(child.prefix != node.prefix for child in node.children):  # else a gap is all the rest
            for child in node.children:
                missing &= ~_has(child, inherited)
        needing = np.flatnonzero(missing)
        if len(needing):
            assert node.sets is not None
            chosen = _lowest(node.sets[:, needing])
            yield node.prefix, needing, chosen
            inherited = inherited.copy()
            inherited[needing] = chosen
        node.sets = None
        stack.extend((child, inherited) for child in reversed(node.children))


def _has(node: _TreeNode, labels: Labels) -> NDArray[np.bool_]:
    """Tell for each table whether its label is in its set."""
    import numpy as np

    sets = node.sets
    assert sets is not None
    if len(sets) == 1:  # as in most tables
        return np.asarray((sets[0] >> labels.astype(np.uint64)) & np.uint64(1) != 0)
    word, bit = np.divmod(labels, _WORD)
    mine = sets[word, np.arange(len(labels))]
    return np.asarray((mine >> bit.astype(np.uint64)) & np.uint64(1) != 0)


def _lowest(sets: Words) -> Labels:
    """Return the lowest label in each set."""
    import numpy as np

    word = (sets != 0).argmax(axis=0)
    bits = sets[word, np.arange(sets.shape[1])]
    lowest = bits & (~bits + np.uint64(1))
    # A power of two is exact as a float, so that its exponent is the bit's number.
    return np.asarray(word * _WORD + np.frexp(lowest.astype(np.float64))[1] - 1, np.int64)
