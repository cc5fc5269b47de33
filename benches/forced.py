"""How much of a text need not be asked of a model, in both spellings.

    python benches/forced.py --schemas 600

The texts are the valid instances of MaskBench, as `json.dumps` writes them, alone and as arguments
of a call of a tool, `tool_choice="required"`. Where the matcher has forced tokens, they are taken;
else the model would be asked for the next token of the text. Whitespace is `"spaced"`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator

from tqdm import tqdm

import schemask
from corpus import Entry, Llama3, llama3, maskbench
from maskbench import vocabulary_of
from schemask.chat import HERMES

SPELLINGS = ("plain", "any")

Texts = Iterator[tuple[str, schemask.Grammar]]


def instances(entry: Entry, spelling: schemask.core.grammar.Spelling) -> Texts:
    grammar = schemask.Grammar.from_json_schema(entry.schema, "spaced", spelling=spelling)
    for data, valid in entry.tests:
        if valid:
            yield json.dumps(data, ensure_ascii=False), grammar


def calls(entry: Entry, spelling: schemask.core.grammar.Spelling) -> Texts:
    tool = {"name": "call", "parameters": entry.schema}
    grammar = schemask.Grammar.from_tools(
        [tool], format=HERMES, tool_choice="required", parallel=False, spelling=spelling
    )
    for data, valid in entry.tests:
        if valid and isinstance(data, dict):
            function = {"name": "call", "arguments": data}
            call = {"type": "function", "function": function}
            message = {"role": "assistant", "content": "", "tool_calls": [call]}
            yield HERMES.render_assistant(message), grammar


KINDS: dict[str, Callable[[Entry, schemask.core.grammar.Spelling], Texts]] = {
    "instances": instances,
    "tool calls": calls,
}


def count(matcher: schemask.Matcher, llama: Llama3, text: bytes) -> Counter[str] | None:
    """Forced and free tokens and bytes; `None` if the text is refused."""
    ends, position = [], 0
    for token in llama.encode(text.decode()):
        position += len(llama.tokens[token])
        ends.append(position)
    found: Counter[str] = Counter()
    position = 0
    while position < len(text):
        forced = matcher.forced_tokens()
        for token in forced:
            data = llama.tokens[token]
            if not text.startswith(data, position):
                return None
            assert matcher.accept(token)
            position += len(data)
            found["forced tokens"] += 1
            found["forced bytes"] += len(data)
        if position >= len(text):
            break
        # The rest of the tokenizer's own token; forced ones may have ended inside it.
        end = next(end for end in ends if end > position)
        if not matcher.accept_bytes(text[position:end]):
            return None
        found["free tokens"] += 1
        found["free bytes"] += end - position
        position = end
    return found if matcher.is_accepting else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schemas", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    llama = llama3()
    vocabulary = vocabulary_of(llama)
    totals = {(kind, spelling): Counter[str]() for kind in KINDS for spelling in SPELLINGS}
    for entry in tqdm(list(maskbench(arguments.schemas, arguments.seed)), mininterval=5):
        for kind, texts in KINDS.items():
            try:
                both = zip(*(texts(entry, spelling) for spelling in SPELLINGS), strict=True)
                for pair in both:
                    compiled = [grammar.compile(vocabulary) for _, grammar in pair]
                    text = pair[0][0].encode()
                    counts = [count(one.matcher(), llama, text) for one in compiled]
                    # Other orders of keys are refused in both.
                    if None in counts:
                        continue
                    for spelling, found in zip(SPELLINGS, counts, strict=True):
                        totals[kind, spelling].update(found or {}, texts=1)
            except schemask.Error:
                continue
    print(f"{'texts':<12}{'spelling':<10}{'number':>8}{'forced tokens':>16}{'forced bytes':>16}")
    for (kind, spelling), total in totals.items():
        shares = []
        for what in ("tokens", "bytes"):
            forced, free = total[f"forced {what}"], total[f"free {what}"]
            shares.append(f"{forced} {forced / max(forced + free, 1):.1%}")
        print(f"{kind:<12}{spelling:<10}{total['texts']:>8}{shares[0]:>16}{shares[1]:>16}")


if __name__ == "__main__":
    main()
