"""Writes seeds into fuzz/corpus: the schemas and patterns of tests/cases, and grammars.

    python fuzz/seed.py

The targets that draw whole schemas (`instance`, `walk`) begin with random bytes.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
# What `input::Text` reads before the text: a budget, then picks.
WALK_BYTES = 16
RANDOM_SEEDS = 300

GBNF = [
    'root ::= "a" | "b" root',
    'root ::= root "+" root | [0-9]+',
    "root ::= [^\\x00-\\x1F\\\\\"]{2,4} '\\u00e9'?",
    'root ::= x{0,3} y*\nx ::= "(" x* ")" # a comment\ny ::= "\\n" | .',
    'root ::= <[1]> (("a" | "") "ab"+)? ![<special>]',
]
LARK = [
    'start: "a" | "b" start',
    'start: (WORD | NUMBER)+\n%import common (WORD, NUMBER)\n%ignore " "',
    'start: /a[bc]+/ | x ~ 2..3\nx: "("i x? ")"',
    "start: A\nA: /.*a.*/ & ~/b+/",
    'start: "x" %json {"type": "object", "properties": {"a": {"type": "integer"}}}',
    "start: <special> [r]\nr: start | /é/",
]
PATTERNS = [
    r"^(?=.*\d)(?=.*[a-z])(?!.*foo).{4,8}$",
    r"(?<!a)b(?<=cb)\b",
    r"[\p{L}--[a-z]]+",
    r"\p{Script=Greek}\P{Lu}\w\S\cA\u{1F600}",
    r"(?<name>a|b){2,}?[^\s\S]?",
    r"((a{0,9}b){0,9}c){0,9}",
]


def parts(value: Any) -> Iterator[Any]:
    """A JSON value and all values in it."""
    yield value
    for part in value.values() if isinstance(value, dict) else value if type(value) is list else ():
        yield from parts(part)


def schemas() -> Iterator[Any]:
    for path in sorted((ROOT / "tests" / "cases").glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8")):
            yield case["schema"]


def patterns() -> Iterator[str]:
    yield from PATTERNS
    for part in parts(list(schemas())):
        if isinstance(part, dict):
            pattern, keyed = part.get("pattern"), part.get("patternProperties")
            yield from [pattern] if isinstance(pattern, str) else []
            yield from keyed if isinstance(keyed, dict) else []


def write(target: str, seeds: list[bytes]) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    print(f"{len(seeds):>5} seeds for {target}")


def main() -> None:
    choose = random.Random(0)

    def walked(texts: list[str]) -> list[bytes]:
        """Each text with a walk of its own, every other one with a budget."""
        seeds = []
        for number, text in enumerate(dict.fromkeys(texts)):
            budget = choose.randrange(1, 60) if number % 2 else 0
            picks = choose.randbytes(WALK_BYTES - 1)
            seeds.append(bytes([budget]) + picks + text.encode("utf-8", "surrogatepass"))
        return seeds

    written = [json.dumps(schema, ensure_ascii=False) for schema in schemas()]
    grammars = [path.read_text() for path in sorted((ROOT / "examples/grammars").glob("*.gbnf"))]
    write("schema_text", walked(written))
    write("pattern", walked(list(patterns())))
    write("gbnf", walked(GBNF + grammars))
    write("lark", walked(LARK))
    for target in ("instance", "walk"):
        write(target, [choose.randbytes(choose.randrange(16, 600)) for _ in range(RANDOM_SEEDS)])


if __name__ == "__main__":
    main()
