"""Runs vLLM's own tests of what models write on the formats here; `model_outputs.py` starts it.

    python benches/outputs_vllm.py VLLM RESULTS.json [FOLDER_OF_TEMPLATES ...]

A program of its own, since it makes modules up: whatever the tests import from vLLM, transformers,
openai and xgrammar is a stand-in. A tool parser is a format behind vLLM's interface; constants of
vLLM's modules are read from its source. What else the tests reach for is `Inside`: such a test
looks at what is inside vLLM, and not at what a parser reads.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.abc
import importlib.machinery
import itertools
import json
import re
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from outputs_reading import Formats, cuts, read
from schemask.chat import ArgumentDelta, CallFailed, CallStarted, ChatFormat, Text
from schemask.errors import FormatError

STAND_INS = ("vllm", "transformers", "openai", "xgrammar", "torch", "partial_json_parser")
SEEDS = range(4)


class Inside(AttributeError):
    """A test looks inside vLLM."""


class Record:
    """An object of an interface: any keywords, kept as attributes."""

    def __init__(self, **values: Any) -> None:
        if isinstance(values.get("function"), dict):
            values["function"] = Record(**values["function"])
        self.__dict__.update(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "function":
            raise AttributeError(name)
        return None


class Extracted(Record):
    """What a parser read in a whole output."""


_IDS = itertools.count()


class Words(str):
    """What a parser takes for words; white space around them is no difference, as in llama.cpp."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.strip() == other.strip()

    __hash__ = str.__hash__


class ToolCall(Record):
    def __init__(self, function: Record, id: str = "", type: str = "function") -> None:
        super().__init__(id=id or f"call_{next(_IDS)}", type=type, function=function)


class Delta(Record):
    def __init__(self, content: str | None = None, tool_calls: Iterable[Any] = ()) -> None:
        super().__init__(content=content, tool_calls=list(tool_calls), reasoning=None)


class Tokenizer:
    """Cuts texts into tokens somehow: tags are one each."""

    _PIECES = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Z_]+\]| ?\w+|.", re.DOTALL)
    all_special_tokens: tuple[str, ...] = ()
    all_special_ids: tuple[int, ...] = ()

    def __init__(self) -> None:
        # Tests may give ids to tokens of their own.
        self._ids: dict[str, int] = {}

    def encode(self, text: str, **_: Any) -> list[int]:
        return [self._id(piece) for piece in self._PIECES.findall(text)]

    def decode(self, ids: int | Sequence[int], **_: Any) -> str:
        return "".join(self.convert_ids_to_tokens([ids] if isinstance(ids, int) else ids))

    def tokenize(self, text: str, **_: Any) -> list[str]:
        return self._PIECES.findall(text)

    def convert_ids_to_tokens(self, ids: Sequence[int], **_: Any) -> list[str]:
        texts = {i: text for text, i in self._ids.items()}
        return [texts[i] for i in ids]

    def add_tokens(self, *_: Any, **__: Any) -> int:
        return 0

    def get_vocab(self) -> dict[str, int]:
        return self._ids

    def _id(self, piece: str) -> int:
        return self._ids.setdefault(piece, len(self._ids))


def detokenize_incrementally(
    tokenizer: Tokenizer, all_input_ids: Sequence[int], *_: Any, **__: Any
) -> tuple[list[str], str, int, int]:
    text = tokenizer.decode(all_input_ids[-1])
    return [text], text, 0, 0


# What each test reads: one after the other.
READ: list[dict[str, Any]] = []


class StandIn:
    """vLLM's interface of a tool parser, around a format."""

    parser: str
    format_of: Callable[[str], ChatFormat | None]

    def __init__(self, tokenizer: Any = None, tools: Any = None, **_: Any) -> None:
        self.model_tokenizer = tokenizer
        self.vocab = tokenizer.get_vocab() if tokenizer is not None else {}
        self.tools = tools
        self._reader: Any = None

    def __getattr__(self, name: str) -> Any:
        raise Inside(f"{type(self).__name__}.{name}")

    def extract_tool_calls(self, model_output: str, request: Any = None) -> Extracted:
        form = self._format(model_output)
        tools = self._definitions(request)
        READ[-1]["texts"].append(model_output)
        self._check_cuts(form, model_output, tools)
        reader = form.reader(tools, prompt="")
        try:
            events = [*reader.feed(model_output), *reader.finish()]
            delta = _delta(events) or Delta()
            _note_failures(events)
        except FormatError as error:
            READ[-1]["error"] = str(error)
            raise
        calls = [ToolCall(call.function, call.id) for call in delta.tool_calls]
        READ[-1]["read"].append(f"{delta.content!r} {[call.function for call in calls]}")
        words = Words(delta.content) if (delta.content or "").strip() else None
        return Extracted(tools_called=bool(calls), tool_calls=calls, content=words)

    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Any = (),
        current_token_ids: Any = (),
        delta_token_ids: Any = (),
        request: Any = None,
    ) -> Delta | None:
        form = self._format(current_text or delta_text)
        # Some tests leave out the text so far, and some only that before the piece.
        if self._reader is None or (current_text == delta_text and not previous_text):
            self._reader = form.reader(self._definitions(request), prompt="")
            READ[-1]["texts"].append("")
        READ[-1]["texts"][-1] += delta_text
        try:
            events = self._reader.feed(delta_text)
            _note_failures(events)
            return _delta(events)
        except FormatError as error:
            READ[-1]["error"] = str(error)
            raise

    def _format(self, text: str) -> ChatFormat:
        found = type(self).format_of(text)
        READ[-1]["parser"] = self.parser
        if found is None:
            READ[-1]["texts"].append(text)
            pytest.skip("no format")
        READ[-1]["format"] = found.name
        return found

    def _definitions(self, request: Any) -> list[dict[str, Any]]:
        given = self.tools or getattr(request, "tools", None) or []
        return [_definition(tool) for tool in given] if isinstance(given, (list, tuple)) else []

    def _check_cuts(self, form: ChatFormat, text: str, tools: list[dict[str, Any]]) -> None:
        whole = read(form, [text], tools, "")
        for seed in SEEDS:
            in_cuts = read(form, cuts(text, seed), tools, "")
            assert bool(in_cuts.problem) == bool(whole.problem)
            assert whole.problem or in_cuts == whole


def _definition(tool: Any) -> dict[str, Any]:
    """A tool as the interfaces of chat completions and of responses give it, or as a dict."""
    if isinstance(tool, dict):
        held = tool.get("function", tool)
        name, parameters = held["name"], held.get("parameters")
    else:
        inner = getattr(tool, "function", tool)
        name, parameters = inner.name, inner.parameters
    schema = {"type": "object", **(parameters or {})}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def _note_failures(events: Iterable[Any]) -> None:
    """Notes what looks like a call and could not be read: a test that fails was refused."""
    for event in events:
        if isinstance(event, CallFailed):
            READ[-1]["error"] = event.problem


def _delta(events: Iterable[Any]) -> Delta | None:
    words = ""
    calls: dict[int, Any] = {}
    for event in events:
        if isinstance(event, Text):
            words += event.text
        elif isinstance(event, CallStarted):
            # Ids as Kimi writes them: this is how its templates number calls.
            call_id = f"functions.{event.name}:{event.index}"
            calls[event.index] = _call_delta(event.index, call_id, event.name)
        elif isinstance(event, ArgumentDelta):
            call = calls.setdefault(event.index, _call_delta(event.index))
            call.function.arguments += event.text
    return Delta(words or None, calls.values()) if words or calls else None


def _call_delta(index: int, call_id: str | None = None, name: str | None = None) -> Record:
    kind = "function" if call_id else None
    return Record(index=index, id=call_id, type=kind, function=Record(name=name, arguments=""))


class Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes up modules.

    Args:
        source: vLLM's source tree.
        formats: Where formats come from.
    """

    def __init__(self, source: Path, formats: Formats) -> None:
        self._source = source
        self._formats = formats
        self._classes: dict[str, type] = {}
        self._parsers = self._registry()
        self._known = {
            "AutoTokenizer": types.SimpleNamespace(from_pretrained=_tokenizer),
            "DeltaMessage": Delta,
            "ExtractedToolCallInformation": Extracted,
            "ToolCall": ToolCall,
            "ToolParserManager": types.SimpleNamespace(get_tool_parser=self._parser_named),
            "detokenize_incrementally": detokenize_incrementally,
            "get_tokenizer": _tokenizer,
        }

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname.partition(".")[0] not in STAND_INS:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = lambda name: self._member(spec.name, name)  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""

    def _member(self, module: str, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._known:
            return self._known[name]
        if name.endswith("ToolParser"):
            return self._class(name, StandIn)
        constant = self._constant(module, name)
        if constant is not None:
            return constant
        if name[0].isupper() and not name.isupper():
            return self._class(name, Record)
        return _inside(f"{module}.{name}")

    def _class(self, name: str, base: type) -> type:
        if name not in self._classes:
            members: dict[str, Any] = {}
            if base is StandIn:
                parser = self._parsers.get(name, name)
                find = self._formats.of_parser
                members = {
                    "parser": parser,
                    "format_of": staticmethod(lambda text: find(parser, text)),
                }
            self._classes[name] = type(name, (base,), members)
        return self._classes[name]

    def _constant(self, module: str, name: str) -> Any:
        """What a module of vLLM calls by that name, if it is a literal."""
        path = self._source.joinpath(*module.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            for target, value in _assignments(file):
                if target == name:
                    with contextlib.suppress(ValueError):
                        return ast.literal_eval(value)
        return None

    def _registry(self) -> dict[str, str]:
        """The first name of each class of parsers."""
        found: dict[str, str] = {}
        for _, value in _assignments(self._source / "vllm" / "tool_parsers" / "__init__.py"):
            if isinstance(value, ast.Dict):
                for name, (_, parser) in ast.literal_eval(value).items():
                    found.setdefault(parser, name)
        return found

    def _parser_named(self, name: str) -> type:
        classes = {value: key for key, value in self._parsers.items()}
        return self._class(classes.get(name, f"{name} ToolParser"), StandIn)


def _assignments(file: Path) -> Iterable[tuple[str, ast.expr]]:
    """What a module assigns at its top, if there is such a file."""
    for node in ast.parse(file.read_text()).body if file.is_file() else []:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _inside(name: str) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise Inside(name)

    return call


def _tokenizer(*_: Any, **__: Any) -> Tokenizer:
    return Tokenizer()


class Recorder:
    """Keeps what each test reads, and how it ends."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}

    @pytest.fixture(scope="session")
    def default_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> None:
        READ.append({"texts": [], "read": [], "parser": "", "format": "", "error": ""})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        report = yield
        if report.when == "call" or not report.passed:
            parameters = getattr(getattr(item, "callspec", None), "params", {})
            # They expect their own parser to fail: it is no fault to read what it does not.
            is_unexpected = "[XPASS(strict)]" in str(report.longrepr)
            self.results[item.nodeid] = {
                "test": item.nodeid,
                "has_passed": report.passed or is_unexpected,
                "is_inside": call.excinfo is not None and call.excinfo.errisinstance(Inside),
                "problem": _essence(str(report.longrepr)) if report.failed else "",
                "parameters": {k: repr(v) for k, v in parameters.items() if "expected" in k},
                **READ[-1],
            }
        return report


def _essence(report: str) -> str:
    """The lines of a failure that say what failed."""
    lines = [line for line in report.splitlines() if line.startswith("E ")]
    return "\n".join(lines) or report


def main() -> None:
    source, results, *folders = map(Path, sys.argv[1:])
    source = source.resolve()
    for name in [name for name in sys.modules if name.partition(".")[0] in STAND_INS]:
        del sys.modules[name]
    sys.path.insert(0, str(source))
    sys.meta_path.insert(0, Modules(source, Formats(folders)))
    recorder = Recorder()
    options = ["--noconftest", "-q", "--tb=short", "-p", "no:cacheprovider", "-c", "/dev/null"]
    options += ["-W", "ignore", "--continue-on-collection-errors", "--rootdir", str(source)]
    pytest.main([str(source / "tests" / "tool_parsers"), *options], plugins=[recorder])
    results.write_text(json.dumps(list(recorder.results.values())))


if __name__ == "__main__":
    main()
