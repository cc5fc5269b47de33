"""Structural tags are read as xgrammar reads them, and those of formats as the formats."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from oracles import XGRAMMAR, mostly_answered
from schemask import Grammar, Vocabulary
from schemask.chat import FORMATS
from schemask.core.structural_tag import from_structural_tag
from schemask.errors import Error, GrammarError, LimitError, SchemaError, UnsupportedSchemaError
from test_structural_tag import BYTES, CANNOT, TOOLS, accepted, allowed, mutated, turn_of

NULL = {"type": "json_schema", "json_schema": {"type": "null"}}
WORD = {"type": "regex", "pattern": "[a-c]{1,3}"}
A = {"type": "const_string", "value": "a"}


def tag(begin: str, content: Any, end: Any) -> dict[str, Any]:
    return {"type": "tag", "begin": begin, "content": content, "end": end}


TAGS = [tag("<f=x>", NULL, "</f>"), tag("<f=y>", WORD, ["</f>", "<f/>"])]
TRIGGERED = {"type": "triggered_tags", "triggers": ["<f="], "tags": TAGS}
SEPARATED = {"type": "tags_with_separator", "tags": TAGS, "separator": ", "}
ANY = {"type": "any_text"}
# Formats, and texts near which they are tried.
READ: list[tuple[dict[str, Any], list[str]]] = [
    (A, ["a"]),
    (NULL, ["null"]),
    (WORD, ["abc"]),
    ({"type": "grammar", "grammar": 'root ::= "(" root ")" | "x"'}, ["((x))"]),
    (ANY, ["", "a\nb é"]),
    ({**ANY, "excludes": ["ab", "bb"]}, ["aab", "ba", "b"]),
    ({**ANY, "max_chars": 3}, ["aéb", "abcd"]),
    ({**ANY, "excludes": ["ab"], "max_chars": 3}, ["aab", "bbb", "bbbb"]),
    ({"type": "sequence", "elements": [A, WORD, A]}, ["aca", "aa"]),
    ({"type": "or", "elements": [A, WORD, NULL]}, ["a", "null"]),
    ({"type": "optional", "content": A}, ["", "a", "aa"]),
    ({"type": "star", "content": A}, ["", "aaa"]),
    ({"type": "plus", "content": A}, ["", "aaa"]),
    ({"type": "repeat", "content": A, "min": 2, "max": 3}, ["a", "aa", "aaaa"]),
    ({"type": "repeat", "content": A, "min": 2, "max": -1}, ["a", "aaaaa"]),
    (TAGS[0], ["<f=x>null</f>"]),
    (TAGS[1], ["<f=y>ab</f>", "<f=y>ab<f/>"]),
    (tag("<t>", ANY, "</t>"), ["<t>x</t>", "<t></t></t>", "<t>a</t></t>"]),
    (tag("<t>", ANY, ["</t>", "<u>"]), ["<t>x<u>", "<t>a<u></t>"]),
    (
        tag("<t>", {"type": "sequence", "elements": [A, ANY]}, "</t>"),
        ["<t>ax</t>", "<t>a</t></t>"],
    ),
    (TRIGGERED, ["", "hi", "<f=x>null</f>", "a <f=y>ab</f> b<f=x>null</f><", "<f=z>"]),
    ({**TRIGGERED, "at_least_one": True}, ["<f=x>null</f>", "a<f=x>null</f>", "<f=y>a</f> b"]),
    ({**TRIGGERED, "stop_after_first": True}, ["a", "a<f=x>null</f>", "<f=x>null</f>b"]),
    (
        {**TRIGGERED, "at_least_one": True, "stop_after_first": True},
        ["<f=x>null</f>", "a<f=x>null</f>", ""],
    ),
    ({**TRIGGERED, "excludes": ["no"]}, ["so", "no", "n<f=x>null</f>o"]),
    (SEPARATED, ["", "<f=x>null</f>, <f=y>a</f>", "<f=x>null</f>, "]),
    ({**SEPARATED, "at_least_one": True}, ["", "<f=x>null</f>"]),
    ({**SEPARATED, "stop_after_first": True}, ["", "<f=x>null</f>, <f=x>null</f>"]),
    ({"type": "dispatch", "rules": [["<f=", A], ["{", NULL]]}, ["x<f=ay{null", "{nul", "<f="]),
    ({"type": "dispatch", "rules": [["{", A]], "loop": False}, ["x{a", "{ax", "x"]),
]


@pytest.fixture(scope="module", autouse=True)
def answered() -> Iterator[None]:
    with mostly_answered(XGRAMMAR):
        yield


@pytest.mark.parametrize(("form", "texts"), READ, ids=lambda value: str(value)[:50])
def test_read_as_xgrammar_reads_it(form: dict[str, Any], texts: list[str]) -> None:
    chance = random.Random(1)
    whole = {"type": "structural_tag", "format": form}
    grammar = from_structural_tag(json.dumps(whole)).compile(BYTES)
    tried = [*texts, *(mutated(text, chance) for text in texts for _ in range(40))]
    tried = [text for text in dict.fromkeys(tried) if "null" not in text or " " not in text]
    expected = accepted(whole, tried)
    assert [allowed(grammar, text) for text in tried] == expected
    assert set(expected) == {True, False} or form == ANY


def test_the_older_form() -> None:
    old = {
        "triggers": ["<f="],
        "structures": [{"begin": "<f=x>", "schema": {"type": "null"}, "end": "</f>"}],
    }
    compiled = from_structural_tag(old).compile(BYTES)
    assert [allowed(compiled, text) for text in ("a", "b<f=x>null</f>c", "<f=y>")] == [
        True,
        True,
        False,
    ]
    required = from_structural_tag({**old, "at_least_one": True}).compile(BYTES)
    texts = ("a", "b<f=x>null</f>c", "<f=x>null</f>c")
    assert [allowed(required, text) for text in texts] == [False, False, True]


@pytest.mark.parametrize(
    "form",
    [form for form in FORMATS.values() if form.name not in CANNOT],
    ids=lambda form: form.name,
)
def test_tags_of_formats_are_read_as_the_formats(form: Any) -> None:
    chance = random.Random(3)
    read = from_structural_tag(form.structural_tag(TOOLS, reasoning=False)).compile(BYTES)
    strict, loose = (
        Grammar.from_tools(
            TOOLS, format=form, reasoning=False, spelling=spelling, whitespace=whitespace
        ).compile(BYTES)
        for spelling, whitespace in (("plain", None), ("any", "flexible"))
    )
    taken = 0
    while taken < 10:
        try:
            text = form.render_assistant(turn_of(form, chance, False), TOOLS)
        except Error:
            continue
        for near in (text, *(mutated(text, chance) for _ in range(5))):
            if allowed(strict, near):
                assert allowed(read, near), near
                taken += 1
            elif not allowed(loose, near):
                assert not allowed(read, near), near


def test_special_tokens_in_constant_text() -> None:
    """The token may come, and its text; it is no part of text that may be anything."""
    vocabulary = Vocabulary(
        [bytes([byte]) for byte in range(256)] + [b"", b"<|t|>", b"[X]"],
        stop_token_ids=[256],
        special_token_ids=[257, 258],
    )
    form = tag("<|t|>f", ANY, "[X]")
    compiled = from_structural_tag({"format": form}, ["<|t|>", "[X]"]).compile(vocabulary)
    matcher = compiled.matcher()
    assert all(map(matcher.accept, (257, ord("f"), ord("a"))))
    assert not matcher.accept(257)
    assert matcher.accept(258)
    assert matcher.is_accepting
    assert allowed(compiled, "<|t|>fa[X]")


def test_many_tags() -> None:
    tags = [tag(f"<f={number}>", NULL, "</f>") for number in range(2000)]
    form = {"type": "triggered_tags", "triggers": ["<f="], "tags": tags}
    compiled = from_structural_tag({"format": form}).compile(BYTES)
    assert allowed(compiled, "a<f=1999>null</f>")
    assert not allowed(compiled, "a<f=2000>null</f>")


WRONG: list[tuple[Any, type[Error], str | None]] = [
    ("{", GrammarError, None),
    (3, GrammarError, ""),
    ({"type": "regex", "format": A}, GrammarError, ""),
    ({"format": {"type": "regex"}}, GrammarError, "/format"),
    ({"format": {**A, "values": 1}}, GrammarError, "/format"),
    ({"format": {"type": "any_texts"}}, UnsupportedSchemaError, "/format"),
    ({"format": {"type": "any_tokens"}}, UnsupportedSchemaError, "/format"),
    ({"format": {**ANY, "max_tokens": 3}}, GrammarError, "/format/max_tokens"),
    ({"format": {"type": "or", "elements": []}}, GrammarError, "/format"),
    ({"format": {"type": "or", "elements": [A, {**WORD, "pattern": "("}]}}, GrammarError, None),
    ({"format": {**NULL, "style": "cohere_xml"}}, UnsupportedSchemaError, "/format"),
    ({"format": {**NULL, "excludes": ["x"]}}, UnsupportedSchemaError, "/format"),
    (
        {"format": {"type": "json_schema", "json_schema": {"items": {"type": "x"}}}},
        SchemaError,
        "/format/json_schema/items/type",
    ),
    ({"format": {**TRIGGERED, "triggers": ["<g="]}}, GrammarError, "/format/tags/0/begin"),
    ({"format": {**TRIGGERED, "triggers": ["<f=", "<f"]}}, GrammarError, "/format/tags/0/begin"),
    ({"format": {**TRIGGERED, "excludes": ["a<"]}}, UnsupportedSchemaError, "/format"),
    ({"format": {"type": "dispatch", "rules": [["aa", A]]}}, UnsupportedSchemaError, "/format"),
    ({"format": {"type": "dispatch", "rules": [["{"]]}}, GrammarError, "/format/rules/0"),
    ({"structures": [{"begin": "<f>"}], "triggers": []}, GrammarError, "/structures/0"),
]


@pytest.mark.parametrize(("wrong", "kind", "pointer"), WRONG, ids=lambda value: str(value)[:50])
def test_what_is_refused(wrong: Any, kind: type[Error], pointer: str | None) -> None:
    with pytest.raises(kind) as caught:
        from_structural_tag(wrong)
    assert pointer is None or caught.value.pointer == pointer


def test_nesting_has_an_end() -> None:
    form = A
    for _ in range(5000):
        form = {"type": "optional", "content": form}
    with pytest.raises(LimitError):
        from_structural_tag({"format": form}).compile(BYTES)
