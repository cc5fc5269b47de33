"""A simple grammar of JSON on a real model: llama.cpp, transformers, and the masks of both engines.

The grammar is the one that schemask began with; its strings hold anything but a quote, so that it
is up to the model whether a text is JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LogitsProcessorList

import schemask.llama_cpp
import schemask.transformers
from oracles import LLAMA_CPP_MASKS, mostly_answered
from schemask import CompiledGrammar, Grammar, Vocabulary, allocate_mask
from schemask.chat import HERMES
from schemask.demo import SYSTEM

llama_cpp = pytest.importorskip("llama_cpp")

EXAMPLES = Path(__file__).parents[1] / "examples" / "grammars"
TEXT = (EXAMPLES / "simple_json.gbnf").read_text(encoding="utf-8")
PROMPTS = [
    HERMES.render(
        [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
        add_generation_prompt=True,
    )
    for question in ("Generate a JSON object for a person.", "Ada Lovelace as JSON.")
]
BUDGET = 40
_ODD = {b"\0", *(bytes([first]) for first in range(0xF5, 0x100))}


@pytest.fixture(scope="module")
def compiled(llama_vocabulary: Vocabulary) -> CompiledGrammar:
    return Grammar.from_gbnf(TEXT).compile(llama_vocabulary)


def check(text: str, llama_vocabulary: Vocabulary) -> None:
    matcher = Grammar.from_gbnf(TEXT).compile(llama_vocabulary).matcher()
    assert matcher.accept_bytes(text.encode()) and matcher.is_accepting
    value = json.loads(text)
    assert isinstance(value, dict) and value


@pytest.mark.parametrize("prompt", PROMPTS)
def test_in_the_hook_of_llama_cpp(
    llama: Any, compiled: CompiledGrammar, llama_vocabulary: Vocabulary, prompt: str
) -> None:
    processor = schemask.llama_cpp.SchemaLogitsProcessor(compiled, max_tokens=BUDGET)
    result = llama.create_completion(
        prompt,
        max_tokens=BUDGET,
        temperature=0.0,
        logits_processor=llama_cpp.LogitsProcessorList([processor]),
    )
    processor.raise_if_failed()
    check(result["choices"][0]["text"], llama_vocabulary)
    whole = schemask.llama_cpp.complete(llama, prompt, compiled, max_tokens=BUDGET)
    check(whole.text, llama_vocabulary)


def test_in_generate_of_transformers(
    hf_model: Any, hf_tokenizer: Any, llama_vocabulary: Vocabulary
) -> None:
    vocabulary = Vocabulary.from_transformers(hf_tokenizer)
    compiled = Grammar.from_gbnf(TEXT).compile(vocabulary)
    inputs = hf_tokenizer(PROMPTS, return_tensors="pt", padding=True, padding_side="left")
    processor = schemask.transformers.SchemaLogitsProcessor(compiled, max_tokens=BUDGET)
    rows = hf_model.generate(
        **inputs,
        max_new_tokens=BUDGET,
        do_sample=False,
        logits_processor=LogitsProcessorList([processor]),
        eos_token_id=vocabulary.stop_token_ids,
    )
    for row in rows[:, inputs["input_ids"].shape[1] :]:
        check(
            hf_tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            llama_vocabulary,
        )


def test_transformers_and_llama_cpp_read_the_same_weights(
    llama: Any, hf_model: Any, hf_tokenizer: Any
) -> None:
    """But for what llama.cpp rounds: it multiplies by activations of 8 bits."""
    tokens = llama.tokenize(PROMPTS[0].encode(), add_bos=False, special=True)
    inputs = hf_tokenizer(PROMPTS[0], return_tensors="pt")
    assert inputs["input_ids"][0].tolist() == tokens
    llama.reset()
    llama.eval(tokens)
    ours = llama_cpp.llama_get_logits_ith(llama.ctx, -1)[: llama.n_vocab()]
    with torch.no_grad():
        theirs = hf_model(**inputs).logits[0, -1].numpy()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_masks_are_those_of_llama_cpp(
    llama: Any,
    compiled: CompiledGrammar,
    gemma: Any,
    gemma_path: Path,
    gemma_vocabulary: Vocabulary,
) -> None:
    """Token by token on the 262,144 tokens of Gemma, along what SmolLM2 writes.

    Special tokens are no text here; llama.cpp takes them for the text that spells them. It allows
    no zero byte, and bytes that begin no character of UTF-8.
    """
    text = schemask.llama_cpp.complete(llama, PROMPTS[1], compiled, max_tokens=BUDGET).text
    vocabulary = gemma_vocabulary
    apart = {*vocabulary.special_token_ids, *vocabulary.stop_token_ids}
    apart |= {i for i in range(vocabulary.size) if vocabulary.token(i)[:1] in _ODD}
    plain = np.array([i for i in range(vocabulary.size) if i not in apart])
    tokens = list(gemma.tokenize(text.encode(), add_bos=False))
    with mostly_answered(LLAMA_CPP_MASKS):
        theirs = LLAMA_CPP_MASKS((str(gemma_path), TEXT, tokens)).result
    assert len(theirs) == len(tokens) + 1

    matcher = Grammar.from_gbnf(TEXT).compile(vocabulary).matcher()
    mask = allocate_mask(1, vocabulary.size)
    for token, bits in zip([*tokens, None], map(unpacked, theirs), strict=True):
        matcher.fill_mask(mask)
        ours = unpacked(mask.tobytes())[: vocabulary.size]
        assert (ours[plain] == bits[plain]).all()
        if token is not None:
            assert ours[token]
            assert matcher.accept(token)
    stops = list(vocabulary.stop_token_ids)
    assert ours[stops].all() and bits[stops].all()


def unpacked(bits: bytes) -> Any:
    return np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").astype(bool)
