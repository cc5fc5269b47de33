"""Lines with arguments that nobody said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemask.errors import DataError, shortened
from schemask.schemas.equal_values import are_equal
from schemask.schemas.pointer import Path, pointer_of, resolve
from schemask.synth.grounds import Said
from schemask.synth.other_values import same_value
from schemask.synth.outcomes import Outcome
from schemask.synth.settings import digest_of
from schemask.synth.validity import Flaw, read_conversation

_DEEPEST = 8


@dataclass(frozen=True, eq=False)
class Ground:
    """A stage that refuses lines with a value in a call that nobody said before ("invented").

    Each text and number in the arguments of a call, however deep, is looked for in what the system
    and users said before, and in the results of earlier calls. It counts as said if

    - it is the parameter's default or its only value (`const`, an `enum` of one), or stands in the
      default of what holds it;
    - its words stand there in this order, whatever their case, plural and separators are: `one_way`
      is "one-way" and `oneWay`, `wifi` is "Wi-Fi";
    - it has several words, and each stands somewhere, apart from small ones such as "the" and "my";
    - it is a number, or a text that is one, which stands there in digits or English words: "1,500",
      "3rd", "twenty-five", "a dozen", "5k", "20%" (20 and 0.2), "May" (5), "6 pm" (18), "two hours"
      (120 and 7200). Signs are not compared, and "a" says 1;
    - it is a date in ISO's form whose day and month stand there, and its year if any year does; or
      somebody says "tomorrow", "next" or the like, and the date is within two months of one there;
      in other forms, "04/2022", if all its numbers stand there;
    - it is a time in ISO's form whose hour stands there, and its minutes if there are any;
    - `synonyms` has it with another word, and that stands there.

    Truth, null and keys are not looked for. What the assistant says itself grounds nothing.

    Attributes:
        synonyms: Other words that say a value, such as `{"celsius": ["°C", "centigrade"]}`.
        free: Names of parameters whose values need not be said, such as texts to be composed.

    Raises:
        DataError: A setting of a wrong type.
    """

    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    free: Sequence[str] = ()

    def __post_init__(self) -> None:
        given = self.synonyms
        if not isinstance(given, Mapping):
            raise DataError(f"synonyms are words by values, not {shortened(given)}")
        made: dict[str, tuple[str, ...]] = {}
        for value, words in given.items():
            if not isinstance(value, str):
                raise DataError(f"synonyms are of texts, not of {shortened(value)}")
            made[value.casefold()] = _texts(f"the synonyms of {value!r}", words)
        object.__setattr__(self, "synonyms", made)
        object.__setattr__(self, "free", _texts("free", self.free))

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "ground"

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        words = [[value, list(words)] for value, words in sorted(self.synonyms.items())]
        return {"synonyms": digest_of(words) if words else None, "free": sorted(self.free)}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The line, or which of its values nobody said.

        Args:
            example: The line.
            index: Its number in the input, from 0.
        """
        read = read_conversation(example)
        if isinstance(read, Flaw):
            return Outcome(refused=read.reason, detail=read.detail)
        said = Said()
        for place, message in enumerate(read.messages):
            if message["role"] != "assistant":
                said.add(message["content"])
            for number, call in enumerate(message.get("tool_calls", ())):
                function = call["function"]
                schema = read.tools[function["name"]].parameters
                for path, value in self._unsaid(function["arguments"], [schema], schema, said, ()):
                    where = f"message {place}, call {number}: {function['name']}"
                    what = f"{pointer_of(path)}: nobody said {shortened(value)}"
                    return Outcome(refused="invented", detail=f"{where}: {what}")
        return Outcome((example,))

    def _unsaid(
        self, value: Any, schemas: list[Any], root: Any, said: Said, path: Path
    ) -> Iterator[tuple[Path, Any]]:
        """The texts and numbers in a value that nobody said, with their places."""
        parts = [part for schema in schemas for part in _parts(schema, root, _DEEPEST)]
        if (path and path[-1] in self.free) or any(_gives(part, value) for part in parts):
            return
        if isinstance(value, dict):
            for key, item in value.items():
                inner = [found for part in parts for found in _of_key(part, key)]
                yield from self._unsaid(item, inner, root, said, (*path, key))
        elif isinstance(value, list):
            for place, item in enumerate(value):
                inner = [found for part in parts for found in _of_place(part, place)]
                yield from self._unsaid(item, inner, root, said, (*path, place))
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            words = self.synonyms.get(str(value).casefold(), ())
            if not said.has(value) and not any(said.has(word) for word in words):
                yield path, value


def _texts(name: str, given: object) -> tuple[str, ...]:
    is_list = isinstance(given, Sequence) and not isinstance(given, (str, bytes))
    if not is_list or not all(isinstance(item, str) for item in given):  # type: ignore[attr-defined]
        raise DataError(f"{name}: not a list of texts, but {shortened(given)}")
    return tuple(given)  # type: ignore[arg-type]


def _parts(schema: Any, root: Any, depth: int) -> Iterator[dict[str, Any]]:
    """A schema and those that it refers to or is made of."""
    if not isinstance(schema, dict) or not depth:
        return
    yield schema
    if isinstance(reference := schema.get("$ref"), str):
        try:
            target = resolve(root, reference)[0]
        except (ValueError, LookupError):
            target = None
        yield from _parts(target, root, depth - 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        members = schema.get(keyword)
        for member in members if isinstance(members, list) else ():
            yield from _parts(member, root, depth - 1)


def _gives(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a schema says the value itself."""
    choices = schema.get("enum")
    only = choices if isinstance(choices, list) and len(choices) == 1 else []
    given = [*only, *(schema[keyword] for keyword in ("default", "const") if keyword in schema)]
    return any(are_equal(same_value(one), same_value(value)) for one in given)


def _of_key(schema: Mapping[str, Any], key: str) -> Iterator[Any]:
    properties = schema.get("properties")
    if isinstance(properties, dict) and key in properties:
        yield properties[key]
    elif "additionalProperties" in schema:
        yield schema["additionalProperties"]


def _of_place(schema: Mapping[str, Any], place: int) -> Iterator[Any]:
    first = schema.get("prefixItems")
    if isinstance(first, list) and place < len(first):
        yield first[place]
    elif "items" in schema:
        yield schema["items"]
