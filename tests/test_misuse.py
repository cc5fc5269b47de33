"""Wrong arguments of every public function: one clear error each, which names the argument."""

from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
import typing_extensions

import schemask
from plugins import PACKAGE, PLUGINS, Plugin
from schemask import (
    Grammar,
    GrammarCache,
    Tool,
    ToolSet,
    Vocabulary,
    allocate_mask,
    apply_mask,
    chat,
    fill_masks,
    prepare,
    tool,
)
from schemask.agent import AgentResult, Step, run_agent
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.generation import check_vocabulary
from schemask.models import (
    CallableModel,
    LlamaCppModel,
    MlxModel,
    OpenAIModel,
    Sampling,
    TransformersModel,
)
from schemask.synth import generate

BYTES = byte_vocabulary()
OPEN = Grammar.from_json_schema({})
COMPILED = OPEN.compile(BYTES)
MATCHER = COMPILED.matcher()
DEFINITION: dict[str, Any] = {"name": "f", "parameters": {"type": "object"}}
HERMES = chat.HERMES


@tool
def price(symbol: str) -> float:
    """The price of a stock."""
    return 1.0


MODEL = CallableModel(str.upper)


def from_schema(schema: Any, **options: Any) -> Grammar:
    return Grammar.from_json_schema(schema, **options)


def from_tools(tools: Any = (DEFINITION,), **options: Any) -> Grammar:
    return Grammar.from_tools(tools, **options)


def agent(**options: Any) -> AgentResult:
    given: dict[str, Any] = {"model": MODEL, "tools": [price], "messages": "Hi!", **options}
    return run_agent(**given)


def synth(**options: Any) -> Any:
    path = "/dev/null/nowhere"  # nothing is written, whatever happens
    given: dict[str, Any] = {"teacher": MODEL, "tools": [price], "count": 1, "path": path}
    return generate(**{**given, "progress": False, **options})


zeros = np.zeros

# What is called, and a word of the message: the argument's name, or what it should be.
MISUSES: list[tuple[str, Callable[[], Any]]] = [
    ("schema", lambda: from_schema(None)),
    ("schema", lambda: from_schema(5)),
    ("Schema", lambda: from_schema([])),
    ("Schema", lambda: from_schema(b"{}")),
    ("schema", lambda: from_schema("")),
    ("schema", lambda: from_schema({"maxLength": object()})),
    ("schema", lambda: from_schema({"minimum": float("nan")})),
    ("maxLength", lambda: from_schema({"maxLength": -1})),
    ("whitespace", lambda: from_schema({}, whitespace="wide")),
    ("whitespace", lambda: from_schema({}, whitespace=None)),
    ("property_order", lambda: from_schema({}, property_order="sorted")),
    ("property_order", lambda: from_schema({}, property_order=3)),
    ("strict", lambda: from_schema({}, strict="yes")),
    ("limits", lambda: from_schema({}, limits=3)),
    ("mask_work", lambda: from_schema({}, limits={"mask_work": "much"})),
    ("spelling", lambda: from_schema({}, spelling="wrong")),
    ("resources", lambda: from_schema({}, resources=[])),
    ("resources", lambda: from_schema({}, resources={3: {}})),
    ("tools", lambda: from_tools(None)),
    ("tools", lambda: from_tools(print)),
    ("tools", lambda: from_tools(price)),
    ("tools", lambda: from_tools(DEFINITION)),
    ("tools", lambda: from_tools("price")),
    ("tool", lambda: from_tools([None])),
    ("tool", lambda: from_tools([3])),
    ("format", lambda: from_tools(format=None)),
    ("format", lambda: from_tools(format=[])),
    ("format", lambda: from_tools(format="xml")),
    ("tool_choice", lambda: from_tools(tool_choice=None)),
    ("min_calls", lambda: from_tools(min_calls=None)),
    ("min_calls", lambda: from_tools(min_calls="1")),
    ("max_calls", lambda: from_tools(max_calls=1.5)),
    ("calls", lambda: from_tools(min_calls=-1)),
    ("calls", lambda: from_tools(min_calls=2, max_calls=1)),
    ("text", lambda: Grammar.from_gbnf(None)),  # type: ignore[arg-type]
    ("root", lambda: Grammar.from_gbnf('root ::= "a"', root=3)),  # type: ignore[arg-type]
    ("text", lambda: Grammar.from_lark(b"start: A")),  # type: ignore[arg-type]
    ("start", lambda: Grammar.from_lark('start: "a"', start=3)),  # type: ignore[arg-type]
    ("pattern", lambda: Grammar.from_regex(None)),  # type: ignore[arg-type]
    ("search", lambda: Grammar.from_regex("a", search="x")),  # type: ignore[arg-type]
    ("text", lambda: Grammar.literal(3)),  # type: ignore[arg-type]
    ("id", lambda: Grammar.token(None)),  # type: ignore[arg-type]
    ("id", lambda: Grammar.token(1.5)),  # type: ignore[arg-type]
    ("token", lambda: Grammar.token(-1)),
    ("token", lambda: Grammar.token(2**80)),
    ("stops", lambda: Grammar.free_text(3)),  # type: ignore[arg-type]
    ("stop", lambda: Grammar.free_text("")),
    ("name", lambda: Grammar.reference(3)),  # type: ignore[arg-type]
    ("constructors", lambda: Grammar(3)),  # type: ignore[arg-type]
    ("path", lambda: COMPILED.save(3)),
    ("path", lambda: schemask.CompiledGrammar.load(None, BYTES)),
    ("Vocabulary", lambda: schemask.CompiledGrammar.load("grammar.json", 3)),
    ("Vocabulary", lambda: GrammarCache(None)),  # type: ignore[arg-type]
    ("max_size", lambda: GrammarCache(BYTES, max_size="a")),  # type: ignore[arg-type]
    ("told from others", lambda: GrammarCache(BYTES).get(Grammar.from_json_schema, {1: {2}})),
    ("part", lambda: OPEN.define(a=3)),  # type: ignore[arg-type]
    ("part", lambda: OPEN + 3),  # type: ignore[operator]
    ("part", lambda: 3 + OPEN),  # type: ignore[operator]
    ("part", lambda: OPEN | None),  # type: ignore[operator]
    ("part", lambda: None | OPEN),  # type: ignore[operator]
    ("min", lambda: OPEN.repeat("a")),  # type: ignore[arg-type]
    ("-1", lambda: OPEN.repeat(-1)),
    ("maximum", lambda: OPEN.repeat(3, 1)),
    ("vocabulary", lambda: OPEN.compile(None)),  # type: ignore[arg-type]
    ("vocabulary", lambda: OPEN.compile("gpt2")),  # type: ignore[arg-type]
    ("max_tokens", lambda: COMPILED.matcher(max_tokens=-1)),
    ("max_tokens", lambda: COMPILED.matcher("x")),  # type: ignore[arg-type]
    ("budget", lambda: COMPILED.matcher(max_tokens=0)),
    ("token_id", lambda: MATCHER.accept(None)),  # type: ignore[arg-type]
    ("token -1", lambda: MATCHER.accept(-1)),
    ("token", lambda: MATCHER.accept(2**80)),
    ("data", lambda: MATCHER.accept_bytes("x")),  # type: ignore[arg-type]
    ("count", lambda: MATCHER.rollback("x")),  # type: ignore[arg-type]
    ("count", lambda: MATCHER.rollback(-1)),
    ("take back", lambda: MATCHER.rollback(9)),
    ("token_id", lambda: MATCHER.explain("x")),  # type: ignore[arg-type]
    ("outside the vocabulary", lambda: MATCHER.explain(999)),
    ("data", lambda: MATCHER.explain_bytes("x")),  # type: ignore[arg-type]
    ("limit", lambda: MATCHER.allowed("x")),  # type: ignore[arg-type]
    ("limit", lambda: MATCHER.allowed(-1)),
    ("JSON value", lambda: from_schema({}).in_order(object())),
    ("bitmask", lambda: MATCHER.fill_mask(None)),
    ("bitmask", lambda: MATCHER.fill_mask([1])),
    ("bitmask", lambda: MATCHER.fill_mask(zeros((1, 9), np.int64))),
    ("bitmask", lambda: MATCHER.fill_mask(zeros((1, 3), np.int32))),
    ("bitmask", lambda: MATCHER.fill_mask(zeros((1, 1, 9), np.int32))),
    ("row", lambda: MATCHER.fill_mask(allocate_mask(1, 257), row=-1)),
    ("row", lambda: MATCHER.fill_mask(allocate_mask(1, 257), row=2**80)),
    ("bitmask", lambda: MATCHER.fill_unaffordable(None)),
    ("row", lambda: MATCHER.fill_unaffordable(allocate_mask(1, 257), row=1)),
    ("matchers", lambda: fill_masks(None, allocate_mask(1, 257))),  # type: ignore[arg-type]
    ("matchers", lambda: fill_masks([None], allocate_mask(1, 257))),  # type: ignore[list-item]
    ("bitmask", lambda: fill_masks([MATCHER], None)),
    ("rows", lambda: fill_masks([MATCHER] * 2, allocate_mask(1, 257))),
    ("matchers", lambda: prepare([None])),  # type: ignore[list-item]
    ("bitmask", lambda: prepare([MATCHER]).fill(None)),
    ("batch", lambda: allocate_mask(-1, 257)),
    ("vocab_size", lambda: allocate_mask(1, "257")),  # type: ignore[arg-type]
    ("logits", lambda: apply_mask(None, None)),
    ("bitmask", lambda: apply_mask(zeros(257, np.float32), None)),
    ("logits", lambda: apply_mask(zeros(257, np.int32), allocate_mask(1, 257))),
    ("shape", lambda: apply_mask(zeros((2, 257), np.float32), allocate_mask(3, 257))),
    ("tokens", lambda: Vocabulary(None, [1])),  # type: ignore[arg-type]
    ("tokens", lambda: Vocabulary(["a"], [0])),  # type: ignore[list-item]
    ("stop_token_ids", lambda: Vocabulary([b"a"], None)),  # type: ignore[arg-type]
    ("stop token", lambda: Vocabulary([b"a"], [])),
    ("stop token -1", lambda: Vocabulary([b"a"], [-1])),
    ("stop token", lambda: Vocabulary([b"a"], [2**80])),
    ("special token", lambda: Vocabulary([b"a", b""], [1], [5])),
    ("id", lambda: BYTES.token("a")),  # type: ignore[arg-type]
    ("outside", lambda: BYTES.token(257)),
    ("data", lambda: BYTES.tokenize("a")),  # type: ignore[arg-type]
    ("tokenizer", lambda: Vocabulary.from_transformers(None)),
    ("tokenizer", lambda: Vocabulary.from_transformers("gpt2")),
    ("llama", lambda: Vocabulary.from_llama_cpp("model.gguf")),
    ("encoding", lambda: Vocabulary.from_tiktoken("cl100k_base", [1])),
    ("tools", lambda: ToolSet(None)),  # type: ignore[arg-type]
    ("tool", lambda: ToolSet([3])),  # type: ignore[list-item]
    ("function", lambda: tool(3)),  # type: ignore[call-overload]
    ("x", lambda: tool(lambda x: x)),
    ("asynchronous generator", lambda: tool(numbers)),
    ("symbol", lambda: price.call({})),
    ("object", lambda: price.call(None)),  # type: ignore[arg-type]
    ("function", lambda: ToolSet([DEFINITION])["f"]()),
    ("price", lambda: ToolSet([price])["cost"]),
    ("format", lambda: chat.chat_format("nonsense")),
    ("role", lambda: HERMES.render([{"role": "robot", "content": ""}])),
    ("message 0", lambda: HERMES.render([None])),  # type: ignore[list-item]
    ("function", lambda: CallableModel(None)),  # type: ignore[arg-type]
    ("prompt", lambda: MODEL.generate(None)),  # type: ignore[arg-type]
    ("stop", lambda: MODEL.generate("a", stop=[None])),  # type: ignore[list-item]
    ("stop", lambda: MODEL.generate("a", stop=[""])),
    ("grammar", lambda: MODEL.generate("a", grammar=COMPILED)),
    ("client", lambda: OpenAIModel(None, "m")),  # type: ignore[arg-type]
    ("model", lambda: OpenAIModel(Client(), None)),  # type: ignore[arg-type]
    ("openai.OpenAI", lambda: OpenAIModel(AsyncClient(), "m")),  # type: ignore[arg-type]
    ("temperature", lambda: remote(sampling=Sampling(temperature=-1))),
    ("temperature", lambda: remote(sampling=Sampling(temperature="hot"))),
    ("max_tokens", lambda: remote(sampling=Sampling(max_tokens=0))),
    ("max_tokens", lambda: remote(sampling=Sampling(max_tokens=None))),
    ("sampling", lambda: remote(sampling=3)),
    ("sampling", lambda: agent(sampling=None)),
    ("sampling", lambda: synth(sampling={})),
    ("sampling", lambda: MODEL.generate("a", sampling=9)),  # type: ignore[arg-type]
    ("top_p", lambda: Sampling(top_p=2)),
    ("seed", lambda: remote(sampling=Sampling(seed=-1))),
    ("seed", lambda: remote(sampling=Sampling(seed=1.5))),
    ("model", lambda: agent(model=lambda prompt: prompt)),
    ("model", lambda: agent(model=None)),
    ("tools", lambda: agent(tools=None)),
    ("tools", lambda: agent(tools=print)),
    ("function", lambda: agent(tools=[DEFINITION])),
    ("messages", lambda: agent(messages=None)),
    ("message", lambda: agent(messages=[3])),
    ("messages", lambda: agent(messages={"role": "user", "content": "Hi!"})),
    ("format", lambda: agent(format=3)),
    ("tool_choice", lambda: agent(tool_choice="required")),
    ("max_steps", lambda: agent(max_steps=0)),
    ("max_steps", lambda: agent(max_steps="8")),
    ("max_tokens", lambda: agent(sampling=Sampling(max_tokens=-1))),
    ("temperature", lambda: agent(sampling=Sampling(temperature=-0.5))),
    ("seed", lambda: agent(sampling=Sampling(seed=None))),
    ("content", lambda: agent(system=3)),
    ("teacher", lambda: synth(teacher=3)),
    ("tools", lambda: synth(tools=[])),
    ("tools", lambda: synth(tools=None)),
    ("count", lambda: synth(count=-1)),
    ("count", lambda: synth(count="many")),
    ("path", lambda: synth(path=None)),
    ("shares", lambda: synth(shares={"words": -1})),
    ("shares", lambda: synth(shares={"words": "few"})),
    ("shares", lambda: synth(shares={"parallel": float("nan")})),
    ("shares", lambda: synth(shares={"words": 0.6, "parallel": 0.6})),
    ("shares", lambda: synth(shares={"word": 0.6})),
    ("shares", lambda: synth(shares=0.5)),
    ("chains", lambda: synth(chains="price")),
    ("chains", lambda: synth(chains=[["price", "cost"]])),
    ("concurrency", lambda: synth(concurrency=0)),
    ("attempts", lambda: synth(attempts=0)),
    ("temperature", lambda: synth(sampling=Sampling(temperature=-1))),
    ("max_tokens", lambda: synth(sampling=Sampling(max_tokens=0))),
    ("nowhere", lambda: synth()),
    # What would be taken for its opposite, or for something else, without a word.
    ("additional_properties", lambda: from_schema({}, additional_properties="no")),
    ("parallel", lambda: from_tools(parallel="no")),
    ("reasoning", lambda: from_tools(reasoning=None)),
    ("max_calls", lambda: from_tools(max_calls=0)),
    ("max_calls", lambda: from_tools(max_calls=10**5000)),
    ("carry_out_truncated", lambda: agent(carry_out_truncated="no")),
    ("parallel", lambda: agent(parallel="no")),
    ("concurrent", lambda: agent(concurrent="no")),
    ("response_schema", lambda: agent(response_schema=3)),
    ("response_schema", lambda: HERMES.tree([price], response_schema=3)),  # type: ignore[arg-type]
    ("schema", lambda: from_tools(response_schema=3)),
    ("json_response", lambda: HERMES.reader([price], json_response="no")),  # type: ignore[arg-type]
    ("server", lambda: OpenAIModel(Client(), "m", server=None)),  # type: ignore[arg-type]
    ("on_step", lambda: agent(on_step=3)),
    ("examples", lambda: agent(examples="Hi!")),
    ("resume", lambda: synth(resume="no")),
    ("seed", lambda: synth(seed="one")),
    ("path", lambda: synth(path="a\0b")),
    ("path", lambda: synth(path="\ud800")),
    ("add_generation_prompt", lambda: render(add_generation_prompt="no")),
    ("messages", lambda: render(None)),
    ("messages", lambda: render("Hi!")),
    ("messages", lambda: render({"role": "user", "content": "Hi!"})),
    ("name", lambda: render([{"role": "tool", "name": 3, "content": ""}])),
    ("name", lambda: HERMES.render_call(None, {})),  # type: ignore[arg-type]
    ("arguments", lambda: HERMES.render_call("f", [])),  # type: ignore[arg-type]
    ("parameters", lambda: HERMES.render_call("f", {}, 3)),  # type: ignore[arg-type]
    ("result", lambda: HERMES.tool_message("f", None)),  # type: ignore[arg-type]
    ("text", lambda: HERMES.parse(b"words", [])),  # type: ignore[arg-type]
    ("event", lambda: chat.turn_of(["words"])),  # type: ignore[list-item]
    ("object", lambda: chat.messages_from_example([])),  # type: ignore[arg-type]
    ("name", lambda: Tool(3, "", {})),  # type: ignore[arg-type]
    ("description", lambda: Tool("f", 3, {})),  # type: ignore[arg-type]
    ("parameters", lambda: Tool("f", "", None)),  # type: ignore[arg-type]
    ("function", lambda: Tool("f", "", {}, 3)),  # type: ignore[arg-type]
    ("name", lambda: tool(name=3)(price.function)),  # type: ignore[call-overload]
    ("description", lambda: Tool.from_definition({"name": "f", "description": 0})),
    ("tool", lambda: ToolSet([price])[[]]),  # type: ignore[index]
    ("mask", lambda: allocate_mask(2**80, 257)),
    ("schema", lambda: from_schema({"maximum": 10**5000})),
    ("Schema", lambda: from_schema(10**5000)),
    ("limit", lambda: from_schema({}, limits={"timeout": 10**5000})),
    ("prompt", lambda: MODEL.generate("\ud800")),
    ("stop", lambda: MODEL.generate("a", stop=None)),  # type: ignore[arg-type]
    ("on_text", lambda: MODEL.generate("a", on_text=3)),  # type: ignore[arg-type]
    ("max_tokens", lambda: MODEL.generate("a", sampling=Sampling(max_tokens=0))),
    ("model", lambda: TransformersModel(None, None)),  # type: ignore[arg-type]
    ("vocabulary", lambda: LlamaCppModel(None, "gpt2")),  # type: ignore[arg-type]
]


def render(messages: Any = (), **options: Any) -> str:
    return HERMES.render(messages, **options)


async def numbers(x: int) -> AsyncIterator[int]:
    """Never run."""
    yield x


class Client:
    chat = None


class AsyncClient(Client):
    pass


def remote(**options: Any) -> Any:
    return OpenAIModel(Client(), "m").generate("a", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("named", "call"), MISUSES)
def test_a_wrong_argument_is_named(named: str, call: Callable[[], Any]) -> None:
    with pytest.raises((schemask.Error, TypeError)) as caught:
        call()
    error = caught.value
    notes = "".join(getattr(error, "__notes__", ()))
    assert named in str(error) + notes, error
    # Only the extension's own classes leave a wrong type to Python, which notes the argument.
    assert isinstance(error, schemask.Error) or "while processing" in notes


# Every function with arguments that it takes.
USES: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (from_schema, {"schema": {}, "resources": {}, "limits": {}, "whitespace": "compact"}),
    (from_schema, {"schema": {}, "property_order": "any", "spelling": "any", "strict": False}),
    (from_tools, {"tools": [DEFINITION], "format": "hermes", "tool_choice": "auto"}),
    (from_tools, {"min_calls": 1, "max_calls": 2, "parallel": True, "limits": None}),
    (Grammar.from_gbnf, {"text": 'root ::= "a"', "root": "root", "limits": None}),
    (Grammar.from_lark, {"text": 'start: "a"', "start": "start", "strict": True}),
    (Grammar.from_regex, {"pattern": "a", "search": True}),
    (Grammar.literal, {"text": "a"}),
    (Grammar.token, {"token": 1}),
    (Grammar.reference, {"name": "a"}),
    (OPEN.repeat, {"min": 1, "max": 2}),
    (OPEN.define, {"a": OPEN}),
    (OPEN.compile, {"vocabulary": BYTES}),
    (COMPILED.matcher, {"max_tokens": 9}),
    (MATCHER.clone().accept, {"token_id": 1}),
    (MATCHER.clone().accept_bytes, {"data": b"1"}),
    (MATCHER.clone().rollback, {"count": 0}),
    (MATCHER.clone().fill_mask, {"bitmask": allocate_mask(1, 257), "row": 0}),
    (MATCHER.clone().fill_unaffordable, {"bitmask": allocate_mask(1, 257), "row": 0}),
    (fill_masks, {"matchers": [MATCHER.clone()], "bitmask": allocate_mask(1, 257)}),
    (allocate_mask, {"batch": 1, "vocab_size": 257}),
    (apply_mask, {"logits": zeros(257, np.float32), "bitmask": allocate_mask(1, 257)}),
    (Vocabulary, {"tokens": [b"a", b""], "stop_token_ids": [1], "special_token_ids": []}),
    (Vocabulary.from_transformers, {"tokenizer": None, "vocab_size": 3, "stop_token_ids": [1]}),
    (Vocabulary.from_tiktoken, {"encoding": None, "stop_token_ids": [1]}),
    (Vocabulary.from_llama_cpp, {"llama": None}),
    (BYTES.token, {"id": 1}),
    (BYTES.tokenize, {"data": b"a"}),
    (ToolSet, {"tools": [price]}),
    (ToolSet([price]).__contains__, {"name": "price"}),
    (ToolSet([price]).__getitem__, {"name": "price"}),
    (Tool, {"name": "f", "description": "", "parameters": {}, "function": None}),
    (Tool.from_function, {"function": price.function, "name": "f", "description": ""}),
    (Tool.from_definition, {"definition": DEFINITION}),
    (lambda **members: Tool.from_definition({**DEFINITION, **members}), {"parameters": None}),
    (price.bind, {"arguments": {"symbol": "A"}}),
    (lambda symbol: price.call({"symbol": symbol}), {"symbol": "A"}),
    (chat.chat_format, {"name_or_format": "hermes"}),
    (render, {"messages": [], "tools": [price], "add_generation_prompt": True}),
    (HERMES.render_call, {"name": "f", "arguments": {}, "parameters": {}}),
    (HERMES.tool_message, {"name": "f", "text": ""}),
    (HERMES.render_assistant, {"message": {"role": "assistant", "content": ""}, "tools": []}),
    (HERMES.parse, {"text": "words", "tools": [price]}),
    (HERMES.tree, {"tools": [price], "tool_choice": "auto", "max_calls": 1, "reasoning": False}),
    (HERMES.tree, {"tools": [price], "response_schema": None}),
    (chat.call_schema, {"tools": ToolSet([price])}),
    (chat.check_messages, {"messages": []}),
    (chat.messages_from_example, {"example": {"messages": []}}),
    (chat.ParsedTurn.from_message, {"message": {"role": "assistant", "content": ""}}),
    (chat.turn_of, {"events": []}),
    (MODEL.generate, {"prompt": "", "sampling": Sampling(), "stop": []}),
    (Sampling, {"max_tokens": 9, "temperature": 0, "top_p": 1, "seed": 0}),
    (agent, {"model": MODEL, "tools": [price], "messages": "Hi!", "format": "hermes"}),
    (
        agent,
        {
            "tool_choice": "auto",
            "max_steps": 1,
            "sampling": Sampling(),
            "system": "",
            "examples": [],
        },
    ),
    (agent, {"parallel": True, "carry_out_truncated": True}),
    (agent, {"concurrent": True, "response_schema": None}),
    (synth, {"teacher": MODEL, "tools": [price], "count": 0, "path": "/dev/null/x", "seed": 0}),
    (synth, {"shares": None, "chains": None, "concurrency": None}),
    (synth, {"attempts": 1, "resume": True, "sampling": Sampling()}),
    (LlamaCppModel, {"llama": None, "vocabulary": None}),
    (TransformersModel, {"model": None, "tokenizer": None, "vocabulary": None}),
    (MlxModel, {"model": None, "tokenizer": None, "vocabulary": None}),
    (OpenAIModel, {"client": None, "model": "m", "server": "vllm"}),
]
ODD: list[Any] = [
    *(None, "", "x", "x\0", "\ud800", b"", b"x", 0, -1, 2**80, 10**5000, 1.5, float("nan"), True),
    *([], [None], ["a"], [[]], {}, {"a": 1}, {1: 2}, {1}, (1, 2), range(3), [{}], float("inf")),
    *(object(), int, zeros(1), np.float32(1), Exception("x"), OPEN, COMPILED, BYTES, MATCHER),
]


@pytest.mark.parametrize(("function", "arguments"), USES)
def test_any_wrong_value_is_taken_or_told(
    function: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    """Never a bare error from inside."""
    for name in arguments:
        for odd in [*ODD, iter([1])]:
            given = {**arguments, name: odd}
            try:
                function(**given)
            except schemask.Error:
                pass
            except TypeError as error:
                notes = "".join(getattr(error, "__notes__", ()))
                assert "while processing" in notes, (name, type(odd))


def test_every_public_function_is_misused() -> None:
    """A name that is added to the package has to be added above, too."""
    source = inspect.getsource(sys.modules[__name__])
    for name in schemask.__all__:
        value = getattr(schemask, name)
        is_error = isinstance(value, type) and issubclass(value, Exception)
        if callable(value) and not is_error and name not in MADE_BY_OTHERS:
            assert f"{name}(" in source, name
    for owner in (Grammar, schemask.CompiledGrammar, schemask.Matcher, Vocabulary):
        for name, member in vars(owner).items():
            takes = not name.startswith("_") and callable(getattr(owner, name))
            if takes and name not in NO_ARGUMENTS and not isinstance(member, property):
                assert f".{name}(" in source, f"{owner.__name__}.{name}"


MADE_BY_OTHERS = {
    *("Allowed", "CacheStats", "CompiledGrammar", "Explanation", "Limits", "Matcher"),
    "Preparation",
}
NO_ARGUMENTS = {
    *("to_gbnf", "optional", "completion", "forced_tokens", "reset", "clone", "explain_end"),
    "packed",
}


# what takes the place of silence


def test_a_keyword_that_is_misspelt_is_told() -> None:
    schema = {"properties": {"a": {"maxLenght": 3, "title": "A", "x-order": 1}}, "requried": ["a"]}
    assert Grammar.from_json_schema(schema).warnings == [
        ("/properties/a/maxLenght", "`maxLenght` is no keyword; is `maxLength` meant?"),
        ("/requried", "`requried` is no keyword; is `required` meant?"),
    ]


class Person(pydantic.BaseModel):
    name: str
    home: Home | None = None


@dataclass
class Home:
    city: str


class Movie(typing_extensions.TypedDict):
    title: str


class Open(pydantic.BaseModel, extra="allow"):
    name: str


def takes(grammar: Grammar, text: str) -> bool:
    matcher = grammar.compile(BYTES).matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


@pytest.mark.parametrize(
    ("type_", "whole", "more"),
    [
        (Person, '{"name":"a"}', '{"name":"a","age":1}'),
        (Person, '{"name":"a","home":{"city":"b"}}', '{"name":"a","home":{"city":"b","c":1}}'),
        (Home, '{"city":"a"}', '{"city":"a","b":1}'),
        (Movie, '{"title":"a"}', '{"title":"a","b":1}'),
        (list[Home], '[{"city":"a"}]', '[{"city":"a","b":1}]'),
    ],
)
def test_types_are_closed(type_: Any, whole: str, more: str) -> None:
    closed = Grammar.from_json_schema(type_)
    assert takes(closed, whole) and not takes(closed, more)
    opened = Grammar.from_json_schema(type_, additional_properties=True)
    assert takes(opened, whole) and takes(opened, more)
    # A schema means what it says.
    assert takes(Grammar.from_json_schema(pydantic.TypeAdapter(type_).json_schema()), more)


def test_a_type_may_say_that_it_is_open() -> None:
    assert takes(Grammar.from_json_schema(Open), '{"name":"a","b":1}')
    assert takes(Grammar.from_json_schema(dict[str, int]), '{"a":1}')


def test_a_type_that_pydantic_does_not_take_says_why() -> None:
    import typing

    class Old(typing.TypedDict):
        title: str

    if sys.version_info >= (3, 12):
        assert takes(Grammar.from_json_schema(Old), '{"title":"a"}')
    else:
        with pytest.raises(schemask.SchemaError, match=r"typing_extensions\.TypedDict"):
            Grammar.from_json_schema(Old)


# how things show themselves


def test_what_is_printed_is_short() -> None:
    assert repr(Grammar.from_gbnf('root ::= "a"  |  "b"')) == (
        '<Grammar from GBNF: root ::= "a" | "b">'
    )
    assert len(repr(from_schema({"enum": ["x" * 9] * 99}))) < 100
    warned = from_schema({"format": "made-up"})
    assert repr(warned).startswith("<Grammar from JSON Schema, 1 warning: root ::= %json")
    assert repr(COMPILED).startswith("<CompiledGrammar on 257 tokens: root ::= %json {")
    assert repr(COMPILED.vocabulary) == "<Vocabulary of 257 tokens: stop 256>"
    special = schemask.Vocabulary([b"x"] * 9, [1, 2, 3, 4, 5], [6])
    assert repr(special) == "<Vocabulary of 9 tokens: stop 1, 2, 3, 4, …, 1 special>"
    matcher = COMPILED.matcher(max_tokens=9)
    assert repr(matcher) == (
        "<Matcher after 0 tokens of at most 9, 0 bytes; "
        "next: null, true, false, a number, a string, an array or an object>"
    )
    assert matcher.accept(ord("1"))
    after = "<Matcher after 1 tokens of at most 9, 1 bytes; next: more of the number or"
    assert repr(matcher).startswith(after)
    assert matcher.accept(256) and repr(matcher).endswith("ended>")
    one = COMPILED.matcher()
    assert str(one.explain(ord("x"))) in repr(one.explain(ord("x")))
    assert repr(one.allowed()) == f"<Allowed: {one.allowed()}>"
    step = Step("words", "word " * 99)
    result = AgentResult([], [step], "word " * 99, "answered")
    assert repr(step).startswith("<Step words ok: 'word word") and len(repr(step)) < 120
    assert repr(result).startswith("<AgentResult answered after 1 steps: 'word")
    assert len(repr(result)) < 130
    assert repr(price) == "<Tool price(symbol)>"
    many = {"properties": {f"argument_{i}": {} for i in range(99)}}
    assert repr(schemask.Tool("many", "", many)) == "<Tool many(…)>"
    assert repr(schemask.Tool("odd", "", {"properties": 3})) == "<Tool odd()>"
    assert repr(HERMES) == "<ChatFormat hermes>"
    assert repr(HERMES.reader([])) == "<TurnReader hermes: 0 of 0 characters read>"
    for form in chat.FORMATS.values():
        assert (
            repr(form.spec).startswith(f"<FormatSpec {form.name}: ") and len(repr(form.spec)) < 350
        )
    completion = MODEL.generate("a")
    assert repr(completion).startswith("<Completion complete: ") and len(repr(completion)) < 120
    assert repr(OpenAIModel(Client(), "m")) == "<OpenAIModel m>"  # type: ignore[arg-type]
    assert repr(MODEL).startswith("<CallableModel of ")


def test_what_cannot_be_pickled_says_why() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(MATCHER)


def test_vocabularies_are_equal_by_their_tokens() -> None:
    tokens = [b"a", b"b", b""]
    assert Vocabulary(tokens, [2]) == Vocabulary(tokens, [2])
    assert len({Vocabulary(tokens, [2]), Vocabulary(tokens, [2])}) == 1
    assert Vocabulary(tokens, [2]) != Vocabulary(tokens, [1])
    assert Vocabulary(tokens, [2]) != Vocabulary([b"b", b"a", b""], [2])
    assert BYTES != 3


def test_a_grammar_of_another_vocabulary_is_seen() -> None:
    def encode(text: str) -> list[int]:
        return list(b" " + text.encode())

    check_vocabulary(BYTES, encode)
    for shift in (1, 255):
        with pytest.raises(schemask.ModelError, match="another vocabulary"):
            check_vocabulary(BYTES, lambda text, by=shift: [i + by for i in encode(text)])


def test_plugins_are_found() -> None:
    assert {plugin.name for plugin in PLUGINS} >= {
        "llama_cpp",
        "mcp",
        "mlx",
        "sglang",
        "transformers",
        "vllm",
    }


@pytest.mark.parametrize("plugin", PLUGINS, ids=[plugin.name for plugin in PLUGINS])
def test_a_library_that_is_missing(plugin: Plugin) -> None:
    name, library, extra, _ = plugin
    assert f"\n{extra} = [" in (PACKAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    script = (
        f"import sys; sys.modules[{library!r}] = None\n"
        f"import schemask\ntry: import schemask.{name}\n"
        "except ImportError as error: assert isinstance(error, schemask.Error); print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"pip install '.[{extra}]'" in done.stdout


def test_messages_do_not_name_a_package_that_nobody_published() -> None:
    for path in Path(schemask.__file__).parent.rglob("*.py"):
        assert "pip install 'schemask" not in path.read_text(encoding="utf-8"), path.name


def test_help_tells_of_every_member() -> None:
    """In the extension's own classes, and the same in the stub, which editors show."""
    stub = ast.parse((Path(schemask.__file__).parent / "_native.pyi").read_text(encoding="utf-8"))
    for node in stub.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name in INTERNAL:
            continue
        owner = getattr(schemask._native, node.name)
        told = {node.name: (ast.get_docstring(node), owner.__doc__)}
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                runtime = getattr(owner, member.name).__doc__
                told[f"{node.name}.{member.name}"] = (ast.get_docstring(member), runtime)
        for name, (written, shown) in told.items():
            assert shown and written == inspect.cleandoc(shown), name


INTERNAL = {"Grammar", "apply_mask"}
