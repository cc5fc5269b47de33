"""What `help()` and `repr()` say of the public names of the package."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import re
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

import schemask
import schemask.agent
import schemask.chat
import schemask.evaluation
import schemask.models
import schemask.synth
import schemask.tools
from plugins import PLUGINS
from raised_errors import constructor_of, raised_errors
from schemask.core.byte_vocabulary import byte_vocabulary

NAMES = [name for name in schemask.__all__ if not name.startswith("__")]
# Besides the package itself.
MODULES = (
    schemask.agent,
    schemask.chat,
    schemask.evaluation,
    schemask.models,
    schemask.synth,
    schemask.tools,
    *(
        importlib.import_module(f"schemask.{plugin.name}")
        for plugin in PLUGINS
        if importlib.util.find_spec(plugin.library)
    ),
)


def public_names(module: ModuleType) -> list[str]:
    """Functions and classes that a module lists as its own, else those that it defines."""
    listed = getattr(module, "__all__", None)
    values = vars(module).items() if listed is None else ((n, getattr(module, n)) for n in listed)
    return [
        name
        for name, value in values
        if (inspect.isclass(value) or isinstance(value, FunctionType))
        and not name.startswith("_")
        and (listed is not None or value.__module__ == module.__name__)
    ]


def members(module: ModuleType, name: str) -> Iterator[tuple[str, Any]]:
    """A public name, and what a class of that name defines or takes over from the package."""
    value = getattr(module, name)
    yield name, value
    if not inspect.isclass(value) or name == "Limits":
        return
    for member in dir(value):
        attribute = inspect.getattr_static(value, member)
        owner = next(base for base in value.__mro__ if member in vars(base))
        if member.startswith("_") or not owner.__module__.startswith("schemask"):
            continue
        if isinstance(attribute, (classmethod, staticmethod)):
            attribute = attribute.__func__
        if attribute is None:
            continue  # the default of an attribute, of which the class tells
        yield f"{name}.{member}", attribute


EVERYTHING = [pair for name in NAMES for pair in members(schemask, name)]
# Of the modules, each name with the class that it belongs to.
OFFERED = {
    f"{module.__name__.partition('.')[2]}.{path}": (value, getattr(module, name))
    for module in MODULES
    for name in public_names(module)
    for path, value in members(module, name)
}


def parameters(value: Any) -> list[inspect.Parameter]:
    """What is given to a call, as far as it is said."""
    if inspect.isclass(value) and not is_made_by_its_users(value):
        return []
    if not callable(value) and not inspect.ismethoddescriptor(value):
        return []
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        parameter
        for parameter in found
        if parameter.name not in ("self", "cls") and not parameter.name.startswith("_")
    ]


def is_made_by_its_users(value: type) -> bool:
    """Whether its constructor is meant to be called, with arguments of its own."""
    return value in (schemask.Vocabulary, schemask.Tool, schemask.ToolSet)


def told_in(text: str, *sections: str) -> list[str]:
    """What the entries of some sections of a docstring are about."""
    pattern = rf"^(?:{'|'.join(sections)}):\n((?:    .*\n|\n)+)"
    bodies = re.findall(pattern, text + "\n", re.MULTILINE)
    return [name for body in bodies for name in re.findall(r"^    (\w+):", body, re.MULTILINE)]


@pytest.mark.parametrize(("name", "value"), EVERYTHING, ids=[name for name, _ in EVERYTHING])
def test_docstrings(name: str, value: Any) -> None:
    text = inspect.getdoc(value)
    assert text, name
    assert text.strip().split("\n")[0].endswith((".", ":")), text
    if taken := parameters(value):
        assert told_in(text, "Args", "Attributes") == [parameter.name for parameter in taken]


@pytest.mark.parametrize("name", OFFERED)
def test_docstrings_of_modules(name: str) -> None:
    """All that is offered says what it takes, and names the errors that its source shows."""
    value, owner = OFFERED[name]
    text = inspect.getdoc(value)
    assert text, name
    is_class = inspect.isclass(value)
    is_elsewhere = is_class and (is_abstract(value) or not makes_itself(value))
    taken = [] if is_elsewhere else parameters_of(value)
    assert told_in(text, "Args", "Attributes")[: len(taken)] == taken
    function = getattr(value, "fget", None) or getattr(value, "func", None) or value
    function = constructor_of(value) if is_class else function
    errors = raised_errors(function, owner if inspect.isclass(owner) else None)
    told = told_in(text, "Raises")
    unsaid = {
        error.__name__
        for error in errors
        if not any(kind.__name__ in told for kind in error.__mro__)
    }
    assert unsaid == UNREACHABLE.get(name, set())


# What cannot happen where it is raised: a mask of a vocabulary's own width is right, a reader that
# is new has no text that could be wrong, the tools of a set are tools, paraphrases are strings, the
# everyday tools are right, a server's own schema is one, and what is wrong with a request becomes a
# `RequestError`.
UNREACHABLE = {
    "chat.TurnReader": {"FormatError"},
    "llama_cpp.SchemaLogitsProcessor": {"MaskError"},
    "llama_cpp.complete": {"MaskError"},
    "llama_cpp.iter_complete": {"MaskError"},
    "models.LlamaSequences": {"MaskError"},
    "models.LlamaSequences.generate": {"MaskError"},
    "serve.Engine": {"GrammarError", "SchemaError"},
    "serve.Engine.chat": {"DependencyError", "FormatError", "ModelError", "ToolError"},
    "serve.Engine.complete": {"ModelError"},
    "synth.ModelParaphraser": {"GrammarError", "LimitError", "SchemaError"},
    "synth.TeacherRequest.schema": {"ToolError"},
    "synth.everyday": {"DataError", "ToolError"},
}


def is_abstract(value: type) -> bool:
    """Whether others define what it takes."""
    return inspect.isabstract(value) or getattr(value, "_is_protocol", False)


def makes_itself(value: type) -> bool:
    """Whether its constructor is the package's own."""
    made = vars(value).get("__init__") or constructor_of(value) or value
    return made.__module__.startswith("schemask")


def parameters_of(value: Any) -> list[str]:
    """The names of what a function, or the constructor of a class, takes."""
    if not callable(value):
        return []
    found = inspect.signature(value).parameters.values()
    return [
        parameter.name
        for parameter in found
        if parameter.name not in ("self", "cls") and not parameter.name.startswith("_")
    ]


def test_errors_are_found_in_the_source() -> None:
    def refuse() -> None:
        raise schemask.ToolError("no")

    def catch() -> None:
        try:
            refuse()
        except schemask.ToolError as error:
            raise schemask.DataError("no data") from error

    assert raised_errors(schemask.ToolSet.of.__func__, schemask.ToolSet) == {schemask.ToolError}
    assert raised_errors(refuse) == {schemask.ToolError}
    assert raised_errors(catch) == {schemask.DataError}


def test_what_raises_says_so() -> None:
    """The errors of an operation are a part of what it is."""
    silent = {
        # They only ask or copy.
        "Grammar.optional",
        "GrammarCache.clear",
        "GrammarCache.stats",
        "Matcher.clone",
        "Matcher.reset",
        "Preparation.stop",
        "Vocabulary.packed",
        "prepare",
    }
    functions = {
        name: value
        for name, value in EVERYTHING
        if not isinstance(value, (property, functools.cached_property))
        and not inspect.isgetsetdescriptor(value)
        and (not inspect.isclass(value) or is_made_by_its_users(value))
    }
    without = {
        name
        for name, value in functions.items()
        if "\nRaises:\n" not in (inspect.getdoc(value) or "")
    }
    assert without == silent


GRAMMAR = schemask.Grammar.from_json_schema({"type": "object", "require": ["a"]})
COMPILED = GRAMMAR.compile(byte_vocabulary())


@schemask.tool
def greet(name: str) -> str:
    """Says hello."""
    return f"hello {name}"


OBJECTS = {
    "Preparation": (schemask.prepare([COMPILED.matcher()]), "1 masks"),
    "Allowed": (COMPILED.matcher().allowed(), "an object"),
    "CacheStats": (schemask.GrammarCache(byte_vocabulary()).stats(), "misses=0"),
    "CompiledGrammar": (COMPILED, "257 tokens"),
    "Explanation": (COMPILED.matcher().explain(ord("[")), "/type"),
    "Grammar": (GRAMMAR, "1 warning"),
    "GrammarCache": (schemask.GrammarCache(byte_vocabulary()), "size=0"),
    "Matcher": (COMPILED.matcher(), "an object"),
    "Tool": (greet, "greet"),
    "ToolSet": (schemask.ToolSet([greet]), "greet"),
    "Vocabulary": (byte_vocabulary(), "257 tokens"),
}


def test_objects_show_what_they_are() -> None:
    classes = {name for name in NAMES if inspect.isclass(getattr(schemask, name))}
    errors = {name for name in classes if issubclass(getattr(schemask, name), Exception)}
    assert OBJECTS.keys() == classes - errors - {"Limits"}  # which is a dict
    for name, (value, part) in OBJECTS.items():
        assert isinstance(value, getattr(schemask, name))
        shown = repr(value)
        assert part in shown, shown
        assert " at 0x" not in shown.partition("function=")[0], shown
        assert "\n" not in shown
        assert len(shown) < 300
    for name in errors:
        assert repr(getattr(schemask, name)("why")) == f"{name}('why')"
