"""Proves a format against its template: random conversations, written by both and read back."""

from __future__ import annotations

import copy
import functools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemask import _native
from schemask.chat.events import turn_of
from schemask.chat.grammar import turn_tree
from schemask.chat.messages import Message, ParsedTurn, check_messages
from schemask.chat.reader import TurnReader
from schemask.chat.renderer import Renderer
from schemask.chat.templates.derive import Derived
from schemask.chat.templates.shape import with_ids
from schemask.chat.templates.template import ChatTemplate
from schemask.chat.texts import common_start
from schemask.errors import FormatError
from schemask.tools import ToolSet

_WORDS = (
    *("Hello", "the weather", "42", "Berlin", "naïve café", "日本", "😀", "it's", '"quoted"'),
    *("a, b", "x=1", "C:\\dir", "100%", "{}", "[1]", "line\nnext", "null", "a/b", "(ok)", "<b>"),
)
_PARAMETERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("city", {"type": "string"}),
    ("count", {"type": "integer"}),
    ("price", {"type": "number"}),
    ("exact", {"type": "boolean"}),
    ("nothing", {"type": "null"}),
    ("tags", {"type": "array", "items": {"type": "string"}}),
    ("sizes", {"type": "array", "items": {"type": "integer"}}),
    (
        "options",
        {
            "type": "object",
            "properties": {
                "mode": {"type": "string"},
                "deep": {"type": "object", "properties": {"on": {"type": "boolean"}}},
            },
        },
    ),
)


@dataclass(frozen=True)
class Proof:
    """What was tried.

    Attributes:
        conversations: How many conversations were tried.
        turns: How many turns of the assistant they hold.
        unwritable: Turns that the format refuses to write, since they could not be read back; with
            the reason of the first.
        off_prompt: Turns that do not begin as any prompt of the template ends.
        dropped_reasoning: Turns whose reasoning the template drops.
        dropped_parts: Turns of whose words or arguments the template drops some.
        changed: Turns that the template writes otherwise because of what comes before them.
        findings: What was found, a sentence each.
    """

    conversations: int
    turns: int
    unwritable: int
    off_prompt: int
    dropped_reasoning: int
    dropped_parts: int
    changed: int
    findings: tuple[str, ...]


def prove(
    template: ChatTemplate, derived: Derived, *, conversations: int = 40, seed: int = 0
) -> Proof:
    """Proves that a format is what its template writes.

    Each turn of random conversations must be, as the template renders it, what the format writes;
    the grammar must accept it, and the reader must read it back however it is cut.

    Args:
        template: The template.
        derived: What was derived from it.
        conversations: How many conversations are tried.
        seed: Seed of the random choices.

    Raises:
        FormatError: A turn for which this does not hold; with the turn and the first difference.
    """
    return _Prover(template, derived, seed).run(conversations)


@dataclass
class _Tally:
    turns: int = 0
    unwritable: int = 0
    off_prompt: int = 0
    dropped_reasoning: int = 0
    dropped_parts: int = 0
    changed: int = 0
    findings: dict[str, None] = field(default_factory=dict)


class _Prover:
    def __init__(self, template: ChatTemplate, derived: Derived, seed: int) -> None:
        self._template = template
        self._derived = derived
        self._spec = derived.spec
        self._renderer = Renderer(derived.spec)
        self._random = random.Random(seed)
        self._tally = _Tally()
        modes = (derived.thinking, derived.plain)
        self._modes = [dict(mode) for mode in modes if mode is not None]
        if {} not in self._modes:
            self._modes.insert(0, {})

    def run(self, conversations: int) -> Proof:
        for _ in range(conversations):
            tools = self._tools()
            messages: list[Message] = []
            for message in self._conversation(tools):
                if message["role"] == "assistant":
                    self._check(messages, message, tools)
                messages.append(message)
        tally = self._tally
        if not tally.turns:
            raise FormatError("no conversation could be tried")
        return Proof(
            conversations,
            tally.turns,
            tally.unwritable,
            tally.off_prompt,
            tally.dropped_reasoning,
            tally.dropped_parts,
            tally.changed,
            tuple(tally.findings),
        )

    # One turn.

    def _check(self, before: list[Message], message: Message, tools: ToolSet) -> None:
        """Compares one turn; counts it, or raises what is wrong with it."""
        checked = with_ids(check_messages([*before, message]))
        message = checked[-1]
        shaped = self._derived.shape.of(checked)
        called = sum(len(made.get("tool_calls", ())) for made in checked[:-1])
        # Reasoning that such a turn holds could not be told from what is before the turn.
        interrupted = checked[-2]["role"] == "tool" and "reasoning_content" not in message
        definitions = [dict(definition) for definition in tools.definitions]
        differences = []
        for variables in self._modes:
            try:
                whole = self._template.render(shaped, definitions, **variables)
                prompt = self._template.render(
                    shaped[:-1], definitions, add_generation_prompt=True, **variables
                )
            except FormatError:
                continue  # conversations that the template refuses are not written by it
            difference = self._difference(message, tools, whole, prompt, called, interrupted)
            if difference is None:
                return
            differences.append(difference)
        if not differences:
            return
        tally = self._tally
        lesser, optional = self._without_dropped(before, message, tools)
        if lesser != message:
            self._check(before, lesser, optional)
            if not tally.dropped_parts:
                example = f"{_as_json(message)} is written as {_as_json(lesser)}"
                tally.findings[f"some words or arguments are dropped: {example}"] = None
            tally.dropped_parts += 1
            return
        if len(before) > 1:
            # Some templates lose count of calls, and write later turns without their beginning.
            self._check([{"role": "user", "content": "Hello"}], message, tools)
            if not tally.changed:
                example = _shown(message, differences[0])
                tally.findings[f"what comes before changes a turn: {example}"] = None
            tally.changed += 1
            return
        raise FormatError(_shown(message, differences[0]))

    def _without_dropped(
        self, before: list[Message], message: Message, tools: ToolSet
    ) -> tuple[Message, ToolSet]:
        """The turn without what the template writes nothing of, and tools that allow it."""
        calls = message.get("tool_calls", [])
        whole = self._written(before, message, tools)
        required: Sequence[Mapping[str, Any]] = tools.definitions
        if message["content"]:
            wordless = {**message, "content": ""}
            if self._written(before, wordless, tools) == whole:
                message = wordless
        for at, call in enumerate(calls):
            for key in call["function"]["arguments"]:
                lesser = copy.deepcopy(message)
                del lesser["tool_calls"][at]["function"]["arguments"][key]
                if self._written(before, lesser, tools) == whole:
                    message = lesser
                    required = _not_required(required, call["function"]["name"], key)
        return message, ToolSet(required)

    def _written(self, before: list[Message], message: Message, tools: ToolSet) -> list[str | None]:
        """What the template writes of a conversation with each of its variables."""
        shaped = self._derived.shape.of(with_ids(check_messages([*before, message])))
        definitions = [dict(definition) for definition in tools.definitions]
        texts: list[str | None] = []
        for variables in self._modes:
            try:
                texts.append(self._template.render(shaped, definitions, **variables))
            except FormatError:
                texts.append(None)
        return texts

    def _difference(
        self,
        message: Message,
        tools: ToolSet,
        whole: str,
        prompt: str,
        called: int,
        interrupted: bool,
    ) -> tuple[str, str] | None:
        """What the format writes and what the template has, if they differ."""
        spec = self._spec
        tails = sorted({spec.thinking_prompt, spec.plain_prompt, ""}, key=len, reverse=True)
        tail = next(tail for tail in tails if prompt.endswith(tail))
        start = prompt[: len(prompt) - len(tail)]
        versions = [message]
        if "reasoning_content" in message:
            versions.append({k: v for k, v in message.items() if k != "reasoning_content"})
        found = whole[len(start) :] if whole.startswith(start) else None
        if spec.optional_members:
            versions += [_without_ids(version) for version in versions]
        refused: str | None = None
        first: tuple[str, str] | None = None
        for version in versions:
            for opened in dict.fromkeys(["", *tails]):
                try:
                    written = self._renderer.assistant(version, tools, opened, called)
                except FormatError as error:
                    refused = refused or str(error)
                    continue
                turn = found
                if turn is None or not self._is_turn(turn, written, version):
                    turn = self._turn_of(whole, start, written, version, interrupted)
                if self._is_turn(turn, written, version):
                    self._count(message, version, whole, prompt)
                    self._read_back(version, tools, written, opened)
                    return None
                first = first or (written, turn)
        if first is None:
            self._tally.unwritable += 1
            self._tally.findings[
                f"some turns cannot be read back, so are not written: {refused}"
            ] = None
            return None
        return first

    def _turn_of(
        self, whole: str, start: str, written: str, message: Message, interrupted: bool
    ) -> str:
        """The last turn of a text whose earlier turns are written otherwise once it is there."""
        # Some templates go on with a turn that results have interrupted, and open none.
        for opening in (start[-8:], "") if interrupted else (start[-8:],):
            at = whole.rfind(opening + written)
            while at >= 0:
                turn = whole[at + len(opening) :]
                if self._is_turn(turn, written, message):
                    return turn
                at = whole.rfind(opening + written, 0, at)
        return whole[len(start) :] if whole.startswith(start) else whole[-len(written) - 40 :]

    def _is_turn(self, found: str, written: str, message: Message) -> bool:
        """Whether the template's text begins with a turn that ends there."""
        if not found.startswith(written):
            return False
        rest = found[len(written) :]
        spec = self._spec
        ends = (spec.calls_end if "tool_calls" in message else "", spec.turn_end, *spec.stops)
        return not rest.strip() or any(
            end and rest.lstrip().startswith(end.strip()) for end in ends
        )

    def _count(self, message: Message, version: Message, whole: str, prompt: str) -> None:
        tally = self._tally
        tally.turns += 1
        if "reasoning_content" in message and "reasoning_content" not in version:
            tally.dropped_reasoning += 1
        if not whole.startswith(prompt):
            tally.off_prompt += 1

    def _read_back(self, message: Message, tools: ToolSet, written: str, opened: str) -> None:
        """Checks that the reader and the grammar take a turn."""
        turn = ParsedTurn.from_message(message)
        spec = self._spec
        end = spec.end_of("tool_calls" in message)
        for text in (written, written + end):
            reader = TurnReader(spec, tools, opened)
            events = []
            at = 0
            try:
                while at < len(text):
                    length = self._random.choice((1, 2, 3, 5, 8, 40))
                    events += reader.feed(text[at : at + length])
                    at += length
                events += reader.finish()
                read = turn_of(events)
            except FormatError as error:
                raise FormatError(_shown(message, (text, f"is not read back: {error}"))) from error
            if read != turn:
                raise FormatError(_shown(message, (text, f"is read back as {read}")))
        grammar = self._grammar(tools, bool(message.get("reasoning_content")), opened)
        matcher = grammar.compile(_bytes()).matcher()
        for text in (written, end):
            if not matcher.accept_bytes(text.encode()):
                what = matcher.explain_bytes(text.encode())
                raise FormatError(_shown(message, (text, f"is not allowed: {what}")))
        if not matcher.is_accepting:
            raise FormatError(_shown(message, (written + end, "may not end there")))

    def _grammar(self, tools: ToolSet, thinks: bool, opened: str) -> Any:
        if self._spec.max_calls == 0:
            tools = ToolSet([])
        tree = turn_tree(self._spec, tools, reasoning=thinks, opened=opened)
        text = json.dumps(tree, ensure_ascii=False)
        notation = self._spec.arguments
        return _native.Grammar.from_tree(
            text, notation.whitespace, "any", "any", False, notation.python_literals, {}
        )

    # Random conversations.

    def _tools(self) -> ToolSet:
        return ToolSet([self._tool(name) for name in self._random.sample(_NAMES, 2)])

    def _tool(self, name: str) -> dict[str, Any]:
        chosen = self._random.sample(_PARAMETERS, self._random.randint(0, 4))
        required = [key for key, _ in chosen if self._random.random() < 0.5]
        parameters = {
            "type": "object",
            "properties": {key: {**schema, "description": "Some."} for key, schema in chosen},
            "required": required,
            "additionalProperties": False,
        }
        return {
            "type": "function",
            "function": {"name": name, "description": "Does it.", "parameters": parameters},
        }

    def _conversation(self, tools: ToolSet) -> Iterator[Message]:
        chance = self._random.random
        if chance() < 0.3:
            yield {"role": "system", "content": self._words()}
        for _ in range(self._random.randint(1, 2)):
            yield {"role": "user", "content": self._words()}
            if chance() < 0.6:
                turn = self._turn(tools, calls=True)
                yield turn
                for call in turn["tool_calls"]:
                    name = call["function"]["name"]
                    yield {"role": "tool", "name": name, "content": self._words()}
            yield self._turn(tools, calls=False)

    def _turn(self, tools: ToolSet, calls: bool) -> Message:
        spec = self._spec
        chance = self._random.random
        message: Message = {"role": "assistant", "content": ""}
        with_words = spec.words_with_calls != "none" and chance() < 0.5
        if not (calls and spec.max_calls != 0) or with_words:
            message["content"] = self._words()
        if spec.reasoning_open and chance() < 0.5:
            message["reasoning_content"] = self._words()
        if calls and spec.max_calls != 0:
            most = min(spec.max_calls or 2, 2)
            message["tool_calls"] = [
                self._call(tools) for _ in range(self._random.randint(1, most))
            ]
        elif calls:
            message["tool_calls"] = []
        return message

    def _call(self, tools: ToolSet) -> dict[str, Any]:
        tool = self._random.choice(list(tools))
        parameters = tool.parameters
        required = parameters["required"]
        arguments = {
            key: self._value(schema)
            for key, schema in parameters["properties"].items()
            if key in required or self._random.random() < 0.5
        }
        return {"type": "function", "function": {"name": tool.name, "arguments": arguments}}

    def _value(self, schema: Mapping[str, Any]) -> Any:
        chance = self._random
        kind = schema["type"]
        if kind == "string":
            return self._words()
        if kind == "array":
            return [self._value(schema["items"]) for _ in range(chance.randint(0, 2))]
        if kind == "object":
            members = schema.get("properties", {}).items()
            return {key: self._value(inner) for key, inner in members if chance.random() < 0.7}
        numbers = (0, -3, 14, 10**12), (0.5, -2.25, 3, 1e-7)
        some: dict[str, tuple[Any, ...]] = {"null": (None,), "boolean": (True, False)}
        some |= {"integer": numbers[0], "number": numbers[1]}
        return chance.choice(some[kind])

    def _words(self) -> str:
        return " ".join(self._random.choices(_WORDS, k=self._random.randint(1, 4))).strip()


_NAMES = ("get_weather", "ping", "search-web", "lookup2", "a_long_function_name")


@functools.cache
def _bytes() -> _native.Vocabulary:
    """A vocabulary of single bytes."""
    return _native.Vocabulary([bytes([byte]) for byte in range(256)] + [b""], [256])


def _without_ids(message: Message) -> Message:
    if "tool_calls" not in message:
        return message
    calls = [{"function": call["function"]} for call in message["tool_calls"]]
    return {**message, "tool_calls": calls}


def _not_required(
    definitions: Sequence[Mapping[str, Any]], name: str, key: str
) -> list[Mapping[str, Any]]:
    """Definitions of tools, of which one does not require an argument."""
    made: list[Any] = copy.deepcopy([*definitions])
    for definition in made:
        if definition["function"]["name"] == name:
            parameters = definition["function"]["parameters"]
            parameters["required"] = [held for held in parameters["required"] if held != key]
    return made


def _shown(message: Message, difference: tuple[str, str]) -> str:
    written, found = difference
    at = len(common_start(written, found))
    near = slice(max(0, at - 30), at + 60)
    return (
        f"the turn {_as_json(message)} is {written[near]!r} from character {near.start} on, but in "
        f"the template {found[near]!r}"
    )


def _as_json(message: Message) -> str:
    turn = {key: value for key, value in message.items() if key != "role"}
    return json.dumps(turn, ensure_ascii=False)
