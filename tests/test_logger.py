"""What the logger tells."""

from __future__ import annotations

import logging

import pytest

from schemask import Grammar, GrammarCache
from schemask.core.byte_vocabulary import byte_vocabulary


def told(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    """What one logger said; how much others say is a matter of who set their levels before."""
    return [record.getMessage() for record in caplog.records if record.name == name]


def test_nothing_is_printed_unless_somebody_asks() -> None:
    handlers = logging.getLogger("schemask").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)


def test_it_tells_how_long_grammars_take(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="schemask"):
        Grammar.from_json_schema({"type": "integer"}).compile(byte_vocabulary())
    read, compiled = told(caplog, "schemask.core.grammar")
    assert read.startswith("read a grammar from JSON Schema in ")
    assert compiled.startswith("compiled <Grammar from JSON Schema: ")
    assert " for 257 tokens in " in compiled


def test_it_tells_what_a_cache_lacks(caplog: pytest.LogCaptureFixture) -> None:
    cache = GrammarCache(byte_vocabulary())
    with caplog.at_level(logging.DEBUG, logger="schemask.core.cache"):
        for _ in range(3):
            cache.get(Grammar.from_json_schema, {"type": "null"})
    (message,) = told(caplog, "schemask.core.cache")
    assert "misses=1" in message
