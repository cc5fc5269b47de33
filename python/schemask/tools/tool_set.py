"""Tools: typed Python functions that a model can call.

The JSON Schema of the arguments is what the decoder enforces and what `Tool.bind` checks again, so
a function is only ever entered with values of the types that it declares.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, overload, runtime_checkable

import pydantic
from pydantic_core import to_json
from typing_extensions import ParamSpec, TypeVar

from schemask.errors import ToolError, shortened
from schemask.schemas.key_order import KeyOrder
from schemask.schemas.python_values import (
    BindableSchema,
    DescribedSchema,
    bindable,
    problems_of,
    whole_numbers,
)
from schemask.schemas.schema import Schema, map_schema
from schemask.schemas.surrogates import surrogate_place
from schemask.schemas.validator import validator_of
from schemask.tools.definitions import read_definition
from schemask.tools.docstrings import read_docstring

# Of the function of a tool, where they are known.
P = ParamSpec("P", default=...)
R = TypeVar("R", default=Any)
Q = ParamSpec("Q")
S = TypeVar("S")

_NAME = re.compile(r"[\w.:/-]+")


@runtime_checkable
class _ChecksItself(Protocol):
    """A function that knows whether it can be called here and now."""

    def check_callable(self) -> None: ...


@runtime_checkable
class AlsoAwaited(Protocol):
    """A function that waits in a thread, and can be awaited in the event loop that it lives in."""

    @property
    def lives_here(self) -> bool:
        """Whether this is that event loop."""

    async def awaited(self, /, **arguments: Any) -> Any:
        """What a call returns."""


def _tidy(schema: Schema) -> Schema:
    schema = {k: v for k, v in schema.items() if k != "title"}
    if "properties" in schema:
        # Declared keys and nothing said of others would let the decoder invent some.
        schema.setdefault("additionalProperties", False)
    return schema


@dataclass(frozen=True, eq=False)
class Tool(Generic[P, R]):
    """A function that a model can call, or only the definition of one.

    `tool`, `from_function` and `from_definition` make one. Called itself, it calls the function.

    Attributes:
        name: The name that the model writes.
        description: What the tool does, for the model to read; may be empty.
        parameters: JSON Schema of the arguments object. Of a function, it allows what `bind` takes
            and nothing else: dates that Python can hold, numbers that are floats.
        function: The Python function, or coroutine function, or None for a definition that
            something else carries out.
        annotations: Hints for whoever carries out the calls, as the Model Context Protocol has
            them, such as `{"readOnlyHint": True}`. The model does not see them.

    Raises:
        ToolError: A name that models cannot write, or parameters that are not the schema of an
            object.
    """

    name: str
    description: str
    parameters: Schema
    function: Callable[P, R] | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _described: Schema | None = field(default=None, repr=False)
    _arguments: type[pydantic.BaseModel] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ToolError(f"the name of a tool is a string, not {shortened(self.name)}")
        if not _NAME.fullmatch(self.name):
            raise ToolError(
                f"tool name {self.name!r}: only letters, digits, and any of _ . : / - are allowed"
            )
        if not isinstance(self.description, str):
            what = shortened(self.description)
            raise ToolError(f"{self.name}: the description is a string, not {what}")
        if not isinstance(self.parameters, dict):
            what = shortened(self.parameters)
            raise ToolError(f"{self.name}: the parameters are a JSON Schema, not {what}")
        if self.function is not None and not callable(self.function):
            raise ToolError(f"{self.name}: not a function: {shortened(self.function)}")
        if surrogate_place(self.description) is not None:
            raise ToolError(f"{self.name}: the description holds a lone surrogate")
        if (place := surrogate_place(self.parameters)) is not None:
            message = f"{self.name}: the parameters hold a lone surrogate, at {place}"
            raise ToolError(message, pointer=place)

    def __repr__(self) -> str:
        properties = self.parameters.get("properties")
        what = ", ".join(properties) if isinstance(properties, dict) else ""
        return f"<Tool {self.name}({what if len(what) <= 80 else '…'})>"

    @classmethod
    def from_function(
        cls,
        function: Callable[Q, S],
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> Tool[Q, S]:
        """A tool from a function, bound method, `functools.partial` or callable object.

        Coroutine functions (`async def`) are called in the same way, and what they return is
        awaited by whoever calls.

        Every parameter needs a type annotation. Descriptions come from the docstring (in the style
        of Google, numpy or Sphinx), unless the annotation carries its own as a pydantic `Field`.

        Args:
            function: What is to be called.
            name: Its name for the model; that of the function if None.
            description: What it does, for the model; the first paragraph of its docstring if None.

        Raises:
            ToolError: `*args` or `**kwargs`, a parameter without annotation, a type that JSON
                Schema cannot describe, or an asynchronous generator.
        """
        plain, bound = _unwrap(function)
        if name is not None and not isinstance(name, str):
            raise ToolError(f"the name of a tool is a string, not {shortened(name)}")
        own_name = name or getattr(plain, "__name__", None) or type(plain).__name__
        parameters = _parameters_of(function, plain, bound, own_name)
        summary, notes = read_docstring(inspect.getdoc(plain) or "", parameters)
        arguments = _arguments_model(own_name, parameters)
        try:
            described = arguments.model_json_schema(schema_generator=DescribedSchema)
            exact = arguments.model_json_schema(schema_generator=BindableSchema)
        except pydantic.PydanticUserError as error:
            raise ToolError(f"{own_name}: no JSON Schema for its arguments: {error}") from error
        return Tool(
            name=own_name,
            description=summary if description is None else description,
            parameters=_parameters_schema(map_schema(exact, bindable), notes),
            function=function,
            _described=_parameters_schema(described, notes),
            _arguments=arguments,
        )

    @classmethod
    def from_definition(cls, definition: Any) -> Tool:
        """A tool without a function, from a definition as one of the common interfaces writes it.

        Those are OpenAI's (chat completions, also the inner part alone, and responses), Anthropic's
        (`input_schema`), that of the Model Context Protocol (`inputSchema`; also as the objects of
        its client), Gemini's (`parameters` with types in capitals, or `parametersJsonSchema`) and
        Bedrock's (`toolSpec`).

        Args:
            definition: A dict, or an object of the client of the Model Context Protocol.

        Raises:
            ToolError: No name, parameters that are not the schema of an object, or a key that is
                not known and might hold them.
        """
        name, description, parameters, annotations = read_definition(definition)
        return cls(
            name=name, description=description, parameters=parameters, annotations=annotations
        )

    @property
    def definition(self) -> dict[str, Any]:
        """The shape that OpenAI, transformers and TRL share, for models to read.

        Of the parameters, it leaves out what only keeps values within the range of Python's types.
        """
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self._described or self.parameters
        return {"type": "function", "function": function}

    @functools.cached_property
    def key_order(self) -> KeyOrder:
        """The order in which a grammar of calls reads the keys of the arguments."""
        return KeyOrder(self.parameters)

    @functools.cached_property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function, whose calls are to be awaited."""
        function: Any = self.function
        while isinstance(function, functools.partial):
            function = function.func
        return inspect.iscoroutinefunction(_code_of(function))

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function as it is, unchecked, so that a decorated function stays usable."""
        return self._require_function()(*args, **kwargs)

    def check_callable(self) -> None:
        """Makes sure that calls can be carried out here and now.

        Raises:
            ToolError: There is no function; or it asks a server whose session is no longer there,
                or lives in the event loop that would have to wait.
        """
        function = self._require_function()
        if isinstance(function, _ChecksItself):
            function.check_callable()

    def bind(self, arguments: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments, validated and converted to what the function declares, ready to call with.

        Defaults are left to the function. Where the tool was not made from its function, the
        arguments are those that `parameters` allows, as they are.

        Args:
            arguments: The JSON object that a model wrote, by the names of the parameters.

        Raises:
            ToolError: An argument is missing, unknown or of the wrong type; the message names it.
        """
        function = self._require_function()
        if not isinstance(arguments, Mapping):
            raise ToolError(f"{self.name}: arguments must be an object, not {shortened(arguments)}")
        if self._arguments is not None:
            return _bind(inspect.signature(function), self._converted(self._arguments, arguments))
        if (problem := validator_of(self.parameters).problem(dict(arguments))) is not None:
            raise ToolError(f"{self.name}: {problem}")
        try:
            return _bind(inspect.signature(function), dict(arguments))
        except TypeError as error:  # the function has other parameters than the tool
            raise ToolError(f"{self.name}: {error}") from error

    def _converted(
        self, model: type[pydantic.BaseModel], arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        try:
            # Strict types take strings for dates and members of enums only if they come as JSON.
            text = to_json(whole_numbers(dict(arguments)), inf_nan_mode="constants")
            values = model.model_validate_json(text)
        except pydantic.ValidationError as error:
            raise ToolError(f"{self.name}: {problems_of(error, 'arguments')}") from error
        except RecursionError as error:
            raise ToolError(f"{self.name}: the arguments are nested too deeply") from error
        except Exception as error:  # of a validator that somebody else wrote
            raise ToolError(f"{self.name}: {type(error).__name__}: {error}") from error
        return {
            str(info.alias): getattr(values, attribute)
            for attribute, info in model.model_fields.items()
            if attribute in values.model_fields_set
        }

    def call(self, arguments: Mapping[str, Any]) -> R:
        """Validates and converts `arguments`, then calls the function.

        Args:
            arguments: The JSON object that a model wrote, by the names of the parameters.

        Returns:
            What the function returns: of a coroutine function, what is to be awaited.

        Raises:
            ToolError: An argument is missing, unknown or of the wrong type. What the function
                itself raises passes through.
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

    Args:
        function: The function, where the decorator stands without parentheses.
        name: Its name for the model; that of the function if None.
        description: What it does, for the model; the first paragraph of its docstring if None.

    Raises:
        ToolError: `*args` or `**kwargs`, a parameter without annotation, a type that JSON Schema
            cannot describe, or an asynchronous generator.

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

    Args:
        tools: `Tool`s, plain functions, and definitions (which have no function to call).

    Raises:
        ToolError: Two tools of one name, or what cannot be a tool.
    """

    def __init__(self, tools: Iterable[Tool | Callable[..., Any] | Mapping[str, Any]] = ()) -> None:
        is_one = isinstance(tools, (Tool, Mapping, str, bytes)) or callable(tools)
        if is_one or not isinstance(tools, Iterable):
            hint = ": put it into a list" if is_one else ""
            raise ToolError(f"tools are a list of tools, not {shortened(tools)}{hint}")
        self._tools: dict[str, Tool] = {}
        for item in tools:
            if isinstance(item, Tool):
                made = item
            elif callable(item):
                made = Tool.from_function(item)
            else:
                made = Tool.from_definition(item)
            if made.name in self._tools:
                raise ToolError(f"two tools are called {made.name!r}")
            self._tools[made.name] = made

    @classmethod
    def of(cls, tools: ToolsLike) -> ToolSet:
        """`tools` itself if it is a ToolSet already.

        Args:
            tools: A tool set, or `Tool`s, plain functions and definitions.

        Raises:
            ToolError: Two tools of one name, or what cannot be a tool.
        """
        return tools if isinstance(tools, ToolSet) else cls(tools)

    @classmethod
    async def from_mcp(
        cls, session: Any, *, names: Collection[str] | None = None, timeout: float | None = 60.0
    ) -> ToolSet:
        """The tools of a running server of the Model Context Protocol, which can be called.

        A call asks the server and waits for the answer, a `schemask.mcp.McpResult`. The session
        answers in its event loop only, which has to run on: `arun_agent` awaits the calls there;
        call the tools, and `run_agent`, in another thread.

            >>> tools = await ToolSet.from_mcp(session)
            >>> result = await arun_agent(model, tools, "What is 2 + 2?")

        Without an event loop of your own, `schemask.mcp.connect` runs one. What the server lists is
        asked once: after it says that its list has changed, make another set.

        Args:
            session: An `mcp.ClientSession` that is initialized, or an `mcp.Client`, in asyncio.
            names: Which tools are taken, in the order of the server; all if None.
            timeout: Seconds that the server may take for each answer; None is no limit.

        Raises:
            ToolError: No session, no or no proper answer, a tool that has no schema of an object or
                a name that no format can write, or none of one of the names.
        """
        if isinstance(names, str) or not isinstance(names, (Collection, type(None))):
            raise ToolError(f"names are a list of names of tools, not {shortened(names)}")
        is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
        if timeout is not None and not (is_number and timeout > 0):
            raise ToolError(f"a timeout is a number of seconds above 0, not {shortened(timeout)}")
        # It needs asyncio, which takes as long to import as a tenth of the package.
        from schemask.tools.mcp import McpFunction, list_definitions, running_loop

        loop = running_loop()
        if loop is None:
            raise ToolError("a session lives in an event loop of asyncio; there is none")
        definitions = await list_definitions(session, timeout)
        listed = [definition["name"] for definition in definitions]
        if unknown := [name for name in names or () if name not in listed]:
            known = ", ".join(listed) or "none at all"
            raise ToolError(f"the server has no tool {shortened(unknown[0])}; there is {known}")
        return cls(
            dataclasses.replace(
                Tool.from_definition(definition),
                function=McpFunction(session, loop, definition, timeout),
            )
            for definition in definitions
            if names is None or definition["name"] in names
        )

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """All definitions, as transformers' `apply_chat_template(tools=...)` takes them."""
        return [item.definition for item in self]

    @property
    def names(self) -> list[str]:
        """The names of the tools, in order."""
        return list(self._tools)

    def __getitem__(self, name: str) -> Tool:
        if name not in self:
            known = ", ".join(self._tools) or "none at all"
            raise ToolError(f"no tool is called {shortened(name)}; there is {known}")
        return self._tools[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        return f"ToolSet({', '.join(self._tools)})"


ToolsLike: TypeAlias = ToolSet | Iterable[Tool | Callable[..., Any] | Mapping[str, Any]]


def _unwrap(function: Callable[..., Any]) -> tuple[Any, set[str]]:
    """The object that carries name, docstring and hints, and the names that a partial has bound."""
    bound: set[str] = set()
    while isinstance(function, functools.partial):
        bound |= set(function.keywords)
        function = function.func
    if not callable(function):
        raise ToolError(f"not a function: {shortened(function)}")
    return function, bound


def _code_of(plain: Any) -> Any:
    """What runs when an object that can be called is called."""
    return plain if inspect.isroutine(plain) or inspect.isclass(plain) else type(plain).__call__


def _parameters_of(
    function: Callable[..., Any], plain: Any, bound: set[str], name: str
) -> dict[str, tuple[Any, Any]]:
    """Annotation and default of each parameter that the model fills in."""
    code = _code_of(plain)
    if inspect.isasyncgenfunction(code):
        raise ToolError(f"{name}: an asynchronous generator returns no result")
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


def _parameters_schema(schema: Schema, notes: dict[str, str]) -> Schema:
    # The docstring of the model that was made up here says nothing about the tool.
    own = {keyword: value for keyword, value in schema.items() if keyword != "description"}
    made: Schema = map_schema(own, _tidy)
    made.setdefault("properties", {})
    for parameter, note in notes.items():
        made["properties"][parameter].setdefault("description", note)
    return made


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
            # An integer past the range of floats would be read as infinity.
            __config__=pydantic.ConfigDict(
                extra="forbid", protected_namespaces=(), allow_inf_nan=False
            ),
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
