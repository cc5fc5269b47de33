"""Pairs of random schemas and texts: what schemask accepts beside what two validators say.

    python benches/pairs.py --pairs 100000

The schemas and texts are those of `tests/strategies.py`. With the same seed come the same pairs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import schemask
from judges import Judges, NotJudged, translated
from schemask.core.byte_vocabulary import byte_vocabulary
from workers import Tell, run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from strategies import in_old_words, instances, schemas, spellings

TEXTS = 5
SCHEMAS_PER_TASK = 50


@dataclass
class Findings:
    """What was seen.

    Attributes:
        counts: Of schemas, pairs, verdicts and errors.
        wrong: (schema, text, what is wrong): schemask and both judges differ.
        disagreements: (schema, text, what each judge says): the judges differ.
        errors: (schema, error): schemask did not compile the schema.
    """

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    disagreements: list[tuple[str, str, str]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        self.counts += other.counts
        self.wrong += other.wrong
        self.disagreements += other.disagreements
        self.errors += other.errors

    def examine(self, schema: Any, texts: list[str]) -> None:
        """Compiles the schema and compares what is accepted with what the judges say."""
        self.counts["schemas"] += 1
        written = json.dumps(schema)
        compiled: schemask.CompiledGrammar | None = None
        refusal = ""
        try:
            grammar = schemask.Grammar.from_json_schema(
                schema, property_order="any", spelling="any"
            )
            compiled = grammar.compile(byte_vocabulary())
            if grammar.warnings:
                self.counts["schemas with warnings"] += 1
                self.errors.append((written, str(grammar.warnings)))
        except schemask.Error as error:
            refusal = type(error).__name__
            if type(error) is schemask.SchemaError:
                self.counts["schemas that nothing satisfies"] += 1
            else:
                self.counts[f"error {refusal}"] += 1
                self.errors.append((written, f"{refusal}: {error}"))
        judges = Judges(translated(schema))
        for text in texts:
            self.counts["pairs"] += 1
            try:
                verdicts = judges.verdicts(text)
            except NotJudged:
                self.counts["pairs not judged"] += 1
                continue
            if verdicts.agreed is None:
                self.counts["pairs on which the judges differ"] += 1
                self.disagreements.append((written, text, str(verdicts)))
            elif refusal in ("", "SchemaError"):
                self.counts["valid pairs" if verdicts.agreed else "invalid pairs"] += 1
                if is_accepted(compiled, text) != verdicts.agreed:
                    wrong = "refused" if verdicts.agreed else "accepted"
                    self.counts[f"wrongly {wrong}"] += 1
                    self.wrong.append((written, text, wrong))


def is_accepted(compiled: schemask.CompiledGrammar | None, text: str) -> bool:
    """Whether the whole text is accepted; not, if nothing satisfies the schema."""
    if compiled is None:
        return False
    matcher = compiled.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


@st.composite
def schemas_with_texts(draw: Any, least: int = 1) -> tuple[Any, list[str]]:
    """A schema, and texts of values that satisfy or nearly satisfy it."""
    schema = draw(schemas())
    values = draw(st.lists(instances(schema), min_size=least, max_size=TEXTS))
    texts = [draw(spellings(value)) for value in values]
    return (in_old_words(schema) if draw(st.integers(0, 7)) == 7 else schema), texts


def some_pairs(number: int, tell: Tell) -> Findings:
    """The pairs of one seed. Nothing is shrunk; the pairs are small."""
    findings = Findings()

    @seed(number)
    @settings(
        max_examples=SCHEMAS_PER_TASK,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(schemas_with_texts(TEXTS))
    def examine(drawn: tuple[Any, list[str]]) -> None:
        tell(json.dumps(drawn))
        begun = time.monotonic()
        findings.examine(*drawn)
        if time.monotonic() - begun > 2:
            findings.counts["schemas that took more than 2 seconds"] += 1
            findings.errors.append((json.dumps(drawn[0]), "slow"))

    examine()
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the first of many")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=float, default=30, help="seconds for one schema")
    parser.add_argument("--show", type=int, default=20, help="how many of each finding to print")
    arguments = parser.parse_args()

    count = -(-arguments.pairs // (TEXTS * SCHEMAS_PER_TASK))
    tasks = range(arguments.seed * 1_000_000, arguments.seed * 1_000_000 + count)
    total = Findings()
    for done, outcome in enumerate(run(some_pairs, tasks, arguments.processes, arguments.limit), 1):
        if outcome.failure:
            total.counts["tasks that failed"] += 1
            total.errors.append((str(outcome.last), outcome.failure))
        else:
            total.add(outcome.result)
        if done % 20 == 0:
            print(f"{done} of {count} tasks, {dict(total.counts)}", file=sys.stderr, flush=True)
    for name, number in sorted(total.counts.items()):
        print(f"{name:<44}{number:>8}")
    judged = total.counts["valid pairs"] + total.counts["invalid pairs"]
    print(f"{'valid share':<44}{total.counts['valid pairs'] / max(judged, 1):>8.1%}")
    findings: list[tuple[str, list[Any]]] = [
        ("wrong", total.wrong),
        ("the judges differ", total.disagreements),
        ("errors", total.errors),
    ]
    for title, found in findings:
        for finding in sorted(set(found), key=lambda finding: len(finding[0]))[: arguments.show]:
            print(f"{title}: {' | '.join(finding)}")
    sys.exit(bool(total.wrong) or total.counts["tasks that failed"] > 0)


if __name__ == "__main__":
    main()
