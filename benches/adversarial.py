"""What schemas that are meant to be slow cost: to compile, for the slowest token, and in memory.

    python benches/adversarial.py --csv adversarial.csv
    python benches/adversarial.py --only 'pattern*' --engines 'schemask warm' llguidance

Each case has a process of its own, on a vocabulary that has read one small text before. A case that
takes too long is a row that says so. Times are those of the processor, so that what else the
machine does is not taken for a slow token.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import json
import resource
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import record
import report
from adversarial_cases import Case, cases
from corpus import Tokenizer, llama3
from engines import SETUPS
from measuring import MEMORY_LIMIT, Measurer, timed
from memory import peak_bytes, reset_peak
from workers import Tell, run

COLUMNS = (
    *("case", "engine", "status", "compile ms", "tokens", "mean ms", "p99 ms", "max ms"),
    *("peak MiB", "slowest"),
)
TEXT_LIMITS = 3  # a whole text may take so many times what one call may


class Trial:
    """Reads cases with one engine; to be called in a process that can be ended."""

    def __init__(self, name: str, tokenizer: Tokenizer, limit: float) -> None:
        self.name = name
        self._tokenizer = tokenizer
        self._measurer = Measurer(name, tokenizer, "cpu", keeps=False)
        self._measurer.heat()
        self._limit = limit

    def row(self, case: Case) -> list[str]:
        """The row of a case, which runs in a process of its own."""
        [outcome] = run(self._examine, [case], 1, self._limit)
        if outcome.result is not None:
            return [case.name, self.name, *outcome.result]
        failure = outcome.failure.strip().splitlines()[-1]
        known = outcome.last or ["compile", *[""] * (len(COLUMNS) - 3)]
        return [case.name, self.name, f"{known[0]}: {failure}", *known[1:]]

    def _examine(self, case: Case, tell: Tell) -> list[str]:
        """All columns but the first two; `tell` gets the same, as far as they are known."""
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        engine, clock = self._measurer.engine, self._measurer.clock
        compile: Any = partial(engine.compile, json.dumps(case.schema))
        if case.tools:
            if not hasattr(engine, "compile_tools"):
                return ["has no tools", *[""] * (len(COLUMNS) - 3)]
            compile = partial(engine.compile_tools, case.tools, case.format)
        tokens = self._tokenizer.encode(case.text)
        gc.disable()
        self._measurer.heat()
        before = reset_peak()
        begin = clock()
        try:
            compiled = compile()
        except Exception as error:  # each library has its own
            message = f"refused: {type(error).__name__}: {str(error).splitlines()[0]}"
            return [message[:120], *[""] * (len(COLUMNS) - 3)]
        compile_ms = (clock() - begin) / 1e6

        def columns(status: str) -> list[str]:
            if not steps:
                return [status, f"{compile_ms:.2f}", "0", *[""] * (len(COLUMNS) - 5)]
            times = np.array(steps) / 1e6
            slowest = int(times.argmax())
            text, token = (
                b"".join(self._tokenizer.tokens[i] for i in part).decode(errors="replace")
                for part in (tokens[:slowest], tokens[slowest : slowest + 1])
            )
            return [
                *(status, f"{compile_ms:.2f}", str(len(steps))),
                *(f"{x:.3f}" for x in (times.mean(), np.percentile(times, 99), times.max())),
                f"{(peak_bytes() - before) / (1 << 20):.1f}",
                f"token {slowest}: {text[-40:]}❬{token}❭",
            ]

        steps: list[int] = []
        fill, accept = engine.start(compiled)
        begun = told = time.monotonic()
        tell(columns("first token"))
        for token in tokens:
            step, taken = timed(fill, accept, [token], clock)
            steps += step
            if not taken:
                return columns(f"refuses token {len(steps)} of {len(tokens)}")
            now = time.monotonic()
            if now - begun > TEXT_LIMITS * self._limit:
                return columns(f"stopped after {len(steps)} of {len(tokens)} tokens")
            if now - told > 0.5:
                tell(columns(f"token {len(steps) + 1} of {len(tokens)}"))
                told = now
        return columns("ok" if self._measurer.may_end(fill) else "may not end")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", help="cases whose names match, such as 'format*'")
    parser.add_argument(
        "--engines", nargs="+", choices=SETUPS, default=["schemask warm"], metavar="ENGINE"
    )
    parser.add_argument(
        "--limit", type=float, default=20, help="seconds for compiling, and for one token"
    )
    parser.add_argument("--csv", type=Path, help="write the figures to this file")
    parser.add_argument("--report", type=Path, help="only print the table of such a file")
    arguments = parser.parse_args()
    if arguments.report:
        print(report.tables(record.read(arguments.report)))
        return

    chosen = [case for case in cases() if fnmatch.fnmatchcase(case.name, arguments.only)]
    tokenizer = llama3()
    rows: list[list[str]] = []
    with tqdm(total=len(chosen) * len(arguments.engines), unit="case") as bar:
        for name in arguments.engines:
            trial = Trial(name, tokenizer, arguments.limit)
            for case in chosen:
                bar.set_postfix_str(case.name)
                rows.append(trial.row(case))
                bar.update()
    order = {case.name: i for i, case in enumerate(chosen)}
    rows.sort(key=lambda row: order[row[0]])
    notes = record.circumstances(
        f"{len(chosen)} cases; vocabulary llama3; one thread; at most {arguments.limit:g} s to "
        "compile and per token",
        " ".join(["python benches/adversarial.py", *sys.argv[1:]]),
        record.ENGINES,
    )
    done = record.Record(notes, list(COLUMNS), [dict(zip(COLUMNS, r, strict=True)) for r in rows])
    print(report.tables(done))
    for row in done.rows:
        if row["max ms"] and float(row["max ms"]) > report.TARGETS["max ms"]:
            print(f"{row['case']} ({row['engine']}): slowest {row['slowest']!r}")
    if arguments.csv:
        record.write(arguments.csv, notes, COLUMNS, rows)


if __name__ == "__main__":
    main()
