"""Chat formats as response templates, by which `tokenizer.parse_response` of transformers reads.

A response template divides a turn into regions by patterns (of the package `regex`) for where each
opens and closes. A region of JSON is closed outside its strings: `\\G` is where the search began,
strings are skipped whole, and `\\K` lets the match begin only after them.
"""

from __future__ import annotations

import re
from typing import Any

from schemask.chat.grammar import INDEX_PATTERN
from schemask.chat.spec import PLACEHOLDER, FormatSpec, common_start
from schemask.errors import FormatError

_Region = dict[str, Any]

_OUTSIDE_STRINGS = r'\G(?:[^"]|"(?:[^"\\]|\\.)*+")*?\K'
_VERBATIM = {"content": "text", "content_args": {"strip": False}}


def response_template(form: FormatSpec) -> dict[str, Any]:
    """The response template of a format; see `ChatFormat.response_template`."""
    fields: dict[str, _Region] = {}
    if form.reasoning_open:
        fields["reasoning_content"] = {
            "open_pattern": _loosely(form.reasoning_open),
            "close_pattern": _loosely(form.reasoning_close),
            **_VERBATIM,
        }
    fields["tool_calls"] = _calls(form)
    fields["content"] = _words(form)
    anchors = [opening for role, opening, _ in form.turns if role == "assistant"]
    anchors = anchors or [f"{form.turn_start}assistant\n"]
    if not anchors[0]:
        # Nothing opens the turn: it begins where the one before ends.
        ends = [closing for role, _, closing in form.turns if role != "assistant"]
        anchors = list(dict.fromkeys(end for end in (*ends, form.result_close) if end))
    return {
        "defaults": {"role": "assistant", "content": ""},
        "start_anchor": anchors,
        "fields": fields,
    }


def _words(form: FormatSpec) -> _Region:
    if not form.words_open:
        # What comes after the end of the turn is no second content.
        return {"close_pattern": f"(?:{_any_of(form.stops)}).*", **_VERBATIM}
    openings = [text for text in (form.words_open, form.preamble_open) if text]
    closings = [text for text in (form.words_close, form.preamble_close) if text]
    # A stop inside a closing text is not found before that text is whole.
    ends = [
        "".join(f"(?<!{re.escape(text[: text.find(stop)])})" for text in closings if stop in text)
        + re.escape(stop)
        for stop in form.stops
    ]
    return {
        "open_pattern": _any_of(openings),
        "close_pattern": "|".join([*map(re.escape, closings), *ends]),
        **_VERBATIM,
    }


def _calls(form: FormatSpec) -> _Region:
    if form.values == "python":
        raise FormatError(f"{form.name}: response templates cannot read values of Python")
    if form.call == "{call}" and form.calls_open.rstrip().endswith("["):
        return _array(form)
    if not form.call_open and form.max_calls != 1:
        raise FormatError(f"{form.name}: in response templates each call needs a tag before it")
    opening = _optional(form.call_separator)
    if form.calls_open:
        again = rf"(?<={re.escape(form.call_close.strip())}\s*)"
        opening += rf"(?:{re.escape(form.calls_open.rstrip())}\s*|{again})"
    opening += _start(form)
    if form.call == "{call}":
        keys = {what: f"{{content.{key}}}" for key, what in form.call_members}
        function = {"name": keys["{name}"], "arguments": keys["{arguments}"]}
        after = ""
    else:
        function = {"name": "{name}", "arguments": "{content}"}
        before, _, after = form.call.partition("{arguments}")
        if form.values == "marked":
            # The braces around the arguments belong to what is read as JSON.
            opening += _head(form, before.removesuffix("{")) + r"(?=\{)"
            after = after.removeprefix("}")
        else:
            opening += _head(form, before)
    region: _Region = {"open_pattern": opening, "repeats": True, "content": "json"}
    body = _OUTSIDE_STRINGS
    if form.values == "raw":
        body = rf"\G(?:\s*(?:{_argument(form, '')}))*+\K"
        region["content"] = "xml-inline"
        region["content_args"] = {"tag_pattern": _argument(form, "?P<{}>")}
    elif form.values == "marked":
        mark = re.escape(form.string_mark)
        body = rf"\G(?:{mark}.*?{mark}|(?!{mark}).)*?\K"
        delimiters = [[form.string_mark, form.string_mark]]
        region["content_args"] = {"unquoted_keys": True, "string_delims": delimiters}
    region["close_pattern"] = body + _end(form, after + form.call_padding + form.call_close)
    region["transform"] = {"type": "function", "function": function}
    return region


def _array(form: FormatSpec) -> _Region:
    """All calls as one list of JSON."""
    keys = {what: f"{{{key}}}" for key, what in form.call_members}
    function = {"name": keys["{name}"], "arguments": keys["{arguments}"]}
    tag = form.calls_open.rstrip().removesuffix("[")
    if not tag:
        raise FormatError(f"{form.name}: in response templates calls need a tag before them")
    return {
        "open_pattern": _optional(form.call_separator) + re.escape(tag) + r"(?=\s*\[)",
        "close_pattern": _OUTSIDE_STRINGS
        + _end(form, form.calls_close.lstrip().removeprefix("]"), is_last=True),
        "content": "json",
        "transform": {"type": "function", "function": function},
        "transform_each": True,
    }


def _start(form: FormatSpec) -> str:
    if form.bare:
        return rf"\A\s*(?=[{re.escape(form.bare)}])"
    return _loosely(form.call_open + form.call_padding)


def _head(form: FormatSpec, text: str) -> str:
    """What stands in a call before the arguments, from which the name is taken."""
    held = {"{name}": r"(?P<name>[\w.:/-]+?)", "{id}": f"(?:{form.id_pattern})"}
    held["{index}"] = f"(?:{INDEX_PATTERN})"
    pieces = [piece for piece in PLACEHOLDER.split(text) if piece]
    return "".join(held.get(piece) or _loosely(piece) for piece in pieces)


def _argument(form: FormatSpec, group: str) -> str:
    """An argument of `raw`, with its key and value in groups."""
    templates = [text for text in (form.argument, form.argument_string) if text]
    parts = [re.split(r"\{key\}|\{value\}", text) for text in templates]
    # The key ends where the templates go on alike, so that it is not read on for one of them.
    after_key = re.escape(common_start(parts[0][1], parts[-1][1]).rstrip())
    key = f"({group.format('key') or '?:'}(?:(?!{after_key}).)*)"
    value = f"({group.format('value') or '?:'}.*?)"
    ways = []
    for head, middle, after in parts:
        end = re.escape(after.rstrip()) + _optional(after[len(after.rstrip()) :])
        ways.append(_loosely(head) + key + _loosely(middle) + value + end)
    return "|".join(ways)


def _end(form: FormatSpec, closing: str, is_last: bool = False) -> str:
    """What ends a call, or the list of all."""
    end = rf"\s*{_loosely(closing.strip())}\s*" if closing.strip() else r"\s*"
    last = "" if is_last else form.calls_close.strip()
    following = _any_of([text for text in (form.call_open.strip(), *form.stops) if text])
    if last:
        # What comes next is waited for, lest a part of `calls_close` be taken for words.
        separator = _optional(form.call_separator.strip())
        return rf"{end}(?:{re.escape(last)}\s*|{separator}\s*(?={following})|\Z)"
    return end if closing.strip() else rf"{end}(?={following})"


def _loosely(text: str) -> str:
    """The text, with or without the white space around it."""
    core = text.strip()
    if not core:
        return re.escape(text)
    start = text.index(core)
    after = text[start + len(core) :]
    # An unfinished `after` is waited for: matches at the end of the text are not final.
    unfinished = "|".join(re.escape(after[:length]) for length in range(len(after)))
    rest = rf"(?:{re.escape(after)}|(?:{unfinished})\Z|)" if len(after) > 1 else _optional(after)
    return _optional(text[:start]) + re.escape(core) + rest


def _optional(text: str) -> str:
    return f"(?:{re.escape(text)})?" if text else ""


def _any_of(texts: Any) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
