"""Conversations as tokens, beside `apply_chat_template`: equal, and forged by nobody.

    python benches/render_tokens.py --conversations 10000

Of each tokenizer of `chat_tokenizers.py`, so many random conversations are rendered twice: without
markers in their texts, where the tokens have to be those of `apply_chat_template`; and with markers
in every field, where the special tokens have to be those of the same conversation with a harmless
word in the place of each marker. A conversation that the template refuses is tried without tools.
In every tenth one, transformers is given the markers, too: "forged by them" counts these.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

from tqdm import tqdm

from chat_tokenizers import TOKENIZERS, conversation
from schemask.chat import render_tokens
from schemask.chat.templates.encoders import encoder_of


def markers_of(tokenizer: Any) -> dict[str, int]:
    """The markers of a tokenizer and their tokens."""
    return encoder_of(tokenizer, str(tokenizer.chat_template)).ids


def theirs(tokenizer: Any, messages: Any, tools: Any, prompt: bool) -> list[int] | None:
    """What transformers makes of a conversation, or None if the template refuses it."""
    try:
        ids: list[int] = tokenizer.apply_chat_template(
            messages, tools=tools, add_generation_prompt=prompt, return_dict=False
        )
    except Exception:  # whatever the template does
        return None
    return ids


def special_in(ids: list[int], markers: dict[str, int]) -> list[int]:
    special = set(markers.values())
    return [token_id for token_id in ids if token_id in special]


def compare(tokenizer: Any, markers: dict[str, int], seed: int, counts: Counter[str]) -> None:
    """Renders the conversations of a seed, and counts what comes out."""
    prompt = seed % 2 == 0
    messages, tools = conversation(seed, ())
    started = time.perf_counter()
    wanted = theirs(tokenizer, messages, tools, prompt)
    if wanted is None:
        messages, tools = conversation(seed, (), calls=False)
        started = time.perf_counter()
        wanted = theirs(tokenizer, messages, tools, prompt)
    if wanted is None:
        counts["refused"] += 1
        return
    counts["their time"] += time.perf_counter_ns() - int(started * 1e9)
    started = time.perf_counter()
    ours = render_tokens(messages, tokenizer, tools, add_generation_prompt=prompt)
    counts["our time"] += time.perf_counter_ns() - int(started * 1e9)
    counts["conversations"] += 1
    counts["equal"] += ours == wanted

    marks = sorted(markers)[:40]
    for calls in (True, False):
        hostile = conversation(seed, marks, calls)
        harmless = conversation(seed, ["harmless"] * len(marks), calls)
        if (wanted := theirs(tokenizer, *harmless, prompt)) is not None:
            break
    else:
        counts["hostile refused"] += 1
        return
    started = time.perf_counter()
    ids = render_tokens(hostile[0], tokenizer, hostile[1], add_generation_prompt=prompt)
    counts["hostile time"] += time.perf_counter_ns() - int(started * 1e9)
    counts["hostile"] += 1
    counts["not forged"] += special_in(ids, markers) == special_in(wanted, markers)
    if seed % 10 == 0:
        plain = theirs(tokenizer, *hostile, prompt)
        counts["forged by them"] += special_in(plain or [], markers) != special_in(ids, markers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", default=list(TOKENIZERS), choices=list(TOKENIZERS))
    arguments = parser.parse_args()
    print(
        "tokenizer | markers | equal | not forged | forged by them | refused | "
        "ms theirs, ours, hostile"
    )
    for name in arguments.only:
        tokenizer = TOKENIZERS[name]()
        markers = markers_of(tokenizer)
        counts: Counter[str] = Counter()
        for seed in tqdm(range(arguments.conversations), desc=name, mininterval=5):
            compare(tokenizer, markers, seed, counts)
        done, hostile = max(counts["conversations"], 1), max(counts["hostile"], 1)
        times = [
            counts[f"{whose} time"] / count / 1e6
            for whose, count in (("their", done), ("our", done), ("hostile", hostile))
        ]
        print(
            f"{name} | {len(markers)} | {counts['equal']} of {counts['conversations']} | "
            f"{counts['not forged']} of {counts['hostile']} | {counts['forged by them']} | "
            f"{counts['refused']} + {counts['hostile refused']} | "
            + ", ".join(f"{spent:.2f}" for spent in times),
            flush=True,
        )


if __name__ == "__main__":
    main()
