"""Photographs that are almost the same: the same picture in another size, compression or brightness.

Each picture gets a perceptual hash of 64 bits: the signs of its lowest frequencies (Zauner, 2010). Two pictures are
near duplicates where few bits differ *and* the pictures themselves, made very small, look the same: hashes alone take
many a blue sky for another.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HASH_SIDE = 32
"""Pixels of the grey picture that the hash is taken from, upwards and sideways."""

SMALL_SIDE = 16
"""Pixels of the coloured picture that two pictures are compared by, upwards and sideways."""

MOST_BITS = 8
"""In how many bits the hashes of near duplicates may differ."""

MOST_DIFFERENCE = 9.0
"""By how much their small pictures may differ, of 255, on average, after their brightness was made the same."""

_KEPT = 8
_PAIRS_AT_ONCE = 2_000_000
_MOST_OF_A_HASH = 50


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """The hash of a picture.

    Args:
        grey: uint8, shape (32, 32).

    Returns:
        A whole number of 64 bits.
    """
    from scipy.fft import dctn

    frequencies = dctn(grey.astype(np.float64), norm="ortho")[:_KEPT, :_KEPT].ravel()
    # The first is the brightness. A frequency that is not there at all, as in a flat picture, has no sign to go by.
    frequencies[0] = 0.0
    frequencies[np.abs(frequencies) < 1e-6] = 0.0
    bits = frequencies > np.median(frequencies[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicates(hashes: NDArray[np.uint64], small: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pairs that join all near duplicates.

    Pictures whose hashes differ in at most b bits agree wholly in one of b + 1 pieces of the hash, so only pictures
    that share a piece are compared. Of pictures with equal hashes, of which there may be thousands, only those are
    that follow each other by their mean colour: each is still joined to its like, by way of others.

    Args:
        hashes: uint64, shape (n,).
        small: uint8, shape (n, 16, 16, 3).

    Returns:
        int64, shape (pairs, 2): positions, the smaller one first; sorted, each pair once.
    """
    equal = _equal_hashes(hashes, small)
    equal = equal[_looks_same(small, equal)]
    found: list[NDArray[np.int64]] = [equal]
    kept = _first_of_each(hashes, groups_of(len(hashes), equal))
    edges = np.linspace(0, 64, MOST_BITS + 2).astype(int)
    masks = [np.uint64(((1 << int(high - low)) - 1) << int(low)) for low, high in itertools.pairwise(edges)]
    for number, mask in enumerate(masks):
        piece = hashes[kept] & mask
        order = np.argsort(piece, kind="stable")
        ends = np.searchsorted(piece[order], piece[order], side="right")
        for pairs in _pairs_within(kept[order], ends):
            differing = hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]
            candidate = (np.bitwise_count(differing) <= MOST_BITS) & (differing != 0)
            for earlier in masks[:number]:  # pairs that share an earlier piece were looked at there
                candidate &= (differing & earlier) != 0
            near = pairs[candidate]
            found.append(near[_looks_same(small, near)])
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs, axis=0)


def _equal_hashes(hashes: NDArray[np.uint64], small: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The pairs of pictures with equal hashes that follow each other by their mean colour."""
    red, green, blue = np.moveaxis(small.mean(axis=(1, 2)), -1, 0)
    order = np.lexsort((blue, green, red, hashes))
    pairs = np.stack([order[:-1], order[1:]], axis=1).astype(np.int64).reshape(-1, 2)
    joined: NDArray[np.int64] = pairs[hashes[pairs[:, 0]] == hashes[pairs[:, 1]]]
    return joined


def _first_of_each(hashes: NDArray[np.uint64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first picture of each group; of many groups with one hash, as many as are worth comparing with others."""
    firsts = np.unique(groups)
    order = np.argsort(hashes[firsts], kind="stable")
    sorted_hashes = hashes[firsts][order]
    place = np.arange(len(order)) - np.searchsorted(sorted_hashes, sorted_hashes)
    kept: NDArray[np.int64] = np.sort(firsts[order[place < _MOST_OF_A_HASH]])
    return kept


def _pairs_within(order: NDArray[np.int64], ends: NDArray[np.int64]) -> "list[NDArray[np.int64]]":
    """The pairs of positions that share a piece, in portions that fit into memory."""
    portions, place, n = [], 0, len(order)
    partners = ends - np.arange(n) - 1
    while place < n:
        until = place + 1
        count = int(partners[place])
        while until < n and count + partners[until] <= _PAIRS_AT_ONCE:
            count += int(partners[until])
            until += 1
        firsts = np.repeat(np.arange(place, until), partners[place:until])
        starts = np.repeat(np.cumsum(partners[place:until]) - partners[place:until], partners[place:until])
        seconds = firsts + 1 + np.arange(len(firsts)) - starts
        portions.append(np.stack([order[firsts], order[seconds]], axis=1))
        place = until
    return portions


def _looks_same(small: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    same = np.zeros(len(pairs), np.bool_)
    for start in range(0, len(pairs), 10_000):
        some = pairs[start : start + 10_000]
        one, other = (small[some[:, side]].astype(np.float32) for side in (0, 1))
        # As bright as each other: a photograph that was made brighter has all its numbers multiplied.
        light, dark = (np.maximum(each.mean(axis=(1, 2, 3), keepdims=True), 1) for each in (one, other))
        middle = (light + dark) / 2
        same[start : start + 10_000] = (
            np.abs(one * middle / light - other * middle / dark).mean(axis=(1, 2, 3)) <= MOST_DIFFERENCE
        )
    return same


def groups_of(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which group each of ``n`` pictures is in, where a pair puts two into one.

    Returns:
        int64, shape (n,): the smallest position of the group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, component = connected_components(links, directed=False)
    first = np.full(component.max(initial=-1) + 1, n, np.int64)
    np.minimum.at(first, component, np.arange(n))
    groups: NDArray[np.int64] = first[component]
    return groups


def largest_first(groups: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    """The members of each group of more than one, the largest group first."""
    order = np.argsort(groups, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else []
    return sorted((run for run in runs if len(run) > 1), key=lambda run: (-len(run), int(run[0])))
