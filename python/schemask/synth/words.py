"""Texts as sequences of words, by which near copies are known whatever their punctuation is."""

from __future__ import annotations

import re
import unicodedata

# Kana, Han, Thai, Lao, Khmer and Burmese have no spaces between words: each character is one.
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SPACELESS}]|(?:(?![{_SPACELESS}])\w)+")


def words_of(text: str) -> list[str]:
    """The words of a text, without case, punctuation and the choices that Unicode leaves."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def shingles_of(items: list[str] | str, size: int) -> set[str]:
    """All runs of so many words or characters; of a shorter text, the text itself."""
    joint = "" if isinstance(items, str) else " "
    if len(items) <= size:
        return {joint.join(items)} if items else set()
    return {joint.join(items[start : start + size]) for start in range(len(items) - size + 1)}


def jaccard(one: set[str] | frozenset[str], other: set[str] | frozenset[str]) -> float:
    """How much two sets have in common: from 0 to 1, which is all; two empty ones are equal."""
    both = len(one & other)
    together = len(one) + len(other) - both
    return both / together if together else 1.0
