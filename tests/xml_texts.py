"""Texts of the styles of structural tags: written and read by rules of their own."""

from __future__ import annotations

import json
import re
from typing import Any

# What tools of servers are asked for.
NOTE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "unit": {"enum": ["C", "F", "x y"]},
        "count": {"type": "integer", "minimum": -3, "maximum": 40},
        "exact": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "size": {
            "type": "object",
            "properties": {"width": {"type": "number"}},
            "additionalProperties": False,
        },
    },
    "required": ["text", "count"],
    "additionalProperties": False,
}
# A parameter in each style: its name, the word for the type of its value, its value.
_DSML = (
    '<｜DSML｜{}parameter name="(?P<name>[^"]*)" string="(?P<type>true|false)">'
    "(?P<value>.*?)</｜DSML｜{}parameter>"
)
PATTERNS = {
    "qwen_xml": "<parameter=(?P<name>[^>]*)>(?P<value>.*?)</parameter>",
    "minimax_xml": '<parameter name="(?P<name>[^"]*)">(?P<value>.*?)</parameter>',
    "glm_xml": r"<arg_key>(?P<name>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>",
    "deepseek_xml": _DSML.format("", ""),
    "deepseek_v4_1_xml": _DSML.format(" ", " "),
    "kimi_k3_xml": (
        r'<\|open\|>argument key="(?P<name>[^"]*)" type="(?P<type>[a-z]*)"<\|sep\|>'
        r"(?P<value>.*?)<\|close\|>argument<\|sep\|>"
    ),
}
WRITTEN = {
    "qwen_xml": "<parameter={name}>\n{value}\n</parameter>\n",
    "minimax_xml": '<parameter name="{name}">{value}</parameter>\n',
    "glm_xml": "<arg_key>{name}</arg_key>\n<arg_value>{value}</arg_value>\n",
    "deepseek_xml": (
        '<｜DSML｜parameter name="{name}" string="{type}">{value}</｜DSML｜parameter>\n'
    ),
    "deepseek_v4_1_xml": (
        '<｜DSML｜ parameter name="{name}" string="{type}">{value}</｜DSML｜ parameter>\n'
    ),
    "kimi_k3_xml": (
        '<|open|>argument key="{name}" type="{type}"<|sep|>{value}<|close|>argument<|sep|>'
    ),
}
STYLES = tuple(PATTERNS)
# Qwen's style without lines, in which a newline is a part of a value.
PATTERNS["mimo"] = PATTERNS["qwen_xml"]
WRITTEN["mimo"] = "<parameter={name}>{value}</parameter>"
# What vLLM's parsers take for the marks of a parameter, too.
MARKS = {
    "qwen_xml": re.compile(r"<\s*/\s*parameter\s*>|<\s*parameter\s*="),
    "mimo": re.compile(r"<\s*/\s*parameter\s*>|<\s*parameter\s*="),
    "minimax_xml": re.compile(r"<\s*/\s*parameter\s*>|<\s*parameter\s+name\s*="),
}
_KINDS = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}


def written(style: str, arguments: dict[str, Any]) -> str:
    """Arguments as a model writes them that was trained on the style."""
    parts = []
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        kind = _KINDS.get(type(value), "null" if value is None else "object")
        word = kind if style == "kimi_k3_xml" else json.dumps(kind == "string")
        held = {"name": name, "type": word, "value": text}
        parts.append(re.sub(r"\{(\w+)\}", lambda found: held[found[1]], WRITTEN[style]))  # noqa: B023
    return "".join(parts)


def read(style: str, text: str, properties: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments of a text; None if it is none, or one comes twice.

    Where a schema allows strings and others, it is the others that Python reads in the text. A
    value ends where another parameter begins: so do some parsers have it.
    """
    head = WRITTEN[style].partition("{name}")[0].rstrip('"')
    one = re.compile(rf"[ \t\n\r]*(?:{PATTERNS[style]})", re.DOTALL)
    if style == "glm_xml" and text[:1].isspace():
        return None  # a part of the name of the tool
    arguments: dict[str, Any] = {}
    at = 0
    while found := one.match(text, at):
        at = found.end()
        name, word = found["name"], found.groupdict().get("type")
        if name in arguments or head in found["value"] or _is_marked(style, found["value"]):
            return None
        raw = found["value"]
        if style == "qwen_xml":
            raw = raw.removeprefix("\n")
            raw = raw.removesuffix("\n")
        try:
            arguments[name] = _value(raw, properties.get(name, True), word)
        except ValueError:
            return None
    return None if text[at:].strip(" \t\n\r") else arguments


def _value(raw: str, schema: Any, word: str | None) -> Any:
    kinds = kinds_of(schema)
    if word is not None:
        if (word in ("true", "string")) != ("string" in kinds and _is_string(raw, kinds)):
            raise ValueError(f"{raw!r} is of another type")
        if word in ("true", "string"):
            return raw
    elif "string" in kinds and _is_string(raw, kinds):
        return raw
    if raw != raw.strip():
        raise ValueError(f"white space around {raw!r}")
    value = json.loads(raw)
    if word is not None and word != "false":
        kind = _KINDS.get(type(value), "null" if value is None else "object")
        if kind != word:
            raise ValueError(f"{raw!r} is no {word}")
    return value


def _is_string(raw: str, kinds: set[str]) -> bool:
    """Whether a text is none of the other types, read as leniently as anybody does."""
    if "null" in kinds and raw.strip().lower() in ("null", "none"):
        return False
    if kinds & {"number", "integer"}:
        try:
            float(raw)
        except ValueError:
            pass
        else:
            return False
    if "boolean" in kinds and raw.strip().lower() in ("true", "false", "0", "1"):
        return False
    if kinds & {"array", "object"}:
        try:
            json.loads(raw)
        except ValueError:
            pass
        else:
            return False
    return True


def _is_marked(style: str, value: str) -> bool:
    return style in MARKS and MARKS[style].search(value) is not None


def kinds_of(schema: Any) -> set[str]:
    """The types that a schema of these tests allows."""
    if schema is True or schema == {}:
        return {"string"}  # what it is read as
    if "anyOf" in schema:
        return set().union(*(kinds_of(branch) for branch in schema["anyOf"]))
    if "enum" in schema:
        return {
            "null" if value is None else _KINDS.get(type(value), "object")
            for value in schema["enum"]
        }
    kinds = schema["type"]
    return {kinds} if isinstance(kinds, str) else set(kinds)


def surroundings(form: dict[str, Any], name: str) -> tuple[str, str]:
    """What a tag has before and after the arguments of a call of a tool: constant text."""
    kind = form["type"]
    if kind == "json_schema":
        return "", ""
    if kind == "const_string":
        return form["value"], ""
    if kind == "tag":
        before, after = surroundings(form["content"], name)
        return form["begin"] + before, after + form["end"]
    if kind == "sequence":
        parts = [surroundings(element, name) for element in form["elements"]]
        (inner,) = (
            number
            for number, element in enumerate(form["elements"])
            if element["type"] != "const_string"
        )
        before = "".join(part[0] for part in parts[: inner + 1])
        after = parts[inner][1] + "".join(part[0] for part in parts[inner + 1 :])
        return before, after
    tags = [surroundings(tag, name) for tag in form["tags"]]
    (found,) = (around for around in tags if name in around[0])
    return found
