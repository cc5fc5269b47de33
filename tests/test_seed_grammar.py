"""A simple grammar of JSON on a real model: llama.cpp, transformers, and the masks of both engines.

The grammar is the one that schemask began with; its strings hold anything but a quote, so that it
is up to the model whether a text is JSON.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import LogitsProcessorList

import schemask.llama_cpp
import schemask.transformers
from schemask import CompiledGrammar, Grammar, Vocabulary, allocate_mask

llama_cpp = pytest.importorskip("llama_cpp")

EXAMPLES = Path(__file__).parents[1] / "examples" / "grammars"
TEXT = (EXAMPLES / "simple_json.gbnf").read_text(encoding="utf-8")
PROMPTS = ["Generate a JSON object for a person:", "Ada Lovelace as JSON:\n"]
BUDGET = 40
_ODD = {b"\0", *(bytes([first]) for first in range(0xF5, 0x100))}


@pytest.fixture(scope="module")
def compiled(gemma_vocabulary: Vocabulary) -> CompiledGrammar:
    return Grammar.from_gbnf(TEXT).compile(gemma_vocabulary)


def check(text: str, gemma_vocabulary: Vocabulary) -> None:
    matcher = Grammar.from_gbnf(TEXT).compile(gemma_vocabulary).matcher()
    assert matcher.accept_bytes(text.encode()) and matcher.is_accepting
    value = json.loads(text)
    assert isinstance(value, dict) and value


@pytest.mark.parametrize("prompt", PROMPTS)
def test_in_the_hook_of_llama_cpp(
    llama: Any, compiled: CompiledGrammar, gemma_vocabulary: Vocabulary, prompt: str
) -> None:
    processor = schemask.llama_cpp.SchemaLogitsProcessor(compiled, max_tokens=BUDGET)
    result = llama.create_completion(
        prompt,
        max_tokens=BUDGET,
        temperature=0.0,
        logits_processor=llama_cpp.LogitsProcessorList([processor]),
    )
    processor.raise_if_failed()
    check(result["choices"][0]["text"], gemma_vocabulary)
    whole = schemask.llama_cpp.complete(llama, prompt, compiled, max_tokens=BUDGET)
    check(whole.text, gemma_vocabulary)


def test_in_generate_of_transformers(
    gemma_model: Any, gemma_tokenizer: Any, gemma_vocabulary: Vocabulary
) -> None:
    vocabulary = Vocabulary.from_transformers(gemma_tokenizer)
    compiled = Grammar.from_gbnf(TEXT).compile(vocabulary)
    inputs = gemma_tokenizer(PROMPTS, return_tensors="pt", padding=True, padding_side="left")
    processor = schemask.transformers.SchemaLogitsProcessor(compiled, max_tokens=BUDGET)
    rows = gemma_model.generate(
        **inputs,
        max_new_tokens=BUDGET,
        do_sample=False,
        logits_processor=LogitsProcessorList([processor]),
        eos_token_id=vocabulary.stop_token_ids,
    )
    for row in rows[:, inputs["input_ids"].shape[1] :]:
        check(
            gemma_tokenizer.decode(
                row, skip_special_tokens=True, clean_up_tokenization_spaces=False
            ),
            gemma_vocabulary,
        )


def test_masks_are_those_of_llama_cpp(
    llama: Any, llama_vocab_only: Any, compiled: CompiledGrammar
) -> None:
    """Token by token on the whole vocabulary, along what the model writes.

    Special tokens are no text here; llama.cpp takes them for the text that spells them. It allows
    no zero byte, and bytes that begin no character of UTF-8.
    """
    text = schemask.llama_cpp.complete(llama, PROMPTS[1], compiled, max_tokens=BUDGET).text
    vocabulary = compiled.vocabulary
    apart = {*vocabulary.special_token_ids, *vocabulary.stop_token_ids}
    apart |= {i for i in range(vocabulary.size) if vocabulary.token(i)[:1] in _ODD}
    plain = np.array([i for i in range(vocabulary.size) if i not in apart])
    candidates = np.zeros(vocabulary.size, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
    low = llama_cpp.llama_cpp
    array = low.llama_token_data_array(
        ctypes.cast(candidates.ctypes.data, ctypes.POINTER(low.llama_token_data)),
        len(candidates),
        -1,
        False,
    )
    sampler = low.llama_sampler_init_grammar(
        low.llama_model_get_vocab(llama_vocab_only.model), TEXT.encode(), b"root"
    )
    assert sampler
    matcher = compiled.matcher()
    mask = allocate_mask(1, vocabulary.size)

    def allowed() -> tuple[Any, Any]:
        candidates["id"] = np.arange(vocabulary.size)
        candidates["logit"] = 1.0
        low.llama_sampler_apply(sampler, ctypes.byref(array))
        matcher.fill_mask(mask)
        bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[: vocabulary.size]
        return bits.astype(bool), candidates["logit"] > 0

    try:
        for token in llama.tokenize(text.encode(), add_bos=False):
            ours, theirs = allowed()
            assert (ours[plain] == theirs[plain]).all()
            assert ours[token]
            low.llama_sampler_accept(sampler, token)
            assert matcher.accept(token)
        ours, theirs = allowed()
        assert (ours[plain] == theirs[plain]).all()
        stops = list(vocabulary.stop_token_ids)
        assert ours[stops].all() and theirs[stops].all()
    finally:
        low.llama_sampler_free(sampler)
