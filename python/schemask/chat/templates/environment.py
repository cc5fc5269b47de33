"""The sandbox in which the chat templates of models run, as transformers runs them.

Templates see plain data of JSON alone, copied for each rendering. So they may change lists, which
transformers' own sandbox refuses and some templates of models do; `tojson` writes generators as
lists for the same reason. All else is rendered as transformers renders it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import GeneratorType
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
import jinja2.runtime
import jinja2.sandbox
import jinja2.utils

from schemask.errors import FormatError

_CONVERSATION = {"messages", "tools", "functions", "documents", "add_generation_prompt"}

_spans: ContextVar[_Spans | None] = ContextVar("spans of generation blocks", default=None)


class _Spans:
    """Where `{% generation %}` blocks stand in the text that is being rendered."""

    def __init__(self) -> None:
        self.length = 0
        self.found: list[tuple[int, int]] = []


class _GenerationBlocks(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}`, around what the assistant says."""

    tags = {"generation"}  # noqa: RUF012 (as the base class declares it)

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        block = jinja2.nodes.CallBlock(self.call_method("_rendered"), [], [], body)
        return block.set_lineno(line)

    def _rendered(self, caller: jinja2.runtime.Macro) -> str:
        text: str = caller()
        if (spans := _spans.get()) is not None:
            spans.found.append((spans.length, spans.length + len(text)))
        return text


class _Namespace(jinja2.utils.Namespace):
    """A namespace whose attributes lead to nothing of Python's own."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        attributes = dict(*args[1:], **kwargs)
        for name in attributes:
            _check_attribute(name)
        jinja2.utils.Namespace.__init__(args[0], attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_attribute(name)
        super().__setitem__(name, value)


def _check_attribute(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"the attribute {name!r} begins with an underscore")


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.exceptions.TemplateError(message)


def _listed(value: Any) -> Any:
    if isinstance(value, GeneratorType):
        return list(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
        default=_listed,
    )


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def _dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    return dict(*args, **kwargs)


@functools.lru_cache(maxsize=64)
def undeclared(text: str) -> frozenset[str]:
    """The variables that a template of a text does not set itself, its own names among them.

    Raises:
        FormatError: It is no template, with the line.
    """
    environment = compiled(text).environment
    found = jinja2.meta.find_undeclared_variables(environment.parse(text))
    return frozenset(found - {*environment.globals})


def settings(text: str) -> tuple[str, ...]:
    """The variables by which whoever renders a template can choose what it writes, sorted.

    Raises:
        FormatError: It is no template, with the line.
    """
    tree = compiled(text).environment.parse(text)
    names = [*tree.find_all(jinja2.nodes.Name)]
    own = {name.name for name in names if name.ctx != "load"}
    parameters = {name.name for name in names if name.ctx == "param"}
    # What a template sets itself is a setting if it asks first whether it is there.
    asked = {
        node.node.name
        for node in tree.find_all((jinja2.nodes.Test, jinja2.nodes.Filter))
        if isinstance(node.node, jinja2.nodes.Name)
        and node.name in ("defined", "undefined", "default", "d")
    }
    return tuple(sorted(undeclared(text) - (own - asked) - parameters - _CONVERSATION))


@functools.lru_cache(maxsize=64)
def compiled(text: str) -> jinja2.Template:
    """The template of a text.

    Raises:
        FormatError: It is no template, with the line.
    """
    environment = jinja2.sandbox.SandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_GenerationBlocks, jinja2.ext.loopcontrols],
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(
        raise_exception=_raise_exception,
        strftime_now=_strftime_now,
        dict=_dict,
        namespace=_Namespace,
    )
    try:
        return environment.from_string(text)
    except jinja2.exceptions.TemplateSyntaxError as error:
        problem = f"no chat template: line {error.lineno}: {error.message}"
        raise FormatError(problem, line=error.lineno) from error


def rendered(template: jinja2.Template, values: dict[str, Any]) -> str:
    """The text that a template makes of values.

    Raises:
        FormatError: The template refuses them or fails.
    """
    with _failures():
        return template.render(values)


def rendered_with_spans(
    template: jinja2.Template, values: dict[str, Any]
) -> tuple[str, list[tuple[int, int]]]:
    """The text, and where its `{% generation %}` blocks stand.

    Raises:
        FormatError: As `rendered`.
    """
    spans = _Spans()
    token = _spans.set(spans)
    blocks: list[str] = []
    try:
        with _failures():
            for block in template.generate(values):
                blocks.append(block)
                spans.length += len(block)
    finally:
        _spans.reset(token)
    return "".join(blocks), spans.found


@contextmanager
def _failures() -> Iterator[None]:
    """Turns whatever goes wrong in a template into one kind of error."""
    try:
        yield
    except FormatError:
        raise
    except jinja2.exceptions.TemplateError as error:
        raise FormatError(f"the chat template refuses: {error.message or error}") from error
    except Exception as error:
        raise FormatError(f"the chat template fails: {type(error).__name__}: {error}") from error
