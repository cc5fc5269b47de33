"""Input that is meant to be expensive: schemas, patterns, strings, grammars, everyday schemas.

Nothing is asked of it but that it compiles and is read within bounds, or is an error. For long
valid texts, see `adversarial_cases.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from hostile_cases import everyday, grammars, keywords, patterns, strings
from hostile_cases.case import Case

__all__ = ["Case", "cases"]


def cases() -> Iterator[Case]:
    """All cases; their names tell them apart."""
    yield from keywords.nestings()
    yield from keywords.chains()
    yield from patterns.patterns()
    yield from patterns.odd_patterns()
    yield from strings.strings()
    yield from grammars.gbnf()
    yield from grammars.odd_gbnf()
    yield from grammars.lark()
    yield from everyday.strings()
    yield from everyday.objects()
