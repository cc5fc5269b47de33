"""How many tests of the official JSON Schema Test Suite pass, and which do not.

    python benches/suite.py

A test passes if its instance, written by `json.dumps`, is accepted byte by byte and may end there
exactly if it is valid. Keys may come in any order.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_specifications

import schemask
from corpus import data_folder
from maskbench import plainly
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Spelling

DRAFTS = {
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
METASCHEMAS = tuple(jsonschema_specifications.REGISTRY)
EXCEPTIONS = Path(__file__).resolve().parents[1] / "tests" / "suite_exceptions.json"


@dataclass(frozen=True)
class Literal:
    """A number as it is written, so that it can be written again, digit by digit."""

    text: str


@dataclass(frozen=True)
class Group:
    """A schema with tests.

    Attributes:
        file: Such as `draft7/optional/format/date`.
        tests: Description, JSON text of the instance, and whether it is valid.
    """

    id: str
    file: str
    draft: str
    schema: Any
    tests: list[tuple[str, str, bool]]


@dataclass(frozen=True)
class Result:
    """What became of one test; `problem` is empty if it passed."""

    id: str
    file: str
    test: str
    problem: str


@dataclass(frozen=True)
class KnownFailure:
    """A test that fails for a reason; `id` and `test` may hold `*`.

    Every entry must match a failing test in each file that it matches at all, so that none outlives
    its reason.
    """

    id: str
    test: str
    reason: str

    def matches(self, result: Result) -> bool:
        return self.names(result.id, result.test)

    def names(self, id: str, test: str) -> bool:
        return _is_like(self.id, id) and _is_like(self.test, test)


def _is_like(pattern: str, text: str) -> bool:
    # Of the signs that fnmatch knows, only the star is one here.
    escaped = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(text, escaped)


def suite_file(draft: str) -> Path:
    return data_folder() / f"json-schema-test-suite-{draft}.jsonl.gz"


def remotes_file() -> Path:
    return data_folder() / "json-schema-test-suite-remotes.jsonl.gz"


def _lines(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield read(line)


def read(text: str) -> Any:
    """The value of a JSON text, its numbers as literals."""
    return json.loads(text, parse_int=Literal, parse_float=Literal)


def written(value: Any) -> str:
    """The JSON text of a value whose numbers are literals."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        members = (f"{json.dumps(key)}: {written(member)}" for key, member in value.items())
        return "{" + ", ".join(members) + "}"
    return json.dumps(value)


def groups(draft: str) -> list[Group]:
    """The groups of a draft, in the order of the suite."""
    return [
        Group(
            id=line["id"],
            file=line["id"].rpartition("#")[0],
            draft=draft,
            schema=_declaring(line["schema"], draft),
            tests=[(t["description"], written(t["data"]), t["valid"]) for t in line["tests"]],
        )
        for line in _lines(suite_file(draft))
    ]


def _declaring(schema: Any, draft: str) -> Any:
    """The schema with the draft declared, if it declares none itself."""
    if isinstance(schema, dict) and "$schema" not in schema:
        return {"$schema": DRAFTS[draft], **schema}
    return schema


def remotes(draft: str) -> dict[str, Any]:
    """The documents that groups refer to, by URI, as values.

    A document that declares no draft is read in that of the group that refers to it. The
    metaschemas, which some groups refer to, are among them.
    """
    documents = {uri: jsonschema_specifications.REGISTRY.contents(uri) for uri in METASCHEMAS}
    for line in _lines(remotes_file()):
        documents[line["uri"]] = json.loads(written(_declaring(line["schema"], draft)))
    return documents


def run(chosen: Iterable[Group], spelling: Spelling = "any") -> Iterator[Result]:
    """Tries every test of the groups.

    In plain spelling, values are written by `json.dumps`, and whole floats as integers, too: one of
    these must be taken if the value is valid, and none if it is not.
    """
    documents = {draft: remotes(draft) for draft in DRAFTS}
    for group in chosen:
        compiled: schemask.CompiledGrammar | None = None
        problem = ""
        try:
            compiled = schemask.Grammar.from_json_schema(
                written(group.schema),
                property_order="any",
                spelling=spelling,
                resources=documents[group.draft],
            ).compile(byte_vocabulary())
        except schemask.Error as error:
            if not nothing_satisfies(error):
                problem = f"{type(error).__name__}: {error}"
        for description, text, valid in group.tests:
            told = problem
            texts = [text] if spelling == "any" else plainly(json.loads(text))
            if not problem and any(is_accepted(compiled, text) for text in texts) != valid:
                told = f"{'refused' if valid else 'accepted'}: {text[:200]}"
            yield Result(group.id, group.file, description, told)


def nothing_satisfies(error: schemask.Error) -> bool:
    """Whether the error says that no value is an instance: then refusing all texts is right."""
    return type(error) is schemask.SchemaError and "nothing satisfies" in str(error)


def is_accepted(compiled: schemask.CompiledGrammar | None, text: str) -> bool:
    if compiled is None:
        return False
    matcher = compiled.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


def known_failures() -> list[KnownFailure]:
    return [KnownFailure(**entry) for entry in json.loads(EXCEPTIONS.read_text(encoding="utf-8"))]


def part(file: str) -> str:
    """The part of the suite that a file belongs to."""
    if "/optional/format/" in file:
        return "optional format"
    if file.endswith("/optional/ecmascript-regex"):
        return "optional ecmascript-regex"
    return "other optional" if "/optional/" in file else "required"


def _table(results: list[Result], key: Any) -> None:
    for name in dict.fromkeys(key(result) for result in results):
        those = [result for result in results if key(result) == name]
        passed = sum(not result.problem for result in those)
        print(f"  {name:<52}{passed:>6} of {len(those):>5}{'' if passed == len(those) else ' *'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draft", choices=tuple(DRAFTS), help="both if not given")
    parser.add_argument("--only", default="*", help="a pattern of ids, such as '*/not#*'")
    parser.add_argument("--known", action="store_true", help="print the listed failures as well")
    parser.add_argument("--spelling", choices=("plain", "any"), default="any")
    arguments = parser.parse_args()

    drafts = [arguments.draft] if arguments.draft else list(DRAFTS)
    chosen = [g for draft in drafts for g in groups(draft) if _is_like(arguments.only, g.id)]
    results = list(run(chosen, arguments.spelling))
    _table(results, lambda result: result.file)
    print()
    _table(results, lambda result: f"{result.file.partition('/')[0]} {part(result.file)}")
    listed = known_failures()
    known = [r for r in results if r.problem and any(e.matches(r) for e in listed)]
    new = [r for r in results if r.problem and r not in known]
    print(f"\n{len(known)} listed in {EXCEPTIONS.name}, {len(new)} not:")
    for result in [*new, *(known if arguments.known else ())]:
        print(f"  {result.id} | {result.test} | {result.problem}")


if __name__ == "__main__":
    main()
