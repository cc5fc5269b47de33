"""Budgets of texts that come after reasoning, through vLLM's manager and in a real engine.

The engine's model has weights by which each token determines the next one: it thinks for a while,
and would then write the digit 7 for ever.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins import with_entry_point
from schemask import Grammar, Vocabulary, allocate_mask

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed", allow_module_level=True)

from vllm.config import structured_outputs as config_module
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager

import schemask.vllm
from test_vllm import ENTRY_POINTS, allowed, config_of, request_of, rows_of

SPECULATION = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}
PATTERN = "7{1,30}!"


@pytest.fixture(scope="module")
def folder(hf_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without weights, whose tokenizer has the markers of reasoning and of calls."""
    import transformers

    made = transformers.AutoTokenizer.from_pretrained(hf_tokenizer.name_or_path)
    made.add_tokens(["<think>", "</think>", "<tool_call>", "</tool_call>"])
    folder = tmp_path_factory.mktemp("reasoning")
    made.save_pretrained(folder)
    transformers.LlamaConfig(
        vocab_size=len(made),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        bos_token_id=made.bos_token_id,
        eos_token_id=made.eos_token_id,
        tie_word_embeddings=False,
        architectures=["LlamaForCausalLM"],
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    import transformers

    return transformers.AutoTokenizer.from_pretrained(folder)


def manager_of(folder: Path, parser: str, **options: Any) -> StructuredOutputManager:
    config = config_of(folder, speculative_config=SPECULATION)
    config.structured_outputs_config = config_module.StructuredOutputsConfig(
        backend="schemask", reasoning_parser=parser, **options
    )
    return StructuredOutputManager(config)


@pytest.fixture(scope="module", params=["deepseek_r1", "qwen3"])
def manager(folder: Path, request: pytest.FixtureRequest) -> StructuredOutputManager:
    """With a parser of its own, and with one that is made of vLLM's engine of parsers."""
    return manager_of(folder, request.param)


def write(manager: StructuredOutputManager, request: Request, tokens: Sequence[int]) -> bool:
    """The tokens of a step, as vLLM's scheduler passes them on."""
    request.append_output_token_ids([*tokens])
    return manager.accept_tokens(request, [*tokens])


def ids_of(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return found


def masks_of(tokenizer: Any, left: int | None, tokens: Sequence[int]) -> list[Any]:
    """The masks of a text with a budget, at each of some tokens and after them."""
    stops = [tokenizer.eos_token_id]
    vocabulary = Vocabulary.from_transformers(tokenizer, stop_token_ids=stops)
    matcher = Grammar.from_regex(PATTERN).compile(vocabulary).matcher(max_tokens=left)
    mask = allocate_mask(1, vocabulary.size)
    found = []
    for token in [*tokens, None]:
        matcher.fill_mask(mask)
        found.append(mask[0].copy())
        assert token is None or matcher.accept(token)
    return found


def test_the_text_is_finished_within_what_reasoning_leaves(
    manager: StructuredOutputManager, tokenizer: Any
) -> None:
    (end,), (seven,) = ids_of(tokenizer, "</think>"), ids_of(tokenizer, "7")
    for thought in (0, 1, 5):
        request = request_of(manager, {"regex": PATTERN}, max_tokens=16)
        for token in [11] * thought:
            assert (rows_of(manager, request)[0] == -1).all()
            assert write(manager, request, [token])
        assert write(manager, request, [end])
        while request.num_output_tokens < 16:
            tokens = allowed(rows_of(manager, request)[0])
            assert write(manager, request, [seven if seven in tokens else tokens[0]])
        text = tokenizer.decode(request.output_token_ids[thought + 1 :])
        assert text == "7" * (14 - thought) + "!"
        assert allowed(rows_of(manager, request)[0]) == [tokenizer.eos_token_id]


def test_drafts_that_go_past_the_end_of_reasoning(
    manager: StructuredOutputManager, tokenizer: Any
) -> None:
    """Their masks have the budget that the text would have; and if reasoning goes on instead, it
    has another one."""
    (end,), (seven,) = ids_of(tokenizer, "</think>"), ids_of(tokenizer, "7")
    request = request_of(manager, {"regex": PATTERN}, max_tokens=8)
    assert write(manager, request, [11, 11])
    drafts = [11, end, seven, seven]
    rows = rows_of(manager, request, drafts)
    assert (rows[:2] == -1).all()
    assert np.array_equal(rows[2:], masks_of(tokenizer, 8 - 4, [seven, seven]))
    assert manager.validate_tokens(request, drafts) == drafts
    assert write(manager, request, [11, 12])  # the rest of the draft is not taken
    too_many = [end, seven, seven, seven]
    rows = rows_of(manager, request, too_many)
    assert manager.validate_tokens(request, too_many) == too_many[:3]
    assert np.array_equal(rows[1:3], masks_of(tokenizer, 8 - 5, [seven]))
    assert write(manager, request, [end, seven])
    assert np.array_equal(rows_of(manager, request)[0], masks_of(tokenizer, 8 - 5, [seven])[1])
    (rest,) = ids_of(tokenizer, "!")
    assert write(manager, request, [seven, rest])
    assert request.num_output_tokens == 8
    assert allowed(rows_of(manager, request)[0]) == [tokenizer.eos_token_id]


def test_reasoning_that_leaves_too_little(manager: StructuredOutputManager, tokenizer: Any) -> None:
    """The text is cut, as without a budget, and nothing fails."""
    (end,), (seven,) = ids_of(tokenizer, "</think>"), ids_of(tokenizer, "7")
    request = request_of(manager, {"regex": "7{8}!"}, max_tokens=9)
    assert write(manager, request, [11, 11, end])
    for _ in range(6):
        assert seven in allowed(rows_of(manager, request)[0])
        assert write(manager, request, [seven])


def test_a_prompt_that_has_closed_reasoning(
    manager: StructuredOutputManager, tokenizer: Any
) -> None:
    (end,), (seven,) = ids_of(tokenizer, "</think>"), ids_of(tokenizer, "7")
    made = request_of(manager, {"regex": PATTERN}, max_tokens=9)
    request = Request("closed", [1, end], made.sampling_params, None)
    manager.grammar_init(request)
    request.structured_output_request._grammar.result()
    rows = rows_of(manager, request, [seven, seven])
    assert np.array_equal(rows, masks_of(tokenizer, 9, [seven, seven]))
    assert write(manager, request, [seven])
    assert np.array_equal(rows_of(manager, request)[0], masks_of(tokenizer, 9, [seven])[1])


def test_a_token_of_the_text_that_ends_reasoning(folder: Path, tokenizer: Any) -> None:
    """No mask was put on it: with a budget into which it does not fit there is none."""
    manager = manager_of(folder, "qwen3")
    (call,), (seven,) = ids_of(tokenizer, "<tool_call>"), ids_of(tokenizer, "7")
    elements = [
        {"type": "const_string", "value": "<tool_call>"},
        {"type": "regex", "pattern": "7{2,20}"},
    ]
    tag = json.dumps({"format": {"type": "sequence", "elements": elements}})
    for thought, fits in ((2, True), (6, False)):
        request = request_of(manager, {"structural_tag": tag}, max_tokens=8)
        assert write(manager, request, [11] * thought)
        assert write(manager, request, [call])
        while request.num_output_tokens < 8:
            tokens = allowed(rows_of(manager, request)[0])
            assert write(manager, request, [seven if seven in tokens else tokens[0]])
        assert (tokenizer.eos_token_id in allowed(rows_of(manager, request)[0])) == fits


@pytest.fixture(scope="module")
def chain(folder: Path, tokenizer: Any) -> list[int]:
    """The tokens that the engine's model thinks, each after the one before it."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(AutoConfig.from_pretrained(folder)).float()
    start, end, seven = (ids_of(tokenizer, text)[0] for text in ("<think>", "</think>", "7"))
    thought = [token for letter in "abcde" for token in ids_of(tokenizer, letter)]
    tokens = [start, *thought, end, seven, seven]
    with torch.no_grad():
        layer = model.model.layers[0]
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for token, following in itertools.pairwise(tokens):
            row = model.model.embed_tokens.weight[token]
            model.lm_head.weight[following] += row / row.norm()
    model.save_pretrained(folder)
    return [*thought, end]


@pytest.mark.parametrize("speculates", [False, True])
def test_in_an_engine(
    folder: Path,
    tokenizer: Any,
    chain: list[int],
    speculates: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the prompt stands what the model thinks, so that drafts go past the end of it."""
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    monkeypatch.setenv("PYTHONPATH", with_entry_point(tmp_path, ENTRY_POINTS))
    monkeypatch.setenv("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    schemask.vllm.register()
    llm = LLM(
        str(folder),
        dtype="float32",
        max_model_len=256,
        max_num_seqs=2,
        enforce_eager=True,
        structured_outputs_config={"backend": "schemask", "reasoning_parser": "deepseek_r1"},
        **({"speculative_config": SPECULATION} if speculates else {}),
    )
    (seven,), (start,) = ids_of(tokenizer, "7"), ids_of(tokenizer, "<think>")
    prompt = {"prompt_token_ids": [11, *chain, seven, seven, seven, start]}
    for most in (10, 17):
        params = SamplingParams(
            temperature=0,
            max_tokens=most,
            structured_outputs=StructuredOutputsParams(regex=PATTERN),
        )
        [found] = llm.generate([prompt], params, use_tqdm=False)
        [output] = found.outputs
        tokens = list(output.token_ids)
        assert tokens[: len(chain)] == chain
        text = tokenizer.decode(tokens[len(chain) :])
        assert text == "7" * (most - len(chain) - 1) + "!"
