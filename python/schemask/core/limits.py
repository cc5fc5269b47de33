"""Bounds of work and memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from schemask.errors import LimitError, shortened


class Limits(TypedDict, total=False):
    """Bounds that differ from the defaults. What exceeds one is a `LimitError` that names it.

    Work is counted in units of about 10 to 50 nanoseconds, which are the same on every machine.

    Keys:
        source_bytes: Bytes of a schema or grammar text. Default 16 MiB.
        schema_depth: Nesting of a schema document. Default 512.
        schema_nodes: Schemas in one document. Default 1,000,000.
        pattern_nodes: Nodes of the syntax tree of one pattern. Default 100,000.
        pattern_depth: Nesting of a pattern's or grammar's groups. Default 128.
        number_digits: Digits of a numeric bound, written without exponent. Default 1,000.
        alternatives: Ways in which branches may combine at one value. Default 4,096.
        readings: States of a grammar in which a text may be at once. Default 256.
        whitespace_run: Whitespace in a row where it is flexible, in characters. Default 32.
        compile_work: Units of reading a schema or grammar and making it ready. Default 2,000,000.
        mask_work: Units of one mask. Default 5,000,000.
        accept_work: Units of accepting one token. Default 10,000,000.
        completion_work: Units of one completion, or of the forced tokens. Default 10,000,000.
        explain_work: Units of one explanation of why a token is refused. Default 20,000,000.
        completion_bytes: Bytes of a completion. Default 1 MiB.
        memory_bytes: Bytes of states that compiling may make, and one text. Default 64 MiB.
        machine_bytes: Bytes of states that texts make before new ones start on a fresh machine.
            Default 64 MiB.
        cache_bytes: Bytes of masks that are kept, for a vocabulary and for each grammar. Default
            64 MiB.
        timeout: Seconds that compiling, a mask, an accept or a completion may take. By default
            there is no such limit.
    """

    source_bytes: int
    schema_depth: int
    schema_nodes: int
    pattern_nodes: int
    pattern_depth: int
    number_digits: int
    alternatives: int
    readings: int
    whitespace_run: int
    compile_work: int
    mask_work: int
    accept_work: int
    completion_work: int
    explain_work: int
    completion_bytes: int
    memory_bytes: int
    machine_bytes: int
    cache_bytes: int
    timeout: float


def limits_of(limits: Limits | None) -> dict[str, float]:
    """Limits as the engine takes them.

    Raises:
        LimitError: One is not a number.
    """
    if limits is None:
        return {}
    if not isinstance(limits, Mapping):
        raise LimitError(f"limits are a dict of numbers by name, not {shortened(limits)}")
    for name, value in limits.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise LimitError(f"the limit {shortened(name)} is a number, not {shortened(value)}")
    try:
        return {str(name): float(value) for name, value in limits.items()}  # type: ignore[arg-type]
    except OverflowError as error:
        raise LimitError(f"a limit past the range of floats: {error}") from error
