"""The cases of `tests/cases`: first against two independent validators, then against schemask."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

import schemask
from judges import Judges, translated
from schemask.core.byte_vocabulary import byte_vocabulary

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]


@functools.lru_cache(maxsize=8)
def judges_of(schema: str) -> Judges:
    return Judges(translated(json.loads(schema)))


def is_instance(schema: Any, text: str) -> bool:
    """What both validators say; one of them may be silent, as about lone surrogates.

    Of a date in the year 0 only one of them has heard, which RFC 3339 knows.
    """
    try:
        verdicts = judges_of(json.dumps(schema)).verdicts(text)
    except ValueError:
        return False
    said = {verdicts.first, verdicts.second} - {None}
    if '"0000-' in text and len(said) == 2:
        return True
    [verdict] = said
    return bool(verdict)


def compiled_case(case: dict[str, Any], **others: Any) -> schemask.CompiledGrammar:
    """A case on bytes. Its texts are spelled in any way, unless it says otherwise."""
    options = {"spelling": "any", **case.get("options", {}), **others}
    return schemask.Grammar.from_json_schema(case["schema"], **options).compile(byte_vocabulary())


def is_accepted(compiled: schemask.CompiledGrammar, text: str) -> bool:
    matcher = compiled.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


@pytest.mark.parametrize("case", [c for c in CASES if "error" not in c.values[0]])
def test_the_case_itself_is_right(case: dict[str, Any]) -> None:
    for text in [*case.get("valid", ()), *case.get("refused", ())]:
        # No validator compares decimals of such a size.
        assert text == "1e1000" or is_instance(case["schema"], text), text
    for text in case.get("invalid", ()):
        assert not is_instance(case["schema"], text), text


@pytest.mark.parametrize("case", [c for c in CASES if "error" not in c.values[0]])
def test_texts(case: dict[str, Any]) -> None:
    compiled = compiled_case(case)
    for text in case.get("valid", ()):
        assert is_accepted(compiled, text), f"refused: {text}"
    for text in [*case.get("invalid", ()), *case.get("refused", ())]:
        assert not is_accepted(compiled, text), f"accepted: {text}"


@pytest.mark.parametrize("case", [c for c in CASES if "error" not in c.values[0]])
def test_every_prefix_of_a_valid_text_can_be_completed(case: dict[str, Any]) -> None:
    """The completion is an instance, and no longer than the ending that the text itself has."""
    compiled = compiled_case(case)
    for text in case.get("valid", ()):
        data = text.encode()
        matcher = compiled.matcher()
        for length in range(len(data) + 1):
            ending = matcher.completion()
            assert len(ending) <= len(data) - length
            assert is_accepted(compiled, (data[:length] + ending).decode())
            assert is_instance(case["schema"], (data[:length] + ending).decode())
            if length < len(data):
                assert matcher.accept_bytes(data[length : length + 1])


@pytest.mark.parametrize("case", [c for c in CASES if "error" in c.values[0]])
def test_errors(case: dict[str, Any]) -> None:
    expected = case["error"]
    with pytest.raises(getattr(schemask, expected["kind"])) as caught:
        schemask.Grammar.from_json_schema(case["schema"])
    assert type(caught.value).__name__ == expected["kind"]
    if expected["pointer"] is not None:
        assert caught.value.pointer == expected["pointer"]
