"""Input that is meant to be expensive: schemas, patterns, strings, grammars, everyday schemas.

Nothing is asked of it but that it compiles and is read within bounds, or is an error. For long
valid texts, see `adversarial_cases.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, Literal

from schemask import Grammar

Kind = Literal["schema", "pattern", "search", "gbnf", "lark"]
Source = str | Callable[[], str]


@dataclass(frozen=True)
class Case:
    """What may be expensive.

    Attributes:
        name: `<group>: <kind>`, with its size.
        kind: The notation of the source.
        source: The text, or what makes it: some are long.
        text: One to be read, if the case has one.
    """

    name: str
    kind: Kind
    source: Source
    text: str = ""

    def written(self) -> str:
        return self.source if isinstance(self.source, str) else self.source()

    def grammar(self) -> Grammar:
        """The grammar, read anew."""
        source = self.written()
        if self.kind == "schema":
            return Grammar.from_json_schema(source)
        if self.kind == "gbnf":
            return Grammar.from_gbnf(source)
        if self.kind == "lark":
            return Grammar.from_lark(source)
        return Grammar.from_regex(source, search=self.kind == "search")


def cases() -> Iterator[Case]:
    """All cases; their names tell them apart."""
    yield from _nested()
    yield from _chains()
    yield from _patterns()
    yield from _odd_patterns()
    yield from _strings()
    yield from _gbnf()
    yield from _odd_gbnf()
    yield from _lark()
    yield from _everyday_strings()
    yield from _everyday_objects()


def _schema(name: str, schema: Any) -> Case:
    return Case(name, "schema", json.dumps(schema))


def repeated(part: str, count: int, before: str = "", after: str = "") -> Callable[[], str]:
    """A source that repeats a part, made when it is needed."""
    return lambda: before + part * count + after


def joined(
    separator: str, count: int, part: Callable[[int], str], before: str = "", after: str = ""
) -> Callable[[], str]:
    """A source of numbered parts, made when it is needed."""
    return lambda: before + separator.join(part(i) for i in range(count)) + after


def nested_in(
    opening: str, inner: str, closing: str, depth: int, before: str = ""
) -> Callable[[], str]:
    """A source of brackets in each other, made when it is needed."""
    return lambda: before + opening * depth + inner + closing * depth


def next_rule(body: str, number: int) -> str:
    """The body of a rule that names the one after it, as `{0}`."""
    return body.format(f"r{number + 1}")


def letter(number: int) -> str:
    """The letter with a number, from a."""
    return chr(ord("a") + number)


# Keywords inside of each other. Each takes the schema below and the level.

NESTINGS: dict[str, Callable[[Any, int], Any]] = {
    "allOf": lambda s, i: {"allOf": [s]},
    "anyOf": lambda s, i: {"anyOf": [s]},
    "oneOf": lambda s, i: {"oneOf": [s]},
    "allOf with types": lambda s, i: {"allOf": [s, {"type": ["object", "string"]}]},
    "anyOf with const": lambda s, i: {"anyOf": [s, {"const": i}]},
    "oneOf with const": lambda s, i: {"oneOf": [s, {"const": i}]},
    "anyOf with required": lambda s, i: {"anyOf": [s, {"required": [f"k{i}"]}]},
    "oneOf with required": lambda s, i: {"oneOf": [s, {"required": [f"k{i}"]}]},
    "not": lambda s, i: {"not": s},
    "not anyOf with required": lambda s, i: {"not": {"anyOf": [s, {"required": [f"k{i}"]}]}},
    "if": lambda s, i: {"if": s, "then": True, "else": {"minLength": 1}},
    "if, in then": lambda s, i: {
        "if": {"required": [f"k{i}"]},
        "then": s,
        "else": {"required": [f"z{i}"]},
    },
    "if, in if": lambda s, i: {
        "if": s,
        "then": {"required": [f"k{i}"]},
        "else": {"required": [f"z{i}"]},
    },
    "properties": lambda s, i: {"properties": {"a": s}, "required": ["a"]},
    "items": lambda s, i: {"type": "array", "items": s, "minItems": 1},
    "prefixItems": lambda s, i: {"type": "array", "prefixItems": [s], "minItems": 1},
    "contains": lambda s, i: {"type": "array", "contains": s},
    "additionalProperties": lambda s, i: {"additionalProperties": s},
    "patternProperties": lambda s, i: {"patternProperties": {"^a": s}},
    "propertyNames": lambda s, i: {"propertyNames": s},
    "dependentSchemas": lambda s, i: {"dependentSchemas": {f"k{i}": s}},
    "unevaluatedProperties over allOf": lambda s, i: {
        "unevaluatedProperties": False,
        "allOf": [s],
    },
    "unevaluatedProperties over anyOf": lambda s, i: {
        "anyOf": [s, {"properties": {f"k{i}": True}}],
        "unevaluatedProperties": False,
    },
    "unevaluatedItems over anyOf": lambda s, i: {
        "anyOf": [s, {"prefixItems": [True] * (i % 5 + 1)}],
        "unevaluatedItems": False,
    },
}
DEPTHS = (10, 20, 60, 240)
_OVER_OBJECTS = (
    "required",
    "in then",
    "in if",
    "dependentSchemas",
    "unevaluatedProperties over any",
)


def nested(keyword: str, depth: int) -> Any:
    """A schema of one of `NESTINGS`, so many levels deep."""
    schema: Any = {"type": "string"}
    if any(part in keyword for part in _OVER_OBJECTS):
        schema = {"required": ["leaf"]}
    elif keyword == "contains":
        schema = {"type": "integer"}
    for level in range(depth):
        schema = NESTINGS[keyword](schema, level)
    return schema


def _nested() -> Iterator[Case]:
    for keyword in NESTINGS:
        for depth in DEPTHS:
            yield _schema(f"nested: {keyword}, {depth} deep", nested(keyword, depth))


# Definitions of which each refers to the next. Each takes the reference and the number.

CHAINS: dict[str, Callable[[Any, int], Any]] = {
    "$ref": lambda ref, i: ref,
    "allOf twice": lambda ref, i: {"allOf": [ref, ref]},
    "anyOf twice": lambda ref, i: {"anyOf": [ref, ref]},
    "oneOf with const": lambda ref, i: {"oneOf": [ref, {"const": i}]},
    "two properties": lambda ref, i: {"type": "object", "properties": {"a": ref, "b": ref}},
    "two required properties": lambda ref, i: {
        "type": "object",
        "properties": {"a": ref, "b": ref},
        "required": ["a", "b"],
    },
    "not": lambda ref, i: {"not": ref},
    "two items": lambda ref, i: {"type": "array", "items": ref, "minItems": 2},
}


def chain(keyword: str, length: int) -> Any:
    """A schema of one of `CHAINS`, with so many definitions."""
    definitions: dict[str, Any] = {
        f"d{i}": CHAINS[keyword]({"$ref": f"#/$defs/d{i + 1}"}, i) for i in range(length)
    }
    definitions[f"d{length}"] = {"type": "integer"}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def _chains() -> Iterator[Case]:
    for keyword in CHAINS:
        for length in (30, 300, 1000):
            yield _schema(f"chain: {keyword}, {length} long", chain(keyword, length))


WORDS = ("foo", "bar", "baz", "qux", "quux", "corge", "grault", "garply")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
PROSE = "some text here for fooling bart"


def _patterns() -> Iterator[Case]:
    def case(name: str, pattern: Source, text: str = "", kind: Kind = "pattern") -> Case:
        return Case(f"pattern: {name}", kind, pattern, text)

    for pattern, text in (
        ("(a+)+$", "a" * 100),
        ("(a|aa)*", "a" * 100),
        ("[^]{1000}", "a" * 400),
        ("(.*a){30}", "a" * 60),
        ("(.*a){300}", "ba" * 300),
        (r"(?:(?<!ab).(?<!cd)(?<!ef))*", "abxcdef" * 10),
        (r"\p{L}{500}", "é" * 100),
        (r"\p{L}{0,500}\p{N}{0,500}x", "é" * 100),
        ("a{0,100000}", "a" * 100),
        ("[ab]{0,100000}c[ab]{0,100000}", "ab" * 50 + "c"),
        ("(a{0,1000}b){0,1000}", "aab" * 100),
        ("((a{0,1000}b){0,1000}c){0,1000}", "aabc" * 100),
        ("(a?){1000}a{1000}", "a" * 500),
        ("(a?b?){500}", "ab" * 100),
        ("(a|b|ab){50}", "ab" * 40),
        ("(ab?c?|ac|bca){0,200}", "abcacbca" * 20),
        ("[ab]*a[ab]{20}", "ab" * 60),
        ("[ab]*a[ab]{200}", "ab" * 160),
        ("(.*)a(.*)b(.*)c", "abc" * 30),
        (".*a.{30}", "ab" * 60),
        (".*a.{300}", "ab" * 200),
        ("(.*a.{20}|.*b.{21}|.*c.{22})", "abc" * 30),
        (r"\w{0,63}(\.\w{0,63}){0,100}", "foo.bar." * 20),
        (r"[\p{L}\p{M}\p{N}\p{P}\p{S}]+", "añ1.+" * 10),
        ("[\\p{L}--[a-z]]+", ""),
        (r"(\p{Lu}\p{Ll}+ ){1,50}\p{Script=Han}*", "Foo Bar " * 10),
        (
            r"(\p{Script=Latin}+|\p{Script=Greek}+|\p{Script=Cyrillic}+|\p{Script=Han}+"
            r"|\p{Script=Arabic}+){1,20}",
            "fooβαрус漢" * 4,  # noqa: RUF001
        ),
        (r"(\b\w+\b\W*)*", "hello, world " * 10),
        (r"(\B.)*", "hello"),
        ("(^a$|b^c|$d)*", "a"),
        ("(a|^b|c$)+", "bac"),
        ("(||||a|)*", "aaa"),
        ("(()*)*", ""),
        (r"(?<=a.{0,50})b.*", "b"),
        (r"(?<!^)a", ""),
    ):
        yield case(pattern, pattern, text)
    yield case("(.*a){30}, searched", "(.*a){30}", "a" * 60, "search")
    for count in (3, 6, 10, 20, 100):
        pattern = "(?=.*a" * count + "b+" + ")" * count + ".*"
        yield case(f"{count} lookaheads in each other", pattern, "aab" * 20)
    for count in (5, 10, 15, 20, 26):
        pattern = "".join(f"(?=.*{x})" for x in ALPHABET[:count]) + ".*"
        yield case(f"{count} lookaheads in a row", pattern, ALPHABET)
    pattern = "".join(f"(?=.*{letter(i)}.*{letter(i + 1)})" for i in range(12)) + ".*"
    yield case("12 lookaheads of pairs", pattern, ALPHABET[:16])
    for count in (3, 5, 8):
        pattern = "".join(f"(?!.*{word})" for word in WORDS[:count]) + ".*"
        yield case(f"{count} negative lookaheads in a row", pattern, PROSE)
    for count in (2, 4, 6, 8):
        pattern = "(?:" + "".join(f"(?!{word})" for word in WORDS[:count]) + ".)*"
        yield case(f"{count} negative lookaheads in a loop", pattern, PROSE)
    yield case("15,000 words", joined("|", 15_000, lambda i: f"w{i}"))
    pattern = "(" + "|".join("a" * i + "b" for i in range(1, 300)) + ")*"
    yield case("300 words that overlap", pattern, "aaab" * 20)
    pattern = "|".join(f".*{x}{y}" for x in ALPHABET for y in ALPHABET)
    yield case("676 endings", pattern, "hello world")
    for name, opening, closing, depth, text in (
        ("groups", "(", ")", 120, "a"),
        ("groups", "(", ")", 1000, ""),
        ("stars", "(", ")*", 100, "aaa"),
        ("{0,2}", "(", "){0,2}", 60, "aaa"),
        ("{1,9}", "(", "){1,9}", 30, "aaa"),
    ):
        yield case(f"{name} {depth} deep", nested_in(opening, "a", closing, depth), text)
    yield case("{0,9} 12 deep", "(" * 12 + "a?b" + "){0,9}c?" * 12, "abc" * 10)
    for title, part, count, text in (
        ("1 MB", "a", 10**6, ""),
        ("10 MB", "a", 10**7, ""),
        ("90,000 dots", ".", 90_000, ""),
        ("50,000 a?", "a?", 50_000, ""),
        ("10,000 (a|b)", "(a|b)", 10_000, "ab" * 100),
        ("30,000 .*a", ".*a", 30_000, ""),
        ("2,000 .*a", ".*a", 2_000, "a" * 100),
    ):
        yield case(title, repeated(part, count), text)


def _odd_patterns() -> Iterator[Case]:
    """Nothing is large here, but parsers and their errors are tried."""
    patterns = (
        *(r"[^\s\S]", r"a(?!a)a", r"(?<a>x)(?<a>y)", r"(a)\1", r"[\1]", r"(?<a>x)\k<a>"),
        *(r"\u{110000}", r"\ud800", r"\ud83d\ude00", r"\cA", r"\0", r"\x4", "{", "a{2,1}"),
        *("a{99999999999}", "a**", "*", "[z-a]", "(?i)x", "(?i:x)", "a++", "(?>a)", r"a\Z"),
        *("[[:alpha:]]", "a\0b", "\ud800"),
    )
    for pattern in patterns:
        yield Case(f"odd pattern: {pattern!r}", "pattern", pattern)


FORMATS = (
    *("email", "idn-email", "hostname", "idn-hostname", "uri", "iri", "regex", "date-time"),
    *("ipv6", "duration", "uri-template", "uuid", "json-pointer", "relative-json-pointer"),
)


def _string(**keywords: Any) -> dict[str, Any]:
    return {"type": "string", **keywords}


def _strings() -> Iterator[Case]:
    """Languages of strings that are combined."""

    def case(name: str, schema: Any) -> Case:
        return _schema(f"strings: {name}", schema)

    for count in (2, 4, 6, 8, 10):
        patterns = [{"pattern": f"{x}.{{10}}"} for x in ALPHABET[:count]]
        yield case(f"allOf of {count} x.{{10}}", _string(allOf=patterns))
    overlapping = (
        *("foo", "bar.*baz", "^[a-z]+$", "[0-9]{3}", "x.{5}y", "^.{10,20}$", "z$"),
        r"^\w+ \w+$",
    )
    for count in (2, 4, 6, 8):
        branches = [{"pattern": pattern} for pattern in overlapping[:count]]
        yield case(f"oneOf of {count} that overlap", _string(oneOf=branches))
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
            f"not allOf of {count} anyOf", _string(**{"not": {"allOf": parts}}, minLength=20)
        )
    yield case("words of 500", _string(pattern=r"^(\w+ )*$", minLength=500, maxLength=600))
    yield case("a.{20}b of 100", _string(pattern="a.{20}b", minLength=100, maxLength=120))
    yield case("not a.{10}b of 100", _string(**{"not": {"pattern": "a.{10}b"}}, minLength=100))
    for format in FORMATS:
        yield case(f"{format}", _string(format=format))
        yield case(f"not {format}", _string(**{"not": {"format": format}}))
        bounded = _string(format=format, minLength=20, maxLength=40, pattern="a.*b")
        yield case(f"{format}, lengths and a pattern", bounded)
        either = _string(oneOf=[{"format": format}, {"pattern": "a.{3}b"}])
        yield case(f"oneOf of {format} and a pattern", either)
    several = [f for f in FORMATS if not f.startswith(("i", "relative")) or f == "ipv6"]
    yield case("oneOf of all formats", _string(oneOf=[{"format": f} for f in several]))
    yield case(
        "allOf of hostname, uri-reference, regex",
        _string(allOf=[{"format": f} for f in ("hostname", "uri-reference", "regex")]),
    )
    for name in ("hostname", "email"):
        only = _string(format=f"idn-{name}", **{"not": {"format": name}})
        yield case(f"idn-{name}, not {name}", only)
    for name in ("idn-hostname", "regex"):
        keys = {"type": "object", "propertyNames": {"format": name}, "minProperties": 2}
        yield case(f"keys of format {name}", keys)
    hosts = {"type": "array", "items": _string(format="hostname"), "uniqueItems": True}
    yield case("hostnames that differ", {**hosts, "minItems": 5})


def _gbnf() -> Iterator[Case]:
    def case(name: str, source: Source, text: str = "") -> Case:
        return Case(f"gbnf: {name}", "gbnf", source, text)

    def rules(
        count: int, body: Callable[[int], str], last: str = "", root: str = "r0"
    ) -> Callable[[], str]:
        end = f"\nr{count} ::= {last}" if last else ""
        return joined("\n", count, lambda i: f"r{i} ::= {body(i)}", f"root ::= {root}\n", end)

    yield case("S S | a", 'root ::= root root | "a"', "a" * 200)
    ambiguous = 'root ::= root root root | root root | "a" | ""'
    yield case("S S S | S S | a | nothing", ambiguous, "a" * 200)
    circle = 'root ::= a | "x"\na ::= b | ""\nb ::= root | a'
    yield case("a circle of empty rules", circle, "x")
    hidden = 'root ::= e root "b" | "a"\ne ::= "" | "c"'
    yield case("hidden left recursion", hidden, "a" + "b" * 200)
    sums = 'root ::= root "+" root | root "*" root | "(" root ")" | [0-9]'
    yield case("ambiguous sums", sums, "1+2*(3+4)" + "+1*2" * 100)
    palindromes = " | ".join(f'"{x}" root "{x}"' for x in "ab")
    yield case("palindromes of 2", f'root ::= {palindromes} | [ab] | ""', "ab" * 100)
    palindromes = " | ".join(f'"{x}" root "{x}"' for x in ALPHABET)
    yield case("palindromes of 26", f'root ::= {palindromes} | [a-z] | ""', ALPHABET[:10] * 10)
    suffix = f'root ::= [ab]* "a" {"[ab] " * 20}'
    yield case("an ending of 20", suffix, "ab" * 100 + "a" + "b" * 20)
    anywhere = 'root ::= [ab]* x{300} [b]*\nx ::= "a" | "b"'
    yield case("a count that begins anywhere", anywhere, "ab" * 200)
    anywhere = 'root ::= "a" root | x\nx ::= "a" x "b" | "ab"'
    yield case("a recursion that begins anywhere", anywhere, "a" * 100 + "b" * 50)
    for times in ("{0,1000000}", "{1000000}", "{4294967295}", "{99999999999}"):
        yield case(f"a{times}", f'root ::= "a"{times}', "a" * 500)
    most = "{0,1000000}"
    yield case(f"{most}, 3 deep", f'root ::= (("a"{most} "b"){most} "c"){most}', "aabc" * 50)
    recursive = 'x ::= "(" x* ")"'
    for count in (1_000, 100_000):
        source = f"root ::= x{{0,{count}}}\n{recursive}"
        yield case(f"a recursive rule {count:,} times", source, "(())" * 100)
    times = f'root ::= ((x{{0,100}} ";"){{0,100}} "."){{0,100}}\n{recursive}'
    yield case("a recursive rule in repetitions", times, "(());." * 50)
    chain = rules(100_000, partial(next_rule, '"a" {0}'), '"z"')
    yield case("100,000 rules, a chain", chain)
    for count, end in ((100_000, ""), (10_000, " root?"), (1_000, " root?")):
        title = f"{count:,} rules side by side{', recursive' if end else ''}"
        root = " | ".join(f"r{i}" for i in range(count))
        rule = f'"x{{}}"{end}'.format
        yield case(title, rules(count, rule, root=root), "x1x22x333" if count == 1_000 else "")
    yield case(
        "10,000 rules, left recursive in a circle",
        rules(10_000, lambda i: f'r{(i + 1) % 10_000} "a" | "b{i}"'),
    )

    def left_recursive(i: int, count: int) -> str:
        calls = [f'r{j} "{letter(i * j % 26)}"' for j in range(count)]
        return " | ".join([*calls, f'"x{i}"'])

    for count in (12, 30):
        source = rules(count, partial(left_recursive, count=count))
        yield case(f"{count} rules, all left recursive", source, "x0aaa")

    def recursive_on_both_sides(i: int) -> str:
        calls = [f'r{j} "{letter(i * j % 26)}" r{(i + j) % 11}' for j in range(11)]
        return " | ".join([*calls, f'"x{i}"'])

    source = rules(11, recursive_on_both_sides)
    yield case("11 rules, all recursive on both sides", source, "x0ax1")
    for title, count, body, text in (
        ("doubling", 30, "{0} {0}", ""),
        ("doubling or not", 30, '{0} {0} | {0} "b"', "ab"),
        ("doubling optional parts", 40, "{0}? {0}?", "aaaa"),
    ):
        source = rules(count, partial(next_rule, body), '"a"')
        yield case(f"{title}, {count} times", source, text)
    for depth in (300, 100_000):
        yield case(f"brackets {depth:,} deep", nested_in("(", '"a"', ")", depth, "root ::= "))
    for size in (1, 10):
        yield case(f"a literal of {size} MiB", repeated("a", size << 20, 'root ::= "', '"'))
    words = joined(" | ", 800_000, lambda i: f'"w{i}"', "root ::= ")
    yield case("800,000 alternatives", words)
    characters = joined("", 3_000_000, lambda i: chr(0x4E00 + i % 20_000), "root ::= [", "]")
    yield case("a class of 3,000,000 characters", characters)
    for size in (10, 17):
        yield case(f"a comment of {size} MiB", repeated("x", size << 20, 'root ::= "a" #'))


def _odd_gbnf() -> Iterator[Case]:
    for name, source in (
        ("nothing", ""),
        ("NUL in a text", 'root ::= "a\x00b"'),
        ("an escaped surrogate", 'root ::= "\\uD800"'),
        ("a surrogate", 'root ::= "\ud800"'),
        ("a class the wrong way round", "root ::= [z-a]"),
        ("a class around surrogates", "root ::= [\\uD700-\\uE000]"),
        ("beyond Unicode", "root ::= [\\U00110000]"),
        ("from right to left", 'root ::= "\u202e\u2066abc\u2069"'),
        ("a byte order mark", '\ufeffroot ::= "a"'),
        ("no root", 'a ::= "a"'),
        ("only itself", "root ::= root"),
        ("never ends", 'root ::= "a" root'),
        ("a rule twice", 'root ::= "a"\nroot ::= "b"'),
    ):
        yield Case(f"odd gbnf: {name}", "gbnf", source)


def _lark() -> Iterator[Case]:
    def case(name: str, source: Source, text: str = "") -> Case:
        return Case(f"lark: {name}", "lark", source, text)

    yield case("S S | a", 'start: start start | "a"', "a" * 200)
    yield case("empty rules", 'start: a*\na: b?\nb: "x"?', "xxx")
    words = "start: (W|W2)+\nW: /[a-z ]+/\nW2: /[a-z]+/\n%ignore /[ ]+/"
    yield case("ambiguous words", words, "abc def " * 20)
    for count in (8, 20):
        terminals = " & ".join(f"/.*{x}.*/" for x in ALPHABET[:count])
        yield case(f"{count} terminals joined by &", f"start: A\nA: {terminals}", ALPHABET[:count])
    yield case("~ in each other", "start: A\nA: ~(~(~(~/a+b/)))", "b")
    yield case("~ of .*a.{12}", "start: A\nA: ~/(.|\\n)*a.{12}/", "b" * 30)
    chain = joined("\n", 100_000, lambda i: f'r{i}: "a" r{i + 1}', "start: r0\n", '\nr100000: "z"')
    yield case("100,000 rules, a chain", chain)
    keys = {"a": {"type": "integer"}, "b": {"type": "string"}}
    branches = [
        {"type": "object", "patternProperties": keys},
        {"type": "object", "minProperties": 2},
    ]
    schema = json.dumps({"oneOf": branches})
    yield case("%json twice", f"start: a a\na: %json {schema}", '{}{"x":1}')
    yield case("a range, repeated", 'start: "a".."z" ~ 1..1000000', "abc")
    yield case("a recursive rule, repeated", 'start: x ~ 1..100000\nx: "(" x* ")"', "()()")
    common = "%import common (WORD, NUMBER, CNAME, ESCAPED_STRING)\n"
    tokens = common + 'start: (WORD|NUMBER|CNAME|ESCAPED_STRING|" ")+'
    yield case("imported terminals", tokens, 'foo 12 "bar" baz' * 10)
    yield case("brackets 100,000 deep", nested_in("(", '"a"', ")", 100_000, "start: "))
    yield case("an ambiguous pattern", "start: /(a|aa)+b/", "a" * 100 + "b")
    for name, source in (
        ("a recursive terminal", 'start: A\nA: "a" A | "b"'),
        ("a template", 'start: t{"a"}\nt{x}: x x'),
        ("a path as import", '%import ../../etc/passwd\nstart: "a"'),
        ("a backreference", r"start: /(a)\1/"),
    ):
        yield case(name, source)


def _everyday_strings() -> Iterator[Case]:
    """What real schemas ask of strings."""
    anything_of = [{"pattern": pattern} for pattern in ("[a-z]", "[A-Z]", r"\d", r"[^\w\s]")]
    spaces = [{"pattern": pattern} for pattern in ("  ", "^ ", " $")]
    forbidden = {"pattern": "(.*password.*|.*1234.*)"}
    address = r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$"
    password = r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[@$!%*?&])[A-Za-z\d@$!%*?&]{8,64}$"
    phone = r"^(\+\d{1,2}\s?)?\(?\d{3}\)?[\s.-]?\d{3}[\s.-]?\d{4}$"
    network = {"pattern": r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$"}

    def formats(*names: str) -> list[Any]:
        return [{"format": name} for name in names]

    schemas: dict[str, Any] = {
        "email of 254": _string(format="email", maxLength=254),
        "email of 6 to 254": _string(format="email", minLength=6, maxLength=254),
        "email of a domain": _string(
            format="email", pattern=r"^[a-z.]+@example\.com$", maxLength=64
        ),
        "email like .+@.+": _string(format="email", pattern=r".+@.+\..+"),
        "email with the usual pattern": _string(format="email", pattern=address),
        "https of 2048": _string(format="uri", pattern="^https://", maxLength=2048),
        "a link to a pdf": _string(format="uri", pattern=r"^https?://.*\.pdf$"),
        "hostname of 253": _string(format="hostname", minLength=1, maxLength=253),
        "hostname of .com": _string(format="hostname", pattern=r"\.com$"),
        "hostname in lower case": _string(
            format="hostname", pattern="^[a-z0-9.-]+$", minLength=3, maxLength=63
        ),
        "idn-hostname of 253": _string(format="idn-hostname", maxLength=253),
        "idn-email of 254": _string(format="idn-email", maxLength=254),
        "anyOf of ipv4, ipv6, hostname": _string(anyOf=formats("ipv4", "ipv6", "hostname")),
        "oneOf of ipv4, ipv6, hostname": _string(oneOf=formats("ipv4", "ipv6", "hostname")),
        "oneOf of hostname, email, uri": _string(oneOf=formats("hostname", "email", "uri")),
        "anyOf of email, uri, phone": _string(
            anyOf=[*formats("email", "uri"), {"pattern": r"^\+?[0-9 -]{6,20}$"}]
        ),
        "no email of 64": _string(maxLength=64, **{"not": {"format": "email"}}),
        "hostname, not ipv4": _string(format="hostname", **{"not": {"format": "ipv4"}}),
        "date-time in UTC": _string(format="date-time", pattern="Z$"),
        "date-time of 20": _string(format="date-time", maxLength=20),
        "date-time of 2024": _string(format="date-time", pattern="^2024-"),
        "date-time with +00:00": _string(format="date-time", pattern=r"\+00:00$"),
        "full hours": _string(format="time", pattern="^[0-9]{2}:00:00Z$"),
        "uuid of version 4": _string(format="uuid", pattern="^[0-9a-f]{8}-[0-9a-f]{4}-4"),
        "regex of 100": _string(format="regex", maxLength=100),
        "a whole regex": _string(format="regex", pattern=r"^\^.*\$$"),
        "duration of time": _string(format="duration", pattern="^PT"),
        "ipv4 or network": _string(anyOf=[*formats("ipv4"), network]),
        "password of lookaheads": _string(pattern=password),
        "password of allOf": _string(minLength=12, maxLength=128, allOf=anything_of),
        "password without words": _string(
            minLength=8, maxLength=64, allOf=anything_of[:3], **{"not": forbidden}
        ),
        "no needless spaces": _string(maxLength=200, **{"not": {"anyOf": spaces}}),
        "exactly 300": _string(minLength=300, maxLength=300),
        "not of 5 to 10": _string(**{"not": {"minLength": 5, "maxLength": 10}}),
        "a.{20}b": _string(pattern="a.{20}b"),
        "numbers not far from each other": _string(pattern=r"\d{4}.{0,50}\d{4}"),
        "a.{10} at the end": _string(pattern="a.{10}$"),
        "an element of HTML": _string(pattern="<([a-z]+)[^>]*>.*</[a-z]+>"),
        "a phone number": _string(pattern=phone),
        "three words in any order": _string(pattern="^(?=.*alpha)(?=.*beta)(?=.*gamma).*$"),
    }
    for name, schema in schemas.items():
        yield _schema(f"everyday: {name}", schema)


def _everyday_objects() -> Iterator[Case]:
    """What real schemas ask of objects."""

    def case(name: str, **keywords: Any) -> Case:
        return _schema(f"everyday: {name}", {"type": "object", **keywords})

    def texts(names: list[str]) -> dict[str, Any]:
        return {name: {"type": "string"} for name in names}

    for count, closed in ((6, {}), (8, {"additionalProperties": False})):
        groups = [
            {"oneOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(count)
        ]
        names = [f"{x}{i}" for x in "ab" for i in range(count)]
        title = f"{count} groups that exclude each other{', closed' if closed else ''}"
        yield case(title, properties=texts(names), allOf=groups, **closed)
    kinds = [
        {
            "if": {"properties": {"kind": {"const": f"k{i}"}}},
            "then": {"required": [f"r{i}"], "properties": {f"r{i}": {"type": "integer"}}},
        }
        for i in range(10)
    ]
    kind = {"kind": {"enum": [f"k{i}" for i in range(10)]}}
    yield case("an if for each of 10 kinds", properties=kind, required=["kind"], allOf=kinds)
    flags = [f"f{i}" for i in range(12)]
    yield case(
        "an if for each of 12 flags",
        properties={flag: {"type": "boolean"} for flag in flags},
        required=flags,
        allOf=[
            {"if": {"properties": {flag: {"const": True}}}, "then": {"required": [f"d{i}"]}}
            for i, flag in enumerate(flags)
        ],
    )
    patterns: dict[str, Any] = {
        "_id$": {"type": "integer"},
        "^x-": {"type": "string"},
        "name": {"type": "string", "minLength": 1},
        "date": {"format": "date"},
        "url$": {"format": "uri"},
        "count": {"type": "integer", "minimum": 0},
    }
    yield case("6 patterns of keys, texts", patternProperties=texts(list(patterns)))
    yield case("6 patterns of keys", patternProperties=patterns)
    yield case(
        "6 patterns of keys, closed",
        patternProperties=patterns,
        additionalProperties=False,
        minProperties=2,
    )
    yield case(
        "unevaluatedProperties over 3 anyOf of 3",
        allOf=[
            {
                "anyOf": [
                    {"type": "object", "properties": texts([name]), "required": [name]}
                    for name in (f"p{i}{j}" for j in range(3))
                ]
            }
            for i in range(3)
        ],
        unevaluatedProperties=False,
    )
    names = [f"a{i}" for i in range(6)]
    pairs = [{"required": list(pair)} for pair in combinations(names, 2)]
    yield case("at most one of 6", properties=texts(names), **{"not": {"anyOf": pairs}})
    exactly = [
        {
            **pair,
            "not": {"anyOf": [{"required": [x]} for x in names if x not in pair["required"]]},
        }
        for pair in pairs
    ]
    yield case("exactly two of 6", properties=texts(names), oneOf=exactly)
    roles = ["system", "user", "assistant", "tool"]

    def message(role: Any, **more: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"role": role, **more}}

    item = message({"enum": roles}, content={"type": "string"})
    yield _schema(
        "everyday: an array with 4 kinds of messages",
        {
            "type": "array",
            "allOf": [
                {"contains": {**message({"const": role}), "required": ["role"]}} for role in roles
            ],
            "items": {**item, "required": ["role", "content"]},
        },
    )
    some = [{"anyOf": [{"required": [f"{x}{i}"]} for x in "abc"]} for i in range(8)]
    yield case("allOf of 8 anyOf of required", allOf=some)
