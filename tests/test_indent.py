"""Indented JSON: what `json.dumps` writes with `indent` is accepted, and no other layout."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import schemask
from schemask import Grammar, chat
from schemask.core.byte_vocabulary import byte_vocabulary
from strategies import instances, schemas
from test_mask_oracle import check, keep, vocabularies

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))
SEPARATORS = [(comma, colon) for comma in (",", ", ") for colon in (":", ": ")]
INDENTS = st.sampled_from([0, 1, 2, 4, "", "\t", " \t", "\n"])
LAYOUTS = st.tuples(INDENTS, st.sampled_from([None, *SEPARATORS]))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab,: []{}\n", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:, ", max_size=3), inner)
    ),
    max_leaves=8,
)


def grammar_of(schema: Any, layout: tuple[Any, Any], **options: Any) -> Grammar:
    indent, separators = layout
    whitespace = "flexible" if separators is None else separators
    return Grammar.from_json_schema(schema, whitespace, indent=indent, **options)


def written(value: Any, layout: tuple[Any, Any]) -> str:
    indent, separators = layout
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)


def is_accepted(compiled: schemask.CompiledGrammar, text: str) -> bool:
    matcher = compiled.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


def layouts_of(value: Any) -> set[str]:
    """A value as it is written in many ways."""
    all_layouts = [(indent, pair) for indent in (None, 0, 1, 2, 3, "\t") for pair in SEPARATORS]
    texts = {written(value, layout) for layout in all_layouts}
    two = written(value, (2, None))
    near = {two + "\n", " " + two, two.replace("\n", "\r\n"), two.replace("\n", " \n")}
    for place in [i for i, c in enumerate(two) if c in " \n,:[]{}"]:
        near |= {two[:place] + " " + two[place:], two[:place] + two[place + 1 :]}
    return texts | near


@settings(SETTINGS, max_examples=100)
@given(JSON_VALUES, LAYOUTS)
def test_only_the_layout_of_json_dumps(value: Any, layout: tuple[Any, Any]) -> None:
    compiled = grammar_of({}, layout).compile(byte_vocabulary())
    wanted = written(value, layout)
    assert is_accepted(compiled, wanted)
    for text in layouts_of(value):
        try:
            other = json.loads(text)
        except json.JSONDecodeError:
            continue
        # Changed inside a string, it is the layout of another value.
        assert is_accepted(compiled, text) == (text == written(other, layout)), text


@settings(SETTINGS, max_examples=100)
@given(st.data(), schemas(), LAYOUTS)
def test_instances_of_random_schemas(data: Any, schema: Any, layout: tuple[Any, Any]) -> None:
    options: Any = {"property_order": "any", "spelling": "any"}
    try:
        compact = Grammar.from_json_schema(schema, "compact", **options).compile(byte_vocabulary())
        compiled = grammar_of(schema, layout, **options).compile(byte_vocabulary())
        for _ in range(4):
            value = data.draw(instances(schema))
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            verdict = is_accepted(compact, text)
            assert is_accepted(compiled, written(value, layout)) == verdict
            assert not is_accepted(compiled, " " + text)
    except (schemask.SchemaError, schemask.LimitError):
        assume(False)


@settings(SETTINGS, max_examples=100)
@given(schemas(), vocabularies(), LAYOUTS, st.integers(0, 2**32))
def test_walks_end_in_the_layout(
    schema: Any, vocabulary: schemask.Vocabulary, layout: tuple[Any, Any], seed: int
) -> None:
    """Masks are those of trying each token; endings, however far, are written as they must be."""
    try:
        compiled = grammar_of(schema, layout).compile(vocabulary)
    except schemask.SchemaError:
        assume(False)
    choose = random.Random(seed)
    matcher, text = compiled.matcher(), b""
    for _ in range(16):
        [options] = np.nonzero(check(matcher, vocabulary, text))
        # Text that may be forced into tokens is allowed.
        ahead = matcher.clone()
        assert all(ahead.accept(token) for token in matcher.forced_tokens())
        if not len(options):
            break
        lines = [t for t in options if b"\n" in vocabulary.token(int(t))]
        token = int(choose.choice(lines if lines and choose.random() < 0.5 else options))
        assert matcher.accept(token)
        if matcher.is_terminated:
            break
        text += vocabulary.token(token)
    try:
        whole = text if matcher.is_terminated else text + matcher.completion()
    except schemask.LimitError:
        assume(False)
    value = json.loads(whole)
    if not any(isinstance(number, float) for number in leaves(value)):
        assert whole.decode() == written(value, layout)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for item in inner for leaf in leaves(item)]
    return [value]


@settings(SETTINGS, max_examples=100)
@given(
    schemas(), vocabularies(), LAYOUTS, st.sampled_from(["schema", "any"]), st.integers(0, 40),
    st.integers(0, 2**32),
)  # fmt: skip
def test_a_budget_is_always_kept(
    schema: Any,
    vocabulary: schemask.Vocabulary,
    layout: tuple[Any, Any],
    order: Any,
    spare: int,
    seed: int,
) -> None:
    try:
        compiled = grammar_of(schema, layout, property_order=order).compile(vocabulary)
        budget = len(vocabulary.tokenize(compiled.matcher().completion())) + spare
        matcher = compiled.matcher(max_tokens=budget)
    except (schemask.SchemaError, schemask.LimitError):
        assume(False)
    keep(matcher, vocabulary, budget, random.Random(seed))


NESTED = {
    "type": "object",
    "properties": {
        "a": {"type": "array", "items": {"type": "array", "items": {"const": 1}, "minItems": 1}},
        "b": {"$ref": "#"},
        "c": {"type": "array", "items": {"enum": [[], [1], {}, {"x": [2]}]}, "uniqueItems": True},
    },
    "required": ["a"],
    "additionalProperties": False,
}
REQUIRED = {**NESTED, "required": ["a", "c"], "minProperties": 2}
REQUIRED["properties"] = {
    **NESTED["properties"],  # type: ignore[dict-item]
    "a": {"minItems": 2, **NESTED["properties"]["a"]},  # type: ignore[index]
    "c": {"minItems": 3, **NESTED["properties"]["c"]},  # type: ignore[index]
}


@pytest.mark.parametrize("indent", [0, 1, 7, "\t\t"])
@pytest.mark.parametrize("separators", [None, *SEPARATORS])
def test_the_fewest_tokens_are_those_of_the_shortest_text(indent: Any, separators: Any) -> None:
    compiled = grammar_of(REQUIRED, (indent, separators)).compile(byte_vocabulary())
    head = written({"b": {"b": 1}}, (indent, separators)).split("b", 2)[0].encode()
    for start in (b"", b"{", head):
        matcher = compiled.matcher()
        assert matcher.accept_bytes(start)
        left = matcher.completion()
        text = (start + left).decode()
        assert text == written(json.loads(text), (indent, separators))
        # On bytes, the budget is the length, and no token less.
        exact = compiled.matcher(max_tokens=len(text))
        assert exact.accept_bytes(text.encode())
        with pytest.raises(schemask.LimitError):
            compiled.matcher(max_tokens=len(compiled.matcher().completion()) - 1)


def test_recursion_may_go_as_deep_as_it_likes() -> None:
    compiled = Grammar.from_json_schema({}, indent=1).compile(byte_vocabulary())
    value: Any = []
    for depth in range(300):
        value = [value] if depth % 2 else {"": value}
    assert is_accepted(compiled, written(value, (1, None)))
    matcher = compiled.matcher()
    text = written(value, (1, None)).encode()
    middle = text.index(b"[]")
    assert matcher.accept_bytes(text[:middle])
    ending = matcher.completion()
    assert json.loads(text[:middle] + ending) is not None
    assert (text[:middle] + ending).decode() == written(
        json.loads(text[:middle] + ending), (1, None)
    )


def test_readings_at_several_depths_are_kept_apart() -> None:
    """A value in another one, and the same value after text of the grammar that looks like that."""
    item = Grammar.from_json_schema({"$ref": "#/$defs/v", "$defs": {"v": {}}}, indent=2)
    text = '[\n  {\n    "a": 1\n  }\n]'
    other = '[\n  {\n  "a": 1\n}\n]'
    both = item | "[\n  " + item + "\n]"
    compiled = both.compile(byte_vocabulary())
    for whole in (text, other):
        assert is_accepted(compiled, whole)
        matcher = compiled.matcher()
        for byte in whole.encode():
            assert matcher.accept(byte)
            ending = matcher.clone()
            assert ending.accept_bytes(ending.completion()) and ending.is_accepting
    assert not is_accepted(compiled, '[\n  {\n    "a": 1\n}\n]')
    assert not is_accepted(compiled, '[\n  {\n  "a": 1\n  }\n]')


def test_what_is_forced() -> None:
    schema = {**NESTED, "properties": {"a": {"const": [1]}}, "required": ["a"]}
    compiled = Grammar.from_json_schema(schema, indent=2).compile(byte_vocabulary())
    matcher = compiled.matcher()
    forced = bytes(matcher.forced_tokens()).decode()
    assert written({"a": [1]}, (2, None)) == forced


@pytest.mark.parametrize("format", ["hermes", "llama3_json", "tool_code"])
def test_arguments_of_tools(format: str) -> None:
    def book(city: str, days: list[int]) -> None:
        """Books a stay."""

    grammar = Grammar.from_tools([book], format, tool_choice="required", indent=2)
    compiled = grammar.compile(byte_vocabulary())
    matcher = compiled.matcher()
    text = matcher.completion()
    assert matcher.accept_bytes(text) and matcher.is_accepting
    turn = chat.chat_format(format).parse(text.decode(), [book])
    assert [call.name for call in turn.tool_calls] == ["book"]


def test_lark_and_grammars_that_are_joined() -> None:
    grammar = Grammar.from_lark('start: "v = " %json {"type": "array"} ";"', indent="\t")
    compiled = grammar.compile(byte_vocabulary())
    assert is_accepted(compiled, "v = [\n\t1\n];") and not is_accepted(compiled, "v = [1];")
    two, four = (Grammar.from_json_schema({"type": "array"}, indent=n) for n in (2, 4))
    with pytest.raises(schemask.GrammarError, match="joined"):
        two + four


def test_recursion_in_gbnf_has_no_end() -> None:
    schema = {**NESTED, "properties": {"a": {"const": 1}, "b": {"$ref": "#"}}}
    for indent in (None, 0):
        Grammar.from_json_schema(schema, indent=indent).to_gbnf()
    with pytest.raises(schemask.LimitError, match="rules"):
        Grammar.from_json_schema(schema, indent=2).to_gbnf()


def test_keys_are_put_in_order() -> None:
    grammar = Grammar.from_json_schema(NESTED, indent=3)
    value = {"c": [{}, {"x": [2]}], "b": {"b": {"a": []}, "a": [[1]]}, "a": []}
    assert json.dumps(grammar.in_order(value)) == json.dumps(
        {"a": [], "b": {"a": [[1]], "b": {"a": []}}, "c": [{}, {"x": [2]}]}
    )


def test_a_refusal_is_explained() -> None:
    compiled = Grammar.from_json_schema(NESTED, indent=2).compile(byte_vocabulary())
    for text, expected in (
        ('{"a"', "a line break"),
        ('{\n"a"', "a space"),
        ('{\n  "a": [\n    [\n      1]', "a line break"),
        ('{\n  "a": []}', "a line break"),
        ('{\n  "a": []\n,', '"}"'),
    ):
        refused = compiled.matcher().explain_bytes(text.encode())
        assert refused.options == ["indent"], text
        assert expected in refused.expected, refused.expected


@pytest.mark.parametrize("indent", [17, 10**12, " " * 17, "x", "--", "\u00a0", True, 1.5, [2]])
def test_indents_that_are_none(indent: Any) -> None:
    with pytest.raises(schemask.GrammarError, match="indent"):
        Grammar.from_json_schema({}, indent=indent)


def test_negative_indents_are_those_of_json_dumps() -> None:
    compiled = Grammar.from_json_schema({}, indent=-3).compile(byte_vocabulary())
    assert is_accepted(compiled, json.dumps([1, {"a": []}], indent=-3))


def test_it_is_saved_with_the_grammar(tmp_path: Any) -> None:
    grammar = Grammar.from_json_schema({}, (", ", ":"), indent="\t ")
    compiled = grammar.compile(byte_vocabulary())
    compiled.save(tmp_path / "saved")
    again = schemask.CompiledGrammar.load(tmp_path / "saved", byte_vocabulary())
    text = written([{"a": 1}], ("\t ", (", ", ":")))
    assert is_accepted(compiled, text) and is_accepted(again, text)
