"""Synthetic training data: a teacher writes conversations that call given tools.

Line i of a file is a function of the seed, of i, and of the lines before it. So the file itself is
the only state: a run that was killed goes on where the file ends, and ends with the file that an
uninterrupted run would have written (if the teacher repeats itself under a seed, as local models
do).
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from schemask._files import Journal
from schemask._native import CompiledGrammar
from schemask.chat import HERMES, TOOL_CODE, check_messages
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.generation import check_count
from schemask.core.grammar import Grammar, PropertyOrder
from schemask.core.sampling import Sampling, check_is_sampling
from schemask.core.vocabulary import Vocabulary
from schemask.errors import DataError, Error, check_flags, shortened
from schemask.models.base import Model
from schemask.schemas.schema import Schema
from schemask.synth.kinds import Kind
from schemask.synth.requests import TeacherRequest, messages_of
from schemask.synth.traits import DIFFICULTIES, PERSONAS, STYLES
from schemask.tools import ToolSet, ToolsLike

TEACHING = Sampling(max_tokens=512, temperature=0.8)
"""How teachers write, unless told otherwise."""

Teacher: TypeAlias = Model | Callable[[TeacherRequest], Mapping[str, Any]]


@dataclass
class Report:
    """What a run did.

    Attributes:
        written: Lines that this run added.
        found: Lines that were there before.
        refused: Why answers were not written, with how often: "invalid" (not of the schema, or text
            that no chat format can write), "cut off" (at the token limit), "duplicate".
    """

    written: int = 0
    found: int = 0
    refused: dict[str, int] = field(
        default_factory=lambda: {"invalid": 0, "cut off": 0, "duplicate": 0}
    )


def generate(
    teacher: Teacher,
    tools: ToolsLike,
    count: int,
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    words: float = 0.1,
    parallel: float = 0.1,
    sampling: Sampling = TEACHING,
    attempts: int = 16,
    resume: bool = True,
    progress: bool = True,
) -> Report:
    """Writes `count` conversations to the JSON lines file `path`.

    A line is `{"messages": [...], "tools": [...]}`, as TRL's `SFTTrainer` and transformers'
    `apply_chat_template(messages, tools=tools)` read it: the user's request, the assistant's calls,
    their results and the assistant's answer; or, for a question that needs no tool, request and
    answer.

    No two lines have the same request, apart from case, spaces and punctuation. Every call names a
    tool that the line offers, and its arguments are valid; a model with a vocabulary is constrained
    so that they are, and what any other teacher writes is checked. An answer that is refused is
    asked for again with other hints.

    Args:
        teacher: A model adapter, or a function from a `TeacherRequest` to an example (a dict as the
            request's `schema` says).
        tools: The tools; none of them is run.
        count: Lines that the file shall have in the end.
        path: The file. It is continued if it holds lines of this function for these tools, of which
            a kill may have torn the last one; any other file is left as it is. While one run
            writes it, another is refused.
        seed: Decides about everything that is drawn.
        words: Share of conversations in which no tool is called.
        parallel: Share of conversations in which one turn makes two calls.
        sampling: How the teacher's tokens are chosen, if it is a model, and how many a conversation
            may have; each request has a seed of its own instead of `sampling.seed`.
        attempts: How often to ask for a line before giving up.
        resume: False refuses to touch a file that has content.
        progress: Show a progress bar on standard error.

    Raises:
        DataError: A file that cannot be continued (a damaged line, other tools, another writer) or
            written, or a line for which all attempts were refused; lines written so far stay.
        ToolError: What cannot be a tool.
        FormatError: Lines of the file that no chat format can write.
        SchemaError: Parameters of a tool that are no JSON Schema, or that nothing satisfies.
        UnsupportedSchemaError: Parameters of a tool that are not supported exactly.
        LimitError: Parameters of a tool that take too much work.
        ModelError: What the teacher raises, if it is a model. What a function raises passes
            through.
    """
    tool_set = ToolSet.of(tools)
    place = _check_plan(tool_set, count, path, words, parallel, attempts)
    check_count("seed", seed, least=0)
    check_is_sampling(sampling)
    check_flags(DataError, resume=resume, progress=progress)
    if not isinstance(teacher, Model) and not callable(teacher):
        raise DataError(f"the teacher is a Model or a function, not {shortened(teacher)}")
    plan = _Plan(tool_set, seed, words, parallel)
    writer = _ExampleWriter(teacher, sampling)
    report = Report()
    with Journal(place) as journal:
        found = _continue(journal, tool_set, resume)
        requests, report.found = set(found), len(found)
        bar = tqdm(
            total=count,
            initial=min(report.found, count),
            unit="line",
            disable=not progress,
        )
        with bar:
            for index in range(report.found, count):
                journal.append(_next_line(plan, writer, index, attempts, requests, report))
                report.written += 1
                bar.update()
                bar.set_postfix(report.refused, refresh=False)
    return report


def check(
    tools: ToolsLike,
    count: int,
    path: str | os.PathLike[str],
    *,
    words: float = 0.1,
    parallel: float = 0.1,
    attempts: int = 16,
    resume: bool = True,
) -> None:
    """Raises what `generate` would raise before it asks the teacher; nothing is changed.

    Args:
        tools: The tools.
        count: Lines that the file shall have in the end.
        path: The file, which need not exist.
        words: Share of conversations in which no tool is called.
        parallel: Share of conversations in which one turn makes two calls.
        attempts: How often to ask for a line before giving up.
        resume: False refuses a file that has content.

    Raises:
        DataError: No tools, a count or share out of range, or a file that cannot be continued: a
            damaged line, other tools, another writer.
        ToolError: What cannot be a tool.
        FormatError: Lines of the file that no chat format can write.
        SchemaError: Parameters of a tool that are no JSON Schema, or that nothing satisfies.
        LimitError: Parameters of a tool that take too much work.
    """
    tool_set = ToolSet.of(tools)
    with Journal(_check_plan(tool_set, count, path, words, parallel, attempts)) as journal:
        _read(journal, tool_set, resume)


def _check_plan(
    tools: ToolSet,
    count: int,
    path: str | os.PathLike[str],
    words: float,
    parallel: float,
    attempts: int,
) -> Path:
    if not len(tools):
        raise DataError("no tools to write conversations for")
    for name, share in {"words": words, "parallel": parallel}.items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise DataError(
                f"{name} is a share of all conversations, from 0 to 1, not {shortened(share)}"
            )
    if words + parallel > 1:
        raise DataError("words and parallel are shares of all conversations: together 1 at most")
    for name, value, least in (("count", count, 0), ("attempts", attempts, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise DataError(f"{name} is an integer of at least {least}, not {shortened(value)}")
    try:
        os.stat(place := Path(path))
    except OSError:
        return place  # `Journal` tells
    except (TypeError, ValueError) as error:
        raise DataError(f"path is the place of a file, not {shortened(path)}") from error
    return place


class _Refused(Exception):
    """An answer that must not be written; `reason` is a key of `Report.refused`."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


def _next_line(
    plan: _Plan,
    writer: _ExampleWriter,
    index: int,
    attempts: int,
    requests: set[str],
    report: Report,
) -> bytes:
    problem = ""
    for attempt in range(attempts):
        request = plan.request(index, attempt)
        try:
            example = writer.write(request)
            key = _request_key(example["user"])
            if key in requests:
                raise _Refused("duplicate", "a request that an earlier line has")
        except _Refused as refused:
            report.refused[refused.reason] += 1
            problem = str(refused)
            continue
        requests.add(key)
        line = {"messages": messages_of(example), "tools": request.tools.definitions}
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"
    raise DataError(
        f"line {index + 1}: {attempts} answers in a row were refused, the last: {problem}"
    )


class _Plan:
    """Draws what to ask for."""

    def __init__(self, tools: ToolSet, seed: int, words: float, parallel: float) -> None:
        self._tools = tools
        self._seed = seed
        self._words = words
        self._parallel = parallel

    def request(self, index: int, attempt: int) -> TeacherRequest:
        draw = random.Random(f"{self._seed}/{index}/{attempt}")
        share = draw.random()
        kind: Kind = "call"
        if share < self._words:
            kind = "words"
        elif share < self._words + self._parallel:
            kind = "parallel"
        names = self._tools.names
        targets = draw.choices(names, k={"words": 0, "call": 1, "parallel": 2}[kind])
        offered = {*targets, *draw.sample(names, k=draw.randint(1, len(names)))}
        # A set has no order that a seed decides.
        order = [name for name in names if name in offered]
        draw.shuffle(order)
        tools = ToolSet(self._tools[name] for name in order)
        traits = (PERSONAS, STYLES, DIFFICULTIES) if targets else (PERSONAS, STYLES)
        return TeacherRequest(
            index=index,
            attempt=attempt,
            seed=draw.getrandbits(31),
            kind=kind,
            tools=tools,
            targets=tuple(targets),
            hints=tuple(draw.choice(trait) for trait in traits),
        )


class _ExampleWriter:
    """Gets one checked example from a teacher."""

    def __init__(self, teacher: Teacher, sampling: Sampling) -> None:
        self._teacher = teacher
        self._sampling = sampling
        self._compiled: dict[tuple[str, str], CompiledGrammar] = {}

    def write(self, request: TeacherRequest) -> dict[str, Any]:
        teacher = self._teacher
        if isinstance(teacher, Model):
            answer = _read_object(self._complete(teacher, request))
        else:
            answer = teacher(request)
        return self._check(answer, request)

    def _complete(self, model: Model, request: TeacherRequest) -> str:
        constraint: dict[str, Any] = {}
        if model.vocabulary is not None:
            constraint["grammar"] = self._compile(request.schema, "schema", model.vocabulary)
        completion = model.generate(
            request.prompt,
            sampling=dataclasses.replace(self._sampling, seed=request.seed),
            **constraint,
        )
        # Under a grammar the text is valid even so, but words end in the middle.
        if completion.status == "max_tokens":
            raise _Refused("cut off", f"cut off after {self._sampling.max_tokens} tokens")
        return completion.text

    def _check(self, answer: object, request: TeacherRequest) -> dict[str, Any]:
        try:
            text = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise _Refused("invalid", f"not a JSON object: {error}") from error
        matcher = self._compile(request.schema, "any", byte_vocabulary()).matcher()
        for position in range(len(text)):
            if not matcher.accept_bytes(text[position : position + 1]):
                seen = text[: position + 1].decode(errors="replace")
                raise _Refused("invalid", f"not as the schema says, from the end of {seen[-80:]!r}")
        if not matcher.is_accepting:
            raise _Refused("invalid", "not a whole JSON object")
        example: dict[str, Any] = json.loads(text)
        if not _request_key(example["user"]):
            raise _Refused("invalid", "a request without words")
        try:
            for call in example.get("tool_calls", ()):
                tool = request.tools[call["name"]]
                if tool.function is not None:
                    tool.bind(call["arguments"])
            # These write whatever a conversation can say; other formats refuse some of it.
            for form in (TOOL_CODE, HERMES):
                form.render(messages_of(example), request.tools)
        except Error as error:
            raise _Refused("invalid", str(error)) from error
        return example

    def _compile(
        self, schema: Schema, order: PropertyOrder, vocabulary: Vocabulary
    ) -> CompiledGrammar:
        key = (order, json.dumps(schema))
        if key not in self._compiled:
            grammar = Grammar.from_json_schema(schema, whitespace="spaced", property_order=order)
            self._compiled[key] = grammar.compile(vocabulary)
        return self._compiled[key]


def _read_object(text: str) -> Any:
    """The JSON object in a model's text; models put it between fences and pleasantries."""
    start = text.find("{")
    try:
        return json.JSONDecoder().raw_decode(text, max(start, 0))[0]
    except (ValueError, RecursionError) as error:
        raise _Refused("invalid", f"no JSON object: {error}") from error


def _request_key(text: str) -> str:
    """The words of a request, by which duplicates are known."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _continue(journal: Journal, tools: ToolSet, resume: bool) -> list[str]:
    """The keys of the requests in the file, of which the end of a torn line is cut off."""
    requests, torn = _read(journal, tools, resume)
    if torn:
        journal.cut(journal.size - len(torn))
    return [_request_key(request) for request in requests]


def _read(journal: Journal, tools: ToolSet, resume: bool) -> tuple[list[str], bytes]:
    """The requests of the whole lines in the file, and what is there of a torn last line.

    Raises:
        DataError: A line that `generate` would not have written, or the beginning of such a one.
    """
    if not resume and journal.size:
        raise DataError(f"{journal.path} has content already")
    known = tools.definitions
    requests: list[str] = []
    for number, line in enumerate(journal.lines(), start=1):
        if not line.endswith(b"\n"):
            if not _begins_a_line(line, known):
                raise DataError(
                    f"{journal.path} is left as it is: line {number}, which has no end, is no "
                    "beginning of a conversation with these tools",
                    line=number,
                )
            return requests, line
        try:
            example = json.loads(line)
            if not isinstance(example, dict) or set(example) != {"messages", "tools"}:
                raise DataError("not an object of messages and tools")
            messages, offered = check_messages(example["messages"]), example["tools"]
            if not messages or messages[0]["role"] != "user" or not isinstance(offered, list):
                raise DataError("not a conversation with tools")
        except (ValueError, TypeError, RecursionError) as error:
            raise DataError(
                f"{journal.path} is left as it is: line {number} is damaged, or no conversation "
                f"of schemask: {error}",
                line=number,
            ) from error
        if not all(tool in known for tool in offered):
            raise DataError(
                f"{journal.path} is left as it is: line {number} offers other tools", line=number
            )
        requests.append(messages[0]["content"])
    return requests, b""


def _begins_a_line(data: bytes, definitions: list[dict[str, Any]]) -> bool:
    """Whether the bytes are the beginning of a line as `generate` writes it."""

    def message(role: str, **others: Schema) -> Schema:
        properties = {"role": {"const": role}, **others}
        return {"properties": properties, "required": list(properties), **closed}

    closed: Schema = {"type": "object", "additionalProperties": False}
    text: Schema = {"type": "string"}
    call = {"name": text, "arguments": {"type": "object"}}
    function = {"properties": call, "required": list(call), **closed}
    wrapped = {"type": {"const": "function"}, "function": function}
    calls = {"type": "array", "items": {"properties": wrapped, "required": list(wrapped), **closed}}
    later = [
        message("assistant", content=text, tool_calls=calls),
        message("tool", name=text, content=text),
        message("assistant", content=text),
    ]
    messages = {
        "type": "array",
        "prefixItems": [message("user", content=text)],
        "items": {"anyOf": later},
    }
    line = {
        "messages": messages,
        "tools": {"type": "array", "items": {"enum": definitions}},
    }
    schema = {"properties": line, "required": list(line), **closed}
    # The keys of data come in the order that they have there, whatever a schema says first.
    grammar = Grammar.from_json_schema(schema, whitespace="spaced", property_order="any")
    return grammar.compile(byte_vocabulary()).matcher().accept_bytes(data)
