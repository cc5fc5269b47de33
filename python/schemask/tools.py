"""Tools: typed Python functions that a model can call.

The JSON Schema of the arguments is what the decoder enforces and what `Tool.bind` checks again, so
a function is only ever entered with values of the types that it declares.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, overload

import pydantic
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, to_json
from typing_extensions import ParamSpec, TypeVar

from schemask.errors import ToolError, shortened

Schema: TypeAlias = dict[str, Any]

# Keywords whose value maps names to schemas, and those whose value is data and no schema at all.
_SCHEMA_MAPS = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_DATA = {"const", "default", "enum", "example", "examples", "required"}

# Of the function of a tool, where they are known.
P = ParamSpec("P", default=...)
R = TypeVar("R", default=Any)
Q = ParamSpec("Q")
S = TypeVar("S")

_NAME = re.compile(r"[\w.:/-]+")


def map_schema(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """A copy of `schema` in which every object that is itself a schema went through `change`.

    Names of properties and definitions and the data under `const`, `enum`, `default` and `examples`
    are left alone, even where they look like keywords.
    """
    if isinstance(schema, list):
        return [map_schema(item, change) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy: Schema = {}
    for keyword, value in schema.items():
        if keyword in _DATA:
            copy[keyword] = value
        elif keyword in _SCHEMA_MAPS and isinstance(value, dict):
            copy[keyword] = {name: map_schema(sub, change) for name, sub in value.items()}
        else:
            copy[keyword] = map_schema(value, change)
    return change(copy)


def _tidy(schema: Schema) -> Schema:
    schema = {k: v for k, v in schema.items() if k != "title"}
    if "properties" in schema:
        # Declared keys and nothing said of others would let the decoder invent some.
        schema.setdefault("additionalProperties", False)
    return schema


class _ArgumentsSchema(GenerateJsonSchema):
    # A default that JSON cannot spell still works in Python; the schema only leaves it out.
    ignored_warning_kinds = GenerateJsonSchema.ignored_warning_kinds | {"non-serializable-default"}


@dataclass(frozen=True, eq=False)
class Tool(Generic[P, R]):
    """A function that a model can call, or only the definition of one.

    Attributes:
        name: The name that the model writes.
        description: What the tool does, for the model to read; may be empty.
        parameters: JSON Schema of the arguments object.
        function: The Python function, or None for a definition that something else carries out.
    """

    name: str
    description: str
    parameters: Schema
    function: Callable[P, R] | None = None
    _arguments: type[pydantic.BaseModel] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ToolError(
                f"tool name {self.name!r}: only letters, digits, and any of _ . : / - are allowed"
            )

    @classmethod
    def from_function(
        cls,
        function: Callable[Q, S],
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> Tool[Q, S]:
        """A tool from a function, bound method, `functools.partial` or callable object.

        Every parameter needs a type annotation. Descriptions come from the docstring (its `Args:`
        section in Google style), unless the annotation carries its own as a pydantic `Field`.

        Raises:
            ToolError: `*args` or `**kwargs`, a parameter without annotation, a type that JSON
                Schema cannot describe, or a coroutine function.
        """
        plain, bound = _unwrap(function)
        own_name = name or getattr(plain, "__name__", None) or type(plain).__name__
        parameters = _parameters_of(function, plain, bound, own_name)
        summary, notes = _parse_docstring(inspect.getdoc(plain) or "", set(parameters))
        arguments = _arguments_model(own_name, parameters)
        try:
            raw = arguments.model_json_schema(schema_generator=_ArgumentsSchema)
        except pydantic.PydanticUserError as error:
            raise ToolError(f"{own_name}: no JSON Schema for its arguments: {error}") from error
        # The docstring of the model that was made up here says nothing about the tool.
        raw.pop("description", None)
        schema = map_schema(raw, _tidy)
        schema.setdefault("properties", {})
        for parameter, note in notes.items():
            schema["properties"][parameter].setdefault("description", note)
        return Tool(
            name=own_name,
            description=summary if description is None else description,
            parameters=schema,
            function=function,
            _arguments=arguments,
        )

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Tool:
        """A tool without a function, from `{"type": "function", "function": {...}}`.

        The inner part alone will do as well.

        Raises:
            ToolError: No name, or parameters that are not the schema of an object.
        """
        inner = definition.get("function", definition)
        if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
            raise ToolError(f"a tool definition needs a name: {_shorten(definition)}")
        name = inner["name"]
        parameters = inner.get("parameters")
        if parameters is None:
            parameters = {"type": "object", "properties": {}, "additionalProperties": False}
        if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
            raise ToolError(f'{name}: parameters must be a JSON Schema with "type": "object"')
        description = inner.get("description") or ""
        if not isinstance(description, str):
            raise ToolError(f"{name}: the description must be a string")
        return cls(name=name, description=description, parameters=dict(parameters))

    @property
    def definition(self) -> dict[str, Any]:
        """The shape that OpenAI, transformers and TRL share."""
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self.parameters
        return {"type": "function", "function": function}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function as it is, unchecked, so that a decorated function stays usable."""
        return self._require_function()(*args, **kwargs)

    def bind(self, arguments: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments, validated and converted to what the function declares, ready to call with.

        Defaults are left to the function.

        Raises:
            ToolError: An argument is missing, unknown or of the wrong type; the message names it.
        """
        function = self._require_function()
        assert self._arguments is not None
        if not isinstance(arguments, Mapping):
            raise ToolError(f"{self.name}: arguments must be an object, not {_shorten(arguments)}")
        try:
            values = self._arguments.model_validate(dict(arguments))
        except pydantic.ValidationError as error:
            problems = (
                f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}"
                for item in error.errors(include_url=False, include_input=False)
            )
            raise ToolError(f"{self.name}: {'; '.join(problems)}") from error
        except RecursionError as error:
            raise ToolError(f"{self.name}: the arguments are nested too deeply") from error
        given = {
            str(info.alias): getattr(values, attribute)
            for attribute, info in type(values).model_fields.items()
            if attribute in values.model_fields_set
        }
        return _bind(inspect.signature(function), given)

    def call(self, arguments: Mapping[str, Any]) -> R:
        """Validates and converts `arguments`, then calls the function.

        Raises:
            ToolError: As `bind`. What the function itself raises passes through.
        """
        bound = self.bind(arguments)
        return self._require_function()(*bound.args, **bound.kwargs)

    def _require_function(self) -> Callable[P, R]:
        if self.function is None:
            raise ToolError(f"{self.name}: a definition without a Python function cannot be called")
        return self.function


class _Decorator(Protocol):
    def __call__(self, function: Callable[Q, S], /) -> Tool[Q, S]: ...


@overload
def tool(function: Callable[Q, S], /) -> Tool[Q, S]: ...
@overload
def tool(*, name: str | None = None, description: str | None = None) -> _Decorator: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
) -> Tool | _Decorator:
    """Decorator that turns a typed function into a `Tool`.

    >>> @tool
    ... def get_stock_price(symbol: str) -> float:
    ...     '''Get the current price of a stock.
    ...
    ...     Args:
    ...         symbol: Ticker symbol, such as AAPL.
    ...     '''
    ...     return 150.0
    >>> get_stock_price.parameters["properties"]
    {'symbol': {'type': 'string', 'description': 'Ticker symbol, such as AAPL.'}}
    >>> get_stock_price.call({"symbol": "AAPL"})
    150.0
    """
    if function is None:
        return functools.partial(Tool.from_function, name=name, description=description)
    return Tool.from_function(function)


class ToolSet:
    """Tools with unique names, in the order in which they were given.

    Takes `Tool`s, plain functions, and OpenAI-style definitions (which have no function to call).
    """

    def __init__(self, tools: Iterable[Tool | Callable[..., Any] | Mapping[str, Any]] = ()) -> None:
        """Raises ToolError for two tools of one name, or for what cannot be a tool."""
        is_one = isinstance(tools, (Tool, Mapping, str)) or callable(tools)
        if is_one or not isinstance(tools, Iterable):
            hint = ": put it into a list" if is_one else ""
            raise ToolError(f"tools are a list of tools, not {shortened(tools)}{hint}")
        self._tools: dict[str, Tool] = {}
        for item in tools:
            if isinstance(item, Tool):
                made = item
            elif isinstance(item, Mapping):
                made = Tool.from_definition(item)
            elif callable(item):
                made = Tool.from_function(item)
            else:
                raise ToolError(f"not a tool: {_shorten(item)}")
            if made.name in self._tools:
                raise ToolError(f"two tools are called {made.name!r}")
            self._tools[made.name] = made

    @classmethod
    def of(cls, tools: ToolsLike) -> ToolSet:
        """`tools` itself if it is a ToolSet already."""
        return tools if isinstance(tools, ToolSet) else cls(tools)

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """All definitions, as transformers' `apply_chat_template(tools=...)` takes them."""
        return [item.definition for item in self]

    @property
    def names(self) -> list[str]:
        return list(self._tools)

    def __getitem__(self, name: str) -> Tool:
        try:
            return self._tools[name]
        except KeyError:
            known = ", ".join(self._tools) or "none at all"
            raise ToolError(f"no tool is called {name!r}; there is {known}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        return f"ToolSet({', '.join(self._tools)})"


ToolsLike: TypeAlias = ToolSet | Iterable[Tool | Callable[..., Any] | Mapping[str, Any]]


def result_text(result: Any) -> str:
    """What a tool returned, as the text that the model reads: strings as they are, else JSON.

    Raises:
        ToolError: A value that refers to itself, which no JSON text can spell.
    """
    if isinstance(result, str):
        return result
    try:
        packed = to_json(result, fallback=str, bytes_mode="base64", inf_nan_mode="strings")
        return json.dumps(json.loads(packed), ensure_ascii=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise ToolError(f"a result that cannot be written as JSON: {error}") from error


def _unwrap(function: Callable[..., Any]) -> tuple[Any, set[str]]:
    """The object that carries name, docstring and hints, and the names that a partial has bound."""
    bound: set[str] = set()
    while isinstance(function, functools.partial):
        bound |= set(function.keywords)
        function = function.func
    if not callable(function):
        raise ToolError(f"not a function: {_shorten(function)}")
    return function, bound


def _parameters_of(
    function: Callable[..., Any], plain: Any, bound: set[str], name: str
) -> dict[str, tuple[Any, Any]]:
    """Annotation and default of each parameter that the model fills in."""
    code = plain if inspect.isroutine(plain) or inspect.isclass(plain) else type(plain).__call__
    if inspect.iscoroutinefunction(code) or inspect.isasyncgenfunction(code):
        raise ToolError(f"{name}: coroutine functions are not supported")
    try:
        signature = inspect.signature(function)
        hints = typing.get_type_hints(
            code.__init__ if inspect.isclass(code) else code, include_extras=True
        )
    except (NameError, TypeError, ValueError) as error:
        raise ToolError(f"{name}: its signature cannot be read: {error}") from error
    parameters = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ToolError(f"{name}: *args and **kwargs have no schema ({parameter})")
        if parameter.name in bound:
            continue
        if parameter.name not in hints:
            raise ToolError(f"{name}: parameter {parameter.name!r} needs a type annotation")
        parameters[parameter.name] = (hints[parameter.name], parameter.default)
    return parameters


def _arguments_model(name: str, parameters: dict[str, tuple[Any, Any]]) -> type[pydantic.BaseModel]:
    # Parameters become aliases of made-up attributes: pydantic reserves names such as
    # `model_config` and those with a leading underscore, Python functions do not.
    fields: dict[str, Any] = {}
    for index, (parameter, (annotation, default)) in enumerate(parameters.items()):
        required = default is inspect.Parameter.empty
        fields[f"argument_{index}"] = (
            annotation,
            pydantic.Field(alias=parameter)
            if required
            else pydantic.Field(alias=parameter, default=default),
        )
    try:
        return pydantic.create_model(
            "Arguments",
            __config__=pydantic.ConfigDict(extra="forbid", protected_namespaces=()),
            **fields,
        )
    except (pydantic.PydanticUserError, NameError, TypeError) as error:
        raise ToolError(f"{name}: no schema for its arguments: {error}") from error


def _bind(signature: inspect.Signature, given: dict[str, Any]) -> inspect.BoundArguments:
    positional: list[Any] = []
    skipped: list[Any] = []
    for parameter in signature.parameters.values():
        if parameter.kind is not parameter.POSITIONAL_ONLY:
            break
        if parameter.name in given:
            # Defaults before a positional-only argument that was given have to be spelt out.
            positional += [*skipped, given.pop(parameter.name)]
            skipped = []
        else:
            skipped.append(parameter.default)
    return signature.bind(*positional, **given)


_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?|Attributes|"
    r"References|See Also|Todo|Warnings?|Warns):\s*"
)
_ARGUMENT = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*(?:\([^)]*\)[^)]*)*\))?\s*:\s*(.*)")


def _parse_docstring(doc: str, names: set[str]) -> tuple[str, dict[str, str]]:
    """Splits a Google-style docstring into the text before its sections and the notes per argument.

    A line of the `Args:` section starts a new argument if it is indented like the first one and
    names one of `names`; everything deeper belongs to the argument above it.
    """
    summary: list[str] = []
    notes: dict[str, list[str]] = {}
    section: str | None = None
    indent: int | None = None
    current: list[str] | None = None
    for line in doc.splitlines():
        header = _SECTION.fullmatch(line)
        if header:
            section, indent, current = header[1], None, None
        elif section is None:
            summary.append(line)
        elif section in ("Args", "Arguments", "Parameters", "Params") and line.strip():
            depth = len(line) - len(line.lstrip())
            indent = depth if indent is None else indent
            argument = _ARGUMENT.fullmatch(line.strip())
            if depth <= indent:
                current = None
                if argument and argument[1] in names:
                    current = notes.setdefault(argument[1], [])
                    current.append(argument[2])
            elif current is not None:
                current.append(line.strip())
    found = {name: " ".join(filter(None, lines)).strip() for name, lines in notes.items()}
    return "\n".join(summary).strip(), {name: note for name, note in found.items() if note}


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
