"""Other engines as oracles, each in a process of its own.

Some questions cost them minutes or gigabytes. Those have no verdict; how many there were is said at
the end of the tests, and `mostly_answered` fails if they are many.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from grammars import LETTERS
from memory import peak_bytes
from workers import Asked, Limits

ALPHABET = (*LETTERS, "d")
_LIMITS = Limits(seconds=3, bytes=1 << 30)


@functools.cache
def _llama_vocabulary(path: str) -> Any:
    """A GGUF's vocabulary in llama.cpp, without its weights."""
    from llama_cpp import Llama

    return Llama(path, vocab_only=True, verbose=False)


def _llama_grammar(path: str, grammar: str) -> Any:
    """A sampler of llama.cpp; `None` if it refuses the grammar."""
    import llama_cpp

    vocabulary = llama_cpp.llama_model_get_vocab(_llama_vocabulary(path).model)
    sampler = llama_cpp.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root")
    if not sampler and peak_bytes() > _LIMITS.bytes / 2:
        raise MemoryError  # that is how llama.cpp takes the end of its memory
    return sampler


def _allowed(sampler: Any, tokens: Any) -> Any:
    """Which of `tokens` (n,) the sampler allows next: bool (n,)."""
    import llama_cpp

    candidates = np.zeros(len(tokens), dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
    candidates["id"] = tokens
    candidates["logit"] = 1.0
    data = ctypes.cast(candidates.ctypes.data, ctypes.POINTER(llama_cpp.llama_token_data))
    array = llama_cpp.llama_token_data_array(data, len(tokens), -1, False)
    llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
    return candidates["logit"] > 0


def _letters_in_llama_cpp(task: tuple[str, str, str]) -> list[set[str]] | None:
    import llama_cpp

    path, grammar, text = task
    llama = _llama_vocabulary(path)
    ids = [llama.tokenize(c.encode(), add_bos=False)[-1] for c in ALPHABET]
    names = [*ALPHABET, "end"]
    sampler = _llama_grammar(path, grammar)
    if not sampler:
        return None
    found = []
    try:
        for letter in [*text, None]:
            bits = _allowed(sampler, [*ids, llama.token_eos()])
            found.append({name for name, bit in zip(names, bits, strict=True) if bit})
            if letter not in found[-1]:
                break
            llama_cpp.llama_sampler_accept(sampler, ids[ALPHABET.index(letter)])
    finally:
        llama_cpp.llama_sampler_free(sampler)
    return found


def _masks_in_llama_cpp(task: tuple[str, str, list[int]]) -> list[bytes] | None:
    import llama_cpp

    path, grammar, tokens = task
    everything = np.arange(_llama_vocabulary(path).n_vocab())
    sampler = _llama_grammar(path, grammar)
    if not sampler:
        return None
    found = []
    for token in [*tokens, None]:
        bits = _allowed(sampler, everything)
        found.append(np.packbits(bits, bitorder="little").tobytes())
        if token is None or not bits[token]:
            break
        llama_cpp.llama_sampler_accept(sampler, token)
    llama_cpp.llama_sampler_free(sampler)
    return found


@functools.cache
def _llguidance() -> tuple[Any, dict[str, int]]:
    import llguidance.tiktoken

    from corpus import llama3

    llama = llama3()
    tokenizer = llguidance.tiktoken.lltokenizer_from_encoding(
        llama.encoding, n_vocab=len(llama.tokens), eos_token=llama.stop_token_ids
    )
    return tokenizer, {c: llama.tokens.index(c.encode()) for c in ALPHABET}


def _letters_in_llguidance(task: tuple[str, str]) -> list[set[str]] | None:
    import llguidance

    grammar, text = task
    tokenizer, ids = _llguidance()
    matcher = llguidance.LLMatcher(tokenizer, grammar, log_level=0)
    if matcher.is_error():
        return None
    found = []
    for letter in [*text, None]:
        allowed = {c for c, token in ids.items() if matcher.validate_tokens([token]) == 1}
        if matcher.is_accepting():
            allowed.add("end")
        if matcher.is_error():
            return None
        found.append(allowed)
        if letter not in allowed:
            break
        matcher.consume_token(ids[letter])
    return found


def _matches_in_regex(task: tuple[str, list[str]]) -> list[tuple[bool, bool, bool]]:
    import regex

    pattern, texts = task
    return [
        (
            bool(regex.fullmatch(pattern, text)),
            bool(regex.search(pattern, text)),
            bool(regex.fullmatch(pattern, text, partial=True)),
        )
        for text in texts
    ]


LLAMA_CPP = Asked(_letters_in_llama_cpp, _LIMITS)
"""(GGUF, grammar in GBNF, text) to what may come before each letter of the text and after it, up to
one that may not come; None for a grammar that is refused."""

LLAMA_CPP_MASKS = Asked(_masks_in_llama_cpp, Limits(seconds=60, bytes=1 << 30))
"""(GGUF, grammar in GBNF, tokens) to the bits of the whole vocabulary at each of them and after
them; None for a grammar that is refused."""

LLGUIDANCE = Asked(_letters_in_llguidance, _LIMITS)
"""(grammar of Lark, text) to what may come, as in `LLAMA_CPP`."""


@functools.cache
def _tag_in_xgrammar(tag: str) -> Any:
    import xgrammar

    letters = [bytes([byte]) for byte in range(256)]
    kind = xgrammar.VocabType.RAW
    tokens = xgrammar.TokenizerInfo([*letters, b"</s>"], vocab_type=kind, stop_token_ids=[256])
    return xgrammar.GrammarCompiler(tokens).compile_structural_tag(tag)


def _accepted_by_xgrammar(task: tuple[str, list[str]]) -> list[bool]:
    import xgrammar

    tag, texts = task
    compiled = _tag_in_xgrammar(tag)
    found = []
    for text in texts:
        matcher = xgrammar.GrammarMatcher(compiled)
        found.append(matcher.accept_string(text) and matcher.accept_token(256))
    return found


XGRAMMAR = Asked(_accepted_by_xgrammar, Limits(seconds=60, bytes=4 << 30))
"""(structural tag as JSON, texts) to whether each is one of its texts."""

REGEX = Asked(_matches_in_regex, _LIMITS)
"""(pattern, texts) to whether it matches the whole text, a part of it, and what begins like it."""

ORACLES = {
    "llama.cpp's grammars": LLAMA_CPP,
    "llama.cpp's masks": LLAMA_CPP_MASKS,
    "llguidance": LLGUIDANCE,
    "regex": REGEX,
    "xgrammar": XGRAMMAR,
}


@contextlib.contextmanager
def mostly_answered(oracle: Asked) -> Iterator[None]:
    """Fails if more than a tenth of the questions that are asked meanwhile have no verdict.

    Ends the process of the oracle.
    """
    asked, unanswered = oracle.asked, len(oracle.unanswered)
    try:
        yield
    finally:
        oracle.end()
    missing = oracle.unanswered[unanswered:]
    assert oracle.asked > asked
    assert len(missing) <= 0.1 * (oracle.asked - asked), missing
