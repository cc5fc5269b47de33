"""Patterns that are large, ambiguous or odd."""

from __future__ import annotations

from collections.abc import Iterator

from hostile_cases.case import (
    ALPHABET,
    PROSE,
    WORDS,
    Case,
    Kind,
    Source,
    joined,
    letter,
    nested_in,
    repeated,
)

# Each with a text to be read.
PATTERNS = (
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
)


def _case(name: str, pattern: Source, text: str = "", kind: Kind = "pattern") -> Case:
    return Case(f"pattern: {name}", kind, pattern, text)


def patterns() -> Iterator[Case]:
    for pattern, text in PATTERNS:
        yield _case(pattern, pattern, text)
    yield _case("(.*a){30}, searched", "(.*a){30}", "a" * 60, "search")
    yield from _lookaheads()
    yield _case("15,000 words", joined("|", 15_000, lambda i: f"w{i}"))
    pattern = "(" + "|".join("a" * i + "b" for i in range(1, 300)) + ")*"
    yield _case("300 words that overlap", pattern, "aaab" * 20)
    pattern = "|".join(f".*{x}{y}" for x in ALPHABET for y in ALPHABET)
    yield _case("676 endings", pattern, "hello world")
    for name, opening, closing, depth, text in (
        ("groups", "(", ")", 120, "a"),
        ("groups", "(", ")", 1000, ""),
        ("stars", "(", ")*", 100, "aaa"),
        ("{0,2}", "(", "){0,2}", 60, "aaa"),
        ("{1,9}", "(", "){1,9}", 30, "aaa"),
    ):
        yield _case(f"{name} {depth} deep", nested_in(opening, "a", closing, depth), text)
    yield _case("{0,9} 12 deep", "(" * 12 + "a?b" + "){0,9}c?" * 12, "abc" * 10)
    for title, part, count, text in (
        ("1 MB", "a", 10**6, ""),
        ("10 MB", "a", 10**7, ""),
        ("90,000 dots", ".", 90_000, ""),
        ("50,000 a?", "a?", 50_000, ""),
        ("10,000 (a|b)", "(a|b)", 10_000, "ab" * 100),
        ("30,000 .*a", ".*a", 30_000, ""),
        ("2,000 .*a", ".*a", 2_000, "a" * 100),
    ):
        yield _case(title, repeated(part, count), text)


def _lookaheads() -> Iterator[Case]:
    for count in (3, 6, 10, 20, 100):
        pattern = "(?=.*a" * count + "b+" + ")" * count + ".*"
        yield _case(f"{count} lookaheads in each other", pattern, "aab" * 20)
    for count in (5, 10, 15, 20, 26):
        pattern = "".join(f"(?=.*{x})" for x in ALPHABET[:count]) + ".*"
        yield _case(f"{count} lookaheads in a row", pattern, ALPHABET)
    pattern = "".join(f"(?=.*{letter(i)}.*{letter(i + 1)})" for i in range(12)) + ".*"
    yield _case("12 lookaheads of pairs", pattern, ALPHABET[:16])
    for count in (3, 5, 8):
        pattern = "".join(f"(?!.*{word})" for word in WORDS[:count]) + ".*"
        yield _case(f"{count} negative lookaheads in a row", pattern, PROSE)
    for count in (2, 4, 6, 8):
        pattern = "(?:" + "".join(f"(?!{word})" for word in WORDS[:count]) + ".)*"
        yield _case(f"{count} negative lookaheads in a loop", pattern, PROSE)


def odd_patterns() -> Iterator[Case]:
    """Nothing is large here, but parsers and their errors are tried."""
    patterns = (
        *(r"[^\s\S]", r"a(?!a)a", r"(?<a>x)(?<a>y)", r"(a)\1", r"[\1]", r"(?<a>x)\k<a>"),
        *(r"\u{110000}", r"\ud800", r"\ud83d\ude00", r"\cA", r"\0", r"\x4", "{", "a{2,1}"),
        *("a{99999999999}", "a**", "*", "[z-a]", "(?i)x", "(?i:x)", "a++", "(?>a)", r"a\Z"),
        *("[[:alpha:]]", "a\0b", "\ud800"),
    )
    for pattern in patterns:
        yield Case(f"odd pattern: {pattern!r}", "pattern", pattern)
