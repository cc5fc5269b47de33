"""Typed functions as tools: the schema that they get, and the values that they are called with."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import random
import re
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, Optional

import jsonschema
import numpy as np
import pydantic
import pytest
from typing_extensions import TypedDict

from schemask import Grammar
from schemask.chat.messages import decode_json
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.errors import FormatError, ToolError
from schemask.schemas.pointer import at, pointer_of, reference_to, resolve
from schemask.schemas.schema import map_schema, subschemas
from schemask.tools import Tool, ToolSet, result_text, tool


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(pydantic.BaseModel):
    """Where someone lives."""

    street: str
    title: str = pydantic.Field(default="", description="How to address the person.")


class Loose(pydantic.BaseModel, extra="allow"):
    id: int


class Node(pydantic.BaseModel):
    value: int
    children: list[Node] = []


@dataclasses.dataclass
class Point:
    x: float
    y: float


class Options(TypedDict):
    verbose: bool


def everything(
    text: str,
    count: int = 3,
    maybe: Optional[int] = None,  # noqa: UP045
    mode: Literal["fast", "slow"] = "fast",
    color: Color = Color.RED,
    home: Address | None = None,
    loose: Loose | None = None,
    tree: Node | None = None,
    point: Point | None = None,
    options: Options | None = None,
    tags: list[str] | None = None,
    table: dict[str, int] | None = None,
    pair: tuple[int, str] | None = None,
    unique: set[int] | None = None,
    when: datetime.datetime | None = None,
    bounded: Annotated[int, pydantic.Field(ge=1, le=9)] = 1,
    anything: Any = None,
) -> dict[str, Any]:
    """Takes one of each."""
    return locals()


def test_schema_of_a_plain_function() -> None:
    @tool
    def book(city: str, nights: int = 1) -> str:
        """Book a hotel.

        Finds a free room first.

        Args:
            city: Where to stay,
                as a full name: not a code.
            nights (int, optional): How long.

        Returns:
            city: this line describes the result.
        """
        return f"{city} {nights}"

    assert book.name == "book"
    assert book.description == "Book a hotel.\n\nFinds a free room first."
    assert book.parameters == {
        "type": "object",
        "properties": {
            "city": {
                "type": "string",
                "description": "Where to stay, as a full name: not a code.",
            },
            "nights": {"type": "integer", "default": 1, "description": "How long."},
        },
        "required": ["city"],
        "additionalProperties": False,
    }
    assert book.definition == {
        "type": "function",
        "function": {
            "name": "book",
            "description": book.description,
            "parameters": book.parameters,
        },
    }
    assert book("Rome") == "Rome 1"
    assert book.call({"city": "Rome", "nights": 2}) == "Rome 2"


def test_every_kind_of_type() -> None:
    made = tool(everything)
    schema = made.parameters
    json.dumps(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    properties = schema["properties"]
    assert schema["required"] == ["text"]
    assert list(properties) == list(everything.__annotations__)[:-1]
    assert properties["maybe"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert properties["mode"]["enum"] == ["fast", "slow"]
    assert schema["$defs"]["Color"]["enum"] == ["red", "blue"]
    assert properties["bounded"]["minimum"] == 1
    assert properties["pair"]["anyOf"][0]["prefixItems"] == [
        {"type": "integer"},
        {"type": "string"},
    ]
    assert properties["when"]["anyOf"][0]["format"] == "date-time"
    closed = {name: sub.get("additionalProperties") for name, sub in schema["$defs"].items()}
    assert closed == {
        "Address": False,
        "Color": None,
        "Loose": True,
        "Node": False,
        "Options": False,
        "Point": False,
    }


def test_titles_go_but_properties_called_title_stay() -> None:
    schema = tool(everything).parameters
    assert set(schema["$defs"]["Address"]["properties"]) == {"street", "title"}
    assert schema["$defs"]["Address"]["properties"]["title"]["type"] == "string"

    found = []
    map_schema(schema, lambda sub: (found.append(sub.get("title")), sub)[1])
    assert found and not any(isinstance(title, str) for title in found)


def test_arguments_arrive_converted() -> None:
    got = tool(everything).call(
        {
            "text": "hi",
            "color": "blue",
            "home": {"street": "Elm"},
            "tree": {"value": 1, "children": [{"value": 2}]},
            "point": {"x": 1, "y": 2.5},
            "options": {"verbose": True},
            "pair": [1, "a"],
            "unique": [1, 1],
            "when": "2024-02-29T12:00:00Z",
        }
    )
    assert got["color"] is Color.BLUE
    assert got["home"] == Address(street="Elm")
    assert got["tree"].children == [Node(value=2)]
    assert got["point"] == Point(1.0, 2.5)
    assert got["options"] == {"verbose": True}
    assert got["pair"] == (1, "a")
    assert got["unique"] == {1}
    assert got["when"] == datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    assert got["count"] == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "text"),
        ({"text": 1}, "text"),
        ({"text": "a", "count": "many"}, "count"),
        ({"text": "a", "invented": 1}, "invented"),
        ({"text": "a", "color": "green"}, "color"),
        ({"text": "a", "home": {}}, "home.street"),
        ({"text": "a", "bounded": 10}, "bounded"),
        ("text", "object"),
    ],
)
def test_invalid_arguments_are_named(arguments: Any, named: str) -> None:
    with pytest.raises(ToolError, match=named):
        tool(everything).call(arguments)


def test_defaults_are_the_functions_own() -> None:
    seen: list[int] = []

    def collect(item: int, into: list[int] = seen) -> None:
        into.append(item)

    tool(collect).call({"item": 1})
    assert seen == [1]


def test_positional_only_and_keyword_only() -> None:
    @tool
    def mixed(a: int, b: int = 2, c: int = 3, /, d: int = 4, *, e: int, f: int = 6) -> list[int]:
        return [a, b, c, d, e, f]

    assert mixed.call({"e": 50, "a": 10}) == [10, 2, 3, 4, 50, 6]
    assert mixed.call({"e": 50, "a": 10, "c": 30}) == [10, 2, 30, 4, 50, 6]
    assert mixed.parameters["required"] == ["a", "e"]


def test_names_that_pydantic_reserves() -> None:
    @tool
    def awkward(_private: int, model_config: str, schema: str, copy: bool = False) -> list[Any]:
        """Args:
        _private: One.
        """
        return [_private, model_config, schema, copy]

    assert awkward.call({"_private": 1, "model_config": "m", "schema": "s"}) == [1, "m", "s", False]
    assert awkward.parameters["properties"]["_private"]["description"] == "One."
    assert awkward.description == ""


def test_a_fields_own_description_wins() -> None:
    @tool
    def f(x: Annotated[int, pydantic.Field(description="own", alias="other")]) -> int:
        """Do.

        Args:
            x: from the docstring
        """
        return x

    assert f.parameters["properties"]["x"]["description"] == "own"
    assert f.call({"x": 3}) == 3


def test_docstring_with_colons_types_and_unknown_names() -> None:
    @tool
    def f(url: str, limit: int, depth: int = 0) -> None:
        """Fetch: a page.

        Args:
            url (dict[str, tuple(int)]): e.g. https://example.org: the address
                limit: still about url
            gone: describes nothing
            limit:
                on the next line

        Note:
            limit: not an argument
        """

    assert f.description == "Fetch: a page."
    notes = {k: v.get("description") for k, v in f.parameters["properties"].items()}
    assert notes == {
        "url": "e.g. https://example.org: the address limit: still about url",
        "limit": "on the next line",
        "depth": None,
    }


_CITY = "Where to stay, as a full name: not a code."
DOCSTRINGS = {
    "google": """
        Finds a room.

        Args:
            city: Where to stay,
                as a full name: not a code.
            nights (int, optional): How long.

        Returns:
            city: this line describes the result.
        Raises:
            ValueError if nothing is free
        """,
    "google, right under the summary": """
        Args:
            city: Where to stay, as a full name: not a code.
            nights: How long.
        """,
    "google, keyword arguments": """
        Args:
            city: Where to stay, as a full name: not a code.

        Keyword Args:
            nights: How long.
        """,
    "google, keyword arguments spelt out": """
        Keyword Arguments:
            city: Where to stay, as a full name: not a code.
            nights:
                How long.
        """,
    "numpy": """
        Parameters
        ----------
        city : str
            Where to stay,
            as a full name: not a code.
        nights : int, optional
            How long.

        Returns
        -------
        str
            city
        """,
    "numpy, other parameters": """
        Parameters
        ----------
        city
            Where to stay, as a full name: not a code.

        Other Parameters
        ----------------
        nights : int
            How long.
        """,
    "sphinx": """
        :param city: Where to stay,
            as a full name: not a code.
        :type city: str
        :param int nights: How long.
        :returns: city
        """,
}


@pytest.mark.parametrize("style", DOCSTRINGS)
def test_styles_of_docstrings(style: str) -> None:
    def book(city: str, nights: int = 1) -> None:
        pass

    body = DOCSTRINGS[style]
    if "right under" not in style:
        body = "\n" + body
    book.__doc__ = "Book a hotel." + body
    made = Tool.from_function(book)
    assert made.description.startswith("Book a hotel.")
    assert "city" not in made.description and "Args" not in made.description
    notes = {key: sub["description"] for key, sub in made.parameters["properties"].items()}
    assert notes == {"city": _CITY, "nights": "How long."}
    assert made.definition["function"]["parameters"] == made.parameters


@pytest.mark.parametrize(
    "text", ["", "Only words.", "Words: with colons.\n\n- and\n- a list", ":)", "Args", "---\n"]
)
def test_docstrings_without_parameters(text: str) -> None:
    def book(city: str) -> None:
        pass

    book.__doc__ = text
    made = Tool.from_function(book)
    assert made.description == text.strip()
    assert "description" not in made.parameters["properties"]["city"]


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@dataclasses.dataclass
class McpTool:
    name: str
    description: str | None
    inputSchema: dict[str, Any]


class McpModel(pydantic.BaseModel):
    name: str
    title: str | None = None
    description: str | None = None
    inputSchema: dict[str, Any]
    annotations: dict[str, Any] | None = None
    meta: dict[str, Any] | None = pydantic.Field(alias="_meta", default=None)


NAMED = {"name": "f", "description": "D"}
IN_CAPITALS = {**SCHEMA, "type": "OBJECT", "properties": {"city": {"type": "STRING"}}}


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "function", "function": {**NAMED, "parameters": SCHEMA}},
        {"type": "function", "function": {**NAMED, "parameters": SCHEMA, "strict": True}},
        {**NAMED, "parameters": SCHEMA},
        {"type": "function", **NAMED, "parameters": SCHEMA, "strict": None},
        {**NAMED, "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}},
        {"type": "custom", **NAMED, "input_schema": SCHEMA},
        {**NAMED, "inputSchema": SCHEMA, "annotations": {"readOnlyHint": True}},
        {**NAMED, "inputSchema": SCHEMA, "outputSchema": {"type": "object"}, "_meta": {}},
        McpTool("f", "D", SCHEMA),
        McpModel(**NAMED, inputSchema=SCHEMA),
        McpModel(**NAMED, inputSchema=SCHEMA).model_dump(),
        {**NAMED, "parametersJsonSchema": SCHEMA},
        {**NAMED, "parameters": None, "parameters_json_schema": SCHEMA},
        {**NAMED, "parameters": IN_CAPITALS},
        {"toolSpec": {**NAMED, "inputSchema": {"json": SCHEMA}}},
    ],
)
def test_definitions_of_other_interfaces(definition: Any) -> None:
    [made] = ToolSet([definition])
    assert (made.name, made.description, made.parameters) == ("f", "D", SCHEMA)


@pytest.mark.parametrize(
    "definition",
    [
        {"name": "f", "schema": SCHEMA},
        {"name": "f", "paramaters": SCHEMA},
        {"name": "f", "args": {"city": {"type": "string"}}},
        {"name": "f", "arguments": [{"name": "city", "type": "string"}]},
        {"name": "f", "parameter_definitions": {"city": {"type": "str"}}},
        {"type": "function", "function": {"name": "f", "params_json_schema": SCHEMA}},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "custom", "name": "f", "format": {"type": "grammar"}},
        {"name": "f", "parameters": SCHEMA, "input_schema": SCHEMA},
        {"name": "f", "inputSchema": {"type": "array"}},
    ],
)  # fmt: skip
def test_a_schema_under_an_unknown_key_is_an_error(definition: Any) -> None:
    with pytest.raises(ToolError, match=r"not known|stands in|\"object\""):
        ToolSet([definition])


def test_annotations_are_kept_from_the_model() -> None:
    hints = {"readOnlyHint": True}
    [made] = ToolSet([{**NAMED, "inputSchema": SCHEMA, "annotations": hints}])
    assert made.annotations == hints
    assert "annotations" not in str(made.definition)
    [plain] = ToolSet([{**NAMED, "inputSchema": SCHEMA, "annotations": None}])
    assert plain.annotations == {}


def given(**arguments: Any) -> dict[str, Any]:
    return arguments


def test_a_schema_of_ones_own_for_a_function() -> None:
    """It is the schema that says which arguments the function gets, exactly."""
    properties = {"self": {"type": "integer"}, "a b": {"pattern": "^x", "type": "string"}}
    parameters = {"type": "object", "properties": properties, "required": ["self"]}
    made = Tool("f", "", parameters, given)
    for arguments in ({"self": 1}, {"self": 1.0, "a b": "xy", "more": [None]}, {"self": 10**40}):
        assert made.call(arguments) == arguments
    for arguments, message in (
        ({}, "f: the value: refused by /required"),
        ({"self": "1"}, "f: /self: refused by /properties/self/type"),
        ({"self": 1, "a b": "y"}, "f: /a b: refused by /properties/a b/pattern"),
        ({"self": 1, "more": "\ud800"}, "f: a text with a lone surrogate"),
        ({"self": 1, "more": float("inf")}, "f: no JSON value"),
        ({"self": 1, "more": {3}}, "f: no JSON value"),
    ):
        with pytest.raises(ToolError, match=re.escape(message)):
            made.call(arguments)
    with pytest.raises(ToolError, match="arguments must be an object"):
        made.call([1])  # type: ignore[arg-type]


def test_a_schema_of_which_nothing_can_be_said_refuses_nothing() -> None:
    for parameters in (
        {"type": "object", "properties": {"a": {"pattern": r"(.)\1"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.org/elsewhere"}}},
    ):
        assert Tool("f", "", parameters, given).call({"a": "b"}) == {"a": "b"}


def test_a_function_with_other_parameters_than_its_schema() -> None:
    with pytest.raises(ToolError, match=r"^f: .*'town'"):
        Tool("f", "", SCHEMA, lambda town: town).call({"city": "Oslo"})


def test_what_can_be_called() -> None:
    Tool("f", "", SCHEMA, given).check_callable()
    with pytest.raises(ToolError, match="cannot be called"):
        Tool("f", "", SCHEMA).check_callable()


def test_a_definition_without_a_schema_has_no_parameters() -> None:
    for definition in ({"name": "f"}, {"type": "function", "function": {"name": "f"}}):
        [made] = ToolSet([definition])
        assert made.parameters["additionalProperties"] is False
        assert made.parameters["properties"] == {}


VALUES: dict[str, tuple[Any, list[str], list[str]]] = {
    # A type, texts of JSON that its schema must refuse, and some that must bind.
    "int": (int, ["1.5", '"1"'], ["1e22", "1.0", "-7", "9223372036854775808.0", str(10**30)]),
    "strict": (pydantic.StrictInt, ["1.5"], ["1e22", "1.0", "3"]),
    "float": (float, ["1e309", "-1e400", "1.7976931348623158e308"], ["1.7976931348623157e308"]),
    "above": (Annotated[float, pydantic.Field(gt=0.5)], ["0.5", "0.5000000000000000000001"], ["1"]),
    "date": (datetime.date, ['"0000-01-01"'], ['"0001-01-01"', '"9999-12-31"']),
    "since": (
        Annotated[datetime.date, pydantic.Field(ge=datetime.date(2020, 5, 17))],
        ['"2020-05-16"', '"1999-12-31"', '"0000-05-17"'],
        ['"2020-05-17"', '"2020-10-01"', '"3000-01-01"'],
    ),
    "until": (
        Annotated[datetime.date, pydantic.Field(lt=datetime.date(2020, 5, 17))],
        ['"2020-05-17"', '"2021-01-01"'],
        ['"2020-05-16"', '"2019-12-31"', '"0001-01-01"'],
    ),
    "datetime": (
        datetime.datetime,
        ['"2020-01-01T23:59:60Z"', '"0000-01-01T00:00:00Z"'],
        ['"2020-01-01T23:59:59Z"', '"0001-01-01T00:00:00+23:59"'],
    ),
    "naive": (
        pydantic.NaiveDatetime,
        ['"2020-01-01T00:00:00Z"', '"2020-02-30T00:00:00"'],
        ['"2020-01-01T00:00:00.25"'],
    ),
    "time": (datetime.time, ['"23:59:60Z"'], ['"23:59:59.5+01:00"']),
    "timedelta": (
        datetime.timedelta,
        ['"P99999999999999Y"', '"PT9999999999999S"'],
        ['"P1Y2M3DT4H5M6S"', '"P1W"', '"PT86400S"'],
    ),
    "decimal": (decimal.Decimal, ['"a"'], ['"1.50"', "0.1", "1e2"]),
    "price": (
        Annotated[decimal.Decimal, pydantic.Field(max_digits=4, decimal_places=2)],
        ["100", "0.001"],
        ["99.99", "-3"],
    ),
    "uuid": (pydantic.UUID4, ['"00000000-0000-1000-8000-000000000000"'],
             ['"00000000-0000-4000-8000-000000000000"']),
    "bytes": (pydantic.Base64Bytes, ['"abc"'], ['"YWJj"', '""']),
    "keys": (dict[int, str], ['{"a": ""}', '{"1.5": ""}'], ['{"-1": "", "20": ""}']),
    "days": (dict[datetime.date, int], ['{"0000-01-01": 1}'], ['{"2020-01-01": 1e25}']),
    "nested": (list[Options], ['[{"verbose": 1}]'], ['[{"verbose": true}]']),
    "any": (Any, [], ["1e22", "null", '{"a": [1.5]}']),
}  # fmt: skip


def tool_of(kind: Any) -> Tool:
    def take(x: Any) -> Any:
        return x

    take.__annotations__["x"] = kind
    return Tool.from_function(take)


@pytest.mark.parametrize("name", VALUES)
def test_the_schema_allows_what_can_be_bound(name: str) -> None:
    kind, refused, bound = VALUES[name]
    made = tool_of(kind)
    compiled = Grammar.from_json_schema(made.parameters).compile(byte_vocabulary())
    for text in refused:
        matcher = compiled.matcher()
        assert not (matcher.accept_bytes(b'{"x": %s}' % text.encode()) and matcher.is_accepting)
    for text in bound:
        made.bind(decode_json(f'{{"x": {text}}}', "arguments"))
    ending = compiled.matcher().completion()
    made.bind(decode_json(ending.decode(), "arguments"))


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_written_can_be_bound(name: str, seed: int) -> None:
    made = tool_of(VALUES[name][0])
    compiled = Grammar.from_json_schema(made.parameters, "compact").compile(byte_vocabulary())
    choose = random.Random(seed)
    for length in (10, 16, 30, 50):
        matcher = compiled.matcher()
        text = b""
        for _ in range(length):
            mask = np.zeros(9, dtype=np.int32)
            matcher.fill_mask(mask)
            allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))
            likely = [int(t) for t in allowed if chr(t) in '0123456789-:"{}xTZPYMDWHS.eE']
            token = choose.choice(likely or allowed.tolist())
            if token == 256:
                break
            assert matcher.accept(token)
            text += bytes([token])
        text += matcher.completion()
        try:
            arguments = decode_json(text.decode(), "arguments")
        except FormatError as error:
            assert "digits" in str(error), text
            continue
        made.bind(arguments)


def test_what_a_validator_raises_is_an_error_of_the_tool() -> None:
    def check(value: str) -> str:
        raise OverflowError("too much")

    made = tool_of(Annotated[str, pydantic.AfterValidator(check)])
    with pytest.raises(ToolError, match="OverflowError: too much"):
        made.bind({"x": "a"})


def test_models_read_no_bounds_of_pythons_types() -> None:
    made = tool_of(float)
    assert made.definition["function"]["parameters"]["properties"]["x"] == {"type": "number"}
    assert made.parameters["properties"]["x"]["maximum"] == sys.float_info.max


def test_lone_surrogates_in_tools_are_errors() -> None:
    with pytest.raises(ToolError, match="description holds a lone surrogate"):
        Tool("f", "\ud800", SCHEMA)
    with pytest.raises(ToolError, match="lone surrogate") as info:
        Tool("f", "", {"type": "object", "properties": {"a": {"enum": ["\ud800"]}}})
    assert info.value.pointer == "/properties/a/enum/0"


def test_methods_partials_and_callable_objects() -> None:
    class Shop:
        """A shop."""

        def price(self, item: str) -> str:
            """Price of an item."""
            return f"{item}: 5"

        def __call__(self, item: str) -> str:
            return item.upper()

    def search(query: str, limit: int, key: str) -> list[Any]:
        """Search."""
        return [query, limit, key]

    method = tool(Shop().price)
    assert method.name == "price"
    assert method.call({"item": "tea"}) == "tea: 5"

    partial = tool(functools.partial(search, key="secret"))
    assert (partial.name, partial.description) == ("search", "Search.")
    assert list(partial.parameters["properties"]) == ["query", "limit"]
    assert partial.call({"query": "q", "limit": 1}) == ["q", 1, "secret"]
    with pytest.raises(ToolError, match="key"):
        partial.call({"query": "q", "limit": 1, "key": "stolen"})

    instance = tool(name="shout")(Shop())
    assert (instance.name, instance.call({"item": "tea"})) == ("shout", "TEA")


def test_no_arguments() -> None:
    @tool(name="clock.now", description="The time.")
    def now() -> str:
        """Ignored."""
        return "noon"

    assert (now.name, now.description) == ("clock.now", "The time.")
    assert now.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert now.call({}) == "noon"


def _args(*args: int) -> None: ...
def _kwargs(**kwargs: int) -> None: ...
def _untyped(x, y: int) -> None: ...  # type: ignore[no-untyped-def]
async def _async(x: int) -> AsyncIterator[int]:
    yield x


def _dangling(x: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def _no_schema(x: object()) -> None: ...  # type: ignore[valid-type]
def _a_callable(x: type(len)) -> None: ...  # type: ignore[valid-type]


class _AsyncCallable:
    async def __call__(self, x: int) -> AsyncIterator[int]:
        yield x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_args, "args"),
        (_kwargs, "kwargs"),
        (_untyped, "'x' needs a type annotation"),
        (_async, "asynchronous"),
        (_AsyncCallable(), "asynchronous"),
        (functools.partial(_async), "asynchronous"),
        (_dangling, "Missing"),
        (_no_schema, "_no_schema"),
        (_a_callable, "_a_callable"),
        (lambda x: x, "lambda"),
        (3, "not a function"),
    ],
)
def test_what_cannot_be_a_tool(function: Any, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        Tool.from_function(function)


def test_coroutine_functions() -> None:
    @tool
    async def double(x: int) -> int:
        """Twice a number."""
        return 2 * x

    class Times:
        async def __call__(self, x: int, y: int) -> int:
            """A product."""
            return x * y

    assert (double.description, double.is_async) == ("Twice a number.", True)
    assert asyncio.run(double.call({"x": 2})) == asyncio.run(double(2)) == 4
    with pytest.raises(ToolError, match="x: "):
        double.call({"x": "two"})
    thrice = Tool.from_function(functools.partial(Times(), y=3), name="thrice")
    assert thrice.is_async and asyncio.run(thrice.call({"x": 2})) == 6

    @tool
    def plain(x: int) -> int:
        return x

    definition = Tool.from_definition({"name": "f", "parameters": {"type": "object"}})
    assert not plain.is_async and not definition.is_async


def test_what_the_function_raises_passes_through() -> None:
    @tool
    def broken(x: int) -> None:
        raise KeyError(x)

    with pytest.raises(KeyError):
        broken.call({"x": 1})


def test_tool_set() -> None:
    definition = {
        "type": "function",
        "function": {
            "name": "lookup",
            "parameters": {"type": "object", "properties": {"symbol": {"type": "string"}}},
        },
    }
    tools = ToolSet([tool(everything), _typed, definition])
    assert tools.names == ["everything", "_typed", "lookup"]
    assert "lookup" in tools and "other" not in tools and len(tools) == 3
    assert tools["_typed"].call({"x": 1}) == 1
    assert tools.definitions[2] == definition
    assert ToolSet.of(tools) is tools
    with pytest.raises(ToolError, match="without a Python function"):
        tools["lookup"].call({"symbol": "A"})
    with pytest.raises(ToolError, match="no tool is called 'other'"):
        tools["other"]


def _typed(x: int) -> int:
    return x


@pytest.mark.parametrize(
    "tools",
    [
        [_typed, _typed],
        [{"name": "x", "parameters": {"type": "string"}}],
        [{"name": "x", "parameters": {"properties": {}}}],
        [{"name": "bad name"}],
        [{"description": "nameless"}],
        [{"name": "x", "description": 3}],
        ["x"],
    ],
)
def test_bad_tool_sets(tools: Any) -> None:
    with pytest.raises(ToolError):
        ToolSet(tools)


def test_result_text() -> None:
    assert result_text("as it is <tag>") == "as it is <tag>"
    assert result_text(None) == "null"
    assert result_text({"a": [1, Color.RED, Point(1.5, 2)], "b": "é"}) == (
        '{"a": [1, "red", {"x": 1.5, "y": 2}], "b": "é"}'
    )
    assert json.loads(result_text({"x": float("nan"), "y": b"\xff"})) == {"x": "NaN", "y": "_w=="}
    assert isinstance(result_text(object()), str)
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ToolError):
        result_text(loop)


def test_map_schema_leaves_data_alone() -> None:
    schema = {
        "properties": {"$ref": {"$ref": "#/x"}, "const": {"const": {"$ref": "#/data"}}},
        "enum": [{"$ref": "#/data"}],
        "items": [{"$ref": "#/y"}],
        "dependencies": {"$ref": {"$ref": "#/z"}, "items": ["a"]},
        "dependentRequired": {"$ref": ["a"]},
    }

    def point_elsewhere(sub: dict[str, Any]) -> dict[str, Any]:
        return {**sub, "$ref": "!"} if "$ref" in sub else sub

    assert map_schema(schema, point_elsewhere) == {
        "properties": {"$ref": {"$ref": "!"}, "const": {"const": {"$ref": "#/data"}}},
        "enum": [{"$ref": "#/data"}],
        "items": [{"$ref": "!"}],
        "dependencies": {"$ref": {"$ref": "!"}, "items": ["a"]},
        "dependentRequired": {"$ref": ["a"]},
    }
    assert len(subschemas(schema)) == 5


def test_references_lead_where_they_were_made_for() -> None:
    document = {"$defs": {"a/b~c %é": [{"x": 1}]}, "0": 2}
    for path in [(), ("0",), ("$defs", "a/b~c %é", 0), ("$defs", "a/b~c %é", "0", "x")]:
        reference = reference_to(path)
        assert reference.isascii() and " " not in reference
        found, again = resolve(document, reference)
        assert found is at(document, path) and pointer_of(again) == pointer_of(path)
    for nowhere in ("#/1", "#/$defs/a", "#/0/1", "#/$defs/a~1b~0c%20%25%C3%A9/1", "#/"):
        with pytest.raises(LookupError):
            resolve(document, nowhere)
    for other in ("x", "#anchor", "http://example.com/#/0", ""):
        with pytest.raises(ValueError, match="not a JSON pointer"):
            resolve(document, other)
