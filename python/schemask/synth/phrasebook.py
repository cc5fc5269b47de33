"""A teacher without a model: tables of how people ask for each tool, and of what they may name."""

from __future__ import annotations

import dataclasses
import json
import random
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from schemask.errors import DataError, shortened
from schemask.schemas.pointer import resolve
from schemask.schemas.schema import Schema
from schemask.schemas.validator import validator_of
from schemask.synth.requests import TeacherRequest
from schemask.synth.small_talk import NO_TOOL, OPENERS, PLAIN, SMALL_TALK
from schemask.tools import Tool, ToolSet

_Item = TypeVar("_Item")

_MOST_NUMBERS = 10_000
_NO_RESULTS = ("{}",)
# How likely something of each group of openers is: at first, and after an answer was refused, most
# likely since the same was asked before.
_OPENED = (0.2, 0.7)


class _Asked(NamedTuple):
    """A request with its places filled, and the arguments that it names."""

    text: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Phrasebook:
    """Writes conversations from phrases and values.

        Phrasebook({"water": ["Water the {bed} for {minutes} minutes.", "Water the {bed}."]})

    A phrase is a request in which `{name}` stands for the value of that parameter. One that leaves
    out a required parameter is for the conversations in which the assistant asks back; an optional
    one that is left out is not in the call either. Results are not those of the tools, which the
    stage `Execute` puts there, but texts that are given, or `{}`.

    Attributes:
        requests: For each tool, phrases.
        values: For each tool, what its parameters may be. Those not named here are all of an
            `enum`, both booleans, or the whole numbers from `minimum` to `maximum`.
        questions: For each parameter, how to ask back for it.
        results: For each tool, texts that it may have given back.
        answers: For each tool, what to say after its result: phrases like those of requests.
        small_talk: Requests that no tool is for, with answers.
        no_tool: What to say where a tool is missing.
        openers: Groups of what may come before a request of any kind, and before small talk: of
            each group one text or none. They make many different requests of few; `()` is none.
        plain: How to ask for a tool with no phrase that would do: forms in which `{task}` stands
            for the first line of its description, and `{values}` for names and values.

    Raises:
        DataError: Phrases or values that are no list, one with a brace too much, or a form with
            another place.
    """

    requests: Mapping[str, Sequence[str]]
    values: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    questions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    results: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    small_talk: Sequence[tuple[str, str]] = SMALL_TALK
    no_tool: Sequence[str] = NO_TOOL
    openers: Sequence[Sequence[str]] = OPENERS
    plain: Sequence[str] = PLAIN

    def __post_init__(self) -> None:
        for what in ("requests", "questions", "results", "answers"):
            for name, phrases in getattr(self, what).items():
                _check_list(f"{what} of {shortened(name)}", phrases)
        for tool, known in self.values.items():
            for name, values in known.items():
                _check_list(f"values of {shortened(name)} of {shortened(tool)}", values)
        for what in ("no_tool", "plain", "small_talk", "openers"):
            _check_list(what, getattr(self, what), least=what == "no_tool")
        for group in self.openers:
            _check_list("a group of openers", group)
        for phrases in (*self.requests.values(), *self.answers.values()):
            for phrase in phrases:
                _places(phrase)
        for form in self.plain:
            if unknown := _places(form) - {"task", "values"}:
                raise DataError(
                    f"a plain form has {{task}} and {{values}}, not {{{min(unknown)}}}: "
                    f"{shortened(form)}"
                )

    def __call__(self, request: TeacherRequest) -> dict[str, Any]:
        """One conversation, as `request.schema` says.

        Args:
            request: What to write. Conversations of the kind "chain" are not written.

        Raises:
            DataError: A tool without phrases, a phrase with an unknown parameter, a parameter
                without values or with one that its schema refuses, or the kind "chain".
        """
        draw = random.Random(request.seed)
        answer = self._written(request, draw)
        chance = _OPENED[request.attempt > 0]
        opener = [draw.choice(list(group)) for group in self.openers if draw.random() < chance]
        return {**answer, "user": " ".join([*opener, answer["user"]])}

    def _written(self, request: TeacherRequest, draw: random.Random) -> dict[str, Any]:
        if request.kind == "words":
            if not self.small_talk:
                raise DataError("the phrasebook has no small talk: leave that kind out")
            user, answer = draw.choice(list(self.small_talk))
            return {"user": user, "answer": answer}
        if request.kind == "missing_tool" and request.withheld_tool is not None:
            asked = self._asked(request.withheld_tool, draw)
            return {"user": asked.text, "answer": draw.choice(list(self.no_tool))}
        if request.kind == "chain":
            raise DataError("a phrasebook writes no chains: leave that kind out of the shares")
        tools = [request.tools[name] for name in request.targets]
        if request.missing is not None:
            return self._asking_back(tools[0], request.missing, draw)
        asks = [self._asked(tool, draw) for tool in tools]
        return {
            "user": _joined([asked.text for asked in asks], draw),
            **self._calls(tools, [asked.arguments for asked in asks], draw),
        }

    def divided(self, share: float, seed: int = 0) -> tuple[Phrasebook, Phrasebook]:
        """Two phrasebooks with no phrase and no small talk in common: the rest, and a share.

        Phrases that name the same parameters are divided among themselves, so that both have some
        of them; a single one stays with the rest, and the share has a plain form in its place.
        Openers are in both.

        Args:
            share: Of the phrases for each tool that name the same parameters, of the small talk
                and of the plain forms, how many the second one gets: one at least, and never all.
                A text or form that is alone is in both.
            seed: Decides which.

        Raises:
            DataError: No share between 0 and 1, or a tool with a single phrase.
        """
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
            raise DataError(f"share is between 0 and 1, not {shortened(share)}")
        kept: dict[str, Sequence[str]] = {}
        held_out: dict[str, Sequence[str]] = {}
        for name, phrases in self.requests.items():
            if len(phrases) < 2:
                raise DataError(f"{name} has a single phrase, which cannot be divided")
            kept[name], held_out[name] = _divided_phrases(phrases, share, f"{seed}/{name}")
        talk, other_talk = _divided(self.small_talk, share, f"{seed}")
        plain, other_plain = _divided(self.plain, share, f"{seed}/plain")
        return (
            dataclasses.replace(self, requests=kept, small_talk=talk, plain=plain),
            dataclasses.replace(self, requests=held_out, small_talk=other_talk, plain=other_plain),
        )

    def check(self, tools: ToolSet) -> None:
        """Looks at all of it, before any of it is written: it is about these tools and no others.

        Args:
            tools: The tools.

        Raises:
            DataError: What a call would raise, for whatever it draws; or a tool or parameter that
                is not there.
        """
        for what in ("requests", "values", "results", "answers"):
            if unknown := getattr(self, what).keys() - set(tools.names):
                raise DataError(f"the phrasebook has {what} for {min(unknown)}, which is no tool")
        known = {parameter for tool in tools for parameter in _parameters(tool)}
        if strange := self.questions.keys() - known:
            raise DataError(f"the phrasebook asks for {min(strange)}, which is no parameter")
        for tool in tools:
            named = set(_required(tool))
            for phrase in self._phrases(tool):
                named |= self._known_places("a phrase", phrase, tool)
            for phrase in self.answers.get(tool.name, ()):
                self._known_places("an answer", phrase, tool)
            if strange := self.values.get(tool.name, {}).keys() - _parameters(tool).keys():
                raise DataError(
                    f"the phrasebook has values for {min(strange)}, no parameter of {tool.name}"
                )
            for parameter in sorted(named):
                for value in self._values(tool, parameter):
                    _check_value(tool, parameter, value)

    def _asking_back(self, tool: Tool, missing: str, draw: random.Random) -> dict[str, Any]:
        asked = self._asked(tool, draw, missing)
        value = self._value(tool, missing, draw)
        named = {**asked.arguments, missing: value}
        # In the order of the schema, as all calls.
        arguments = {name: named[name] for name in _parameters(tool) if name in named}
        questions = self.questions.get(missing, [f"Which {missing.replace('_', ' ')}?"])
        return {
            "user": asked.text,
            "question": draw.choice(list(questions)),
            "reply": _spelled(value),
            **self._calls([tool], [arguments], draw),
        }

    def _calls(
        self, tools: Sequence[Tool], arguments: Sequence[dict[str, Any]], draw: random.Random
    ) -> dict[str, Any]:
        answers = [self._answer(*pair, draw) for pair in zip(tools, arguments, strict=True)]
        return {
            "tool_calls": [
                {"name": tool.name, "arguments": named}
                for tool, named in zip(tools, arguments, strict=True)
            ],
            "results": [
                draw.choice(list(self.results.get(tool.name, _NO_RESULTS))) for tool in tools
            ],
            "answer": " ".join(answers),
        }

    def _answer(self, tool: Tool, arguments: Mapping[str, Any], draw: random.Random) -> str:
        phrases = []
        for phrase in self.answers.get(tool.name, ()):
            places = self._known_places("an answer", phrase, tool)
            if places <= arguments.keys():
                phrases.append(phrase)
        return _filled(draw.choice(phrases or ["Done."]), arguments)

    def _known_places(self, what: str, phrase: str, tool: Tool) -> set[str]:
        """The places of a phrase, each of which is a parameter of the tool."""
        places = _places(phrase)
        if unknown := places - _parameters(tool).keys():
            raise DataError(
                f"{what} for {tool.name} names {min(unknown)}, which is no parameter: "
                f"{shortened(phrase)}"
            )
        return places

    def _asked(self, tool: Tool, draw: random.Random, missing: str | None = None) -> _Asked:
        """A request for a tool that leaves out that one required parameter, or none."""
        parameters = _parameters(tool)
        wanted = {missing} if missing is not None else set()
        phrases: list[str] = []
        for phrase in self._phrases(tool):
            places = self._known_places("a phrase", phrase, tool)
            if set(_required(tool)) - places == wanted and missing not in places:
                phrases.append(phrase)
        if not phrases:
            phrases = [_plain_phrase(form, tool, wanted) for form in self.plain or PLAIN]
        phrase = draw.choice(phrases)
        named = _places(phrase)
        arguments = {name: self._value(tool, name, draw) for name in parameters if name in named}
        return _Asked(_filled(phrase, arguments), arguments)

    def _phrases(self, tool: Tool) -> Sequence[str]:
        if tool.name not in self.requests:
            raise DataError(f"the phrasebook has no requests for {tool.name}")
        return self.requests[tool.name]

    def _value(self, tool: Tool, parameter: str, draw: random.Random) -> Any:
        value = draw.choice(self._values(tool, parameter))
        # Of answers that are refused one after the other, small talk alone would be left.
        _check_value(tool, parameter, value)
        return value

    def _values(self, tool: Tool, parameter: str) -> Sequence[Any]:
        values = self.values.get(tool.name, {}).get(parameter)
        if values is None:
            values = _values_of(_parameters(tool)[parameter], tool.parameters)
        if not values:
            raise DataError(f"the phrasebook has no values for {parameter} of {tool.name}")
        return values


def _check_value(tool: Tool, parameter: str, value: Any) -> None:
    """Raises DataError for a value that a tool does not take."""
    inside = {"$defs": tool.parameters.get("$defs", {}), **_parameters(tool)[parameter]}
    if problem := validator_of(inside).problem(value):
        raise DataError(
            f"the phrasebook has a value for {parameter} of {tool.name} that the tool does not "
            f"take, {shortened(value)}: {problem}"
        )


def _check_list(what: str, given: object, *, least: int = 1) -> None:
    """Raises DataError for what is no list: of a text, one letter after the other would be drawn.

    Args:
        what: What the list holds, for the error.
        given: What should be one.
        least: How many items it must have.
    """
    is_list = isinstance(given, Sequence) and not isinstance(given, (str, bytes))
    if not is_list or len(given) < least:  # type: ignore[arg-type]
        empty = ", not empty" if least else ""
        raise DataError(f"{what} are a list{empty}, and no {shortened(given)}")


def _divided(items: Sequence[_Item], share: float, seed: str) -> tuple[list[_Item], list[_Item]]:
    """The rest of the items, and a share of them: one at least, and never all. One alone is in
    both.
    """
    if len(items) < 2:
        return list(items), list(items)
    count = min(max(1, round(share * len(items))), len(items) - 1)
    chosen = set(random.Random(seed).sample(range(len(items)), count))
    parts: tuple[list[_Item], list[_Item]] = ([], [])
    for number, item in enumerate(items):
        parts[number in chosen].append(item)
    return parts


def _divided_phrases(
    phrases: Sequence[str], share: float, seed: str
) -> tuple[list[str], list[str]]:
    """The rest of the phrases of a tool, and a share of those that name the same parameters."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for phrase in phrases:
        groups.setdefault(tuple(sorted(_places(phrase))), []).append(phrase)
    if all(len(group) < 2 for group in groups.values()):
        return _divided(phrases, share, seed)
    chosen: set[str] = set()
    for places, group in groups.items():
        if len(group) > 1:
            chosen.update(_divided(group, share, f"{seed}/{','.join(places)}")[1])
    return (
        [phrase for phrase in phrases if phrase not in chosen],
        [phrase for phrase in phrases if phrase in chosen],
    )


def _parameters(tool: Tool) -> dict[str, Schema]:
    properties: dict[str, Schema] = tool.parameters.get("properties", {})
    return properties


def _required(tool: Tool) -> Sequence[str]:
    required: Sequence[str] = tool.parameters.get("required", ())
    return required


def _plain_phrase(form: str, tool: Tool, left_out: set[str]) -> str:
    """A request made of the tool's description, for a tool with no phrase that would do."""
    named = [f"{name}: {{{name}}}" for name in _required(tool) if name not in left_out]
    summary = tool.description.partition("\n")[0].replace("{", "(").replace("}", ")")
    phrase = _filled(form, {"task": summary or tool.name, "values": ", ".join(named)})
    return " ".join(phrase.split())


def _values_of(schema: Schema, parameters: Schema) -> Sequence[Any]:
    """All values of a simple schema inside those of parameters; none of others."""
    if "$ref" in schema:
        schema = resolve(parameters, schema["$ref"])[0]
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    if schema.get("type") == "boolean":
        return [True, False]
    if schema.get("type") == "integer" and "minimum" in schema and "maximum" in schema:
        numbers = range(int(schema["minimum"]), int(schema["maximum"]) + 1)
        return numbers[:_MOST_NUMBERS]
    return []


def _fields(phrase: str) -> Iterator[tuple[str, str | None]]:
    """The texts of a phrase, with the place after each."""
    try:
        for text, name, _, _ in string.Formatter().parse(phrase):
            yield text, name
    except (TypeError, ValueError) as error:
        raise DataError(f"a phrase with a brace too much: {shortened(phrase)}") from error


def _places(phrase: str) -> set[str]:
    return {name for _, name in _fields(phrase) if name is not None}


def _filled(phrase: str, arguments: Mapping[str, Any]) -> str:
    return "".join(
        text + ("" if name is None else _spelled(arguments[name])) for text, name in _fields(phrase)
    )


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _joined(requests: Sequence[str], draw: random.Random) -> str:
    return draw.choice([" ", " Also: ", " And then: ", "\n"]).join(requests)
