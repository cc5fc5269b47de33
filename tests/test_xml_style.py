"""The styles of structural tags in which an object is parameters one by one.

What a text says is read by rules of its own (`xml_texts.py`), and what xgrammar takes is asked of
it. xgrammar takes more than can be read back: white space around values, strings of an enum or of a
pattern that hold the tag which ends them, and a parameter twice.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from oracles import XGRAMMAR, mostly_answered
from schemask import Grammar, Vocabulary, allocate_mask
from schemask.core.structural_tag import from_structural_tag
from schemask.errors import Error, SchemaError, UnsupportedSchemaError
from test_structural_tag import BYTES, accepted, allowed, mutated
from xml_texts import STYLES, read, written

pytest.importorskip("xgrammar")

WORDS = ("Oslo", "", "a\nb", "\n", "\nx\n", "<b>", "</para", "null", "5", "[1", "é😀", " x", '"q"')
PLAIN: dict[str, Any] = {
    "city": {"type": "string"},
    "unit": {"enum": ["C", "F\n", "x y"]},
    "days": {"type": "integer", "minimum": 1, "maximum": 14},
    "exact": {"type": "boolean"},
    "tags": {"type": "array", "items": {"enum": ["a", "</parameter", "b\n"]}},
    "code": {"type": "string", "minLength": 2, "maxLength": 4},
}
UNIONS: dict[str, Any] = {
    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "size": {"type": ["string", "number"]},
    "flag": {"type": ["boolean", "string"]},
    "list": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "string"}]},
    "mixed": {"enum": ["x", 1, None, "null", True]},
    "any": {},
}
VALUES: dict[str, tuple[Any, ...]] = {
    "city": WORDS,
    "unit": ("C", "F\n", "x y"),
    "days": (1, 14),
    "exact": (True, False),
    "tags": ([], ["a"], ["</parameter", "b\n"]),
    "code": ("ab", "\n\n", "abcd", " é "),
    "note": (None, "so", "a null"),
    "size": (1, -2.5, "big", "", "x1"),
    "flag": (True, "maybe"),
    "list": ([1, 2], "so", []),
    "mixed": ("x", 1, None, True),
    "any": ("a", "b c"),
}


@pytest.fixture(scope="module", autouse=True)
def answered() -> Iterator[None]:
    with mostly_answered(XGRAMMAR):
        yield


def schema_of(properties: dict[str, Any], required: list[str], **more: Any) -> dict[str, Any]:
    closed = {"additionalProperties": False, **more}
    return {"type": "object", "properties": properties, "required": required, **closed}


def format_of(style: str, schema: Any, **more: Any) -> dict[str, Any]:
    content = {"type": "json_schema", "json_schema": schema, "style": style, **more}
    # Qwen's style has lines where the tag has them.
    begin, end = ("<f>", "\n</f>") if style == "qwen_xml" else ("<f>\n", "</f>")
    return {"type": "tag", "begin": begin, "content": content, "end": end}


def compiled_of(style: str, schema: Any, **more: Any) -> Any:
    return from_structural_tag({"format": format_of(style, schema, **more)}).compile(BYTES)


def arguments_of(properties: dict[str, Any], required: list[str], chance: random.Random) -> Any:
    return {
        name: chance.choice(VALUES[name])
        for name in properties
        if name in required or chance.random() < 0.5
    }


def says(style: str, schema: dict[str, Any], text: str) -> Any:
    """The arguments of a text that the schema allows; None if it has none such."""
    tag = format_of(style, schema)
    inner = text.removeprefix(tag["begin"]).removesuffix(tag["end"])
    if tag["begin"] + inner + tag["end"] != text or "</f>" in inner:
        return None
    arguments = read(style, inner, schema["properties"])
    if arguments is None:
        return None
    whole = Grammar.from_json_schema(schema, spelling="any").compile(BYTES)
    return arguments if allowed(whole, json.dumps(arguments, ensure_ascii=False)) else None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("properties", "required"), [(PLAIN, ["city", "days"]), (UNIONS, ["note"])]
)
def test_what_is_written_and_what_is_near_it(
    style: str, properties: dict[str, Any], required: list[str]
) -> None:
    """What a model writes is allowed; what is allowed is read as what the schema allows, and
    xgrammar takes it."""
    chance = random.Random(2)
    schema = schema_of(properties, required)
    compiled = compiled_of(style, schema)
    near = []
    for _ in range(40):
        arguments = arguments_of(properties, required, chance)
        text = f"<f>\n{written(style, arguments)}</f>"
        assert allowed(compiled, text), text
        assert says(style, schema, text) == arguments
        near += [text, *(mutated(text, chance) for _ in range(15))]
    taken = accepted({"type": "structural_tag", "format": format_of(style, schema)}, near)
    found = [allowed(compiled, text) for text in near]
    for text, ours, theirs in zip(near, found, taken, strict=True):
        said = says(style, schema, text)
        assert not ours or said is not None, text
        assert not ours or theirs, text
        if properties is PLAIN and theirs and said is not None and "-0" not in text:
            assert ours, text
    assert 40 < sum(found) < sum(taken)


@pytest.mark.parametrize("style", STYLES)
def test_strings_one_by_one(style: str) -> None:
    """All short texts of a few letters, and those near the end of the value."""
    letters = [*"ab<\n /", "é", "null", "1", "</"]
    texts = [one + two + three for one in letters for two in ("", *letters) for three in letters]
    texts += ["", *letters]
    for properties in (
        {"k": {"type": "string"}},
        {"k": {"type": "string", "minLength": 2}},
        {"k": {"type": "string", "pattern": "^[a\n]*$"}},
        {"k": {"enum": ["a", "b\n", "\n", "1", "a b"]}},
        {"k": {"type": ["string", "null"]}},
        {"k": {"enum": ["a", "1", 1]}},
    ):
        schema = schema_of(properties, ["k"])
        compiled = compiled_of(style, schema)
        head, _, tail = written(style, {"k": "§"}).partition("§")
        if style == "qwen_xml":
            head, tail = head.rstrip("\n"), tail.removeprefix("\n")
        found = set()
        for raw in texts:
            text = f"<f>\n{head}{raw}{tail}</f>"
            said = says(style, schema, text)
            assert allowed(compiled, text) == (said is not None), (properties, raw)
            found.add(said is not None)
        assert found == {True, False} or properties["k"] == {"type": "string"}


@pytest.mark.parametrize("style", STYLES)
def test_masks_are_those_of_every_token_tried(style: str) -> None:
    """On a vocabulary whose tokens lie across the places of a parameter."""
    chance = random.Random(4)
    pieces = ["<f>\n", "</f>", "<parameter", "=city", ">x", "\n</par", "ameter>\n<", "null\n", "5<"]
    pieces += ['name="', "</arg_", "value><arg", "_key>", '" string="', "true", "tr", "</｜DSML｜"]
    pieces += ["parameter>", "<|sep|>", "<|close|>argument", '" type="', "str", "\n\n", "[1", '"a"']
    tokens = [bytes([byte]) for byte in range(256)] + [b""] + [piece.encode() for piece in pieces]
    vocabulary = Vocabulary(tokens, stop_token_ids=[256])
    mask = allocate_mask(1, vocabulary.size)
    for properties in (PLAIN, UNIONS, {}):
        more = {} if properties else {"additionalProperties": {"type": ["string", "integer"]}}
        schema = schema_of(properties, list(properties)[:1], **more)
        compiled = from_structural_tag({"format": format_of(style, schema)}).compile(vocabulary)
        for _ in range(3):
            matcher = compiled.matcher()
            text = f"<f>\n{written(style, arguments_of(properties, [], chance))}</f>"
            for _ in range(40):
                matcher.fill_mask(mask)
                wanted = [matcher.clone().accept(token) for token in range(vocabulary.size)]
                found = [bool(mask[0][i >> 5] >> (i & 31) & 1) for i in range(vocabulary.size)]
                assert found == wanted
                left = text.encode()
                fitting = [
                    i
                    for i, token in enumerate(tokens)
                    if wanted[i] and token and left.startswith(token)
                ]
                if not fitting or chance.random() < 0.1:
                    fitting = [i for i, may in enumerate(wanted) if may]
                token = chance.choice(fitting)
                if token == 256:
                    break
                assert matcher.accept(token)
                if left.startswith(tokens[token]):
                    text = left[len(tokens[token]) :].decode(errors="ignore")


@pytest.mark.parametrize("style", STYLES)
def test_what_ends_a_value_is_in_no_json(style: str) -> None:
    """Parsers look for it first, and then at what is JSON."""
    head, _, tail = written(style, {"k": []}).partition("[]")
    stop = tail.strip()
    tree = {"$ref": "#/$defs/Tree"}
    definitions = {"Tree": {"anyOf": [{"type": "array", "items": tree}, {"type": "string"}]}}
    for schema, values in (
        ({"type": "array"}, ([stop], [[{"a": f"x{stop}"}]], [{stop: 1}])),
        ({"type": "array", "items": tree}, ([stop], [["a", [f"{stop}x"]]])),
        ({"type": "array", "items": {"type": "object"}}, ([{"a": stop}],)),
    ):
        whole = {**schema_of({"k": schema}, ["k"]), "$defs": definitions}
        compiled = compiled_of(style, whole)
        for value in values:
            text = json.dumps(value, ensure_ascii=False)
            assert not allowed(compiled, f"<f>\n{head}{text}{tail}</f>"), text
            near = text.replace(stop, stop[:-1])
            assert allowed(compiled, f"<f>\n{head}{near}{tail}</f>"), near


@pytest.mark.parametrize("style", STYLES)
def test_other_spellings_of_marks(style: str) -> None:
    """vLLM's parsers of two styles take them for the marks themselves."""
    compiled = compiled_of(style, schema_of({"a": {"type": "string"}, "b": {}}, []))
    for near, is_mark in (
        ("< / parameter >", style in ("qwen_xml", "minimax_xml")),
        ("</\nparameter>", style in ("qwen_xml", "minimax_xml")),
        ("< parameter =", style == "qwen_xml"),
        ("<parameter  name =", style == "minimax_xml"),
        ("< parameters", False),
    ):
        for key in "ab":
            text = f"<f>\n{written(style, {key: f'x{near}y'})}</f>"
            assert allowed(compiled, text) != is_mark, text


@pytest.mark.parametrize("style", STYLES)
def test_order_and_what_is_required(style: str) -> None:
    properties = {name: {"type": "integer"} for name in "abc"}
    schema = schema_of(properties, ["b"])
    ordered, free = compiled_of(style, schema), compiled_of(style, schema, any_order=True)
    for keys, in_order, in_any in (
        ("abc", True, True),
        ("b", True, True),
        ("bc", True, True),
        ("cb", False, True),
        ("ac", False, False),
        ("", False, False),
        ("abca", False, False),
        ("bb", False, False),
    ):
        text = f"<f>\n{''.join(written(style, {key: 1}) for key in keys)}</f>"
        assert allowed(ordered, text) == in_order, keys
        assert allowed(free, text) == in_any, keys


def test_two_tags_in_any_order() -> None:
    """Each has parameters of its own."""
    parts = [
        format_of("qwen_xml", schema_of({key: {"type": "null"}}, [key]), any_order=True)
        for key in "ab"
    ]
    compiled = from_structural_tag({"format": {"type": "sequence", "elements": parts}})
    texts = [f"<f>\n{written('qwen_xml', {key: None})}</f>" for key in "ab"]
    matcher = compiled.compile(BYTES)
    assert allowed(matcher, texts[0] + texts[1])
    assert not allowed(matcher, texts[1] + texts[0])


@pytest.mark.parametrize("style", STYLES)
def test_names_that_are_not_declared(style: str) -> None:
    """As xgrammar: where properties are declared, others come if the schema says so; they come
    after those, and are none of them."""
    city = {"city": {"type": "string"}}
    text = "<f>\n" + written(style, {"city": "Oslo", "more": 5}) + "</f>"
    words = "<f>\n" + written(style, {"city": "Oslo", "more": "so"}) + "</f>"
    first = "<f>\n" + written(style, {"more": 5, "city": "Oslo"}) + "</f>"
    open_, none = {"type": "object", "properties": city}, {"type": "object", "properties": {}}
    for schema, takes in (
        (open_, (False, False, False)),
        ({**open_, "additionalProperties": True}, (True, True, False)),
        ({**open_, "additionalProperties": {"type": "integer"}}, (True, False, False)),
        ({"type": "object"}, (True, True, True)),
        (True, (True, True, True)),
        (none, (False, False, False)),
    ):
        compiled = compiled_of(style, schema)
        assert tuple(allowed(compiled, t) for t in (text, words, first)) == takes, schema
    twice = "<f>\n" + written(style, {"city": "Oslo"}) * 2 + "</f>"
    assert not allowed(compiled_of(style, {**open_, "additionalProperties": True}), twice)


@pytest.mark.parametrize("style", STYLES)
def test_a_string_alone(style: str) -> None:
    tag = format_of(style, {"enum": ["a", "</f>", "b\n"], "type": "string"})
    tag.update(begin="<f>\n", end="</f>")
    compiled = from_structural_tag({"format": tag}).compile(BYTES)
    texts = ("<f>\na</f>", "<f>\nb\n</f>", "<f>\n</f></f>", "<f>\n\na</f>")
    assert [allowed(compiled, text) for text in texts] == [True, True, False, False]


def test_references() -> None:
    size = {"$ref": "#/$defs/Size"}
    schema = schema_of({"size": size}, ["size"])
    schema["$defs"] = {"Size": {"enum": ["S", 5]}, "All": schema_of({"size": size}, ["size"])}
    for whole in (schema, {"$ref": "#/$defs/All", "$defs": schema["$defs"]}):
        compiled = compiled_of("glm_xml", whole)
        for value, fits in (("S", True), (5, True), ("T", False), ("5", True)):
            text = f"<f>\n{written('glm_xml', {'size': value})}</f>"
            assert allowed(compiled, text) == fits


def test_white_space() -> None:
    schema = schema_of({"a": {"type": "array", "items": {"type": "null"}}}, ["a"])
    text = "<f>\n<arg_key>a</arg_key>{0}<arg_value>[null,{0}null]</arg_value>{0}</f>"
    form = {"format": format_of("glm_xml", schema)}
    for run in (0, 2, 32, 33):
        filled = text.format(" " * run)
        assert allowed(from_structural_tag(form).compile(BYTES), filled) == (run <= 32)
        compact = from_structural_tag(form, whitespace="compact").compile(BYTES)
        assert allowed(compact, filled) == (run == 0)
        bounded = compiled_of("glm_xml", schema, max_whitespace_cnt=2)
        assert allowed(bounded, filled) == (run <= 2)


def test_white_space_after_the_name_of_a_tool() -> None:
    """Parsers of GLM's style have no other end of it, so there is none."""
    for schema in (schema_of({"a": {"type": "null"}}, []), True):
        for style in STYLES:
            compiled = compiled_of(style, schema)
            begin, text = format_of(style, schema)["begin"], written(style, {"a": None})
            assert allowed(compiled, f"{begin}{text}</f>")
            assert allowed(compiled, f"{begin} {text}</f>") == (style != "glm_xml")
        assert allowed(compiled_of("glm_xml", schema), "<f>\n</f>")
        assert not allowed(compiled_of("glm_xml", schema), "<f>\n </f>")


def test_a_tag_without_lines() -> None:
    """A newline around a value of Qwen's style is then a part of it."""
    schema = schema_of({"a": {"enum": ["x", "\ny\n"]}, "b": {"type": "integer"}}, [])
    tag = {**format_of("qwen_xml", schema), "begin": "<f>", "end": "</f>"}
    compiled = from_structural_tag({"format": tag}).compile(BYTES)
    for key, value, fits in (
        ("a", "x", True),
        ("a", "\nx\n", False),
        ("a", "\ny\n", True),
        ("a", "y", False),
        ("b", "5", True),
        ("b", "\n5\n", False),
    ):
        text = f"<f><parameter={key}>{value}</parameter></f>"
        assert allowed(compiled, text) == fits, text


def test_special_tokens() -> None:
    """Tags of a style may be single tokens, and strings hold none of these."""
    tokens = [bytes([byte]) for byte in range(256)] + [b"", b"<arg_value>", b"</arg_value>"]
    vocabulary = Vocabulary(tokens, stop_token_ids=[256], special_token_ids=[257, 258])
    form = {"format": format_of("glm_xml", schema_of({"a": {"type": "string"}}, []))}
    grammar = from_structural_tag(form, ["<arg_value>", "</arg_value>"])
    matcher = grammar.compile(vocabulary).matcher()
    assert matcher.accept_bytes(b"<f>\n<arg_key>a</arg_key>")
    assert matcher.accept(257)
    assert matcher.accept_bytes(b"x")
    assert not matcher.accept(257)
    assert matcher.accept(258)
    assert matcher.accept_bytes(b"</f>")
    assert matcher.is_accepting


def test_the_older_name_of_a_style() -> None:
    schema = schema_of({"a": {"type": "integer"}}, ["a"])
    old = {"type": "qwen_xml_parameter", "json_schema": schema}
    compiled = from_structural_tag({"format": old}).compile(BYTES)
    assert allowed(compiled, "<parameter=a>5</parameter>")
    assert not allowed(compiled, "<parameter=a>x</parameter>")


A = {"a": {"type": "integer"}}
REFUSED: list[tuple[Any, type[Error], str]] = [
    ({"type": "integer"}, UnsupportedSchemaError, ""),
    ({"type": ["array", "string"]}, UnsupportedSchemaError, ""),
    ({"type": "object", "properties": A, "minProperties": 1}, UnsupportedSchemaError, "/minProp"),
    ({"type": "object", "enum": [{}]}, UnsupportedSchemaError, "/enum"),
    (schema_of({"a<": {}}, []), UnsupportedSchemaError, "/properties/a<"),
    (schema_of({"": {}}, []), UnsupportedSchemaError, "/properties/"),
    (schema_of({"a": {"enum": ["</parameter>"]}}, ["a"]), SchemaError, "/properties/a"),
    (schema_of({"a": {"type": "x"}}, []), SchemaError, "/properties/a/type"),
    (
        {"$ref": "#/$defs/O", "properties": A, "$defs": {"O": {"type": "object"}}},
        UnsupportedSchemaError,
        "/properties",
    ),
]


@pytest.mark.parametrize(("schema", "kind", "pointer"), REFUSED, ids=str)
def test_what_is_refused(schema: Any, kind: type[Error], pointer: str) -> None:
    with pytest.raises(kind) as caught:
        compiled_of("qwen_xml", schema)
    assert type(caught.value) is kind
    found = caught.value.pointer
    assert found is not None and found.startswith(f"/format/content/json_schema{pointer}")


def test_styles_and_orders_that_are_not_supported() -> None:
    for style in ("cohere_xml", "minimax_m3_xml", "gemma", "x"):
        with pytest.raises(UnsupportedSchemaError, match="style"):
            compiled_of(style, True)
    many = schema_of({f"a{number}": {} for number in range(9)}, [])
    assert allowed(compiled_of("glm_xml", many), "<f>\n</f>")
    with pytest.raises(UnsupportedSchemaError, match="in any order"):
        compiled_of("glm_xml", many, any_order=True)


def test_what_no_value_can_be_written_for_is_left_out() -> None:
    properties = {"a": {"enum": ["</parameter>"]}, "b": False, "c": {"enum": ["null", None]}}
    compiled = compiled_of("qwen_xml", schema_of(properties, []))
    for arguments, fits in (({}, True), ({"c": None}, True), ({"a": "x"}, False)):
        assert allowed(compiled, f"<f>\n{written('qwen_xml', arguments)}</f>") == fits
