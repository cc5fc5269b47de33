"""What expensive input costs: each case in a process of its own, with limits on time and memory.

    python benches/hostile.py                       # all cases; takes two minutes
    python benches/hostile.py 'nested: oneOf' lark  # those whose names hold one of these

Each case is compiled and completed; its text, if it has one, its completion and random walks are
read on the vocabulary of Llama 3, and each walk is completed. What is beyond a bound is marked `!`.
Where a limit ends the work, that is no fault, but what it took counts. The exit status is 1 if any
case is out of bounds.

Times are those of the processor, so that what else the machine does is not taken for work.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import record
import schemask
from corpus import Llama3, llama3
from hostile_cases import Case, cases
from judges import Judges, translated
from maskbench import vocabulary_of
from memory import peak_bytes, reset_peak
from report import HOSTILE_BOUNDS as BOUNDS
from workers import Tell, run

COLUMNS = ("case", "status", "tokens", *BOUNDS, "slowest")
MEMORY_LIMIT = 6 << 30
WALKS = 2
WALK_STEPS = 50
WALK_SECONDS = 5.0
JUDGING = "judging"
# A longer completion is not read token by token.
READ_BYTES = 20_000
WARM_UP = {"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]}
WARM_UP_TEXT = '{"a": "some text", "b": 12}'


@dataclass
class Figures:
    """What a case has cost so far.

    Attributes:
        at: What is being done.
        figures: The columns of `BOUNDS`.
        limit: The error that a limit raised, and where.
        faults: What must not happen.
        slowest: The slowest token and the text before it.
    """

    at: str = "compile"
    figures: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BOUNDS, 0.0))
    tokens: int = 0
    limit: str = ""
    faults: list[str] = field(default_factory=list)
    slowest: str = ""

    def took(self, column: str, figure: float) -> bool:
        """Whether it is the largest so far."""
        is_most = figure > self.figures[column]
        self.figures[column] = max(figure, self.figures[column])
        return is_most

    @property
    def beyond(self) -> list[str]:
        return [column for column, most in BOUNDS.items() if self.figures[column] > most]

    @property
    def status(self) -> str:
        return "; ".join(self.faults) or self.limit or "ok"


def milliseconds() -> float:
    return time.process_time_ns() / 1e6


class Examiner:
    """Examines cases, each in a process that was forked from this one."""

    def __init__(self, llama: Llama3, limit: float) -> None:
        self._vocabulary = vocabulary_of(llama)
        self._llama = llama
        self._limit = limit
        self._mask = schemask.allocate_mask(1, self._vocabulary.size)
        warm = schemask.Grammar.from_json_schema(WARM_UP).compile(self._vocabulary)
        self._read(warm.matcher(), llama.encode(WARM_UP_TEXT), Figures())

    def examined(self, case: Case) -> Figures:
        [outcome] = run(self._examine, [case.name], 1, self._limit)
        if outcome.result is not None:
            return Figures(**outcome.result)
        failure = outcome.failure.strip().splitlines()[-1]
        found = Figures(**outcome.last) if outcome.last else Figures()
        # The judges have no limits of their own.
        if found.at != JUDGING:
            found.faults.append(f"{found.at}: {failure}")
        return found

    def _examine(self, name: str, tell: Tell) -> dict[str, Any]:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        case = next(case for case in cases() if case.name == name)
        source = case.written()  # what it takes to make it is not the engine's
        case = Case(case.name, case.kind, source, case.text)
        gc.collect()
        gc.disable()
        found = Figures()
        before = reset_peak()
        tell(asdict(found))
        texts: list[bytes] = []
        try:
            texts = self._costs(case, found, tell)
        except schemask.LimitError as error:
            found.limit = f"LimitError ({found.at}): {first_line(error)}"
        except schemask.Error as error:
            kind = f"{type(error).__name__} ({found.at}): {first_line(error)}"
            if found.at == "compile":
                found.limit = kind
            else:
                found.faults.append(kind)
        except BaseException as error:  # a panic is no Exception
            found.faults.append(f"{type(error).__name__} ({found.at}): {first_line(error)}")
        found.took("peak MiB", (peak_bytes() - before) / (1 << 20))
        if case.kind == "schema" and texts:
            found.at = JUDGING
            tell(asdict(found))
            judges = Judges(translated(json.loads(source)))
            invalid = (text for text in texts if judges.verdict(text.decode()) is False)
            found.faults += [f"invalid: {text[-200:]!r}" for text in invalid]
        return asdict(found)

    def _costs(self, case: Case, found: Figures, tell: Tell) -> list[bytes]:
        """Measures everything; whole texts that were made on the way."""

        def doing(what: str) -> None:
            found.at = what
            tell(asdict(found))

        def completed(matcher: schemask.Matcher) -> bytes:
            begin = milliseconds()
            try:
                return matcher.completion()
            finally:
                found.took("completion ms", milliseconds() - begin)

        begin = milliseconds()
        try:
            compiled = case.grammar().compile(self._vocabulary)
            matcher = compiled.matcher()
        finally:
            found.took("compile ms", milliseconds() - begin)
        doing("completion")
        completion = completed(matcher)
        if case.text:
            doing("text")
            self._read(compiled.matcher(), self._llama.encode(case.text), found)
        if len(completion) <= READ_BYTES:
            doing("its completion as text")
            matcher = compiled.matcher()
            tokens = self._vocabulary.tokenize(completion)
            if self._read(matcher, tokens, found) < len(tokens):
                found.faults.append(f"refuses its completion {completion[:100]!r}")
        texts = [completion]
        for number in range(WALKS):
            doing(f"walk {number}")
            matcher = compiled.matcher()
            text = self._walk(matcher, random.Random(number), found)
            doing(f"completion of walk {number}")
            texts.append(text + completed(matcher))
        return texts

    def _step(
        self, matcher: schemask.Matcher, token: int | None, found: Figures, before: Sequence[int]
    ) -> bool:
        """Times the mask, or with a token its acceptance; the answer is the latter's."""
        begin = milliseconds()
        try:
            if token is not None:
                return matcher.accept(token)
            matcher.fill_mask(self._mask)
            return True
        finally:
            if found.took("token ms", milliseconds() - begin):
                what = "mask" if token is None else "accept"
                text = b"".join(self._llama.tokens[i] for i in before[-20:])
                found.slowest = (
                    f"{what} {len(before)}, after {text[-40:].decode(errors='replace')!r}"
                )

    def _read(self, matcher: schemask.Matcher, tokens: Sequence[int], found: Figures) -> int:
        """Reads tokens up to one that is refused, or for some seconds; how many were read."""
        begun = time.monotonic()
        for number, token in enumerate(tokens):
            if time.monotonic() - begun > WALK_SECONDS:
                break
            self._step(matcher, None, found, tokens[:number])
            allowed = bool(self._mask[0][token >> 5] >> (token & 31) & 1)
            taken = self._step(matcher, token, found, tokens[:number])
            if allowed != taken:
                found.faults.append(f"token {token}: the mask says {allowed}, accept {taken}")
            if not taken:
                return number
            found.tokens += 1
        return len(tokens)

    def _walk(self, matcher: schemask.Matcher, choose: random.Random, found: Figures) -> bytes:
        tokens: list[int] = []
        begun = time.monotonic()
        stops = set(self._vocabulary.stop_token_ids)
        while len(tokens) < WALK_STEPS and time.monotonic() - begun < WALK_SECONDS:
            self._step(matcher, None, found, tokens)
            bits = np.unpackbits(self._mask.view(np.uint8), bitorder="little")
            allowed = np.flatnonzero(bits[: self._vocabulary.size])
            if not len(allowed):
                found.faults.append("a dead end")
                break
            going_on = [int(token) for token in allowed[:20_000] if token not in stops]
            if not going_on or (len(going_on) < len(allowed) and choose.random() < 0.1):
                break
            token = choose.choice(going_on)
            if not self._step(matcher, token, found, tokens):
                found.faults.append(f"token {token} is in the mask and is not accepted")
                break
            tokens.append(token)
            found.tokens += 1
        return b"".join(self._llama.tokens[token] for token in tokens)


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:120]


def row(case: Case, found: Figures) -> list[str]:
    figures = [f"{found.figures[name]:.1f}{'!' if name in found.beyond else ''}" for name in BOUNDS]
    return [case.name, found.status, str(found.tokens), *figures, found.slowest]


def line(cells: Sequence[str]) -> str:
    name, status, *figures, slowest = cells
    shown = "".join(f"{figure:>14}" for figure in figures)
    return f"{name[:50]:<50}{shown}  {status}{f'  [{slowest}]' if '!' in figures[2] else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="parts of names of cases")
    parser.add_argument("--limit", type=float, default=20, help="seconds for each part of a case")
    parser.add_argument("--csv", type=Path, help="write the figures to this file")
    parser.add_argument("--list", action="store_true", help="only print the names of the cases")
    arguments = parser.parse_args()
    names = arguments.names or [""]
    chosen = [case for case in cases() if any(part in case.name for part in names)]
    if arguments.list:
        print("\n".join(case.name for case in chosen))
        return

    examiner = Examiner(llama3(), arguments.limit)
    rows: list[list[str]] = []
    beyond, faulty = dict.fromkeys(BOUNDS, 0), 0
    out = 0
    print(line(["case", "status", "tokens", *BOUNDS, ""]))
    for case in tqdm(chosen, unit="case", file=sys.stderr):
        found = examiner.examined(case)
        rows.append(row(case, found))
        for column in found.beyond:
            beyond[column] += 1
        faulty += bool(found.faults)
        out += bool(found.faults or found.beyond)
        with tqdm.external_write_mode(sys.stdout):
            print(line(rows[-1]), flush=True)
    parts = [f"{count} {column} above {BOUNDS[column]:g}" for column, count in beyond.items()]
    parts.append(f"{faulty} with faults")
    print(f"\n{out} of {len(chosen)} cases are out of bounds: {', '.join(parts)}")
    if arguments.csv:
        data = (
            f"{len(chosen)} cases; vocabulary llama3; at most {arguments.limit:g} s for each part"
        )
        command = " ".join(["python benches/hostile.py", *sys.argv[1:]])
        notes = record.circumstances(data, command, ("numpy", "tiktoken"))
        record.write(arguments.csv, notes, COLUMNS, rows)
    sys.exit(bool(out))


if __name__ == "__main__":
    main()
