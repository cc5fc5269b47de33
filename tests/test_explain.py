"""What may come and why something may not, in words; and that what is named does refuse."""

from __future__ import annotations

import copy
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemask
from schemask import Explanation, Grammar
from schemask.core.byte_vocabulary import byte_vocabulary
from strategies import schemas

STOP = 256  # of the byte vocabulary

TRIP = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Paris", "Rome"]},
        "price": {"type": "number", "maximum": 100},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
    },
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "integer", "minimum": 5}},
}


def matcher_after(grammar: Grammar, text: str, max_tokens: int | None = None) -> schemask.Matcher:
    matcher = grammar.compile(byte_vocabulary()).matcher(max_tokens)
    assert matcher.accept_bytes(text.encode()), matcher.explain_bytes(text.encode())
    return matcher


def explained(schema: Any, text: str, more: str, **options: Any) -> Explanation:
    """Why `more` may not come after `text`; the text as it was."""
    matcher = matcher_after(Grammar.from_json_schema(schema, **options), text)
    before = (matcher.token_count, matcher.completion())
    explanation = matcher.explain_bytes(more.encode())
    assert (matcher.token_count, matcher.completion()) == before
    return explanation


# schema, text, what is refused after it; the place of the value, and the keywords that refuse it
KEYWORDS: list[tuple[Any, str, str, str, list[str]]] = [
    (TRIP, "", "[", "", ["/type"]),
    (TRIP, "{", "}", "", ["/required"]),
    (TRIP, '{"city": ', "7", "/city", ["/properties/city/enum"]),
    (TRIP, '{"city": "', 'London"', "/city", ["/properties/city/enum"]),
    (TRIP, '{"city": "Rome", "', "x", "", ["/additionalProperties"]),
    (TRIP, '{"city": "Rome", "price": ', "true", "/price", ["/properties/price/type"]),
    (TRIP, '{"city": "Rome", "price": ', "101 ", "/price", ["/properties/price/maximum"]),
    (TRIP, '{"city": "Rome", "tags": [', "4]", "/tags/0", ["/$defs/tag/minimum"]),
    (TRIP, '{"city": "Rome", "tags": [7, ', "[", "/tags/1", ["/$defs/tag/type"]),
    (TRIP, '{"city": "Rome", "tags": [7, 8 ', ", 9]", "/tags", ["/properties/tags/maxItems"]),
    (TRIP, '{"price": 1', "}", "", ["/required"]),
    (TRIP, '{"tags": [5, 6', ",", "/tags", ["/properties/tags/maxItems"]),
    ({"minLength": 3}, '"ab', '"', "", ["/minLength"]),
    ({"maxLength": 2}, '"ab', "c", "", ["/maxLength"]),
    ({"pattern": "^a+$"}, '"a', "b", "", ["/pattern"]),
    ({"format": "date"}, '"2026-1', "3", "", ["/format"]),
    ({"const": {"a/b": [1]}}, '{"a/b": [', "2", "/a~1b/0", ["/const"]),
    ({"exclusiveMaximum": 0}, "", "7", "", ["/exclusiveMaximum"]),
    ({"multipleOf": 10, "type": "integer"}, "15", " ", "", ["/multipleOf"]),
    ({"minItems": 2}, "[1 ", "]", "", ["/minItems"]),
    ({"uniqueItems": True, "items": {"type": "boolean"}}, "[true, ", "t", "/1", ["/uniqueItems"]),
    ({"contains": {"const": 1}, "maxItems": 1}, "[", "[", "/0", ["/contains", "/maxItems"]),
    ({"minProperties": 1}, "{", "}", "", ["/minProperties"]),
    ({"propertyNames": {"maxLength": 1}}, '{"a', "b", "", ["/propertyNames/maxLength"]),
    ({"patternProperties": {"^x": {"type": "null"}}}, '{"xy": ', "1", "/xy", [
        "/patternProperties/^x/type"
    ]),
    ({"properties": {"a": False}}, '{"a', '"', "", ["/properties/a"]),
    ({"prefixItems": [{}], "items": False}, "[1 ", ", 1", "", ["/items"]),
    ({"dependentRequired": {"a": ["b"]}}, '{"a": 1 ', "}", "", ["/dependentRequired"]),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, '{"a": 1 ', "}", "", [
        "/dependentSchemas/a/required"
    ]),
    # What stands elsewhere is named where it stands.
    ({"$ref": "#/$defs/a/items", "$defs": {"a": {"items": {"type": "null"}}}}, "", "1", "", [
        "/$defs/a/items/type"
    ]),
    ({"$ref": "http://json-schema.org/draft-07/schema"}, "", "1", "", [
        "http://json-schema.org/draft-07/schema#/type"
    ]),
    # Each branch refuses it.
    ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "", "t", "", [
        "/anyOf/0/type", "/anyOf/1/type"
    ]),
    ({"allOf": [{"type": "string"}, {"type": "string"}]}, "", "1", "", [
        "/allOf/0/type", "/allOf/1/type"
    ]),
    ({"anyOf": [{"properties": {"k": {"const": "a"}, "v": {"type": "null"}}, "required": ["k"]},
                {"properties": {"k": {"const": "b"}, "v": {"type": "string"}}, "required": ["k"]}],
      "type": "object"}, '{"k": "a", "v": ', "1", "/v", [
        "/anyOf/0/properties/v/type", "/anyOf/1/properties/k/const"
    ]),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"},
     '{"a": 1, "b', '"', "", ["/oneOf"]),
    ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "", "1", "", [
        "/oneOf/0/type", "/oneOf/1/type"
    ]),
    ({"not": {"type": "string"}}, "", '"', "", ["/not"]),
    ({"not": {"$ref": "#/$defs/s"}, "$defs": {"s": {"type": "string"}}}, "", '"', "", ["/not"]),
    ({"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]},
      "properties": {"a": {"type": "integer"}}}, '{"a": 1 ', "}", "", [
        "/then/required", "/if"
    ]),
    # It could be read, but nothing valid could follow.
    ({"required": ["a"], "maxProperties": 1}, '{"', "b", "", ["/required", "/maxProperties"]),
    ({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "minItems": 3}, "", "[", "",
     []),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "text", "more", "value", "keywords"), KEYWORDS)
def test_keywords(schema: Any, text: str, more: str, value: str, keywords: list[str]) -> None:
    if not keywords:
        with pytest.raises(schemask.SchemaError):
            Grammar.from_json_schema(schema)
        return
    explanation = explained(schema, text, more, property_order="any", spelling="any")
    assert not explanation.allowed
    assert explanation.kind == "keyword"
    assert explanation.value_pointer == value
    assert sorted(explanation.keywords) == sorted(keywords)
    assert explanation.options == []
    assert all(pointer in str(explanation) for pointer in keywords)


@pytest.mark.parametrize(
    ("schema", "text", "more", "options", "kind", "named", "keywords"),
    [
        ({}, "1", "e2", {}, "option", ["spelling"], []),
        ({"type": "string"}, '"', "\\u0061", {}, "option", ["spelling"], []),
        ({"type": "integer"}, "1", ".", {}, "keyword", ["spelling"], ["/type"]),
        ({}, '{"a":', " 1", {"whitespace": "compact"}, "option", ["whitespace"], []),
        ({}, '{"a":', "1", {"whitespace": "spaced"}, "option", ["whitespace"], []),
        ({}, "[" + 32 * " ", " 1", {}, "option", ["whitespace"], []),
        (
            {"properties": {"a": {}, "b": {}}},
            '{"b": 1, "a',
            '"',
            {},
            "option",
            ["property_order"],
            [],
        ),
        (
            {"properties": {"a": {}, "b": {}}, "required": ["a"]},
            '{"',
            'b"',
            {},
            "keyword",
            ["property_order"],
            ["/required"],
        ),
    ],
)
def test_options(
    schema: Any,
    text: str,
    more: str,
    options: dict[str, str],
    kind: str,
    named: list[str],
    keywords: list[str],
) -> None:
    explanation = explained(schema, text, more, **options)
    assert explanation.kind == kind
    assert (explanation.options, explanation.keywords) == (named, keywords)
    assert named[0] in str(explanation)


def test_what_is_no_json() -> None:
    for text, more in [
        ("", "]"),
        ("[1 ", "}"),
        ('{"a" ', ","),
        ('"', "\n"),
        ("01"[:1], "1"),
        ("tr", "y"),
    ]:
        explanation = explained({}, text, more, spelling="any")
        assert (explanation.kind, explanation.keywords) == ("syntax", []), (text, more)
        assert "no JSON" in str(explanation)


def test_a_key_that_came_already() -> None:
    for text in ['{"a": 1, "a', '{"a": 1, "\\u0061']:
        explanation = explained({}, text, '"', spelling="any")
        assert explanation.kind == "repeated_key"
        assert '"a" already' in str(explanation)


def test_places_in_the_text() -> None:
    explanation = explained(TRIP, '{\n  "city": "Rome",\n  "tags": [5, ', "77, 3, 9")
    assert (explanation.line, explanation.column, explanation.offset) == (3, 17, 36)
    assert explanation.refused_byte == 2
    assert explanation.value_pointer == "/tags"
    # Columns are characters, offsets are bytes.
    explanation = explained({"maxLength": 2}, '"é\U0001f600', "x")
    assert (explanation.line, explanation.column, explanation.offset) == (1, 4, 7)


def test_what_ends_the_text() -> None:
    matcher = matcher_after(Grammar.from_json_schema({"type": "integer", "minimum": 10}), "5")
    for explanation in (matcher.explain(STOP), matcher.explain_end()):
        assert explanation.kind == "unfinished"
        assert explanation.keywords == ["/minimum"]
    matcher = matcher_after(Grammar.from_json_schema({}), "[1")
    explanation = matcher.explain(STOP)
    assert (explanation.kind, explanation.keywords) == ("unfinished", [])
    assert '"]"' in str(explanation)
    assert matcher.accept(ord("]"))
    assert matcher.explain(STOP).allowed
    assert matcher.explain_end().allowed
    assert matcher.accept(STOP)
    for explanation in (matcher.explain(STOP), matcher.explain(65), matcher.explain_bytes(b" ")):
        assert explanation.kind == "ended"
        assert not explanation.allowed
    assert matcher.explain_end().allowed


def test_tokens_that_are_no_text() -> None:
    vocabulary = schemask.Vocabulary([b"a", b"<call>", b"", b"</s>"], [3], [1])
    matcher = Grammar.literal("aa").compile(vocabulary).matcher()
    assert [matcher.explain(token).kind for token in range(4)] == [
        None,
        "special",
        "empty",
        "unfinished",
    ]
    named = (Grammar.token("<call>") + "a").compile(vocabulary).matcher()
    assert named.explain(1).allowed
    assert named.explain(0).kind == "rule"
    assert "<call>" in named.explain(0).expected
    with pytest.raises(schemask.TokenError):
        matcher.explain(4)
    with pytest.raises(schemask.TokenError):
        matcher.explain(-1)


def test_the_budget() -> None:
    grammar = Grammar.from_json_schema(
        {"type": "array", "items": {"type": "integer"}}, whitespace="compact"
    )
    matcher = grammar.compile(byte_vocabulary()).matcher(4)
    for token in b"[1":
        assert matcher.accept(token)
    assert matcher.explain(ord("2")).allowed
    explanation = matcher.explain(ord(","))
    assert (explanation.kind, explanation.refused_byte) == ("budget", None)
    assert "1 of the 4 tokens" in str(explanation)
    assert "2 more tokens" in str(explanation)


def test_a_vocabulary_that_cannot_spell_the_end() -> None:
    vocabulary = schemask.Vocabulary([b"a", b"b", b"c", b"</s>"], [3])
    matcher = (Grammar.literal("ad") | "bc").compile(vocabulary).matcher()
    assert matcher.explain(0).kind == "unspellable"
    assert matcher.explain(1).allowed
    assert matcher.allowed().texts == [b"b"]


def test_rules_are_named_with_their_lines() -> None:
    sums = 'root ::= sum\nsum ::= number ("+" number)*\nnumber ::= [0-9]+\nunused ::= "x"\n'
    matcher = matcher_after(Grammar.from_gbnf(sums.replace("unused", "sub")), "1+2")
    explanation = matcher.explain_bytes(b"3a")
    assert explanation.kind == "rule"
    assert explanation.rules == [("root", 1), ("sum", 2), ("number", 3)]
    assert explanation.value_pointer is None
    assert "`number` (line 3)" in str(explanation)
    assert explanation.expected == '"+", "0" to "9" or the end of the text'
    assert matcher_after(Grammar.from_gbnf(sums), "1+").explain_bytes(b"+").rules == [
        ("root", 1),
        ("sum", 2),
        ("number", 3),
    ]
    nested = 'root ::= "(" root ")" | "[" list "]"\nlist ::= "x" ("," "x")*'
    matcher = matcher_after(Grammar.from_gbnf(nested), "([x,x")
    assert matcher.explain_bytes(b")").rules == [("root", 1), ("list", 2)]
    matcher = matcher_after(Grammar.from_gbnf(nested), "([x,x]")
    # A list of any text could go on with it.
    assert matcher.explain_bytes(b"]").rules == [("root", 1), ("list", 2)]
    matcher = matcher_after(Grammar.from_gbnf(nested), "(")
    assert matcher.explain_bytes(b")").rules == [("root", 1)]


def test_a_pattern_has_no_rules() -> None:
    explanation = matcher_after(Grammar.from_regex("[ab]+c?"), "ab").explain_bytes(b"d")
    assert (explanation.kind, explanation.rules) == ("rule", [])
    assert explanation.expected == '"a" to "c" or the end of the text'


def test_json_inside_a_grammar() -> None:
    lark = """start: "call " %json {"type": "object", "properties": {"a": {"maximum": 5}}} "!" NAME
        NAME: /[a-z]+/"""
    grammar = Grammar.from_lark(lark, spelling="any")
    explanation = matcher_after(grammar, 'call {"a": ').explain_bytes(b"9 ")
    assert (explanation.kind, explanation.keywords) == ("keyword", ["/properties/a/maximum"])
    assert (explanation.value_pointer, explanation.offset) == ("/a", 12)
    explanation = matcher_after(grammar, 'call {"a": 3}').explain_bytes(b"?")
    assert (explanation.kind, explanation.rules) == ("rule", [("start", 1)])
    assert explanation.value_pointer is None
    tools = [{"name": "f", "parameters": {"type": "object", "properties": {"n": {"type": "null"}}}}]
    grammar = Grammar.from_tools(tools, "hermes", tool_choice="required")
    matcher = grammar.compile(byte_vocabulary()).matcher()
    start = '<tool_call>\n{"name": "f", "arguments": {"n": '
    assert matcher.accept_bytes(start.encode()), matcher.explain_bytes(start.encode())
    explanation = matcher.explain_bytes(b"1")
    assert explanation.keywords == ["/$defs/f/properties/n/type"]
    assert explanation.value_pointer == "/arguments/n"


def test_little_work_is_no_error_but_undecided() -> None:
    schema = {"allOf": [{"properties": {f"k{i}": {"type": "integer"}}} for i in range(40)]}
    limits: schemask.Limits = {"explain_work": 300}
    matcher = matcher_after(Grammar.from_json_schema(schema, limits=limits), '{"k7": ')
    explanation = matcher.explain_bytes(b'"')
    assert (explanation.kind, explanation.keywords) == ("undecided", [])
    assert "explain_work" in str(explanation)
    # Enough to find one that refuses, and not enough to find the fewest: nothing is left out.
    for work in (10_000, 30_000, 100_000, 1_000_000):
        limits = {"explain_work": work}
        matcher = matcher_after(Grammar.from_json_schema(schema, limits=limits), '{"k7": ')
        explanation = matcher.explain_bytes(b'"')
        if explanation.kind == "keyword":
            assert "/allOf/7/properties/k7/type" in explanation.keywords
        if len(explanation.keywords) != 1:
            assert "explain_work" in str(explanation)
    assert explanation.keywords == ["/allOf/7/properties/k7/type"]
    assert "explain_work" not in str(explanation)


def test_many_keywords_are_not_all_written_out() -> None:
    schema = {"anyOf": [{"const": i} for i in range(50)]}
    explanation = explained(schema, "", "[")
    assert len(explanation.keywords) == 50
    assert "and 42 more" in str(explanation)


def test_it_goes_back_and_apart_with_the_matcher() -> None:
    matcher = matcher_after(Grammar.from_json_schema({"type": ["array", "integer"]}), "")
    assert matcher.accept_bytes(b"[1, ")
    assert matcher.accept(ord("2"))
    other = matcher.clone()
    matcher.rollback(1)
    assert matcher.explain_bytes(b"x").offset == 4
    assert other.explain_bytes(b"x").offset == 5
    matcher.reset()
    explanation = matcher.explain_bytes(b"{")
    assert (explanation.offset, explanation.keywords) == (0, ["/type"])


def test_what_may_come() -> None:
    def description(schema: Any, text: str, **options: Any) -> str:
        return (
            matcher_after(Grammar.from_json_schema(schema, **options), text).allowed().description
        )

    assert description(TRIP, "") == "an object"
    assert description(TRIP, "{") == 'the key "city"'
    assert description(TRIP, '{"') == 'the key "city"'
    assert description(TRIP, '{"city"') == '":"'
    assert description(TRIP, '{"city":', whitespace="spaced") == "a space"
    assert description(TRIP, '{"city": ') == '"Paris" or "Rome"'
    assert description(TRIP, '{"city": "R') == '"ome" to end the string'
    assert (
        description(TRIP, '{"city": "Rome"')
        == '"," and then the key "price" or the key "tags" or "}"'
    )
    assert description(TRIP, '{"city": "Rome", "tags": [') == 'a number or "]"'
    assert description(TRIP, '{"city": "Rome", "tags": [5, 6 ') == '"]"'
    assert description(TRIP, '{"city": "Rome", "tags": [5 ') == '"," and another item or "]"'
    assert description(TRIP, '{"city": "Rome", "tags": []}') == "the end of the text"
    assert description({}, "") == ("null, true, false, a number, a string, an array or an object")
    assert description({"type": "string"}, '"a') == "more of the string or the end of the string"
    assert description({"type": "string"}, '"\\') == "the rest of a character"
    assert description({}, "fa") == "the rest of false"
    assert description({"enum": [1, 20, "x"]}, "") == '1, 20 or "x"'
    assert description({}, "{") == 'any key or "}"'
    assert description({"properties": {"a": {}}}, "{") == 'the key "a", another key or "}"'
    assert description({"type": "integer"}, "1") == "more of the number or the end of the text"
    many = {"properties": {f"k{i}": {} for i in range(20)}, "additionalProperties": False}
    assert "one of 14 other keys" in description(many, "{")
    lines = Grammar.literal("yes\n") | "no\n"
    assert matcher_after(lines, "").allowed().description == '"n" or "y"'
    assert matcher_after(lines, "y").allowed().description == 'the text "es\\n"'


def test_the_tokens_that_may_come() -> None:
    matcher = matcher_after(
        Grammar.from_json_schema({"type": "integer"}, whitespace="compact"), "1"
    )
    allowed = matcher.allowed(limit=3)
    assert (allowed.count, allowed.token_ids) == (11, [48, 49, 50])
    assert allowed.texts == [b"0", b"1", b"2"]
    assert allowed.may_end
    assert str(allowed) == (
        'more of the number or the end of the text (11 tokens: "0", "1", "2", …)'
    )
    everything = matcher.allowed(limit=1000)
    assert everything.token_ids == [*range(48, 58), STOP]
    assert matcher.allowed(0).token_ids == []
    with pytest.raises(schemask.TokenError):
        matcher.allowed(-1)
    matcher.accept(STOP)
    assert matcher.allowed().token_ids == [STOP]
    assert "ended" in matcher.allowed().description


# Properties


def pointed(document: Any, pointer: str) -> tuple[Any, Any]:
    """The container of what a JSON pointer leads to, and its key or index there."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    for token in tokens[:-1]:
        document = document[int(token) if isinstance(document, list) else token]
    last = tokens[-1]
    return document, int(last) if isinstance(document, list) else last


def without(schema: Any, pointers: list[str], any_of: bool = False) -> Any:
    """The schema without some keywords; of `oneOf`, without its demand that no two branches hold.

    With `any_of`, without that of any `oneOf`.
    """
    schema = copy.deepcopy(schema)
    # What is inside comes first, while it is where the pointers say.
    for pointer in sorted(pointers, key=lambda pointer: -pointer.count("/")):
        if pointer.endswith("/oneOf"):
            continue
        holder, key = pointed(schema, pointer)
        if holder[key] is False and key != "const":
            holder[key] = True
        else:
            del holder[key]
    return schema if not any_of and "oneOf" not in str(pointers) else without_one_of(schema)


def without_one_of(schema: Any) -> Any:
    """Each `oneOf` as an `anyOf`, without harm to references."""
    if isinstance(schema, list):
        return [without_one_of(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: without_one_of(inner) for key, inner in schema.items()}
    if isinstance(found.get("oneOf"), list):
        found["allOf"] = [*found.get("allOf", []), {"anyOf": found.pop("oneOf")}]
    return found


def open_one_of(explanation: Explanation) -> bool:
    return not any(pointer.endswith("/oneOf") for pointer in explanation.keywords)


def constraints(schema: Any, pointer: str = "") -> list[str]:
    """Everything in a schema that can be left out, in the words of the specification."""
    if schema is False:
        return [pointer]
    if schema is True:
        return []
    found = []
    for keyword, value in schema.items():
        at = f"{pointer}/{keyword}"
        if keyword in MAPS:
            for name, inner in value.items():
                escaped = name.replace("~", "~0").replace("/", "~1")
                found += constraints(inner, f"{at}/{escaped}")
        elif keyword in LISTS:
            for index, inner in enumerate(value):
                found += constraints(inner, f"{at}/{index}")
        elif keyword in HOLDERS:
            found += constraints(value, at)
        elif keyword == "minContains" and value < 2:
            pass  # left out, it would say 1
        elif keyword not in ("$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor"):
            found.append(at)
    return found


MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
HOLDERS = (
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "items",
    "unevaluatedItems",
    "then",
    "else",
)


COUNTS: Counter[Any] = Counter()
OPTIONS = {"whitespace": "flexible", "property_order": "any", "spelling": "any"}


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_without_the_keywords_that_are_named_the_text_is_read(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    options = data.draw(
        st.sampled_from([{}, OPTIONS, {"whitespace": "compact"}, {"property_order": "any"}])
    )
    try:
        grammar = Grammar.from_json_schema(schema, **options)  # type: ignore[arg-type]
    except schemask.Error:
        return
    matcher = grammar.compile(byte_vocabulary()).matcher()
    seed = random.Random(data.draw(st.integers(0, 1 << 30)))
    row = np.zeros(9, dtype=np.int32)
    text = b""
    for _ in range(seed.randrange(25)):
        matcher.fill_mask(row)
        bits = np.unpackbits(row.view(np.uint8), bitorder="little")
        tokens = [token for token in range(33, 127) if bits[token]] or [
            token for token in range(STOP) if bits[token]
        ]
        if not tokens:
            break
        # Quotes and brackets, so that the walk leaves its strings.
        ends = [token for token in tokens if token in b'"]},:']
        token = seed.choice(ends if ends and seed.random() < 0.5 else tokens)
        assert matcher.accept(token)
        text += bytes([token])
    for token in seed.sample(b'{}[]",:0159-ean tfx. ', 6):
        explanation = matcher.explain(token)
        assert explanation.allowed == matcher.clone().accept(token)
        COUNTS[explanation.kind] += 1
        if explanation.allowed:
            continue
        assert explanation.offset == len(text)
        if explanation.kind not in ("keyword", "option"):
            assert explanation.kind in ("syntax", "repeated_key", "undecided"), str(explanation)
            continue
        assert "explain_work" not in explanation.reason
        assert explanation.keywords or explanation.options
        if "#/" in "".join(explanation.keywords):
            continue
        relaxed = dict(options)
        relaxed.update({option: OPTIONS[option] for option in explanation.options})
        limits: schemask.Limits = {"whitespace_run": 255}
        grammar = Grammar.from_json_schema(
            without(schema, explanation.keywords, open_one_of(explanation)),
            limits=limits if "whitespace" in explanation.options else None,
            **relaxed,  # type: ignore[arg-type]
        )
        follower = grammar.compile(byte_vocabulary()).matcher()
        assert follower.accept_bytes(text + bytes([token])), str(explanation)
        COUNTS["tried"] += 1


def test_the_property_is_tried() -> None:
    if not COUNTS:
        test_without_the_keywords_that_are_named_the_text_is_read()
    assert COUNTS["tried"] > 10, COUNTS
    assert COUNTS["keyword"] > 10, COUNTS
    assert COUNTS["undecided"] <= 0.02 * COUNTS.total(), COUNTS


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_named_together_refuses_and_none_of_it_is_idle(data: st.DataObject) -> None:
    """Where nothing else is demanded, it is refused still; and read without any part of it."""
    schema = data.draw(schemas())
    options = {"spelling": "any", "property_order": "any"}
    try:
        grammar = Grammar.from_json_schema(schema, **options)  # type: ignore[arg-type]
    except schemask.Error:
        return
    if not isinstance(schema, dict) or "$dynamicRef" in str(schema):
        return
    matcher = grammar.compile(byte_vocabulary()).matcher()

    def reads(left_out: list[str]) -> bool:
        relaxed = without(schema, left_out, any_of=True)
        try:
            grammar = Grammar.from_json_schema(relaxed, **options)  # type: ignore[arg-type]
        except schemask.SchemaError:
            return False  # nothing satisfies it
        return grammar.compile(byte_vocabulary()).matcher().accept(token)

    for token in b'{["0tn':
        explanation = matcher.explain(token)
        named = explanation.keywords
        if explanation.kind != "keyword" or "besides" in explanation.reason:
            continue
        if not open_one_of(explanation):
            continue
        others = [pointer for pointer in constraints(schema) if pointer not in named]
        assert not reads(others), str(explanation)
        for keyword in named[:4]:
            assert reads([*others, keyword]), (keyword, str(explanation))
        COUNTS["minimal"] += len(named)
