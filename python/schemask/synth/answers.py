"""Answers of teachers: whether they are what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from schemask._native import CompiledGrammar
from schemask.chat import HERMES, TOOL_CODE
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar, PropertyOrder
from schemask.core.vocabulary import Vocabulary
from schemask.errors import Error
from schemask.schemas.equal_values import call_text
from schemask.schemas.schema import Schema
from schemask.synth.requests import TeacherRequest, messages_of, steps_of
from schemask.synth.values import is_said, leaves
from schemask.synth.words import words_of

# Schemas of answers differ by the tools that are called, of which there may be many pairs.
_MOST_GRAMMARS = 500


class RefusedAnswer(Exception):
    """An answer that must not be written; `reason` is a key of `Report.refused`."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


class AnswerGrammars:
    """AnswerGrammars of schemas on a vocabulary, made once."""

    def __init__(self, vocabulary: Vocabulary, order: PropertyOrder) -> None:
        self._vocabulary = vocabulary
        self._order: PropertyOrder = order
        self._compiled: dict[str, CompiledGrammar] = {}

    def __getitem__(self, schema: Schema) -> CompiledGrammar:
        key = json.dumps(schema)
        if (found := self._compiled.get(key)) is None:
            grammar = Grammar.from_json_schema(
                schema, whitespace="spaced", property_order=self._order
            )
            if len(self._compiled) >= _MOST_GRAMMARS:
                self._compiled = {}
            found = self._compiled[key] = grammar.compile(self._vocabulary)
        return found


class AnswerCheck:
    """Takes answers that make good lines, and refuses others."""

    def __init__(self) -> None:
        self._grammars = AnswerGrammars(byte_vocabulary(), "any")

    def __call__(self, answer: object, request: TeacherRequest) -> dict[str, Any]:
        """The answer, as JSON.

        Raises:
            RefusedAnswer: It is not what was asked for.
        """
        checked = self._as_schema_says(answer, request.schema)
        if not words_of(checked["user"]):
            raise RefusedAnswer("invalid", "a request without words")
        _check_calls(checked, request)
        if request.kind == "chain":
            _check_links(checked)
        if request.missing is not None:
            _check_missing(checked, request.missing)
        try:
            # These write whatever a conversation can say; other formats refuse some of it.
            for form in (TOOL_CODE, HERMES):
                form.render(messages_of(checked), request.tools)
        except Error as error:
            raise RefusedAnswer("invalid", str(error)) from error
        return checked

    def _as_schema_says(self, answer: object, schema: Schema) -> dict[str, Any]:
        try:
            text = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise RefusedAnswer("invalid", f"not a JSON object: {error}") from error
        matcher = self._grammars[schema].matcher()
        if not matcher.accept_bytes(text):
            read = 1
            while matcher.accept_bytes(text[read - 1 : read]):
                read += 1
            seen = text[:read].decode(errors="replace")
            problem = f"not as the schema says, from the end of {seen[-80:]!r}"
            raise RefusedAnswer("invalid", problem)
        if not matcher.is_accepting:
            raise RefusedAnswer("invalid", "not a whole JSON object")
        checked: dict[str, Any] = json.loads(text)
        return checked


def said_by_user(messages: Iterable[Mapping[str, Any]]) -> str:
    """The words of the user in a conversation, by which duplicates are known."""
    texts = (message["content"] for message in messages if message["role"] == "user")
    return " ".join(words_of(" ".join(texts)))


def _check_calls(answer: Mapping[str, Any], request: TeacherRequest) -> None:
    calls = [call for step in steps_of(answer) for call, _ in step]
    said = set()
    try:
        for call in calls:
            tool = request.tools[call["name"]]
            said.add(call_text(tool.name, call["arguments"], tool.parameters))
            if tool.function is not None:
                tool.bind(call["arguments"])
    except Error as error:
        raise RefusedAnswer("invalid", str(error)) from error
    if len(said) < len(calls):
        raise RefusedAnswer("invalid", "the same call twice")


def _check_links(answer: Mapping[str, Any]) -> None:
    results = ""
    for number, step in enumerate(answer["steps"]):
        found = [value for value in leaves(step["call"]["arguments"]) if is_said(value, results)]
        if number and all(is_said(value, answer["user"]) for value in found):
            name = step["call"]["name"]
            raise RefusedAnswer("unlinked", f"the call of {name} has nothing of an earlier result")
        results += step["result"] + "\n"


def _check_missing(answer: Mapping[str, Any], missing: str) -> None:
    value = answer["tool_calls"][0]["arguments"].get(missing)
    if said := [leaf for leaf in leaves(value) if is_said(leaf, answer["user"])]:
        raise RefusedAnswer("not missing", f"the user says {missing} at once: {said[0]!r}")
