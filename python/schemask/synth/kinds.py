"""Kinds of conversations, and how many of each kind there shall be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from schemask.errors import DataError, shortened

Kind: TypeAlias = Literal["call", "parallel", "chain", "missing_tool", "missing_value", "words"]

KINDS: tuple[Kind, ...] = get_args(Kind)

SHARES: dict[Kind, float] = {
    "call": 0.5,
    "parallel": 0.1,
    "chain": 0.1,
    "missing_tool": 0.1,
    "missing_value": 0.1,
    "words": 0.1,
}
"""How many of all conversations are of each kind, unless told otherwise."""

# Shares are decimal fractions, whose sum may miss 1 by as much.
_TOLERANCE = 1e-9


def full_shares(given: Mapping[Kind, float] | None) -> dict[Kind, float]:
    """The shares of all kinds: those that are given, and what remains as it is shared by default.

    Raises:
        DataError: A kind that is not known, a share that is no number from 0 to 1, or shares that
            are more than 1 together, or less while none is left to fill up.
    """
    if given is None:
        return dict(SHARES)
    if not isinstance(given, Mapping):
        raise DataError(f"shares are kinds with numbers, not {shortened(given)}")
    for kind, share in given.items():
        if kind not in KINDS:
            raise DataError(f"shares of {shortened(kind)}: the kinds are {', '.join(KINDS)}")
        is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not is_number or not 0 <= share <= 1:
            raise DataError(f"the shares hold numbers from 0 to 1, not {shortened(share)}")
    rest = 1 - math.fsum(given.values())
    others = {kind: share for kind, share in SHARES.items() if kind not in given}
    if abs(rest) <= _TOLERANCE:
        rest = 0.0
    if rest < 0 or (rest and not others):
        raise DataError(f"the shares are {1 - rest:g} of all conversations together, not 1")
    whole = math.fsum(others.values())
    return {
        kind: float(given[kind]) if kind in given else rest * others[kind] / whole for kind in KINDS
    }
