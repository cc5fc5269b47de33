"""Reads structural tags, the notation of xgrammar, vLLM and SGLang, as grammars."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from schemask.core.grammar import Grammar, PropertyOrder, Whitespace, tree_grammar
from schemask.core.limits import Limits
from schemask.core.vocabulary import Vocabulary
from schemask.core.xml_style import STYLES, xml_tree
from schemask.errors import Error, GrammarError, LimitError, UnsupportedSchemaError, shortened

_Format = Mapping[str, Any]

_ANY = r"[\s\S]"

# The default of the limit `whitespace_run`.
_WHITESPACE_RUN = 32


def from_structural_tag(
    tag: str | Mapping[str, Any],
    special_tokens: Collection[str] = (),
    whitespace: Whitespace = "flexible",
    limits: Limits | None = None,
) -> Grammar:
    """The texts of a structural tag in the notation of xgrammar 0.2.

    Read are `const_string`, `json_schema`, `any_text`, `grammar` (GBNF), `regex`, `sequence`, `or`,
    `tag`, `triggered_tags`, `tags_with_separator`, `optional`, `plus`, `star`, `repeat`, `dispatch`
    and `token`, and the older form with `structures` and `triggers`, to which SGLang adds
    `at_least_one`. Text that may be anything up to the end of a tag does not hold that end, and
    special tokens are never a part of it. Of the styles of `json_schema` that are no JSON, those
    are read that have parameters one by one, see `schemask.core.xml_style`.

    Args:
        tag: The structural tag, as JSON or as what JSON holds.
        special_tokens: Texts of the vocabulary's special tokens. Where constant text holds one, the
            token may stand for it.
        whitespace: Between the tokens of JSON values; see `Grammar`.
        limits: See `Grammar`.

    Raises:
        GrammarError: It is no structural tag; `pointer` is that of the format at fault.
        UnsupportedSchemaError: It uses what is not supported exactly: counts of tokens, tokens that
            are excluded, other styles of JSON, texts excluded from JSON, triggers of which one may
            overlap with another.
        SchemaError: A schema in it is refused; `pointer` leads into the tag.
        LimitError: It is too large or nests too deeply.
    """
    try:
        value = json.loads(tag) if isinstance(tag, str) else tag
        return _TagReader(special_tokens, whitespace, limits).whole(value)
    except json.JSONDecodeError as error:
        raise GrammarError(f"the structural tag is not JSON: {error}") from error
    except RecursionError as error:
        raise LimitError("the structural tag nests too deeply") from error


def special_names(vocabulary: Vocabulary) -> list[str]:
    """The texts of a vocabulary's special tokens, as `from_structural_tag` takes them.

    Args:
        vocabulary: The tokens.
    """
    names = [vocabulary.token(token_id) for token_id in vocabulary.special_token_ids]
    return sorted({name.decode(errors="replace") for name in names if name})


class _TagReader:
    def __init__(
        self, special_tokens: Collection[str], whitespace: Whitespace, limits: Limits | None
    ) -> None:
        names = sorted(filter(None, special_tokens), key=len, reverse=True)
        self._special = re.compile("(" + "|".join(map(re.escape, names)) + ")") if names else None
        self._whitespace = whitespace
        self._limits = limits
        self._readers: dict[str, Callable[[_Format, str, Sequence[str]], Grammar]] = {
            "const_string": self._const_string,
            "json_schema": self._json_schema,
            "qwen_xml_parameter": self._qwen_xml,
            "any_text": self._any_text,
            "grammar": self._grammar,
            "regex": self._regex,
            "sequence": self._sequence,
            "or": self._or,
            "tag": self._tag,
            "triggered_tags": self._triggered_tags,
            "tags_with_separator": self._tags_with_separator,
            "optional": self._optional,
            "plus": self._plus,
            "star": self._star,
            "repeat": self._repeat,
            "dispatch": self._dispatch,
            "token": self._token,
        }

    def whole(self, value: Any) -> Grammar:
        if isinstance(value, Mapping) and "structures" in value:
            return self._legacy(value)
        _only(value, "", {"type": str, "format": Mapping})
        if value.get("type", "structural_tag") != "structural_tag":
            raise _wrong("", f'"type" is "structural_tag", not {shortened(value["type"])}')
        return self.format(_member(value, "", "format", Mapping), "/format", ())

    def format(self, value: Any, pointer: str, ends: Sequence[str]) -> Grammar:
        """The texts of one format.

        Args:
            value: The format.
            pointer: Where it is.
            ends: What ends the tag around it, if it is the last thing there.
        """
        kind = _member(value, pointer, "type", str)
        reader = self._readers.get(kind)
        if reader is None:
            raise _unsupported(pointer, f"the format {kind!r}")
        try:
            return reader(value, pointer, ends)
        except Error as error:
            raise _located(error, pointer) from error

    def _legacy(self, value: _Format) -> Grammar:
        known = {"type": str, "structures": list, "triggers": list, "at_least_one": bool}
        _only(value, "", known)
        tags = []
        for number, structure in enumerate(_member(value, "", "structures", list)):
            pointer = f"/structures/{number}"
            _only(structure, pointer, {"begin": str, "schema": (dict, bool), "end": str})
            schema = {"type": "json_schema", "json_schema": structure.get("schema")}
            begin, end = (_member(structure, pointer, name, str) for name in ("begin", "end"))
            tags.append({"type": "tag", "begin": begin, "content": schema, "end": end})
        triggers = _member(value, "", "triggers", list)
        whole = {"type": "triggered_tags", "triggers": triggers, "tags": tags}
        return self.format({**whole, "at_least_one": value.get("at_least_one")}, "", ())

    # Texts.

    def _text(self, text: str) -> Grammar:
        """Constant text, in which special tokens may stand for what is spelled like them."""
        return tree_grammar(self._tree(text))

    def _tree(self, text: str) -> Any:
        pieces = [text] if self._special is None else self._special.split(text)
        return {"all": [{"tag": piece} if n % 2 else piece for n, piece in enumerate(pieces)]}

    def _const_string(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"value": str})
        return self._text(_member(value, pointer, "value", str))

    def _any_text(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"excludes": list, "max_tokens": type(None), "max_chars": int})
        stops = [*_strings(value, pointer, "excludes"), *filter(None, ends)]
        most = value.get("max_chars")
        if most is None:
            return Grammar.free_text(*stops, inclusive=False)
        if most < 0:
            raise _wrong(pointer, '"max_chars" is at least 0')
        held = "".join(f" & ~(/{_ANY}*/ {json.dumps(stop)} /{_ANY}*/)" for stop in stops)
        return Grammar.from_lark(f"start: T\nT: /{_ANY}{{0,{most}}}/{held}", limits=self._limits)

    def _regex(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"pattern": str})
        return Grammar.from_regex(_member(value, pointer, "pattern", str), limits=self._limits)

    def _grammar(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"grammar": str})
        return Grammar.from_gbnf(_member(value, pointer, "grammar", str), limits=self._limits)

    def _token(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"token": (int, str)})
        return Grammar.token(_member(value, pointer, "token", (int, str)))

    def _json_schema(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        known = {"json_schema": (Mapping, bool), "style": str, "any_order": bool, "excludes": list}
        _only(value, pointer, {**known, "max_whitespace_cnt": int})
        if _strings(value, pointer, "excludes"):
            raise _unsupported(pointer, '"excludes" of JSON')
        style = value.get("style") or "json"
        if style != "json" and style not in STYLES:
            raise _unsupported(pointer, f'"style": {shortened(style)}')
        whitespace, limits = self._whitespace, self._limits
        run = value.get("max_whitespace_cnt")
        if run is not None and whitespace == "flexible":
            whitespace = "flexible" if run else "compact"
            limits = {**(limits or {}), "whitespace_run": run} if run else limits
        schema = _member(value, pointer, "json_schema", (Mapping, bool))
        order: PropertyOrder = "any" if value.get("any_order") else "schema"
        as_json = Grammar.from_json_schema(
            schema, whitespace=whitespace, property_order=order, limits=limits
        )
        if style == "json":
            return as_json
        run = (limits or {}).get("whitespace_run", _WHITESPACE_RUN)
        space = {"pattern": rf"[ \t\n\r]{{0,{run}}}"} if whitespace == "flexible" else ""
        tree = xml_tree(STYLES[style], schema, ends, order == "any", space, self._tree)
        return tree_grammar(tree["start"], tree["rules"], whitespace, order, limits)

    def _qwen_xml(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        """What `json_schema` says since xgrammar 0.2."""
        _only(value, pointer, {"json_schema": (Mapping, bool)})
        return self._json_schema({**value, "style": "qwen_xml"}, pointer, ends)

    # What is made of formats.

    def _sequence(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"elements": list})
        elements = _member(value, pointer, "elements", list)
        grammar = Grammar.literal("")
        for number, element in enumerate(elements):
            last = number == len(elements) - 1
            place = f"{pointer}/elements/{number}"
            grammar += self.format(element, place, ends if last else ())
        return grammar

    def _or(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"elements": list})
        elements = enumerate(_member(value, pointer, "elements", list))
        return _any_of(
            [self.format(way, f"{pointer}/elements/{number}", ends) for number, way in elements],
            pointer,
        )

    def _content(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        return self.format(_member(value, pointer, "content", Mapping), f"{pointer}/content", ends)

    def _optional(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"content": Mapping})
        return self._content(value, pointer, ends).optional()

    def _star(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"content": Mapping})
        return self._content(value, pointer, ends).repeat()

    def _plus(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"content": Mapping})
        return self._content(value, pointer, ends).repeat(1)

    def _repeat(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"content": Mapping, "min": int, "max": int})
        least, most = (_member(value, pointer, name, int) for name in ("min", "max"))
        return self._content(value, pointer, ends).repeat(least, None if most == -1 else most)

    def _tag(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        begin, rest = self._opened(value, pointer)
        return begin + rest

    def _opened(self, value: _Format, pointer: str) -> tuple[Grammar, Grammar]:
        """What begins a tag, and the rest of it."""
        known = {"type": str, "begin": (str, Mapping), "end": (str, list, Mapping)}
        _only(value, pointer, {**known, "content": Mapping})
        begin = self._edge(_member(value, pointer, "begin", (str, Mapping)), f"{pointer}/begin")
        end = _member(value, pointer, "end", (str, list, Mapping))
        texts = [end] if isinstance(end, str) else end if isinstance(end, list) else []
        if not all(isinstance(text, str) for text in texts):
            raise _wrong(pointer, '"end" is a text, a list of texts, or a token')
        if isinstance(end, Mapping):
            closing = self._edge(end, f"{pointer}/end")
        else:
            closing = _any_of([self._text(text) for text in texts], pointer)
        return begin, self._content(value, pointer, texts) + closing

    def _edge(self, value: str | Mapping[str, Any], pointer: str) -> Grammar:
        if isinstance(value, str):
            return self._text(value)
        if value.get("type") != "token":
            raise _wrong(pointer, f"a text or a token, not {shortened(value)}")
        return self.format(value, pointer, ())

    def _tags_with_separator(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        flags = {"at_least_one": bool, "stop_after_first": bool}
        _only(value, pointer, {"tags": list, "separator": str, **flags})
        one = _any_of([begin + rest for begin, rest in self._tags(value, pointer)], pointer)
        grammar = one
        if not value.get("stop_after_first"):
            separator = self._text(_member(value, pointer, "separator", str))
            grammar = one + (separator + one).repeat()
        return grammar if value.get("at_least_one") else grammar.optional()

    def _tags(self, value: _Format, pointer: str) -> list[tuple[Grammar, Grammar]]:
        tags = enumerate(_member(value, pointer, "tags", list))
        return [self._opened(tag, f"{pointer}/tags/{number}") for number, tag in tags]

    def _triggered_tags(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        flags = {"at_least_one": bool, "stop_after_first": bool}
        _only(value, pointer, {"tags": list, "triggers": list, "excludes": list, **flags})
        triggers = _strings(value, pointer, "triggers")
        for number, tag in enumerate(_member(value, pointer, "tags", list)):
            begin = _member(tag, f"{pointer}/tags/{number}", "begin", str)
            if sum(begin.startswith(trigger) for trigger in triggers) != 1:
                place = f"{pointer}/tags/{number}/begin"
                raise _wrong(place, f"{begin!r} begins with no trigger, or with several")
        one = _any_of([begin + rest for begin, rest in self._tags(value, pointer)], pointer)
        stops = [*triggers, *_strings(value, pointer, "excludes"), *filter(None, ends)]
        _check_overlaps(triggers, stops, pointer)
        words = Grammar.free_text(*stops, inclusive=False)
        # The first of them comes at once where one must.
        if value.get("at_least_one"):
            return one if value.get("stop_after_first") else one + (words + one).repeat() + words
        if value.get("stop_after_first"):
            return words + one.optional()
        return (words + one).repeat() + words

    def _dispatch(self, value: _Format, pointer: str, ends: Sequence[str]) -> Grammar:
        _only(value, pointer, {"rules": list, "loop": bool, "excludes": list})
        patterns, ways = [], []
        for number, rule in enumerate(_member(value, pointer, "rules", list)):
            place = f"{pointer}/rules/{number}"
            if not isinstance(rule, Sequence) or len(rule) != 2 or not isinstance(rule[0], str):
                raise _wrong(place, f"a pattern and a format, not {shortened(rule)}")
            patterns.append(rule[0])
            ways.append(self._text(rule[0]) + self.format(rule[1], f"{place}/1", ()))
        stops = [*patterns, *_strings(value, pointer, "excludes"), *filter(None, ends)]
        _check_overlaps(patterns, stops, pointer)
        words = Grammar.free_text(*stops, inclusive=False)
        one = _any_of(ways, pointer)
        if not value.get("loop", True):
            return words + one.optional()
        return (words + one).repeat() + words


def _any_of(ways: Iterable[Grammar], pointer: str) -> Grammar:
    """One of some grammars, put together in pairs: so many may be had that do not nest deeply."""
    held = list(ways)
    if not held:
        raise _wrong(pointer, "there is nothing to choose from")
    while len(held) > 1:
        pairs = [held[at : at + 2] for at in range(0, len(held), 2)]
        held = [pair[0] | pair[1] if len(pair) == 2 else pair[0] for pair in pairs]
    return held[0]


def _check_overlaps(triggers: Sequence[str], stops: Sequence[str], pointer: str) -> None:
    """Refuses triggers before which a stop may end that has begun in the text before them.

    Where none can, the first stop in a text is the trigger that follows the words, and it makes no
    difference whether it is looked for from the left or read after them.
    """
    for trigger in triggers:
        for stop in stops:
            inside = stop in trigger[1:] or (stop != trigger and stop in trigger)
            ends = (stop.endswith(trigger[:size]) for size in range(1, len(trigger)))
            if inside or any(ends):
                raise _unsupported(
                    pointer, f"the texts {stop!r} and {trigger!r}, which may overlap"
                )


def _member(value: Any, pointer: str, name: str, kind: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(pointer, f"a JSON object, not {shortened(value)}")
    if name not in value:
        raise _wrong(pointer, f"{name!r} is missing")
    member = value[name]
    if not isinstance(member, kind) or (isinstance(member, bool) and kind in (int, (int, str))):
        raise _wrong(f"{pointer}/{name}", f"not {shortened(member)}")
    return member


def _only(value: Any, pointer: str, known: Mapping[str, Any]) -> None:
    """Refuses members that are not known, and those of another type; null stands for none."""
    if not isinstance(value, Mapping):
        raise _wrong(pointer, f"a JSON object, not {shortened(value)}")
    for name, member in value.items():
        if name == "type":
            continue
        if name not in known:
            raise _wrong(pointer, f"{name!r} is not known here")
        if member is not None and not isinstance(member, known[name]):
            raise _wrong(f"{pointer}/{name}", f"not {shortened(member)}")


def _strings(value: _Format, pointer: str, name: str) -> list[str]:
    texts = value.get(name) or []
    if not all(isinstance(text, str) and text for text in texts):
        raise _wrong(f"{pointer}/{name}", "a list of texts that are not empty")
    return list(texts)


def _wrong(pointer: str, message: str) -> GrammarError:
    return GrammarError(f"structural tag at {pointer or 'the root'}: {message}", pointer=pointer)


def _unsupported(pointer: str, what: str) -> UnsupportedSchemaError:
    message = f"structural tag at {pointer or 'the root'}: {what} is not supported"
    return UnsupportedSchemaError(message, pointer=pointer)


def _located(error: Error, pointer: str) -> Error:
    """The error of a part, with the pointer of the format in the tag."""
    if str(error).startswith("structural tag at "):
        return error
    inner = pointer if error.pointer is None else f"{pointer}/json_schema{error.pointer}"
    made = type(error)(f"structural tag at {inner}: {error}", pointer=inner)
    made.line, made.column = error.line, error.column
    return made
