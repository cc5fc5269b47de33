"""Texts that are equal or nearly so, found without keeping the texts.

Of a text a signature of 256 bytes is kept, by MinHash: the share of equal places in two signatures
estimates how many of the texts' parts both have. It is a twentieth of what `schemask.synth` keeps,
which has to be sure before it refuses a line, and needs no other library.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_PLACES, _BANDS = 64, 8
_GENERATOR = np.random.Generator(np.random.PCG64(20))
_FACTORS = _GENERATOR.integers(1, 2**63, _PLACES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _GENERATOR.integers(0, 2**63, _PLACES, dtype=np.uint64)


def digest(*texts: str) -> int:
    """A number of 64 bits by which equal texts are known."""
    whole = "\0".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "little", signed=True)


def signature(words: list[str], longest: int) -> NDArray[np.uint32]:
    """The signature of a text by its runs of up to `longest` words; of shape (64,)."""
    runs = {
        zlib.crc32(" ".join(words[at : at + length]).encode("utf-8", "surrogatepass"))
        for length in range(1, longest + 1)
        for at in range(len(words) - length + 1)
    }
    values = np.fromiter(runs, np.uint64, len(runs))
    mixed = values[:, None] * _FACTORS[None, :] + _SHIFTS[None, :]
    least: NDArray[np.uint32] = (mixed >> np.uint64(32)).min(axis=0).astype(np.uint32)
    return least


def bands(signatures: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """A number for each eighth of signatures of shape (n, 64); of shape (n, 8).

    Signatures that are much alike have one of them in common.
    """
    parts = signatures.reshape(len(signatures), _BANDS, -1).astype(np.uint64)
    made = np.full(parts.shape[:2], np.uint64(14695981039346656037))
    for at in range(parts.shape[2]):
        made = (made ^ parts[:, :, at]) * np.uint64(1099511628211)
    return made


class LikeTexts:
    """Finds which of many texts are alike, once all have been given.

    Args:
        least: The share of equal places from which two texts are alike.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._lines = array("q")
        self._groups = array("q")
        self._signatures = array("I")

    def add(self, line: int, group: int, made: NDArray[np.uint32]) -> None:
        """A text, of which only those of the same group are told to be alike."""
        self._lines.append(line)
        self._groups.append(group)
        self._signatures.frombytes(made.tobytes())

    def pairs(self) -> Iterator[tuple[int, int, float]]:
        """Lines that are like an earlier one: the line, the earlier one, how much, in order."""
        count = len(self._lines)
        if count < 2:
            return
        all_signatures = np.frombuffer(self._signatures, np.uint32).reshape(count, _PLACES)
        groups = np.frombuffer(self._groups, np.int64)
        best: dict[int, tuple[int, float]] = {}
        keys = bands(all_signatures)
        for band in range(_BANDS):
            mixed = keys[:, band] ^ groups.view(np.uint64)
            order = np.argsort(mixed, kind="stable")
            ordered = mixed[order]
            # Each text is compared with the first one and the one before it of its bucket.
            starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            firsts = np.repeat(starts, np.diff(np.r_[starts, count]))
            for others in (order[firsts], np.r_[order[:1], order[:-1]]):
                is_pair = (order != others) & (mixed[others] == ordered)
                is_pair &= groups[others] == groups[order]
                for one, other in zip(order[is_pair], others[is_pair], strict=True):
                    share = float((all_signatures[one] == all_signatures[other]).mean())
                    if share >= self._least and share > best.get(one, (0, 0.0))[1]:
                        best[int(one)] = int(other), share
        for one in sorted(best):
            other, share = best[one]
            yield self._lines[one], self._lines[other], share
