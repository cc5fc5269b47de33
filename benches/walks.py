"""Random texts of real schemas: walks through the masks, judged by two validators.

    python benches/walks.py                 # walks of up to 200 tokens, then the shortest ending
    python benches/walks.py --max-tokens    # within 1 to 4 times the tokens of a shortest text
    python benches/walks.py --shuffle       # valid instances with their keys shuffled

The schemas are those of MaskBench, the vocabulary is that of Llama 3. A schema is judged by the
draft that its `$schema` declares. Without one, it is judged by 2020-12, once the spellings of older
drafts in it are said in words of that draft (see `judges.translated`).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import schemask
from corpus import Entry, Llama3, llama3, maskbench
from judges import Judges, NotJudged, Verdicts, translated
from maskbench import vocabulary_of
from plain import unplain
from schemask.core.byte_vocabulary import byte_vocabulary
from workers import Outcome, Tell, run

STEPS = 200
# Keywords about which validators are known to differ: floats, Python's `re`, laxer formats.
WEAK = ("format", "pattern", "patternProperties", "multipleOf")


@dataclass
class Report:
    """What was seen of one schema, or of many.

    Attributes:
        counts: Of texts by verdict, and of what must not happen.
        details: (what, schema, more) for all that is not a valid text.
        seconds: What took long, by schema.
    """

    counts: Counter[str] = field(default_factory=Counter)
    details: list[tuple[str, str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def note(self, what: str, id: str, more: str) -> None:
        self.counts[what] += 1
        self.details.append((what, id, more))

    def add(self, other: Report) -> None:
        self.counts += other.counts
        self.details += other.details
        self.seconds.update(other.seconds)


class Chooser:
    """Chooses among allowed tokens.

    Uniformly, nearly every text is one long string: most tokens are words. So half of the walks
    prefer tokens of JSON's own characters, and then short ones.
    """

    def __init__(self, llama: Llama3) -> None:
        syntax = re.compile(rb'[\[\]{}",: \n0-9.truefalsn-]+')
        self._syntax = np.array([bool(syntax.fullmatch(token)) for token in llama.tokens])
        self._syntax[llama.stop_token_ids] = True
        self._short = np.array([len(token) <= 2 for token in llama.tokens])

    def choose(self, allowed: np.ndarray, random: random.Random, biased: bool) -> int:
        preferred = allowed
        if biased and random.random() < 0.8:
            preferred = allowed & (self._syntax if random.random() < 0.75 else self._short)
        [options] = np.nonzero(preferred if preferred.any() else allowed)
        return int(options[random.randrange(len(options))])


class Walker:
    """Makes the texts of one schema after the other."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.entries = list(maskbench(arguments.schemas, arguments.seed))
        self.llama = llama3()
        self.vocabulary = vocabulary_of(self.llama)
        self.chooser = Chooser(self.llama)
        self.bitmask = np.zeros((self.vocabulary.size + 31) // 32, dtype=np.int32)

    def walks(self, number: int, tell: Tell) -> Report:
        """The walks of one schema."""
        entry, report = self.entries[number], Report()
        compiled = self._compiled(entry, report, tell, self.vocabulary)
        if compiled is None:
            return report
        judges = Judges(translated(entry.schema))
        for i in range(self.arguments.walks):
            choose = random.Random(f"{self.arguments.seed} {entry.id} {i}")
            matcher, biased = compiled.matcher(), i % 2 == 1
            text = self._text(entry, report, tell, matcher, STEPS, choose, biased)
            self._judge(entry, report, judges, text)
        return report

    def budgets(self, number: int, tell: Tell) -> Report:
        """Walks of one schema with budgets of 1 to 4 times its shortest text."""
        entry, report = self.entries[number], Report()
        compiled = self._compiled(entry, report, tell, self.vocabulary)
        if compiled is None:
            return report
        judges = Judges(translated(entry.schema))
        shortest = len(self.vocabulary.tokenize(compiled.matcher().completion()))
        for times in range(1, 5):
            choose = random.Random(f"{self.arguments.seed} {entry.id} {times}")
            budget = times * shortest
            try:
                matcher = compiled.matcher(max_tokens=budget)
            except schemask.Error as error:
                report.note("a budget refused", entry.id, f"{budget} tokens: {error}")
                continue
            text = self._text(entry, report, tell, matcher, budget, choose, times % 2 == 1)
            if matcher.token_count > budget + matcher.is_terminated:
                report.note("a budget exceeded", entry.id, f"{matcher.token_count} of {budget}")
            if not matcher.is_terminated and not matcher.is_accepting:
                report.note("not finished within the budget", entry.id, repr(text))
            self._judge(entry, report, judges, text)
        return report

    def shuffles(self, number: int, tell: Tell) -> Report:
        """The valid instances of one schema, their keys shuffled."""
        entry, report = self.entries[number], Report()
        compiled = self._compiled(entry, report, tell, byte_vocabulary())
        if compiled is None:
            return report
        choose = random.Random(f"{self.arguments.seed} {entry.id}")
        for data in (data for data, valid in entry.tests if valid):
            report.counts["texts"] += 1
            text = json.dumps(shuffled(data, choose), ensure_ascii=False)
            tell((entry.id, text[:500]))
            matcher = compiled.matcher()
            if matcher.accept_bytes(text.encode()) and matcher.is_accepting:
                report.counts["accepted"] += 1
                continue
            judged = Judges(translated(entry.schema)).verdicts(text)
            report.note(f"refused ({said(judged)})", entry.id, text)
        return report

    def _compiled(
        self, entry: Entry, report: Report, tell: Tell, vocabulary: schemask.Vocabulary
    ) -> schemask.CompiledGrammar | None:
        report.counts["schemas"] += 1
        tell((entry.id, "compile"))
        order = "any" if self.arguments.shuffle else self.arguments.property_order
        try:
            grammar = schemask.Grammar.from_json_schema(entry.schema, property_order=order)
            return grammar.compile(vocabulary)
        except schemask.Error as error:
            report.note(f"schemas not compiled: {type(error).__name__}", entry.id, str(error))
            return None

    def _text(
        self,
        entry: Entry,
        report: Report,
        tell: Tell,
        matcher: schemask.Matcher,
        steps: int,
        choose: random.Random,
        biased: bool,
    ) -> bytes:
        text = b""
        for step in range(steps):
            if step % 20 == 0:
                tell((entry.id, f"token {step} of {steps}, after {text[-200:]!r}"))
            matcher.fill_mask(self.bitmask)
            bits = np.unpackbits(self.bitmask.view(np.uint8), bitorder="little")
            allowed = bits[: self.vocabulary.size].astype(bool)
            if not allowed.any():
                report.note("dead ends", entry.id, repr(text))
                break
            token = self.chooser.choose(allowed, choose, biased)
            if not matcher.accept(token):
                report.note("allowed, but not accepted", entry.id, repr((text, token)))
                break
            if matcher.is_terminated:
                return text
            text += self.vocabulary.token(token)
        ending = matcher.completion()
        # A matcher that has spent its budget takes no bytes, not even none.
        taken = not ending or matcher.accept_bytes(ending)
        if not (taken and matcher.is_accepting):
            report.note("completions not accepted", entry.id, repr((text, ending)))
        return text + ending

    def _judge(self, entry: Entry, report: Report, judges: Judges, data: bytes) -> None:
        report.counts["texts"] += 1
        try:
            text = data.decode()
            verdicts = judges.verdicts(text)
        except NotJudged as error:
            report.note("not judged: number", entry.id, str(error))
            return
        except ValueError as error:
            report.note("no JSON", entry.id, f"{error}: {data!r}")
            return
        for literal in unplain(text):
            report.note("not plain", entry.id, literal)
        if verdicts.agreed is True:
            report.counts["valid"] += 1
            return
        more = f"{text} {verdicts.errors or ''}"
        if verdicts.first is None and verdicts.second is None:
            report.note("not judged: neither judge reads the schema", entry.id, more)
            return
        if True in (verdicts.first, verdicts.second) and None in (verdicts.first, verdicts.second):
            report.counts["valid, says the only judge that reads the schema"] += 1
            return
        path = judges.failing_keywords(text)
        weak = next((keyword for keyword in reversed(path) if keyword in WEAK), "")
        kind = "the judges differ" if verdicts.agreed is None else "INVALID"
        if Judges(translated(entry.schema), formats=False).verdict(text):
            weak = "format"
        report.note(
            f"{kind} ({said(verdicts)}){f', about {weak}' if weak else ''}",
            entry.id,
            f"{'/'.join(path)}: {more}",
        )


def said(verdicts: Verdicts) -> str:
    words = {True: "valid", False: "invalid", None: "silent"}
    return f"jsonschema-rs {words[verdicts.first]}, jsonschema {words[verdicts.second]}"


def shuffled(value: Any, choose: random.Random) -> Any:
    """The value with the keys of every object in it in another order."""
    if isinstance(value, list):
        return [shuffled(item, choose) for item in value]
    if isinstance(value, dict):
        keys = list(value)
        choose.shuffle(keys)
        return {key: shuffled(value[key], choose) for key in keys}
    return value


def timed(function: Callable[[int, Tell], Report], slow: float) -> Callable[[int, Tell], Report]:
    """The function, which also reports how long it took if that was long."""

    def call(number: int, tell: Tell) -> Report:
        begun = time.monotonic()
        report = function(number, tell)
        if time.monotonic() - begun > slow:
            report.seconds[str(number)] = time.monotonic() - begun
        return report

    return call


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schemas", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of the walks")
    parser.add_argument("--walks", type=int, default=5, help="for each schema")
    parser.add_argument("--max-tokens", action="store_true", help="walk within budgets instead")
    parser.add_argument("--shuffle", action="store_true", help="shuffle valid instances instead")
    parser.add_argument("--property-order", choices=("schema", "any"), default="schema")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=float, default=60, help="seconds for one step of anything")
    parser.add_argument("--slow", type=float, default=10, help="seconds that are worth a line")
    parser.add_argument("--show", type=int, default=20, help="how many of each finding to print")
    arguments = parser.parse_args()

    walker = Walker(arguments)
    function = walker.walks
    if arguments.shuffle:
        function = walker.shuffles
    elif arguments.max_tokens:
        function = walker.budgets
    tasks = range(len(walker.entries))
    total = Report()
    outcomes = run(timed(function, arguments.slow), tasks, arguments.processes, arguments.limit)
    for done, outcome in enumerate(outcomes, 1):
        total.add(_report(outcome, walker.entries))
        if done % 100 == 0:
            print(f"{done} of {len(tasks)} schemas", file=sys.stderr, flush=True)
    for name, number in sorted(total.counts.items()):
        print(f"{name:<76}{number:>7}")
    for number_of, seconds in sorted(total.seconds.items(), key=lambda item: -item[1]):
        print(f"slow: {walker.entries[int(number_of)].id} {seconds:.1f} s")
    shown: Counter[str] = Counter()
    for what, id, more in sorted(total.details):
        shown[what] += 1
        if shown[what] <= arguments.show:
            print(f"{what} | {id} | {more[:600]}")


def _report(outcome: Outcome, entries: list[Entry]) -> Report:
    if not outcome.failure:
        report: Report = outcome.result
        return report
    report = Report()
    where = f"{outcome.last}: {outcome.failure}"
    report.note("EXCEPTIONS AND HANGS", entries[outcome.task].id, where)
    return report


if __name__ == "__main__":
    main()
