"""Formats of tool calls: compiling many tools, and tokens in words, tags and arguments.

    python benches/formats.py [--formats hermes glm45] [--engines schemask xgrammar] [--csv FILE]

128 tools of 10 parameters each, as an assistant's turn in which calls may come (`auto`). Of "alike"
tools all have the same parameters, of those "apart" no two have one in common. The text is some
words, where the format lets them come before calls, and one call. Times are from Python, on one
thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import record
import report
from corpus import llama3
from engines import Engine, LLGuidance, Schemask, XGrammar
from measuring import read
from schemask.chat import FORMATS, ChatFormat, JsonArguments
from schemask.errors import FormatError

PLACES = ("words", "tags", "arguments")
PASSES = ("first", "again")
TIMES = tuple(f"{place} {number} µs" for place in PLACES for number in PASSES)
COLUMNS = ("format", "tools", "engine", "status", "compile ms", *TIMES, "max first ms")
TYPES = ("string", "integer", "boolean", "number")
VALUES = ("some words here", 12, True, 1.5)
WORDS = (
    "Let me look that up for you. I will call the tool with what you said before, and then tell "
    "you what it says."
)
# What xgrammar calls the models of these formats.
MODELS = {
    "hermes": "qwen_3",
    "qwen3_coder": "qwen_3_coder",
    "glm45": "glm_4_7",
    "llama3_json": "llama",
    "deepseek_v3": "deepseek_r1",
    "deepseek_v31": "deepseek_v3_1",
    "deepseek_v32": "deepseek_v3_2",
    "kimi_k2": "kimi",
    "harmony": "harmony",
}


def tools_of(kind: str, count: int) -> list[dict[str, Any]]:
    tools = []
    for i in range(count):
        keys = [f"parameter_{j}" if kind == "alike" else f"p{i}_{j}_name" for j in range(10)]
        properties = {
            key: {"type": TYPES[j % 4], "description": f"Number {j} of tool {i}."}
            for j, key in enumerate(keys)
        }
        parameters = {
            "type": "object",
            "properties": properties,
            "required": keys[::2],
            "additionalProperties": False,
        }
        tools.append({"name": f"tool_{i}", "parameters": parameters})
    return tools


def turn_of(form: ChatFormat, tools: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """A turn that calls, and the place of each of its bytes."""
    tool = tools[len(tools) // 2]
    keys = list(tool["parameters"]["properties"])
    arguments = {key: VALUES[j % 4] for j, key in enumerate(keys)}
    call = {"type": "function", "function": {"name": tool["name"], "arguments": arguments}}
    message = {"role": "assistant", "content": WORDS, "tool_calls": [call]}
    try:
        text = form.render_assistant(message, tools)
    except FormatError:
        text = form.render_assistant({**message, "content": ""}, tools)
    # From the first key to the last value.
    last = text.rindex(keys[-1]) + len(keys[-1])
    end = text.index(json.dumps(arguments[keys[-1]]), last) + 2
    begin, words = text.index(keys[0]), text.find(WORDS)
    places = []
    for at, char in enumerate(text):
        place = "arguments" if begin <= at < end else "tags"
        if 0 <= words <= at < words + len(WORDS):
            place = "words"
        places += [place] * len(char.encode())
    return text, places


Compile = Callable[[], Any]


def compile_schemask(engine: Any, form: ChatFormat, tools: list[dict[str, Any]]) -> Compile:
    return partial(engine.compile_tools, tools, form)


def compile_xgrammar(engine: Any, form: ChatFormat, tools: list[dict[str, Any]]) -> Compile | None:
    """By its structural tag of the model, without reasoning; `None` if it has none."""
    import xgrammar

    if form.name not in MODELS:
        return None
    functions = [{"type": "function", "function": tool} for tool in tools]

    def compile() -> Any:
        tag = xgrammar.get_model_structural_tag(MODELS[form.name], functions, reasoning=False)
        compiled = engine.compiler.compile_structural_tag(tag)
        engine.matcher(compiled)
        return compiled

    return compile


def compile_llguidance(
    engine: Any, form: ChatFormat, tools: list[dict[str, Any]]
) -> Compile | None:
    """By its structural tags: one for each tool, with what the format writes around arguments.

    `None` where these cannot say it: they hold JSON, and nothing stands around several calls.
    """
    import llguidance

    spec = form.spec
    counts = "{i" in spec.call
    is_json = isinstance(spec.arguments, JsonArguments)
    if not is_json or spec.calls_open or spec.bare or spec.words_open or counts:
        return None

    def compile() -> Any:
        tags = []
        for tool in tools:
            begin, end = form.render_call(tool["name"], {}).rsplit("{}", 1)
            trigger = spec.call_open.strip() or begin
            schema = tool["parameters"]
            tag = llguidance.StructTag(trigger=trigger, begin=begin, grammar=schema, end=end)
            tags.append(tag)
        grammar = llguidance.StructTag.to_grammar(tags, assume_special=False)
        matcher = engine.matcher(grammar)
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher

    return compile


ENGINES: dict[str, tuple[Callable[..., Any], Callable[..., Compile | None]]] = {
    "schemask": (Schemask, compile_schemask),
    "xgrammar": (XGrammar, compile_xgrammar),
    "llguidance": (LLGuidance, compile_llguidance),
}


def measure(
    engine: Engine, compile: Compile, tokens: list[int], places: list[str], repeats: int
) -> list[str]:
    """The figures of a row: medians of compiling, least times of tokens that were seen before."""
    compiling, firsts = [], []
    for _ in range(repeats):
        engine.forget()
        start = time.perf_counter()
        compiled = compile()
        compiling.append(time.perf_counter() - start)
        firsts.append(read(engine, compiled, tokens))
    again = np.min([read(engine, compiled, tokens) for _ in range(10)], axis=0)
    first = np.median(firsts, axis=0)
    cells = [f"{np.median(compiling) * 1e3:.1f}"]
    for place in PLACES:
        chosen = [i for i, where in enumerate(places) if where == place]
        cells += [f"{x[chosen].mean() * 1e6:.1f}" if chosen else "" for x in (first, again)]
    return [*cells, f"{first.max() * 1e3:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["schemask"])
    parser.add_argument("--kinds", nargs="+", choices=["alike", "apart"], default=["alike"])
    parser.add_argument("--tools", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--csv", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    tokenizer = llama3()
    bitmask = np.zeros((len(tokenizer.tokens) + 31) // 32, dtype=np.int32)
    engines = {name: ENGINES[name][0](tokenizer, bitmask) for name in options.engines}
    rows = []
    for kind in options.kinds:
        tools = tools_of(kind, options.tools)
        for name in options.formats:
            form = FORMATS[name]
            text, places = turn_of(form, tools)
            tokens = tokenizer.encode(text)
            starts = np.cumsum([0, *(len(tokenizer.tokens[token]) for token in tokens[:-1])])
            of_tokens = [places[start] for start in starts]
            for engine_name, engine in engines.items():
                compile = ENGINES[engine_name][1](engine, form, tools)
                if compile is None:
                    continue
                try:
                    cells = ["ok", *measure(engine, compile, tokens, of_tokens, options.repeats)]
                except (RuntimeError, ValueError) as error:
                    cells = [str(error).splitlines()[0][:80], *[""] * (len(COLUMNS) - 4)]
                rows.append([name, kind, engine_name, *cells])
                print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    notes = record.circumstances(
        f"{options.tools} tools of 10 parameters; vocabulary llama3; one thread",
        " ".join(["python benches/formats.py", *sys.argv[1:]]),
        record.ENGINES,
    )
    done = record.Record(notes, list(COLUMNS), [dict(zip(COLUMNS, r, strict=True)) for r in rows])
    print(report.tables(done))
    if options.csv:
        record.write(options.csv, notes, COLUMNS, rows)


if __name__ == "__main__":
    main()
