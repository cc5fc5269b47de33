"""Context-free grammars beside other engines: token and compile time on the same texts, in one run.

    python benches/grammars.py [--grammars c json] [--repeats 5]

Each grammar of `examples/grammars` is read by each engine, and its text goes through token by
token, with the mask before each. Times are in microseconds, from Python: a mask and the token that
is accepted after it; and from the grammar's text to the first matcher.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from corpus import llama3
from engines import Engine, LLGuidance, Schemask, XGrammar
from measuring import read

GRAMMARS = Path(__file__).resolve().parents[1] / "examples" / "grammars"


@dataclass
class Times:
    compile: list[float]
    first: list[float]
    again: list[float]


def schemask_of(*arguments: Any) -> Engine:
    import schemask

    engine = Schemask(*arguments)
    engine.read = schemask.Grammar.from_gbnf
    return engine


def llguidance_of(*arguments: Any) -> Engine:
    from llguidance.gbnf_to_lark import any_to_lark

    engine = LLGuidance(*arguments)
    engine.read = any_to_lark
    return engine


def xgrammar_of(*arguments: Any) -> Engine:
    engine = XGrammar(*arguments)
    engine.read = engine.compiler.compile_grammar
    return engine


ENGINES: dict[str, Callable[..., Engine]] = {
    "schemask": schemask_of,
    "llguidance": llguidance_of,
    "xgrammar": xgrammar_of,
}


def measure(engine: Engine, text: str, tokens: list[int], repeats: int) -> Times:
    """Compiles anew each time; the tokens' second time is on the same compiled grammar."""
    clock = time.perf_counter
    times = Times([], [], [])
    for _ in range(repeats):
        engine.forget()
        start = clock()
        compiled = engine.compile(text)
        times.compile.append(clock() - start)
        for into in (times.first, times.again):
            into += read(engine, compiled, tokens)
    return times


def row(values: list[float]) -> str:
    micro = np.array(values) * 1e6
    p50, p99 = np.percentile(micro, [50, 99])
    return f"{micro.mean():9.1f} {p50:9.1f} {p99:9.1f} {micro.max():10.1f}"


def main() -> None:
    names = sorted(path.stem for path in GRAMMARS.glob("*.gbnf"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grammars", nargs="+", choices=names, default=names)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    tokenizer = llama3()
    bitmask = np.zeros((len(tokenizer.tokens) + 31) // 32, dtype=np.int32)
    engines = {name: partial(ENGINES[name], tokenizer, bitmask)() for name in options.engines}
    print(f"{'':28}{'mean':>9} {'p50':>9} {'p99':>9} {'max':>10}")
    for grammar in options.grammars:
        source = (GRAMMARS / f"{grammar}.gbnf").read_text(encoding="utf-8")
        text = (GRAMMARS / "texts" / f"{grammar}.txt").read_text(encoding="utf-8")
        tokens = tokenizer.encode(text)
        for name, engine in engines.items():
            try:
                times = measure(engine, source, tokens, options.repeats)
            except (RuntimeError, ValueError) as error:
                print(f"{grammar:10} {name:10} {error}")
                continue
            for what in ("compile", "first", "again"):
                print(f"{grammar:10} {name:10} {what:7}{row(getattr(times, what))}", flush=True)


if __name__ == "__main__":
    main()
