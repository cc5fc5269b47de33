"""What the words of an answer have to be, as requests say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemask.chat.messages import decode_json
from schemask.core.grammar import Grammar
from schemask.core.limits import Limits
from schemask.core.notation import from_choices, from_notation
from schemask.core.structural_tag import from_structural_tag
from schemask.schemas.schema import Schema
from schemask.serve.errors import blamed
from schemask.serve.fields import Fields

_OBJECT: Schema = {"type": "object"}


@dataclass(frozen=True)
class JsonWords:
    """Words that are a JSON value.

    Attributes:
        schema: Its schema.
        param: The parameter that says so.
    """

    schema: Any
    param: str


@dataclass(frozen=True)
class WrittenWords:
    """Words of a grammar.

    Attributes:
        make: Makes the grammar of its source and limits.
        source: What it is made of.
        param: The parameter that says so.
    """

    make: Callable[[Any, Limits], Grammar]
    source: Any
    param: str


WordsFormat = JsonWords | WrittenWords


def read_words_format(fields: Fields) -> WordsFormat | None:
    """What a request says of the words; None if they are free.

    `response_format` is OpenAI's, with `{"type": "regex", "pattern": …}` and `{"type": "grammar",
    "grammar": …}` beside what it has; `structured_outputs` is vLLM's.

    Args:
        fields: The request.

    Raises:
        RequestError: It cannot be kept exactly.
    """
    if fields.has("response_format") and fields.has("structured_outputs"):
        fields.fail("structured_outputs", "cannot stand beside response_format")
    value = fields.any("response_format")
    if value is not None:
        return _response_format(Fields(value, "response_format"))
    value = fields.any("structured_outputs")
    if value is not None:
        return _structured_outputs(Fields(value, "structured_outputs"))
    return None


def _response_format(given: Fields) -> WordsFormat | None:
    kinds = ("text", "json_object", "json_schema", "regex", "grammar")
    kind = given.require("type", given.choice("type", kinds))
    found: WordsFormat | None = None
    if kind == "json_object":
        found = JsonWords(_OBJECT, given.place("type"))
    elif kind == "json_schema":
        found = _json_schema(given)
    elif kind == "regex":
        pattern = given.required_text("pattern")
        found = WrittenWords(_of_regex, pattern, given.place("pattern"))
    elif kind == "grammar":
        text = given.required_text("grammar")
        found = WrittenWords(_of_text, text, given.place("grammar"))
    given.finish()
    return found


def _json_schema(given: Fields) -> WordsFormat:
    described = Fields(
        given.require("json_schema", given.any("json_schema")), given.place("json_schema")
    )
    # The name and the description are for models that are shown them; strict or not, it is kept.
    described.text("name")
    described.text("description")
    described.flag("strict")
    schema = described.any("schema")
    if schema is None:
        schema = _OBJECT
    if not isinstance(schema, (dict, bool)):
        described.wrong("schema", "a JSON Schema", schema)
    described.finish()
    return JsonWords(schema, described.place("schema"))


def _structured_outputs(given: Fields) -> WordsFormat:
    kinds = ("json", "json_object", "regex", "choice", "grammar", "structural_tag")
    named = [kind for kind in kinds if given.has(kind)]
    if len(named) != 1:
        given.fail(" or ".join(kinds), "is given, exactly one of them")
    kind = named[0]
    place = given.place(kind)
    found: WordsFormat
    if kind == "json":
        schema = given.any(kind)
        if not isinstance(schema, (dict, bool, str)):
            given.wrong(kind, "a JSON Schema, or the text of one", schema)
        if isinstance(schema, str):
            with blamed(place):
                schema = decode_json(schema, "the schema")
        found = JsonWords(schema, place)
    elif kind == "json_object":
        given.only(kind, True)
        found = JsonWords(_OBJECT, place)
    elif kind == "choice":
        found = WrittenWords(_of_choices, given.items(kind), place)
    elif kind == "structural_tag":
        tag = given.any(kind)
        if not isinstance(tag, (dict, str)):
            given.wrong(kind, "a structural tag, or the text of one", tag)
        found = WrittenWords(_of_tag, tag, place)
    else:
        text = given.required_text(kind)
        found = WrittenWords(_of_regex if kind == "regex" else _of_text, text, place)
    given.finish()
    return found


def _of_regex(source: Any, limits: Limits) -> Grammar:
    return Grammar.from_regex(source, limits=limits)


def _of_text(source: Any, limits: Limits) -> Grammar:
    return from_notation(source, limits=limits)


def _of_choices(source: Any, limits: Limits) -> Grammar:
    return from_choices(source)


def _of_tag(source: Any, limits: Limits) -> Grammar:
    return from_structural_tag(source, limits=limits)
