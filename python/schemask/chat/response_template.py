"""Chat formats as response templates, by which `tokenizer.parse_response` of transformers reads.

A response template divides a turn into regions by patterns (of the package `regex`) for where each
opens and closes.
"""

from __future__ import annotations

import re
from typing import Any

from schemask.chat.patterns import OUTSIDE_STRINGS, any_of, loosely, possibly
from schemask.chat.spec import FormatSpec
from schemask.chat.texts import INDEX_PATTERN, pieces_of
from schemask.errors import FormatError

_Region = dict[str, Any]

_VERBATIM = {"content": "text", "content_args": {"strip": False}}


def response_template(spec: FormatSpec) -> dict[str, Any]:
    """The response template of a format; see `ChatFormat.response_template`."""
    fields: dict[str, _Region] = {}
    if spec.reasoning_open:
        fields["reasoning_content"] = _reasoning(spec)
    fields["tool_calls"] = _calls(spec)
    fields["content"] = _words(spec)
    anchors = [spec.around("assistant")[0]]
    if not anchors[0]:
        # Nothing opens the turn: it begins where the one before ends.
        ends = [closing for role, _, closing in spec.turns if role != "assistant"]
        anchors = list(dict.fromkeys(end for end in (*ends, spec.result_close) if end))
    return {
        "defaults": {"role": "assistant", "content": ""},
        "start_anchor": anchors,
        "fields": fields,
    }


def _reasoning(spec: FormatSpec) -> _Region:
    opening = loosely(spec.reasoning_open)
    closing = spec.reasoning_close.strip()
    if spec.no_reasoning.startswith(closing) or spec.plain_prompt.startswith(closing):
        # A turn without reasoning closes what nothing has opened.
        opening += f"|(?={re.escape(closing)})"
    return {"open_pattern": opening, "close_pattern": loosely(spec.reasoning_close), **_VERBATIM}


def _words(spec: FormatSpec) -> _Region:
    if not spec.words_open:
        marks = dict.fromkeys((spec.words_close, spec.turn_end, spec.calls_end, *spec.stops))
        ways = [re.escape(mark) + _no_calls(spec, mark) for mark in marks if mark]
        # What comes after the end of the turn is no second content.
        return {"close_pattern": f"(?:{'|'.join(ways)}).*", **_VERBATIM}
    openings = [text for text in (spec.words_open, spec.preamble_open) if text]
    closings = [text for text in (spec.words_close, spec.preamble_close) if text]
    # A stop inside a closing text is not found before that text is whole.
    ends = [
        "".join(f"(?<!{re.escape(text[: text.find(stop)])})" for text in closings if stop in text)
        + re.escape(stop)
        for stop in spec.stops
    ]
    return {
        "open_pattern": any_of(openings),
        "close_pattern": "|".join([*map(re.escape, closings), *ends]),
        **_VERBATIM,
    }


def _no_calls(spec: FormatSpec, end: str) -> str:
    """What tells the end of words from the text before calls that begins with it."""
    rest = spec.calls_open.removeprefix(end)
    return "" if rest == spec.calls_open else rf"(?!{re.escape(rest)})"


def _calls(spec: FormatSpec) -> _Region:
    arguments = spec.arguments.template(spec)
    if spec.call == "{call}" and spec.calls_open.rstrip().endswith("["):
        return _array(spec)
    if not spec.call_open and spec.max_calls != 1:
        raise FormatError(f"{spec.name}: in response templates each call needs a tag before it")
    opening = possibly(spec.preamble_close)
    if spec.calls_open:
        again = rf"|(?<={re.escape(spec.call_close.strip())}\s*)" if spec.max_calls != 1 else ""
        opening += rf"(?:{re.escape(spec.calls_open.rstrip())}\s*{again})"
    opening += _start(spec)
    if spec.call == "{call}":
        keys = {what: f"{{content.{key}}}" for key, what in spec.call_members}
        function = {"name": keys["{name}"], "arguments": keys["{arguments}"]}
        after = ""
    else:
        function = {"name": "{name}", "arguments": "{content}"}
        before, _, after = spec.call.partition("{arguments}")
        # Brackets around the arguments belong to what is read.
        bracket, closing = arguments.brackets
        opening += _head(spec, before.removesuffix(bracket))
        ends = [bracket]
        if before.endswith("{name}"):
            ends = [spec.arguments.opening, spec.after_arguments.strip()]
        following = any_of([end for end in ends if end])
        opening += rf"(?=\s*(?:{following}))" if following else ""
        after = after.removeprefix(closing)
    region: _Region = {"open_pattern": opening, "repeats": True, "content": arguments.content}
    if arguments.content_args:
        region["content_args"] = dict(arguments.content_args)
    region["close_pattern"] = arguments.body + _end(
        spec, after + spec.call_padding + spec.call_close
    )
    region["transform"] = {"type": "function", "function": function}
    return region


def _array(spec: FormatSpec) -> _Region:
    """All calls as one list of JSON."""
    keys = {what: f"{{{key}}}" for key, what in spec.call_members}
    function = {"name": keys["{name}"], "arguments": keys["{arguments}"]}
    tag = spec.calls_open.rstrip().removesuffix("[")
    if not tag:
        raise FormatError(f"{spec.name}: in response templates calls need a tag before them")
    return {
        "open_pattern": possibly(spec.preamble_close) + re.escape(tag) + r"(?=\s*\[)",
        "close_pattern": OUTSIDE_STRINGS
        + _end(spec, spec.calls_close.lstrip().removeprefix("]"), is_last=True),
        "content": "json",
        "transform": {"type": "function", "function": function},
        "transform_each": True,
    }


def _start(spec: FormatSpec) -> str:
    if spec.bare:
        return rf"\A\s*(?=[{re.escape(spec.bare)}])"
    return loosely(spec.call_open + spec.call_padding)


def _head(spec: FormatSpec, text: str) -> str:
    """What stands in a call before the arguments, from which the name is taken."""
    held = {"{name}": r"(?P<name>[\w.:/-]+?)", "{id}": f"(?:{spec.id_pattern})"}
    held["{index}"] = f"(?:{INDEX_PATTERN})"
    return "".join(held.get(piece) or loosely(piece) for piece in pieces_of(text))


def _end(spec: FormatSpec, closing: str, is_last: bool = False) -> str:
    """What ends a call, or the list of all."""
    end = rf"\s*{loosely(closing.strip())}\s*" if closing.strip() else r"\s*"
    last = "" if is_last else spec.calls_close.strip()
    following = any_of([text for text in (spec.call_open.strip(), *spec.stops) if text])
    if last:
        # What comes next is waited for, lest a part of `calls_close` be taken for words.
        separator = possibly(spec.call_separator.strip())
        return rf"{end}(?:{re.escape(last)}\s*|{separator}\s*(?={following})|\Z)"
    if not closing.strip() and not following:
        raise FormatError(f"{spec.name}: response templates need a text after a call")
    return end if closing.strip() else rf"{end}(?={following})"
