"""The benchmark of a batch of texts, on a tiny one: what it chooses, checks and writes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import batch
import record
import report
from batch_engines import COMPARED
from batch_steps import Batch, Begin, Case, Place, Reader
from corpus import Entry, llama3

STOP = 256
NAME = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
FLAGS = {"type": "array", "items": {"type": "boolean"}}
ENTRIES = [
    Entry("name", NAME, [({"name": "Ada"}, True), ({"name": "Grace"}, True), ({}, False)]),
    Entry("the same", NAME, [({"name": "Alan"}, True)]),
    Entry("flags", FLAGS, [([True, False], True)]),
    Entry("not as it says", {"type": "integer"}, [("a word", True)]),
    Entry("nothing valid", {"type": "integer"}, [("a word", False)]),
]
STEPS = 5
BLOCK = 3


class Bytes:
    """A vocabulary of single bytes and a stop token."""

    def __init__(self) -> None:
        self.tokens = [*(bytes([byte]) for byte in range(STOP)), b""]
        self.special_token_ids: list[int] = []
        self.stop_token_ids = [STOP]

    def encode(self, text: str) -> list[int]:
        return list(text.encode())


def cases() -> list[Case]:
    return list(batch.cases(ENTRIES, Bytes(), least=4, seed=0))


def begun() -> tuple[Reader, Batch]:
    readable = [case for case in cases() if json.loads(case.schema) in (NAME, FLAGS)]
    places = batch.places(readable, each=3, seed=0)
    reader = Reader("schemask", Bytes(), len(places))
    return reader, Batch(reader, readable, places)


def test_each_schema_with_valid_instances_comes_once() -> None:
    assert sorted(json.loads(case.schema)["type"] for case in cases()) == [
        *("array", "integer", "object")
    ]
    assert all(text[-1] == STOP for case in cases() for text in case.texts)
    assert cases() == cases()


def test_sequences_of_a_schema_begin_at_different_tokens() -> None:
    places = batch.places(cases(), each=4, seed=0)
    assert len(set(places)) == len(places) == 4 * len(cases())
    assert places != batch.places(cases(), each=4, seed=1)


def test_texts_follow_one_another() -> None:
    reader, texts = begun()
    first = [texts.step(is_checked=True) for _ in range(60)]  # more than any text is long
    assert all(masks > 0 and accept > 0 for masks, accept in first)
    texts.go_back()
    texts.heat(Bytes().encode('{"a": "b"}'))
    texts.step()
    assert not reader.can_read(Case(json.dumps(NAME), [Bytes().encode('{"name": 1')]))


def test_masks_of_another_step_or_text_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, texts = begun()
    texts.step()
    monkeypatch.setattr(reader.calls, "fill", lambda matchers: None)
    with pytest.raises(AssertionError, match="forbids"):
        texts.step()
    texts.go_back()
    monkeypatch.setattr(reader.calls, "fill", lambda matchers: reader.bitmask.fill(-1))
    texts.step()  # allows all that comes
    with pytest.raises(AssertionError, match="differs"):
        texts.step(is_checked=True)


def test_a_run_from_the_choice_to_the_plot(tmp_path: Path) -> None:
    engines = ["no engine", *(name for name in COMPARED if importlib.util.find_spec(name))]
    candidates = batch.cases(ENTRIES, llama3(), least=4, seed=0)
    chosen, tried = batch.common(candidates, engines[1:], count=4, limit=60)
    assert sorted(json.loads(case.schema)["type"] for case in chosen) == ["array", "object"]
    assert tried == 3
    turns = batch.Turns(engines, limit=60)
    times = batch.measure(turns, Begin(chosen, batch.places(chosen, 4, 0)), 2, STEPS, BLOCK)
    assert not list(turns.ask(Begin(chosen, [Place(9, 9, 9)])))  # all have failed by now
    turns.end()
    rows = list(batch.rows(times, engines))
    assert {row[0] for row in rows} == set(engines[1:])
    assert [row[1:4] for row in rows[:6]] == [
        (pass_, part, 2 * STEPS)
        for pass_ in ("first", "again")
        for part in ("masks", "accept", "both")
    ]
    path = tmp_path / "batch.csv"
    record.write(path, ["data: none"], batch.COLUMNS, rows)
    assert "| schemask | again | both | 10 |" in report.tables(record.read(path))
    if importlib.util.find_spec("matplotlib"):
        report.draw(record.read(path), tmp_path)
        assert "schemask, again" in (tmp_path / "step.svg").read_text(encoding="utf-8")
