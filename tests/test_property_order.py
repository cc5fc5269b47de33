"""Values in any order are put into the one that a grammar reads, and so are arguments of calls."""

from __future__ import annotations

import copy
import itertools
import json
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemask import Grammar, GrammarError, LimitError, SchemaError, ToolSet, _native
from schemask.chat import HERMES, TOOL_CODE
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.schemas.key_order import KeyOrder
from strategies import instances, schemas

Draw = Callable[[st.SearchStrategy[Any]], Any]

BYTES = byte_vocabulary()
KEYS = ["a", "b", "c", "d"]


@st.composite
def object_schemas(draw: Draw, depth: int, keys: list[str]) -> dict[str, Any]:
    names = draw(st.permutations(keys))[: draw(st.integers(1, len(keys)))]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: draw(member_schemas(depth - 1)) for name in names},
        "required": names[:1],
        "additionalProperties": draw(st.sampled_from([True, False, {"type": "integer"}])),
    }
    return schema


@st.composite
def tagged_unions(draw: Draw, depth: int) -> dict[str, Any]:
    """Branches that a tag tells apart, wherever it stands, as those of a union of models."""
    branches = []
    for tag in draw(st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True)):
        branch = draw(object_schemas(depth, KEYS))
        properties = [("tag", {"const": tag}), *branch["properties"].items()]
        branches.append({**branch, "properties": dict(properties), "required": ["tag"]})
    return {"anyOf": [*branches, {"type": "null"}]}


@st.composite
def extensions(draw: Draw, depth: int) -> dict[str, Any]:
    """A model and its base, whose keys come before or after its own."""
    base, own = draw(object_schemas(depth, ["a", "b"])), draw(object_schemas(depth, ["c", "d"]))
    for schema in (base, own):
        del schema["additionalProperties"]
    parts = draw(st.permutations([("allOf", [base]), *own.items()]))
    return dict(parts)


def member_schemas(depth: int) -> st.SearchStrategy[Any]:
    scalars = st.sampled_from([{"type": "integer"}, {"type": "string"}, {"enum": [1, "a"]}])
    if depth <= 0:
        return scalars
    inner = st.deferred(lambda: member_schemas(depth - 1))
    return st.one_of(
        scalars,
        object_schemas(depth, KEYS),
        tagged_unions(depth),
        extensions(depth),
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda item: {"type": "array", "prefixItems": [item, item]}),
        st.just({"$ref": "#/$defs/tree"}),
    )


@st.composite
def parameters(draw: Draw) -> dict[str, Any]:
    schema = draw(object_schemas(3, KEYS))
    tree = draw(object_schemas(1, KEYS))
    tree["properties"]["kids"] = {"type": "array", "items": {"$ref": "#/$defs/tree"}}
    return {**schema, "$defs": {"tree": tree}}


def shuffled(draw: Draw, value: Any) -> Any:
    if isinstance(value, list):
        return [shuffled(draw, item) for item in value]
    if isinstance(value, dict):
        return {key: shuffled(draw, value[key]) for key in draw(st.permutations(list(value)))}
    return value


def reads(grammar: Grammar, text: str) -> bool:
    matcher = grammar.compile(BYTES).matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), form=st.sampled_from([TOOL_CODE, HERMES]))
def test_shuffled_arguments_are_written_as_the_grammar_reads_them(data: Any, form: Any) -> None:
    tool = {"name": "f", "parameters": data.draw(parameters())}
    strict = Grammar.from_tools([tool], format=form)
    lax = Grammar.from_tools([tool], format=form, property_order="any")
    for _ in range(3):
        arguments = shuffled(data.draw, data.draw(instances(tool["parameters"])))
        if not isinstance(arguments, dict):
            continue
        message = {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": arguments}}],
        }
        if reads(lax, form.render_assistant(message)):
            text = form.render_assistant(message, [tool])
            assert reads(strict, text)
            assert form.parse(text, [tool]).message == message


@st.composite
def branchings(draw: Draw, depth: int) -> Any:
    """Schemas that hardly restrict anything, but name keys in many places and orders."""
    small = [{"const": 0}, {"enum": [0, 1]}, {"type": "string"}, True, {"const": {"b": 0, "a": 1}}]
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(small))
    inner, key = branchings(depth - 1), st.sampled_from(KEYS)
    members = st.lists(key, min_size=1, unique=True).flatmap(
        lambda keys: st.fixed_dictionaries(dict.fromkeys(keys, inner))
    )
    branches = st.lists(inner, min_size=1, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "properties": members,
        "required": st.lists(key, max_size=2, unique=True),
        "type": st.sampled_from(["object", "array"]),
        "allOf": branches,
        "anyOf": branches,
        "oneOf": branches,
        "not": inner,
        "if": inner,
        "dependentSchemas": st.dictionaries(key, inner, max_size=1),
        "patternProperties": st.fixed_dictionaries({"^[ab]$": inner}),
        "additionalProperties": inner,
        "items": inner,
        "prefixItems": branches,
        "contains": inner,
        "$ref": st.just("#/$defs/shared"),
    }
    names = st.sampled_from(["properties", "properties", *keywords])
    schema = {name: draw(keywords[name]) for name in draw(st.lists(names, min_size=1, max_size=4))}
    if "if" in schema:
        schema.update({"else": draw(inner), "then": draw(inner)})
    return schema


@st.composite
def shared_branchings(draw: Draw) -> dict[str, Any]:
    shared = draw(st.fixed_dictionaries({"properties": st.just(dict.fromkeys("dbca", True))}))
    return {"allOf": [draw(branchings(3))], "$defs": {"shared": shared}}


def dicts(members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(KEYS), members, min_size=2)


LEAVES = st.sampled_from([0, 1, "x"])
FLAT = dicts(LEAVES)
NESTED = st.one_of(FLAT, dicts(st.one_of(LEAVES, FLAT)), dicts(FLAT), st.lists(FLAT, max_size=2))


def orders(value: Any) -> Iterator[Any]:
    """The value with its keys in all orders."""
    if isinstance(value, list):
        yield from map(list, itertools.product(*map(orders, value)))
    elif isinstance(value, dict):
        for keys in itertools.permutations(value):
            for members in itertools.product(*(orders(value[key]) for key in keys)):
                yield dict(zip(keys, members, strict=True))
    else:
        yield value


def number_of_orders(value: Any) -> int:
    if isinstance(value, list):
        return math.prod(map(number_of_orders, value))
    if isinstance(value, dict):
        return math.factorial(len(value)) * math.prod(map(number_of_orders, value.values()))
    return 1


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    drawn=st.one_of(schemas(), shared_branchings(), shared_branchings(), tagged_unions(2)),
    spelling=st.sampled_from(["plain", "any"]),
)
def test_what_is_taken_in_some_order_is_taken_in_the_one_that_is_told(
    data: Any, drawn: Any, spelling: Any
) -> None:
    try:
        strict, lax = (
            Grammar.from_json_schema(drawn, property_order=order, spelling=spelling)
            for order in ("schema", "any")
        )
    except (SchemaError, LimitError):
        return
    for _ in range(3):
        value = shuffled(data.draw, data.draw(st.one_of(NESTED, instances(drawn))))
        told = strict.in_order(value)
        assert told == value
        assert json.dumps(lax.in_order(value)) == json.dumps(value)
        text = json.dumps(told, ensure_ascii=False)
        is_taken = reads(strict, text)
        assert is_taken == reads(lax, json.dumps(value, ensure_ascii=False)), text
        if number_of_orders(value) <= 150:
            texts = {json.dumps(way, ensure_ascii=False) for way in orders(value)}
            assert is_taken == any(reads(strict, way) for way in texts), text


def in_schema_order(value: Any, schema: Any) -> Any:
    return KeyOrder(schema).arranged(value)


def test_a_branch_that_is_out_leaves_the_order_to_the_others() -> None:
    point = {"properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}
    turned = {"properties": dict(reversed(point["properties"].items()))}
    circle = {"properties": {"kind": {"const": "circle"}, "at": point}, "required": ["kind"]}
    square = {"properties": {"kind": {"enum": ["square"]}, "at": turned}, "required": ["kind"]}
    schema = {"type": "object", "anyOf": [circle, square]}
    grammar = Grammar.from_json_schema(schema, whitespace="spaced")
    for kind, text in (("circle", '{"x": 1, "y": 1}'), ("square", '{"y": 1, "x": 1}')):
        written = json.dumps(in_schema_order({"at": {"x": 1, "y": 1}, "kind": kind}, schema))
        assert written == f'{{"kind": "{kind}", "at": {text}}}'
        assert reads(grammar, written)


def order(value: Any, schema: Any) -> str:
    return json.dumps(in_schema_order(value, schema), separators=(",", ":")).replace('"', "")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {"c": {}, "a": {}}}, "{c:1,a:1,d:1,b:1}"),
        ({"properties": {"a": {}}, "required": ["b"]}, "{a:1,d:1,c:1,b:1}"),
        ({"const": {"b": 1, "a": 1, "c": 1, "d": 1}}, "{b:1,a:1,c:1,d:1}"),
        ({"enum": [{"b": 1}, {"c": 1, "a": 1}]}, "{b:1,c:1,a:1,d:1}"),
        (
            {
                "allOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}],
                "properties": {"a": {}},
            },
            "{b:1,c:1,a:1,d:1}",
        ),
        (
            {
                "properties": {"a": {}},
                "$ref": "#/$defs/x%20y~1z",
                "$defs": {"x y/z": {"const": {"c": 1}}},
            },
            "{a:1,c:1,d:1,b:1}",
        ),
        ({"anyOf": [{"properties": {"b": {}}}, {"$ref": "#/anyOf/0"}]}, "{b:1,d:1,a:1,c:1}"),
        # What no grammar can be made of says nothing.
        ({"anyOf": [{"$ref": "#"}], "properties": {"c": {}}}, "{d:1,a:1,c:1,b:1}"),
        (
            {
                "oneOf": [{"properties": {"c": {}}}, {"properties": {"a": {"const": 2}}}],
                "not": {"const": {"b": 2}},
            },
            "{c:1,a:1,b:1,d:1}",
        ),
        (
            {
                "else": {"properties": {"d": {}}},
                "then": {"properties": {"b": {}}},
                "if": {"properties": {"c": {}}},
                "properties": {"a": {}},
            },
            "{c:1,b:1,d:1,a:1}",
        ),
        (
            {"dependentSchemas": {"a": {"properties": {"c": {}, "b": {}}}}, "required": ["d"]},
            "{c:1,b:1,d:1,a:1}",
        ),
        (
            {"anyOf": [{"type": "array", "properties": {"c": {}}}, {"properties": {"b": {}}}]},
            "{b:1,d:1,a:1,c:1}",
        ),
        (
            {
                "allOf": [{"properties": {"b": {}}}],
                "enum": [{"a": 1}],
                "anyOf": [{"properties": {"d": {}}}],
            },
            "{b:1,a:1,d:1,c:1}",
        ),
    ],
)
def test_first_appearance(schema: Any, expected: str) -> None:
    assert order({"d": 1, "a": 1, "c": 1, "b": 1}, schema) == expected


def test_a_tag_chooses_what_is_left_of_a_condition() -> None:
    ab, ba = (
        {"properties": {"at": {"properties": dict.fromkeys(keys, True)}}} for keys in ("ab", "ba")
    )
    tag = {"properties": {"tag": {"const": 1}}, "required": ["tag"]}
    schema = {"properties": {"tag": True, "at": True}, "if": tag, "then": ab, "else": ba}
    at = {"a": 1, "b": 1}
    assert order({"at": at, "tag": 1}, schema) == "{tag:1,at:{a:1,b:1}}"
    assert order({"at": at, "tag": 2}, schema) == "{tag:2,at:{b:1,a:1}}"
    assert order({"at": at}, schema) == "{at:{b:1,a:1}}"
    assert order({"at": at, "tag": True}, schema) == "{tag:true,at:{b:1,a:1}}"


def test_members_of_patterns_and_others() -> None:
    ab, ba = ({"properties": dict.fromkeys(keys, True)} for keys in ("ab", "ba"))
    value = {"x": {"a": 1, "b": 1}, "y": {"b": 1, "a": 1}}
    schema = {"patternProperties": {"^x": ba}, "additionalProperties": ab}
    assert order(value, schema) == "{x:{b:1,a:1},y:{a:1,b:1}}"
    schema = {"allOf": [{"patternProperties": {"^x": ba}}], "unevaluatedProperties": ab}
    assert order(value, schema) == "{x:{b:1,a:1},y:{a:1,b:1}}"


def test_items() -> None:
    ab, ba = ({"properties": dict.fromkeys(keys, True)} for keys in ("ab", "ba"))
    value = [{"b": 1, "a": 1}, {"a": 1, "b": 1}]
    assert order(value, {"items": ab}) == "[{a:1,b:1},{a:1,b:1}]"
    assert order(value, {"prefixItems": [ba], "items": ab}) == "[{b:1,a:1},{a:1,b:1}]"
    assert order(value, {"items": [ba], "additionalItems": ab}) == "[{b:1,a:1},{a:1,b:1}]"
    assert order(value, {"items": [ab]}) == "[{a:1,b:1},{a:1,b:1}]"
    assert order(value, {"const": [{"b": 1, "a": 1}, {"b": 1}]}) == "[{b:1,a:1},{b:1,a:1}]"
    assert order(value, {"contains": ba}) == "[{b:1,a:1},{b:1,a:1}]"
    assert order(value, {"prefixItems": [ba], "unevaluatedItems": ab}) == "[{b:1,a:1},{a:1,b:1}]"
    assert order([value], {"items": {"items": ba}}) == "[[{b:1,a:1},{b:1,a:1}]]"


@given(
    schema=st.dictionaries(
        st.sampled_from(
            [
                *("properties", "patternProperties", "additionalProperties", "required", "type"),
                *("items", "prefixItems", "contains", "enum", "const", "$ref", "dependentSchemas"),
                *("allOf", "anyOf", "oneOf", "not", "if", "then"),
            ]
        ),
        st.sampled_from(
            [5, "#/a", "x", "#a", None, True, [], [1], {}, {"a": 5}, {"a": {"$ref": 1}}]
        ),
    )
)
def test_a_schema_of_wrong_shape_does_no_harm(schema: Any) -> None:
    value = {"b": [{"d": 1, "c": 2}], "a": {"x": 1}}
    before = copy.deepcopy((value, schema))
    assert in_schema_order(value, schema) == value
    assert in_schema_order([value], schema) == [value]
    assert (value, schema) == before


def test_branches_that_meet_again_do_not_multiply() -> None:
    branch = {"properties": {"next": {"$ref": "#/$defs/either"}}}
    either = {"anyOf": [dict(branch), dict(branch)]}
    value: Any = {}
    for _ in range(60):
        value = {"next": value}
    assert in_schema_order(value, {"$ref": "#/$defs/either", "$defs": {"either": either}}) == value


@pytest.mark.parametrize("whitespace", ["flexible", "compact", "spaced"])
def test_what_the_values_are_makes_no_difference(whitespace: Any) -> None:
    keys = {"a/b": {}, 'quoted "\\': {}, "é\U0001f600": {}, "": {}}
    grammar = Grammar.from_json_schema(
        {"properties": {**keys, "z": {"properties": keys}}}, whitespace=whitespace, spelling="any"
    )
    inner = {"": 10**400, "é\U0001f600": [-0.0, 1e-300, 1e22], 'quoted "\\': "\t", "a/b": None}
    value = {"z": inner, **inner}
    told = grammar.in_order(value)
    assert told == value and list(told) == [*keys, "z"] and list(told["z"]) == list(keys)
    assert all(told[key] is value[key] for key in keys if not isinstance(value[key], list))
    assert list(value) == ["z", *inner]


def test_a_value_that_is_wrong_is_ordered_up_to_there() -> None:
    point = {"properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "required": ["x"]}
    schema = {"properties": {"p": point, "q": point, "r": point}, "required": ["p"]}
    grammar = Grammar.from_json_schema(schema)

    def told(**points: Any) -> str:
        return json.dumps(grammar.in_order(points), separators=(",", ":")).replace('"', "")

    turned = {"y": 1, "x": 1}
    assert told(r=turned, p=turned) == "{p:{x:1,y:1},r:{x:1,y:1}}"
    wrong = {"y": 1, "x": None}
    assert told(r=turned, q=wrong, p=turned) == "{p:{x:1,y:1},q:{x:null,y:1},r:{y:1,x:1}}"
    assert told(r=turned, q={"y": 1}, p=turned) == "{p:{x:1,y:1},q:{y:1},r:{y:1,x:1}}"
    # One that is required is passed over.
    assert told(r=turned, q=turned) == "{q:{x:1,y:1},r:{y:1,x:1}}"
    # No text can hold a lone surrogate.
    assert grammar.in_order({"r": turned, "p": {"z": "\ud800", **turned}, "\udfff": 1}) == {
        "p": {"x": 1, "y": 1, "z": "\ud800"},
        "r": {"y": 1, "x": 1},
        "\udfff": 1,
    }


def test_what_has_no_order() -> None:
    grammar = Grammar.from_json_schema({"properties": {"a": {}}})
    for value in (object(), {"a": math.nan}, {"a": {1, 2}}, {(): 1}):
        with pytest.raises(GrammarError, match="no JSON value"):
            grammar.in_order(value)
    with pytest.raises(GrammarError, match="one JSON Schema"):
        (grammar + "!").in_order({})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(GrammarError):
        grammar.in_order(endless)


def test_work_is_bounded() -> None:
    names = {"type": "string", "format": "idn-hostname"}
    schema = {"properties": {"a/b": {"items": {"properties": {"host": names}}}}}
    grammar = Grammar.from_json_schema(schema, limits={"accept_work": 1_000})
    with pytest.raises(LimitError, match="accept_work") as caught:
        grammar.in_order({"a/b": [{}, {"host": "bücher.example"}]})
    assert caught.value.pointer == "/a~1b/1/host"
    assert grammar.in_order({"b": 1}) == {"b": 1}


def test_a_tool_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    class Counting:
        @staticmethod
        def from_json_schema(text: str, *options: Any) -> Any:
            compiled.append(text)
            return native.from_json_schema(text, *options)

    native = _native.Grammar
    monkeypatch.setattr(_native, "Grammar", Counting)
    tools = ToolSet(
        [{"name": "f", "parameters": {"type": "object", "properties": {"a": {}, "b": {}}}}]
    )
    call = {"function": {"name": "f", "arguments": {"b": 1, "a": 2}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call, call]}
    text = HERMES.render_assistant(message, tools)
    assert text.count('{"a": 2, "b": 1}') == 2 and HERMES.render_assistant(message, tools) == text
    assert len(compiled) == 1
    for copied in (pickle.loads(pickle.dumps(tools)), copy.deepcopy(tools)):
        assert HERMES.render_assistant(message, copied) == text


def test_conversations_are_written_in_order() -> None:
    tool = {
        "name": "f",
        "parameters": {"type": "object", "properties": {"a": {"type": "null"}, "b": {}}},
    }
    calls = [
        {"function": {"name": name, "arguments": {"c": 1, "b": 2, "a": None}}}
        for name in ("f", "unknown")
    ]
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    in_order = '{"name": "f", "arguments": {"a": null, "b": 2, "c": 1}}'
    as_it_was = '{"name": "unknown", "arguments": {"c": 1, "b": 2, "a": null}}'
    for form in (TOOL_CODE, HERMES):
        text = form.render([message], [tool])
        assert in_order in text and as_it_was in text
        assert form.render_assistant(message, [tool]) in text
        assert in_order not in form.render([message])
