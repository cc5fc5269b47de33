"""Languages of strings that are combined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hostile_cases.case import ALPHABET, Case, letter, schema_case, string_schema

FORMATS = (
    *("email", "idn-email", "hostname", "idn-hostname", "uri", "iri", "regex", "date-time"),
    *("ipv6", "duration", "uri-template", "uuid", "json-pointer", "relative-json-pointer"),
)


def strings() -> Iterator[Case]:
    """Languages of strings that are combined."""

    def case(name: str, schema: Any) -> Case:
        return schema_case(f"strings: {name}", schema)

    for count in (2, 4, 6, 8, 10):
        patterns = [{"pattern": f"{x}.{{10}}"} for x in ALPHABET[:count]]
        yield case(f"allOf of {count} x.{{10}}", string_schema(allOf=patterns))
    overlapping = (
        *("foo", "bar.*baz", "^[a-z]+$", "[0-9]{3}", "x.{5}y", "^.{10,20}$", "z$"),
        r"^\w+ \w+$",
    )
    for count in (2, 4, 6, 8):
        branches = [{"pattern": pattern} for pattern in overlapping[:count]]
        yield case(f"oneOf of {count} that overlap", string_schema(oneOf=branches))
    for count in (2, 3, 4, 5):
        parts = [
            {
                "anyOf": [
                    {"pattern": f"{letter(i)}.{{5}}"},
                    {"pattern": letter(i + 3) + letter(i + 2)},
                ]
            }
            for i in range(count)
        ]
        yield case(
            f"not allOf of {count} anyOf", string_schema(**{"not": {"allOf": parts}}, minLength=20)
        )
    yield case("words of 500", string_schema(pattern=r"^(\w+ )*$", minLength=500, maxLength=600))
    yield case("a.{20}b of 100", string_schema(pattern="a.{20}b", minLength=100, maxLength=120))
    yield case(
        "not a.{10}b of 100", string_schema(**{"not": {"pattern": "a.{10}b"}}, minLength=100)
    )
    for format in FORMATS:
        yield case(f"{format}", string_schema(format=format))
        yield case(f"not {format}", string_schema(**{"not": {"format": format}}))
        bounded = string_schema(format=format, minLength=20, maxLength=40, pattern="a.*b")
        yield case(f"{format}, lengths and a pattern", bounded)
        either = string_schema(oneOf=[{"format": format}, {"pattern": "a.{3}b"}])
        yield case(f"oneOf of {format} and a pattern", either)
    several = [f for f in FORMATS if not f.startswith(("i", "relative")) or f == "ipv6"]
    yield case("oneOf of all formats", string_schema(oneOf=[{"format": f} for f in several]))
    yield case(
        "allOf of hostname, uri-reference, regex",
        string_schema(allOf=[{"format": f} for f in ("hostname", "uri-reference", "regex")]),
    )
    for name in ("hostname", "email"):
        only = string_schema(format=f"idn-{name}", **{"not": {"format": name}})
        yield case(f"idn-{name}, not {name}", only)
    for name in ("idn-hostname", "regex"):
        keys = {"type": "object", "propertyNames": {"format": name}, "minProperties": 2}
        yield case(f"keys of format {name}", keys)
    hosts = {"type": "array", "items": string_schema(format="hostname"), "uniqueItems": True}
    yield case("hostnames that differ", {**hosts, "minItems": 5})
