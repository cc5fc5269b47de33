"""What real schemas ask of strings and objects."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from hostile_cases.case import Case, schema_case, string_schema

ANYTHING_OF = [{"pattern": pattern} for pattern in ("[a-z]", "[A-Z]", r"\d", r"[^\w\s]")]
SPACES = [{"pattern": pattern} for pattern in ("  ", "^ ", " $")]
FORBIDDEN = {"pattern": "(.*password.*|.*1234.*)"}
ADDRESS = r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$"
PASSWORD = r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[@$!%*?&])[A-Za-z\d@$!%*?&]{8,64}$"
PHONE = r"^(\+\d{1,2}\s?)?\(?\d{3}\)?[\s.-]?\d{3}[\s.-]?\d{4}$"
NETWORK = {"pattern": r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$"}


def _formats(*names: str) -> list[Any]:
    return [{"format": name} for name in names]


STRINGS: dict[str, Any] = {
    "email of 254": string_schema(format="email", maxLength=254),
    "email of 6 to 254": string_schema(format="email", minLength=6, maxLength=254),
    "email of a domain": string_schema(
        format="email", pattern=r"^[a-z.]+@example\.com$", maxLength=64
    ),
    "email like .+@.+": string_schema(format="email", pattern=r".+@.+\..+"),
    "email with the usual pattern": string_schema(format="email", pattern=ADDRESS),
    "https of 2048": string_schema(format="uri", pattern="^https://", maxLength=2048),
    "a link to a pdf": string_schema(format="uri", pattern=r"^https?://.*\.pdf$"),
    "hostname of 253": string_schema(format="hostname", minLength=1, maxLength=253),
    "hostname of .com": string_schema(format="hostname", pattern=r"\.com$"),
    "hostname in lower case": string_schema(
        format="hostname", pattern="^[a-z0-9.-]+$", minLength=3, maxLength=63
    ),
    "idn-hostname of 253": string_schema(format="idn-hostname", maxLength=253),
    "idn-email of 254": string_schema(format="idn-email", maxLength=254),
    "anyOf of ipv4, ipv6, hostname": string_schema(anyOf=_formats("ipv4", "ipv6", "hostname")),
    "oneOf of ipv4, ipv6, hostname": string_schema(oneOf=_formats("ipv4", "ipv6", "hostname")),
    "oneOf of hostname, email, uri": string_schema(oneOf=_formats("hostname", "email", "uri")),
    "anyOf of email, uri, phone": string_schema(
        anyOf=[*_formats("email", "uri"), {"pattern": r"^\+?[0-9 -]{6,20}$"}]
    ),
    "no email of 64": string_schema(maxLength=64, **{"not": {"format": "email"}}),
    "hostname, not ipv4": string_schema(format="hostname", **{"not": {"format": "ipv4"}}),
    "date-time in UTC": string_schema(format="date-time", pattern="Z$"),
    "date-time of 20": string_schema(format="date-time", maxLength=20),
    "date-time of 2024": string_schema(format="date-time", pattern="^2024-"),
    "date-time with +00:00": string_schema(format="date-time", pattern=r"\+00:00$"),
    "full hours": string_schema(format="time", pattern="^[0-9]{2}:00:00Z$"),
    "uuid of version 4": string_schema(format="uuid", pattern="^[0-9a-f]{8}-[0-9a-f]{4}-4"),
    "regex of 100": string_schema(format="regex", maxLength=100),
    "a whole regex": string_schema(format="regex", pattern=r"^\^.*\$$"),
    "duration of time": string_schema(format="duration", pattern="^PT"),
    "ipv4 or network": string_schema(anyOf=[*_formats("ipv4"), NETWORK]),
    "password of lookaheads": string_schema(pattern=PASSWORD),
    "password of allOf": string_schema(minLength=12, maxLength=128, allOf=ANYTHING_OF),
    "password without words": string_schema(
        minLength=8, maxLength=64, allOf=ANYTHING_OF[:3], **{"not": FORBIDDEN}
    ),
    "no needless spaces": string_schema(maxLength=200, **{"not": {"anyOf": SPACES}}),
    "exactly 300": string_schema(minLength=300, maxLength=300),
    "not of 5 to 10": string_schema(**{"not": {"minLength": 5, "maxLength": 10}}),
    "a.{20}b": string_schema(pattern="a.{20}b"),
    "numbers not far from each other": string_schema(pattern=r"\d{4}.{0,50}\d{4}"),
    "a.{10} at the end": string_schema(pattern="a.{10}$"),
    "an element of HTML": string_schema(pattern="<([a-z]+)[^>]*>.*</[a-z]+>"),
    "a phone number": string_schema(pattern=PHONE),
    "three words in any order": string_schema(pattern="^(?=.*alpha)(?=.*beta)(?=.*gamma).*$"),
}


def strings() -> Iterator[Case]:
    """What real schemas ask of strings."""
    for name, schema in STRINGS.items():
        yield schema_case(f"everyday: {name}", schema)


def _case(name: str, **keywords: Any) -> Case:
    return schema_case(f"everyday: {name}", {"type": "object", **keywords})


def _texts(names: list[str]) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}


def objects() -> Iterator[Case]:
    """What real schemas ask of objects."""
    yield from _exclusive()
    yield from _conditions()
    yield from _key_patterns()
    yield from _unevaluated()
    yield from _pairs()
    yield from _messages()
    yield from _required()


def _exclusive() -> Iterator[Case]:
    for count, closed in ((6, {}), (8, {"additionalProperties": False})):
        groups = [
            {"oneOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(count)
        ]
        names = [f"{x}{i}" for x in "ab" for i in range(count)]
        title = f"{count} groups that exclude each other{', closed' if closed else ''}"
        yield _case(title, properties=_texts(names), allOf=groups, **closed)


def _conditions() -> Iterator[Case]:
    kinds = [
        {
            "if": {"properties": {"kind": {"const": f"k{i}"}}},
            "then": {"required": [f"r{i}"], "properties": {f"r{i}": {"type": "integer"}}},
        }
        for i in range(10)
    ]
    kind = {"kind": {"enum": [f"k{i}" for i in range(10)]}}
    yield _case("an if for each of 10 kinds", properties=kind, required=["kind"], allOf=kinds)
    flags = [f"f{i}" for i in range(12)]
    yield _case(
        "an if for each of 12 flags",
        properties={flag: {"type": "boolean"} for flag in flags},
        required=flags,
        allOf=[
            {"if": {"properties": {flag: {"const": True}}}, "then": {"required": [f"d{i}"]}}
            for i, flag in enumerate(flags)
        ],
    )


def _key_patterns() -> Iterator[Case]:
    patterns: dict[str, Any] = {
        "_id$": {"type": "integer"},
        "^x-": {"type": "string"},
        "name": {"type": "string", "minLength": 1},
        "date": {"format": "date"},
        "url$": {"format": "uri"},
        "count": {"type": "integer", "minimum": 0},
    }
    yield _case("6 patterns of keys, texts", patternProperties=_texts(list(patterns)))
    yield _case("6 patterns of keys", patternProperties=patterns)
    yield _case(
        "6 patterns of keys, closed",
        patternProperties=patterns,
        additionalProperties=False,
        minProperties=2,
    )


def _unevaluated() -> Iterator[Case]:
    yield _case(
        "unevaluatedProperties over 3 anyOf of 3",
        allOf=[
            {
                "anyOf": [
                    {"type": "object", "properties": _texts([name]), "required": [name]}
                    for name in (f"p{i}{j}" for j in range(3))
                ]
            }
            for i in range(3)
        ],
        unevaluatedProperties=False,
    )


def _pairs() -> Iterator[Case]:
    names = [f"a{i}" for i in range(6)]
    pairs = [{"required": list(pair)} for pair in combinations(names, 2)]
    yield _case("at most one of 6", properties=_texts(names), **{"not": {"anyOf": pairs}})
    exactly = [
        {
            **pair,
            "not": {"anyOf": [{"required": [x]} for x in names if x not in pair["required"]]},
        }
        for pair in pairs
    ]
    yield _case("exactly two of 6", properties=_texts(names), oneOf=exactly)


def _messages() -> Iterator[Case]:
    roles = ["system", "user", "assistant", "tool"]

    def message(role: Any, **more: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"role": role, **more}}

    item = message({"enum": roles}, content={"type": "string"})
    yield schema_case(
        "everyday: an array with 4 kinds of messages",
        {
            "type": "array",
            "allOf": [
                {"contains": {**message({"const": role}), "required": ["role"]}} for role in roles
            ],
            "items": {**item, "required": ["role", "content"]},
        },
    )


def _required() -> Iterator[Case]:
    some = [{"anyOf": [{"required": [f"{x}{i}"]} for x in "abc"]} for i in range(8)]
    yield _case("allOf of 8 anyOf of required", allOf=some)
