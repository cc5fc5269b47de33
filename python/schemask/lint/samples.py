"""Lines of training data in any of the shapes in which trainers read them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemask._lines import decoded, shown_name
from schemask.chat import check_messages
from schemask.chat.messages import Message
from schemask.errors import DataError, FormatError, shortened
from schemask.lint.rules import LintFinding
from schemask.schemas.pointer import pointer_of
from schemask.schemas.surrogates import surrogate_place

_BOM = b"\xef\xbb\xbf"
MASKS = ("completion_mask", "assistant_masks")


@dataclass(frozen=True)
class RawLine:
    """A line of a file: its number, from 1, its bytes, and the place where it ends in the file."""

    number: int
    data: bytes
    end: int


def raw_lines(name: str) -> Iterator[RawLine]:
    """The lines of a file, or of standard input for "-", that are not empty.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    end = 0
    try:
        with open(sys.stdin.fileno() if name == "-" else name, "rb", closefd=name != "-") as file:
            for number, data in enumerate(file, start=1):
                end += len(data)
                if number == 1:
                    data = data.removeprefix(_BOM)
                if data.strip():
                    yield RawLine(number, data, end)
    except OSError as error:
        raise DataError(f"{shown_name(name)}: {error.strerror or error}") from error


def read_line(line: RawLine) -> dict[str, Any] | LintFinding:
    """The object of a line, or what is wrong with it."""
    try:
        value = decoded(line.data.decode())
    except UnicodeDecodeError as error:
        found = f"byte {error.start + 1} is {line.data[error.start]:#04x}: {error.reason}"
        return LintFinding("not-utf-8", line.number, found)
    except DataError as error:
        return LintFinding("invalid-json", line.number, str(error))
    if not isinstance(value, dict):
        return LintFinding("invalid-json", line.number, f"no object, but {shortened(value)}")
    if (place := surrogate_place(value)) is not None:
        return LintFinding("not-utf-8", line.number, "a lone surrogate", pointer=place)
    return value


class Place(NamedTuple):
    """Where messages of a dialogue stand in the line.

    Attributes:
        start: The number of the first of them.
        pointer: The JSON pointer of their list; of a single message, its own.
        is_single: Whether it is no list, but one message.
    """

    start: int
    pointer: str
    is_single: bool = False


@dataclass(frozen=True, eq=False)
class Dialogue:
    """A conversation in a line.

    Attributes:
        line: The line.
        raw: The messages as they are written.
        messages: The messages in one shape.
        tools: The definitions of tools as they are written.
        first_trained: The first message that is trained at all: after the prompt, if there is one.
        places: Where the messages come from, in order.
        is_rejected: Whether it ends with an answer that is meant to be wrong.
    """

    line: int
    raw: Sequence[Mapping[str, Any]]
    messages: list[Message]
    tools: list[Any] | None
    first_trained: int = 0
    places: tuple[Place, ...] = (Place(0, "/messages"),)
    is_rejected: bool = False

    def pointer(self, turn: int, *path: str | int) -> str:
        """The JSON pointer of a message, or of something in it."""
        place = [place for place in self.places if place.start <= turn][-1]
        return place.pointer + pointer_of(path if place.is_single else (turn - place.start, *path))

    def finding(self, rule: str, message: str, turn: int | None = None, *path: Any) -> LintFinding:
        """What was found in it; at a message if `turn` is one."""
        pointer = "" if turn is None else self.pointer(turn, *path)
        return LintFinding(rule, self.line, message, turn, pointer)

    @functools.cached_property
    def spoken(self) -> list[int]:
        """The turns of the assistant that are trained."""
        return [
            turn
            for turn, message in enumerate(self.messages)
            if message["role"] == "assistant" and turn >= self.first_trained
        ]


@dataclass(frozen=True)
class TokenLine:
    """A line that was encoded already.

    Attributes:
        input_ids: The tokens.
        labels: The same where the loss counts, else -100.
        problem: What is wrong with either, if something is.
    """

    input_ids: list[int]
    labels: list[int]
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """A line as a trainer reads it: of conversations, of text, or of tokens.

    Attributes:
        line: The line.
        shape: Which shape it has, in the words of the report.
        dialogues: Its conversations: one, or the chosen and the rejected.
        text: The text, with where in it training begins, if it is one.
        rejected: The rejected answer of a preference, if it is a text.
        tokens: The tokens, if it holds them.
        findings: What is wrong with its shape.
    """

    line: int
    shape: str
    dialogues: tuple[Dialogue, ...] = ()
    text: tuple[str, int] | None = None
    rejected: str | None = None
    tokens: TokenLine | None = None
    findings: tuple[LintFinding, ...] = field(default=())


def sample_of(example: Mapping[str, Any], line: int) -> Sample:
    """The line as a trainer reads it."""
    given = {key for key, value in example.items() if value is not None}
    if "input_ids" in given:
        return Sample(line, "tokens", tokens=_tokens(example))
    if {"chosen", "rejected"} <= given:
        return _preference(example, line)
    if {"prompt", "completion"} <= given:
        return _completion(example, line)
    if {"messages", "rejected"} <= given:
        return _pair(example, line)
    if "messages" in given or {"user", "tool_call"} <= given:
        return _conversation(example, line)
    if isinstance(example.get("text"), str):
        return Sample(line, "text", text=(example["text"], 0))
    keys = ", ".join(map(repr, example)) or "none at all"
    message = f"the keys are {shortened(keys, 120)[1:-1]}"
    if "conversations" in given:
        message += ": import the file first, see `schemask.synth`"
    return Sample(line, "unknown", findings=(LintFinding("unknown-shape", line, message),))


def _conversation(example: Mapping[str, Any], line: int) -> Sample:
    messages = example.get("messages")
    if messages is None:
        call = {"function": example["tool_call"]}
        if isinstance(example["tool_call"], str):
            try:
                call = {"function": decoded(example["tool_call"])}
            except DataError as error:
                found = LintFinding("bad-message", line, str(error), pointer="/tool_call")
                return Sample(line, "messages", findings=(found,))
        messages = [
            {"role": "user", "content": example["user"]},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ]
    made = _dialogue(example, line, [("/messages", messages)])
    if isinstance(made, LintFinding):
        return Sample(line, "messages", findings=(made,))
    return Sample(line, "messages", (made,))


def _completion(example: Mapping[str, Any], line: int) -> Sample:
    prompt, completion = example["prompt"], example["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return Sample(line, "prompt and completion", text=(prompt + completion, len(prompt)))
    parts = [("/prompt", prompt), ("/completion", completion)]
    made = _dialogue(example, line, parts, is_completion=True)
    if isinstance(made, LintFinding):
        return Sample(line, "prompt and completion", findings=(made,))
    return Sample(line, "prompt and completion", (made,))


def _preference(example: Mapping[str, Any], line: int) -> Sample:
    dialogues = []
    findings = []
    if example["chosen"] == example["rejected"]:
        message = "`chosen` and `rejected` are equal"
        findings.append(LintFinding("same-answers", line, message, pointer="/rejected"))
    for key in ("chosen", "rejected"):
        answer, prompt = example[key], example.get("prompt")
        if isinstance(answer, str):
            continue
        parts = [("/prompt", prompt)] if prompt is not None else []
        made = _dialogue(
            example,
            line,
            [*parts, (f"/{key}", answer)],
            is_completion=bool(parts),
            is_rejected=key == "rejected",
        )
        if isinstance(made, LintFinding):
            findings.append(made)
        else:
            dialogues.append(made)
    return Sample(line, "preference", tuple(dialogues), findings=tuple(findings))


def _pair(example: Mapping[str, Any], line: int) -> Sample:
    """A preference as `schemask.synth.Pair` writes it: the last message is the chosen answer."""
    messages, rejected = example["messages"], example["rejected"]
    if not isinstance(messages, list) or not messages:
        made = _dialogue(example, line, [("/messages", messages)])
        assert isinstance(made, LintFinding)
        return Sample(line, "preference", findings=(made,))
    *before, chosen = messages
    answers = [(f"/messages/{len(before)}", chosen)]
    text: str | None = None
    problem = ""
    if isinstance(rejected, Mapping) and "text" not in rejected:
        answers.append(("/rejected", rejected))
    else:
        found = rejected["text"] if isinstance(rejected, Mapping) else rejected
        text = found if isinstance(found, str) else None
        problem = "" if text is not None else f"a message or a text, not {shortened(rejected)}"
    dialogues = []
    findings = [LintFinding("bad-message", line, problem, pointer="/rejected")] if problem else []
    for number, (pointer, answer) in enumerate(answers):
        parts = [("/messages", before), (pointer, [answer])]
        made = _dialogue(
            example, line, parts, is_completion=True, is_single=True, is_rejected=number == 1
        )
        if isinstance(made, LintFinding):
            findings.append(made)
        else:
            dialogues.append(made)
    is_same = text is not None and isinstance(rejected, Mapping) and text == rejected.get("right")
    is_same |= len(dialogues) == 2 and dialogues[0].messages == dialogues[1].messages
    if is_same:
        message = "`rejected` is the last message"
        findings.append(LintFinding("same-answers", line, message, pointer="/rejected"))
    return Sample(
        line, "preference", tuple(dialogues), rejected=text, findings=tuple(dict.fromkeys(findings))
    )


def _dialogue(
    example: Mapping[str, Any],
    line: int,
    parts: Sequence[tuple[str, Any]],
    *,
    is_completion: bool = False,
    is_single: bool = False,
    is_rejected: bool = False,
) -> Dialogue | LintFinding:
    """The conversation of some lists of messages, or what is wrong with it.

    Args:
        example: The line, which holds the tools.
        line: Its number.
        parts: The lists, each after its JSON pointer.
        is_completion: Whether only the last list is trained.
        is_single: Whether the pointer of the last list is that of its only message.
        is_rejected: Whether its last answer is meant to be wrong.
    """
    raw: list[Any] = []
    messages: list[Message] = []
    places = []
    for number, (pointer, part) in enumerate(parts, start=1):
        if not isinstance(part, list):
            message = f"messages are a list, not {shortened(part)}"
            return LintFinding("bad-message", line, message, pointer=pointer)
        places.append(Place(len(raw), pointer, is_single and number == len(parts)))
        for at, message in enumerate(part):
            try:
                messages += check_messages([message])
            except FormatError as error:
                problem = str(error).partition(": ")[2]
                place = pointer if places[-1].is_single else f"{pointer}/{at}"
                return LintFinding("bad-message", line, problem, len(raw) + at, place)
        raw += part
    tools = example.get("tools")
    if isinstance(tools, str):
        try:
            tools = decoded(tools) if tools.strip() else None
        except DataError as error:
            return LintFinding("bad-tool", line, str(error), pointer="/tools")
    if tools is not None and not isinstance(tools, list):
        message = f"tools are a list, not {shortened(tools)}"
        return LintFinding("bad-tool", line, message, pointer="/tools")
    if not messages:
        return LintFinding("bad-message", line, "there are no messages", pointer=parts[0][0])
    first = places[-1].start if is_completion else 0
    return Dialogue(line, raw, messages, tools or None, first, tuple(places), is_rejected)


def _tokens(example: Mapping[str, Any]) -> TokenLine:
    ids = example["input_ids"]
    if not _are_ids(ids):
        return TokenLine([], [], f"input_ids are a list of numbers, not {shortened(ids)}")
    labels = example.get("labels")
    if labels is None:
        masks = [example[key] for key in MASKS if example.get(key) is not None]
        for mask in masks:
            if not _are_ids(mask) or len(mask) != len(ids):
                return TokenLine(ids, ids, "a mask is no list of as many numbers as input_ids")
        labels = [
            token_id if all(bits) else -100 for token_id, *bits in zip(ids, *masks, strict=True)
        ]
    if not _are_ids(labels):
        return TokenLine(ids, ids, f"labels are a list of numbers, not {shortened(labels)}")
    if len(labels) != len(ids):
        return TokenLine(ids, ids, f"{len(labels)} labels for {len(ids)} tokens")
    for at, (token_id, label) in enumerate(zip(ids, labels, strict=True)):
        if label not in (token_id, -100):
            problem = f"the label of token {at} is {label}, neither {token_id} nor -100"
            return TokenLine(ids, labels, problem)
    return TokenLine(ids, labels)


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)
