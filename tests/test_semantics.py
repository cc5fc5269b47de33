"""What schemask accepts is what JSON Schema says, in both directions.

Two independent validators are the judges. Where they differ, a text is not judged, unless it is one
of `judges_disagree.json`, where the specification has decided.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemask
from judges import Judges, draft_of, translated
from pairs import Findings, is_accepted, schemas_with_texts
from schemask.core.byte_vocabulary import byte_vocabulary
from strategies import schemas

COMMON = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)


class Tally(Counter[str]):
    """Counts the schemas that were not decided, which must be few."""

    def compiled(
        self, schema: Any, vocabulary: schemask.Vocabulary, **options: str
    ) -> schemask.CompiledGrammar | None:
        """None if nothing satisfies the schema, or if it exceeds a limit."""
        self["schemas"] += 1
        try:
            grammar = schemask.Grammar.from_json_schema(schema, **options)
        except schemask.UnsupportedSchemaError:
            raise
        except schemask.SchemaError:
            self["nothing satisfies"] += 1
            return None
        except schemask.LimitError:
            self["undecided"] += 1
            return None
        self["undecided"] += bool(grammar.warnings)
        return grammar.compile(vocabulary)

    def check(self) -> None:
        assert self["undecided"] <= 0.01 * self["schemas"], self
        assert self["nothing satisfies"] <= 0.5 * self["schemas"], self


def test_a_text_is_accepted_exactly_if_it_is_an_instance() -> None:
    counts: Counter[str] = Counter()

    @settings(COMMON, max_examples=450)
    @given(schemas_with_texts())
    def holds(drawn: tuple[Any, list[str]]) -> None:
        findings = Findings()
        findings.examine(*drawn)
        assert findings.wrong == []
        assert findings.counts["error UnsupportedSchemaError"] == 0, findings.errors
        counts.update(findings.counts)

    holds()
    undecided = counts["error LimitError"] + counts["schemas with warnings"]
    assert undecided <= 0.01 * counts["schemas"], counts
    assert counts["pairs on which the judges differ"] <= 0.01 * counts["pairs"], counts
    # Neither verdict is so rare that it is hardly tried.
    assert counts["valid pairs"] >= 0.2 * counts["pairs"], counts
    assert counts["invalid pairs"] >= 0.2 * counts["pairs"], counts


DISAGREEMENTS = json.loads(
    (Path(__file__).parent / "judges_disagree.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", DISAGREEMENTS, ids=lambda case: case["name"])
def test_where_the_judges_differ_the_specification_decides(case: dict[str, Any]) -> None:
    said = Judges(case["schema"]).verdicts(case["text"])
    assert (said.first, said.second) == (case["jsonschema_rs"], case["jsonschema"])
    assert case["why"]
    grammar = schemask.Grammar.from_json_schema(
        case["schema"], property_order="any", spelling="any"
    )
    compiled = grammar.compile(byte_vocabulary())
    assert is_accepted(compiled, case["text"]) == case["valid"]


def test_compact_and_spaced_texts() -> None:
    """`json.dumps` with the separators of a mode writes what the mode accepts, and only that."""
    separators = {"compact": (",", ":"), "spaced": (", ", ": ")}
    tally = Tally()

    @settings(COMMON, max_examples=150)
    @given(schemas_with_texts())
    def holds(drawn: tuple[Any, list[str]]) -> None:
        schema, texts = drawn
        judges = Judges(translated(schema))
        for mode in separators:
            undecided = tally["undecided"]
            compiled = tally.compiled(
                schema,
                byte_vocabulary(),
                whitespace=mode,
                property_order="any",
                spelling="any",
            )
            if tally["undecided"] > undecided:
                continue
            for text in texts:
                value = json.loads(text)
                written = {
                    name: json.dumps(value, ensure_ascii=False, separators=pair)
                    for name, pair in separators.items()
                }
                for other, same_value in written.items():
                    fits = other == mode or same_value == written[mode]
                    verdict = judges.verdict(same_value)
                    if verdict is not None:
                        assert is_accepted(compiled, same_value) == (verdict and fits), same_value

    holds()
    tally.check()


def walk(
    matcher: schemask.Matcher, vocabulary: schemask.Vocabulary, seed: int, steps: int
) -> bytes:
    """A text made by choosing among the tokens that the masks allow, then the shortest ending."""
    choose = random.Random(seed)
    bitmask = np.zeros((vocabulary.size + 31) // 32, dtype=np.int32)
    text = b""
    for _ in range(steps):
        matcher.fill_mask(bitmask)
        allowed = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little"))
        assert len(allowed), f"nothing may follow {text!r}"
        token = int(choose.choice(allowed))
        assert matcher.accept(token)
        if matcher.is_terminated:
            return text
        text += vocabulary.token(token)
    ending = matcher.completion()
    assert matcher.accept_bytes(ending)
    assert matcher.is_accepting
    return text + ending


def test_random_walks_end_as_instances() -> None:
    tally = Tally()

    @settings(COMMON, max_examples=300)
    @given(
        schemas(),
        st.integers(0, 2**32),
        st.sampled_from(["schema", "any"]),
        st.sampled_from(["plain", "any"]),
    )
    def holds(schema: Any, seed: int, order: str, spelling: str) -> None:
        vocabulary = byte_vocabulary()
        compiled = tally.compiled(schema, vocabulary, property_order=order, spelling=spelling)
        if compiled is None:
            return
        judges = Judges(translated(schema))
        for steps in (0, 3, 12, 40):
            text = walk(compiled.matcher(), vocabulary, seed, steps).decode()
            assert judges.verdict(text) is not False, text

    holds()
    tally.check()


def test_declared_drafts_are_told_apart() -> None:
    """The judges read old drafts as schemask does: by `$schema`, and by spelling without one."""
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}
    assert draft_of(old) == "Draft4Validator"
    grammar = schemask.Grammar.from_json_schema(old, spelling="any")
    compiled = grammar.compile(byte_vocabulary())
    for text in ("1", "1.0", "1.5"):
        assert is_accepted(compiled, text) == Judges(old).verdict(text)


@pytest.mark.parametrize("whitespace", ["flexible", "compact", "spaced"])
def test_any_json_is_accepted_without_a_schema(whitespace: str) -> None:
    compiled = schemask.Grammar.from_json_schema({}, whitespace=whitespace).compile(
        byte_vocabulary()
    )
    for seed in range(200):
        text = walk(compiled.matcher(), byte_vocabulary(), seed, 40).decode()
        json.loads(text)
