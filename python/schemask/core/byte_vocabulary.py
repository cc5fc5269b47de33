"""A vocabulary of single bytes, for checks and examples that concern no model."""

from __future__ import annotations

import functools

from schemask.core.vocabulary import Vocabulary


@functools.cache
def byte_vocabulary() -> Vocabulary:
    """Token i is the byte i; token 256 ends the text."""
    return Vocabulary([bytes([byte]) for byte in range(256)] + [b""], stop_token_ids=[256])
