"""Grammars in GBNF and in the notation of Lark."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

from hostile_cases.case import (
    ALPHABET,
    Case,
    Source,
    joined,
    letter,
    nested_in,
    next_rule,
    repeated,
)


def _case(name: str, source: Source, text: str = "") -> Case:
    return Case(f"gbnf: {name}", "gbnf", source, text)


def _rules(
    count: int, body: Callable[[int], str], last: str = "", root: str = "r0"
) -> Callable[[], str]:
    end = f"\nr{count} ::= {last}" if last else ""
    return joined("\n", count, lambda i: f"r{i} ::= {body(i)}", f"root ::= {root}\n", end)


def gbnf() -> Iterator[Case]:
    yield from _ambiguous()
    yield from _repeated()
    yield from _many_rules()
    yield from _large()


def _ambiguous() -> Iterator[Case]:
    yield _case("S S | a", 'root ::= root root | "a"', "a" * 200)
    ambiguous = 'root ::= root root root | root root | "a" | ""'
    yield _case("S S S | S S | a | nothing", ambiguous, "a" * 200)
    circle = 'root ::= a | "x"\na ::= b | ""\nb ::= root | a'
    yield _case("a circle of empty rules", circle, "x")
    hidden = 'root ::= e root "b" | "a"\ne ::= "" | "c"'
    yield _case("hidden left recursion", hidden, "a" + "b" * 200)
    sums = 'root ::= root "+" root | root "*" root | "(" root ")" | [0-9]'
    yield _case("ambiguous sums", sums, "1+2*(3+4)" + "+1*2" * 100)
    palindromes = " | ".join(f'"{x}" root "{x}"' for x in "ab")
    yield _case("palindromes of 2", f'root ::= {palindromes} | [ab] | ""', "ab" * 100)
    palindromes = " | ".join(f'"{x}" root "{x}"' for x in ALPHABET)
    yield _case("palindromes of 26", f'root ::= {palindromes} | [a-z] | ""', ALPHABET[:10] * 10)
    suffix = f'root ::= [ab]* "a" {"[ab] " * 20}'
    yield _case("an ending of 20", suffix, "ab" * 100 + "a" + "b" * 20)
    anywhere = 'root ::= [ab]* x{300} [b]*\nx ::= "a" | "b"'
    yield _case("a count that begins anywhere", anywhere, "ab" * 200)
    anywhere = 'root ::= "a" root | x\nx ::= "a" x "b" | "ab"'
    yield _case("a recursion that begins anywhere", anywhere, "a" * 100 + "b" * 50)


def _repeated() -> Iterator[Case]:
    for times in ("{0,1000000}", "{1000000}", "{4294967295}", "{99999999999}"):
        yield _case(f"a{times}", f'root ::= "a"{times}', "a" * 500)
    most = "{0,1000000}"
    yield _case(f"{most}, 3 deep", f'root ::= (("a"{most} "b"){most} "c"){most}', "aabc" * 50)
    recursive = 'x ::= "(" x* ")"'
    for count in (1_000, 100_000):
        source = f"root ::= x{{0,{count}}}\n{recursive}"
        yield _case(f"a recursive rule {count:,} times", source, "(())" * 100)
    times = f'root ::= ((x{{0,100}} ";"){{0,100}} "."){{0,100}}\n{recursive}'
    yield _case("a recursive rule in repetitions", times, "(());." * 50)


def _many_rules() -> Iterator[Case]:
    chain = _rules(100_000, partial(next_rule, '"a" {0}'), '"z"')
    yield _case("100,000 rules, a chain", chain)
    for count, end in ((100_000, ""), (10_000, " root?"), (1_000, " root?")):
        title = f"{count:,} rules side by side{', recursive' if end else ''}"
        root = " | ".join(f"r{i}" for i in range(count))
        rule = f'"x{{}}"{end}'.format
        yield _case(title, _rules(count, rule, root=root), "x1x22x333" if count == 1_000 else "")
    yield _case(
        "10,000 rules, left recursive in a circle",
        _rules(10_000, lambda i: f'r{(i + 1) % 10_000} "a" | "b{i}"'),
    )

    def left_recursive(i: int, count: int) -> str:
        calls = [f'r{j} "{letter(i * j % 26)}"' for j in range(count)]
        return " | ".join([*calls, f'"x{i}"'])

    for count in (12, 30):
        source = _rules(count, partial(left_recursive, count=count))
        yield _case(f"{count} rules, all left recursive", source, "x0aaa")

    def recursive_on_both_sides(i: int) -> str:
        calls = [f'r{j} "{letter(i * j % 26)}" r{(i + j) % 11}' for j in range(11)]
        return " | ".join([*calls, f'"x{i}"'])

    source = _rules(11, recursive_on_both_sides)
    yield _case("11 rules, all recursive on both sides", source, "x0ax1")
    for title, count, body, text in (
        ("doubling", 30, "{0} {0}", ""),
        ("doubling or not", 30, '{0} {0} | {0} "b"', "ab"),
        ("doubling optional parts", 40, "{0}? {0}?", "aaaa"),
    ):
        source = _rules(count, partial(next_rule, body), '"a"')
        yield _case(f"{title}, {count} times", source, text)


def _large() -> Iterator[Case]:
    for depth in (300, 100_000):
        yield _case(f"brackets {depth:,} deep", nested_in("(", '"a"', ")", depth, "root ::= "))
    for size in (1, 10):
        yield _case(f"a literal of {size} MiB", repeated("a", size << 20, 'root ::= "', '"'))
    words = joined(" | ", 800_000, lambda i: f'"w{i}"', "root ::= ")
    yield _case("800,000 alternatives", words)
    characters = joined("", 3_000_000, lambda i: chr(0x4E00 + i % 20_000), "root ::= [", "]")
    yield _case("a class of 3,000,000 characters", characters)
    for size in (10, 17):
        yield _case(f"a comment of {size} MiB", repeated("x", size << 20, 'root ::= "a" #'))


def odd_gbnf() -> Iterator[Case]:
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


def lark() -> Iterator[Case]:
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
