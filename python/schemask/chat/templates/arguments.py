"""Which notation a template writes arguments in, found by comparing calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.notations.base import Notation
from schemask.chat.notations.elements import ElementArguments
from schemask.chat.notations.json import JsonArguments
from schemask.chat.notations.marked import MarkedArguments
from schemask.chat.notations.python import PythonArguments
from schemask.chat.notations.raw import RawArguments
from schemask.chat.notations.typed import TypedArguments
from schemask.chat.notations.values import STYLES, Styles
from schemask.chat.templates.probing import KEYS, VALUES
from schemask.chat.templates.tags import Tags
from schemask.errors import FormatError

_DECODER = json.JSONDecoder()
# A value of each type of JSON, by the type's name.
_SAMPLES: dict[str, Any] = {
    "string": VALUES[0],
    "number": 7,
    "boolean": True,
    "null": None,
    "array": ["Qzinner", 1],
    "object": {"qzinner": "Qzinner"},
}
_SEPARATORS = ((", ", ": "), (",", ":"), (",", ": "), (", ", ":"))

_STYLES = [
    Styles(literals, arrays, objects)
    for literals in STYLES
    for arrays in STYLES
    for objects in STYLES
]

Render = Callable[[Mapping[str, Any]], str | None]


@dataclass(frozen=True)
class Found:
    """A notation, and where it stands in a call.

    Attributes:
        notation: The notation.
        start: Where the arguments `ONE` begin in the text of their call.
        end: Where they end.
    """

    notation: Notation
    start: int
    end: int


ONE: dict[str, Any] = {KEYS[0]: VALUES[0]}


def find_arguments(render: Render, tags: Tags) -> Found:
    """The notation of arguments.

    Args:
        render: The text of a turn with one call of these arguments; None if it is refused.
        tags: The tags of the template.

    Raises:
        FormatError: They are written in no notation that is known.
    """
    text = render(ONE)
    if text is None:
        raise FormatError("the template refuses a call")
    if span := span_of_json(text, ONE):
        return Found(_json_notation(render), *span)
    return _listed(render, text, tags)


def span_of_json(text: str, value: Any) -> tuple[int, int] | None:
    """Where a JSON value stands in a text, if it does."""
    at = text.find("{")
    while at >= 0:
        try:
            found, end = _DECODER.raw_decode(text, at)
        except ValueError:
            found, end = None, at
        if found == value:
            return at, end
        at = text.find("{", at + 1)
    return None


def _json_notation(render: Render) -> JsonArguments:
    sample: dict[str, Any] = {KEYS[1]: 'é"\\\n<', KEYS[0]: [1, 1.5, True, None, {"qzinner": []}]}
    text = render(sample) or ""
    for separators in _SEPARATORS:
        for sort_keys in (False, True):
            for is_ascii in (False, True):
                notation = JsonArguments(separators, sort_keys, is_ascii)
                if notation.write(sample, None, _PLAIN) in text:
                    return notation
    for indent in range(1, 9):
        for margin in range(0, 4 * indent + 1, indent):
            notation = JsonArguments((",", ": "), indent=indent, margin=margin)
            if notation.write(sample, None, _PLAIN) in text:
                return notation
    at = text.find(f'"{KEYS[1]}"')
    raise FormatError(f"the arguments are JSON of a spelling that is not known: {text[at:]!r}")


def _listed(render: Render, one: str, tags: Tags) -> Found:
    """Arguments one by one."""
    empty = render({})
    if empty is None:
        raise FormatError("the template refuses a call without arguments")
    start, end = _inserted(empty, one, tags)
    pieces = {kind: _argument(render, empty, start, value) for kind, value in _SAMPLES.items()}
    elements, cut_off = _elements(pieces)
    if elements is not None and _writes(elements, render, empty, start - cut_off):
        return Found(elements, start - cut_off, end - cut_off)
    separator = _separator(render, empty, start, one[start:end])
    found = Found(JsonArguments(), start, end)
    for notation in _candidates(pieces, separator, tags, render):
        if _writes(notation, render, empty, start):
            return Found(notation, found.start, found.end)
    shown = {kind: piece for kind, piece in pieces.items() if piece is not None}
    raise FormatError(f"the arguments are in no notation that is known: {shown}")


def _elements(pieces: Mapping[str, str | None]) -> tuple[Notation | None, int]:
    """Elements that are named after keys, if the pieces may be such.

    Returns:
        The notation, and how many characters of the first argument stand before what was taken for
        its beginning, since the text after all arguments begins like an argument.
    """
    string, array = pieces["string"] or "", pieces["array"] or ""
    key, value = KEYS[0], VALUES[0]
    found = re.fullmatch(rf"(.*)<{key}>{value}(.*)</{key}>(.*)", string, re.DOTALL)
    item = re.search(r"<(\w+)>Qzinner", array)
    if found is None or item is None or found[3] + found[1] != found[2]:
        return None, 0
    return ElementArguments(found[2], item[1]), len(found[3])


def _inserted(without: str, with_it: str, tags: Tags) -> tuple[int, int]:
    """Where what one text has more than another stands in it."""
    more = len(with_it) - len(without)
    length = 0
    limit = min(len(without), len(with_it))
    while length < limit and without[length] == with_it[length]:
        length += 1
    if more <= 0 or with_it[length + more :] != without[length:]:
        raise FormatError("a call with arguments is more than one without and its arguments")
    # The same piece may be cut out at several places; a tag should not be cut in two.
    for start in range(length, -1, -1):
        if with_it[start + more :] != without[start:]:
            break
        if not tags.cut(with_it, start) and not tags.cut(with_it, start + more):
            return start, start + more
    return length, length + more


def _argument(render: Render, empty: str, start: int, value: Any) -> str | None:
    """The text of the first argument with a value; None if it is refused or left out."""
    text = render({KEYS[0]: value})
    if text is None or not text.endswith(empty[start:]):
        return None
    return text[start : len(text) - len(empty) + start] or None


def _separator(render: Render, empty: str, start: int, first: str) -> str:
    text = render({KEYS[0]: VALUES[0], KEYS[1]: VALUES[1]})
    second = _argument(render, empty, start, VALUES[1])
    if text is None or second is None:
        return ""
    second = second.replace(KEYS[0], KEYS[1])
    both = text[start : len(text) - len(empty) + start]
    if not (both.startswith(first) and both.endswith(second)):
        raise FormatError(f"two arguments are not one and another: {both!r}")
    return both[len(first) : len(both) - len(second)]


def _cdata(render: Render) -> str:
    """The characters for which strings are written in CDATA sections."""
    found = ""
    for character in "<>&\"'\n":
        text = render({KEYS[0]: f"a{character}b"})
        if text is not None and f"<![CDATA[a{character}b]]>" in text:
            found += character
    return found


def _escapes(render: Render) -> tuple[tuple[str, str], ...]:
    """The characters that strings between apostrophes spell otherwise, and how."""
    found = []
    for character in ("\\", "'", '"', "\n", "\r", "\t"):
        text = render({KEYS[0]: f"Qzleft{character}Qzright"}) or ""
        spelled = text.rpartition("Qzleft")[2].partition("Qzright")[0]
        if spelled and spelled != character:
            found.append((character, spelled))
    return tuple(found)


def _candidates(
    pieces: Mapping[str, str | None], separator: str, tags: Tags, render: Render
) -> Iterator[Notation]:
    """Notations that may have written pieces."""
    string, number = pieces["string"], pieces["number"]
    if string is None or number is None or VALUES[0] not in string or "7" not in number:
        return
    head, after_key = string.split(KEYS[0], 1) if string.count(KEYS[0]) == 1 else ("", "")
    if not after_key:
        return
    middle, _, closing = after_key.partition(VALUES[0])
    other_middle, _, other_closing = number.split(KEYS[0], 1)[1].partition("7")
    argument = f"{head}{{key}}{other_middle}{{value}}{other_closing}"
    if (middle, closing) == (other_middle, other_closing):
        if not closing:
            return  # nothing ends a value
        cdata = _cdata(render)
        for styles in _STYLES:
            yield RawArguments(argument, separator, styles=styles, cdata=cdata)
        return
    if middle.startswith(other_middle) and closing.endswith(other_closing):
        mark = middle[len(other_middle) :]
        if mark == closing[: len(closing) - len(other_closing)] and mark:
            escapes = _escapes(render)
            if mark == '"':
                for literals in STYLES:
                    yield PythonArguments(argument, separator, styles=Styles(literals=literals))
            elif mark == "'":
                for strings in ("python", "quotes", "none"):
                    for styles in _STYLES:
                        yield PythonArguments(
                            argument, separator, strings=strings, styles=styles, escapes=escapes
                        )
            elif (head, other_middle, other_closing, separator) == ("", ":", "", ","):
                for sort_keys in (False, True):
                    for null in ("null", "None"):
                        yield MarkedArguments(mark, sort_keys=sort_keys, null=null)
            return
    yield from _typed(pieces, head, separator, tags)


def _typed(
    pieces: Mapping[str, str | None], head: str, separator: str, tags: Tags
) -> Iterator[Notation]:
    """Arguments that say of which type their value is."""
    written = {kind: json.dumps(value) for kind, value in _SAMPLES.items()}
    written["string"] = VALUES[0]
    middles = {}
    closings = set()
    for kind, piece in pieces.items():
        if piece is None or written[kind] not in piece:
            return
        middles[kind], _, closing = piece.split(KEYS[0], 1)[1].rpartition(written[kind])
        closings.add(closing)
    if len(closings) != 1:
        return
    texts = list(middles.values())
    before, after = _common(texts, tags)
    words = {kind: text[len(before) : len(text) - len(after)] for kind, text in middles.items()}
    argument = f"{head}{{key}}{before}{{type}}{after}{{value}}{closings.pop()}"
    yield TypedArguments(argument, separator, types=tuple(words.items()))


def _common(texts: Sequence[str], tags: Tags) -> tuple[str, str]:
    """What texts begin and end with, where they are words between quotes or tags."""
    before = tags.common_start(texts)
    rests = [text[len(before) :] for text in texts]
    after = tags.common_end(rests)
    # Words such as "true" and "false" end alike.
    while after and (after[0].isalnum() or after[0] == "_"):
        after = after[1:]
    while before and (before[-1].isalnum() or before[-1] == "_"):
        before = before[:-1]
    return before, after


def _writes(notation: Notation, render: Render, empty: str, start: int) -> bool:
    """Whether a notation writes what the template writes."""
    values = [
        *_SAMPLES.values(),
        *("it's", "a\\b", "line\nnext", 'say "x"', "'", "both ' and \""),
        *(False, 0, -1.5, 10**20, "é 日本", "a b", [], {}, [True, None, ["x"]]),
        {"qzinner": {"x": None, "a": [1, {"y": False}]}},
    ]
    samples = [{KEYS[0]: value} for value in values]
    pairs: list[dict[str, Any]] = [{KEYS[1]: "x y", KEYS[0]: 1}, {KEYS[0]: [], KEYS[1]: None}]
    for pair in pairs:
        # Some templates leave out arguments that are null, or empty.
        samples.append(
            {key: value for key, value in pair.items() if _argument(render, empty, start, value)}
        )
    for sample in samples:
        text = render(sample)
        if text is None:
            continue
        if not text.endswith(empty[start:]):
            return False
        found = text[start : len(text) - len(empty) + start]
        if not found:
            continue  # the template leaves the argument out
        try:
            written = notation.write(dict(sample), None, _PLAIN)
        except FormatError:
            continue
        if written != found:
            return False
    return True


class _Plain:
    """Surroundings without markers."""

    name = "the template"
    stops: tuple[str, ...] = ()
    after_arguments = ""

    def write_json(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)


_PLAIN = _Plain()
