"""Schemas that are meant to be slow, each with a long valid text."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A schema, or tools in a chat format, and a text that is valid.

    Attributes:
        schema: None if there are tools.
        tools: OpenAI-style definitions.
        format: The chat format of the tools' calls.
    """

    name: str
    text: str
    schema: Any = None
    tools: tuple[Any, ...] = ()
    format: str = ""


def cases() -> Iterator[Case]:
    yield from _wide()
    yield from _long()
    yield from _patterns()
    yield from _formats()
    yield from _branches()
    yield from _tools()
    yield from _deep()
    yield from _compared()
    yield from _objects()


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _words(count: int, seed: int = 0) -> list[str]:
    """Distinct made-up words, sorted by nothing."""
    choose = random.Random(seed)
    syllables = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(choose.choices(syllables, k=choose.randint(2, 5)))] = None
    return list(words)


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return _object(properties, required=list(properties), additionalProperties=False)


def _wide() -> Iterator[Case]:
    words = _words(10_000)
    some = words[::500]
    yield Case("enum of 10,000 words", _text(some), {"items": {"enum": words}})
    numbers = sorted(random.Random(1).sample(range(10**9), 10_000))
    yield Case("enum of 10,000 integers", _text(numbers[::500]), {"items": {"enum": numbers}})
    objects = [{"id": i, "name": word} for i, word in enumerate(words[:1000])]
    yield Case("enum of 1,000 objects", _text(objects[::50]), {"items": {"enum": objects}})
    names = _words(2000, seed=2)
    kinds: list[dict[str, Any]] = [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]
    properties = {name: kinds[i % 3] for i, name in enumerate(names)}
    values = ("a few words", 12, True)
    few = {name: values[i % 3] for i, name in enumerate(names) if i % 40 < 3}
    every = {name: values[i % 3] for i, name in enumerate(names)}
    yield Case("2,000 properties, open", _text({**few, "unknown": 1}), _object(properties))
    closed = _object(properties, additionalProperties=False)
    yield Case("2,000 properties, closed", _text(few), closed)
    yield Case("2,000 properties, required", _text(every), _closed(properties))


def _long() -> Iterator[Case]:
    prose = " ".join(_words(20_000, seed=3))
    string = {"type": "string"}
    yield Case("maxLength 100,000", _text(prose[:100_000]), {**string, "maxLength": 100_000})
    both = {**string, "minLength": 30_000, "maxLength": 100_000}
    yield Case("minLength 30,000", _text(prose[:30_100]), both)
    words = {**string, "maxLength": 5000, "pattern": "^[a-z ]*$"}
    yield Case("maxLength 5,000 with a pattern", _text(prose[:5000]), words)
    short = {"items": {**string, "maxLength": 20, "minLength": 3}}
    yield Case(
        "maxLength 20, many times", _text([prose[i : i + 19] for i in range(0, 3800, 19)]), short
    )
    number = {"type": "number", "minimum": 0, "maximum": 10**60, "multipleOf": 1e-30}
    digits = "[" + ", ".join("7" * 55 + "." + "3" * 30 for _ in range(10)) + "]"
    yield Case("numbers of 85 digits", digits, {"items": number})


def _patterns() -> Iterator[Case]:
    lines = " ".join(_words(60, seed=4))
    name = "Ærøskøbing Élodie Ñandú Živković Łódź Ōsaka"
    dotted = ".".join(_words(10, seed=5))
    for title, pattern, text in (
        ("counted: ^(.*a){1,20}$", "^(.*a){1,20}$", "banana " * 6 + "la"),
        ("counted words", r"^(\w+\s){1,100}\w+$", lines),
        ("counted words and separators", r"^[a-z]{1,12}([ ,;][a-z]{1,12}){0,200}$", lines),
        ("nested counts", "^(([a-z]{1,20} ){1,10};){0,30}$", "ba be bi ;ko ku ;" * 8),
        ("counts of counts", "^((a{0,50}b){0,50}c){0,50}$", "aaabaabcabc" * 4),
        ("an exponential automaton", "^(a|b)*a(a|b){12}$", "ab" * 40 + "a" + "b" * 12),
        ("ambiguous repetition", "^(x+x+)+y$", "x" * 60 + "y"),
        ("unanchored words", r"\bfoo\b.*\bbar\b", f"{lines[:100]} foo {lines[:100]} bar!"),
        ("unicode letters", r"^[\p{L}\p{M}' -]{1,80}$", name),
        ("unicode names", r"^\p{Lu}\p{Ll}+( \p{Lu}\p{Ll}+)*$", name),
        ("unicode scripts", r"^[\p{Script=Greek}\p{Script=Cyrillic}\s]+$", "αβγ где " * 8 + "ω"),
        (
            "lookaheads of a password",
            r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[^\w\s]).{8,64}$",
            "correct Horse 9 battery staple!",
        ),
        ("a negative lookahead", "^(?!.*(foo|bar|baz)).*$", lines),
        ("a lookbehind in a loop", r"^(?:.(?<!\s\s))*$", lines),
        ("word boundaries in a loop", r"^(?:\b[a-z]{2,10}\b ?){5,80}$", lines),
        (
            "an address by RFC 5322",
            r"^(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@"
            r"(?:(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$",
            f"ada.lovelace+analytical@{dotted}.org",
        ),
        (
            "a version by semver.org",
            r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
            r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$",
            "10.20.30-alpha.1.beta-7.x.7.z.92+build.2024.sha-5114f85",
        ),
        (
            "base64, 4,096 characters",
            "^[A-Za-z0-9+/]{0,4096}={0,2}$",
            "QUJDREVGR0hJSktMTU5PUA" * 40,
        ),
        (
            "a dozen alternatives of words",
            f"^({'|'.join(_words(400, seed=6))})+$",
            "".join(_words(400, 6)[::9]),
        ),
    ):
        yield Case(f"pattern: {title}", _text(text), {"type": "string", "pattern": pattern})


def _formats() -> Iterator[Case]:
    for format, text in (
        ("hostname", "xn--mnchen-3ya.xn--bcher-kva.example.org"),
        ("idn-hostname", "münchen.bücher.例え.example.org"),
        ("idn-hostname", "xn--mnchen-3ya.xn--bcher-kva.example.org"),
        ("email", "ada.lovelace@xn--mnchen-3ya.example.org"),
        ("idn-email", "übung.lovelace@münchen.bücher.example.org"),
        ("uri-template", "https://example.org/{+path}/search{?q,lang,page:3}{&more*}{#top}"),
        ("uri", "https://ada:pw@example.org:8080/a/b%20c/d;e=f?q=1&r=2#fragment"),
        ("iri-reference", "//bücher.example/straße/æøå?ключ=значение#ß"),
        ("date-time", "2026-11-24T12:30:59.123456789+01:30"),
        ("duration", "P3Y6M4DT12H30M5S"),
        ("ipv6", "2001:0db8:85a3:0000:0000:8a2e:192.168.100.200"),
        ("regex", r"^(?:[a-z]{2,5}|\d+(?=x))*(?<n>\p{L}+)[^\]\\]$"),
        ("json-pointer", "/a~1b/c~0d/0/long name/münchen"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000"),
    ):
        title = f"format: {format}" + (", xn--" if "xn--" in text else "")
        yield Case(title, _text(text), {"type": "string", "format": format})


def _branches() -> Iterator[Case]:
    def nested(depth: int) -> Any:
        if not depth:
            return {"type": "integer"}
        branches = [
            _object(
                {"kind": {"const": f"{kind}{depth}"}, "value": nested(depth - 1)}, required=["kind"]
            )
            for kind in ("leaf", "node")
        ]
        branches[0]["properties"]["value"] = {"type": "string"}
        return {"oneOf": branches}

    value: Any = 7
    for depth in range(1, 13):
        value = {"kind": f"node{depth}", "value": value}
    yield Case("oneOf nested 12 deep, in values", _text(value), nested(12))

    def in_place(depth: int) -> Any:
        if not depth:
            return {"required": ["a0"]}
        return {"oneOf": [in_place(depth - 1), {"required": [f"a{depth}"]}]}

    properties = {f"a{i}": {"type": "integer"} for i in range(13)}
    text = _text({"a5": 1, "b": "some more text", "c": [1, 2]})
    yield Case("oneOf nested 12 deep, in place", text, {**_object(properties), **in_place(12)})
    yield from _many_branches()


def _many_branches() -> Iterator[Case]:
    def branch(i: int, tagged: bool) -> Any:
        tag = {"kind": {"const": f"kind-{i}"}} if tagged else {}
        fields = {
            f"field{(i * 7 + j) % 50}": {"type": ("string", "integer")[(i + j) % 2]}
            for j in range(8)
        }
        return _object({**tag, **fields}, required=[*tag, *list(fields)[:2]])

    def instance(i: int, tagged: bool) -> Any:
        schema = branch(i, tagged)["properties"]
        return {
            key: sub.get("const") or ("some text" if sub["type"] == "string" else 12)
            for key, sub in schema.items()
        }

    for tagged in (True, False):
        schema = {"items": {"anyOf": [branch(i, tagged) for i in range(40)]}}
        title = "with a tag" if tagged else "without a tag"
        yield Case(
            f"anyOf of 40 objects, {title}", _text([instance(i, tagged) for i in (3, 17)]), schema
        )
    one = {"items": {"oneOf": [branch(i, True) for i in range(40)]}}
    yield Case("oneOf of 40 objects, with a tag", _text([instance(i, True) for i in (3, 17)]), one)

    ifs = [
        {
            "if": _object({"kind": {"const": i}}, required=["kind"]),
            "then": {"required": [f"key{i}"]},
        }
        for i in range(30)
    ]
    thens = {"kind": {"type": "integer"}, **{f"key{i}": {"type": "string"} for i in range(30)}}
    yield Case(
        "if, 30 times",
        _text({"kind": 7, "key7": "text", "key9": "more"}),
        {**_object(thens), "allOf": ifs},
    )
    parts = [_object({f"p{i}": {"type": "integer"}}) for i in range(10)]
    unevaluated = {"type": "object", "anyOf": parts, "unevaluatedProperties": False}
    yield Case(
        "unevaluatedProperties of 10 branches",
        _text({f"p{i}": i for i in range(0, 10, 2)}),
        unevaluated,
    )


def _tools() -> Iterator[Case]:
    from schemask.chat import chat_format

    names = _words(128, seed=8)
    fields = _words(40, seed=9)
    kinds: list[dict[str, Any]] = [
        {"type": "string"},
        {"type": "integer", "minimum": 0},
        {"enum": ["celsius", "fahrenheit"]},
        {"type": "array", "items": {"type": "number"}},
        {"type": "boolean"},
    ]
    values = ("a few words", 12, "celsius", [1.5, 2], True)
    tools: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        chosen = [fields[(i + j) % len(fields)] for j in range(5)]
        parameters = _closed(dict(zip(chosen, kinds, strict=True)))
        function: dict[str, Any] = {
            "name": name,
            "description": "A tool.",
            "parameters": parameters,
        }
        tools.append({"type": "function", "function": function})
    arguments = dict(zip([fields[(77 + j) % len(fields)] for j in range(5)], values, strict=True))
    for format in ("tool_code", "hermes"):
        call = chat_format(format).render_call(names[77], arguments)
        yield Case(f"128 tools, {format}", call, tools=tuple(tools), format=format)
    calls = [
        _closed(
            {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"]["parameters"],
            }
        )
        for tool in tools
    ]
    yield Case(
        "128 tools, as anyOf", _text({"name": names[77], "arguments": arguments}), {"anyOf": calls}
    )


def _deep() -> Iterator[Case]:
    depth = 200
    node = _object(
        {
            "name": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        },
        required=["name"],
        additionalProperties=False,
    )
    tree = {"$defs": {"node": node}, "$ref": "#/$defs/node"}
    text = '{"name": "a node", "children": [' * depth + '{"name": "leaf"}' + "]}" * depth
    yield Case("recursion 200 deep", text, tree)
    two = {
        "anyOf": [
            {"type": "integer"},
            _object({"v": {"$ref": "#"}, "w": {"$ref": "#"}}, required=["v"]),
        ]
    }
    yield Case(
        "recursion through anyOf, 200 deep", '{"v": ' * depth + "1" + ', "w": 2}' * depth, two
    )
    yield Case("any JSON, arrays 500 deep", "[" * 500 + "]" * 500, True)
    literal: Any = {"type": "integer"}
    for _ in range(depth):
        literal = {"type": "array", "items": literal, "minItems": 1}
    yield Case("a schema of arrays 200 deep", "[" * depth + "1, 2" + "]" * depth, literal)
    wide = {"type": "array", "items": {"type": "integer"}, "minItems": 1000, "maxItems": 2000}
    yield Case("minItems 1,000", _text(list(range(1000))), wide)


def _compared() -> Iterator[Case]:
    unique: dict[str, Any] = {"type": "array", "uniqueItems": True}
    numbers = random.Random(10).sample(range(10**6), 1000)
    yield Case(
        "uniqueItems, 1,000 integers", _text(numbers), {**unique, "items": {"type": "integer"}}
    )
    yield Case(
        "uniqueItems, 1,000 strings",
        _text(_words(1000, seed=11)),
        {**unique, "items": {"type": "string"}},
    )
    objects = [{"id": i, "name": word} for i, word in enumerate(_words(150, seed=12))]
    yield Case("uniqueItems, 150 objects", _text(objects), unique)
    words = _words(300, seed=13)
    yield Case("uniqueItems, an enum of 300", _text(words), {**unique, "items": {"enum": words}})
    contains = {
        "type": "array",
        "items": {"type": "integer"},
        "contains": {"multipleOf": 7},
        "minContains": 50,
        "maxContains": 60,
    }
    yield Case("minContains 50", _text(list(range(0, 385))), contains)


def _objects() -> Iterator[Case]:
    words = _words(400, seed=14)
    patterns = {
        f"^{word[:2]}": {"type": ("string", "integer")[len(word) % 2]} for word in words[:50]
    }
    some = {w: "text" for w in words if all(not w.startswith(key[1:]) for key in patterns)}
    text = _text(dict(list(some.items())[:40]))
    yield Case("patternProperties, 50", text, {"type": "object", "patternProperties": patterns})
    overlapping = {f"{word[:2]}": {"maxLength": 10 + i} for i, word in enumerate(words[:12])}
    yield Case(
        "patternProperties that overlap, 12",
        _text({word: "text" for word in words[:40]}),
        {"type": "object", "patternProperties": overlapping},
    )
    names = {"type": "object", "propertyNames": {"pattern": "^[a-z]{3,20}$"}, "minProperties": 50}
    yield Case(
        "propertyNames, minProperties 50",
        _text({word: 1 for word in words[:60] if len(word) > 2}),
        names,
    )
    chain = {f"k{i}": [f"k{i + 1}"] for i in range(100)}
    yield Case(
        "dependentRequired, a chain of 100",
        _text({f"k{i}": i for i in range(101)}),
        {"type": "object", "dependentRequired": chain},
    )
    forbidden = [_object({word: {"type": "integer"}}, required=[word]) for word in words[:20]]
    yield Case(
        "not any of 20 objects",
        _text({word: "text" for word in words[:10]}),
        {"type": "object", "not": {"anyOf": forbidden}},
    )
    unknown = {f"{a} {b}": 1 for a, b in zip(words[:200], words[200:], strict=True)}
    yield Case("200 unknown keys", _text(unknown), {"type": "object"})
