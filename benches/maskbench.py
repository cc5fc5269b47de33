"""How many schemas of MaskBench compile and pass, and why the others do not.

    python benches/maskbench.py

A schema passes if each valid instance, written by `json.dumps(data, ensure_ascii=False)`, is
accepted token by token and the text may end there, and no invalid one is. In plain spelling, where
only whole numbers are allowed they have no fraction: an instance is tried without the `.0` of its
floats, too.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

import schemask
from corpus import Entry, Llama3, llama3, maskbench


@dataclass
class Verdict:
    """What became of one schema.

    Attributes:
        error: The error of compiling, or of a limit when texts were read, if there was one.
        refused: Texts of valid instances that the matcher did not take.
        accepted: Texts of invalid instances that it did take.
    """

    id: str
    error: schemask.Error | None = None
    refused: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.error is None and not self.refused and not self.accepted


def vocabulary_of(llama: Llama3) -> schemask.Vocabulary:
    return schemask.Vocabulary(
        llama.tokens,
        stop_token_ids=llama.stop_token_ids,
        special_token_ids=llama.special_token_ids,
    )


def judge(
    entries: Iterable[Entry],
    llama: Llama3,
    property_order: schemask.core.grammar.PropertyOrder,
    spelling: schemask.core.grammar.Spelling,
) -> Iterator[Verdict]:
    """Tries every entry; whitespace is flexible."""
    vocabulary = vocabulary_of(llama)
    bitmask = np.zeros((vocabulary.size + 31) // 32, dtype=np.int32)
    for entry in entries:
        verdict = Verdict(entry.id)
        try:
            grammar = schemask.Grammar.from_json_schema(
                entry.schema, property_order=property_order, spelling=spelling
            )
            compiled = grammar.compile(vocabulary)
            for data, valid in entry.tests:
                texts = plainly(data)
                if spelling == "any" or not valid:
                    del texts[1:]
                taken = any(accepts(compiled.matcher(), llama, text, bitmask) for text in texts)
                if taken != valid:
                    (verdict.refused if valid else verdict.accepted).append(texts[-1])
        except schemask.Error as error:
            verdict.error = error
        yield verdict


def plainly(value: Any) -> list[str]:
    """A value in plain spelling, as it is and with integers for whole floats."""
    return [json.dumps(form, ensure_ascii=False) for form in (value, with_integers(value))]


def with_integers(data: Any) -> Any:
    """The same value, with integers where it holds floats that are whole."""
    if isinstance(data, float) and data.is_integer():
        return int(data)
    if isinstance(data, list):
        return [with_integers(item) for item in data]
    if isinstance(data, dict):
        return {key: with_integers(value) for key, value in data.items()}
    return data


def accepts(matcher: schemask.Matcher, llama: Llama3, text: str, bitmask: np.ndarray) -> bool:
    """Whether the masks allow the tokens of `text`, one after the other, and then the end."""
    for token in llama.encode(text):
        matcher.fill_mask(bitmask)
        allowed = bool(bitmask[token >> 5] >> (token & 31) & 1)
        if matcher.accept(token) != allowed:
            raise AssertionError(f"mask and accept differ on token {token} in {text!r}")
        if not allowed:
            return False
    return matcher.is_accepting


def cause(error: schemask.Error) -> str:
    """The kind of error, with the keyword that its pointer names."""
    keyword = (error.pointer or "").rpartition("/")[2]
    return f"{type(error).__name__} {keyword}".strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schemas", type=int, help="a sample of so many; all if not given")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--failures", action="store_true", help="print each schema that fails")
    parser.add_argument("--property-order", choices=("schema", "any"), default="schema")
    parser.add_argument("--spelling", choices=("plain", "any"), default="plain")
    arguments = parser.parse_args()

    entries = list(maskbench(arguments.schemas, arguments.seed))
    bar = tqdm(entries, unit="schema", mininterval=5)
    verdicts = list(judge(bar, llama3(), arguments.property_order, arguments.spelling))
    compiled = [verdict for verdict in verdicts if verdict.error is None]
    print(f"schemas                     {len(verdicts):>7}")
    print(f"  compile                   {len(compiled):>7}")
    print(f"  pass                      {sum(verdict.passed for verdict in verdicts):>7}")
    print(f"  refuse a valid instance   {sum(bool(verdict.refused) for verdict in compiled):>7}")
    print(f"  accept an invalid instance{sum(bool(verdict.accepted) for verdict in compiled):>7}")
    print("do not compile because of")
    causes = Counter(cause(verdict.error) for verdict in verdicts if verdict.error)
    for name, count in causes.most_common():
        print(f"  {name:<40}{count:>7}")
    if arguments.failures:
        for verdict in verdicts:
            if verdict.error is not None:
                print(f"{verdict.id}: {verdict.error}"[:300])
            for text in verdict.refused:
                print(f"{verdict.id} refuses {text[:300]}")
            for text in verdict.accepted:
                print(f"{verdict.id} accepts {text[:300]}")


if __name__ == "__main__":
    main()
