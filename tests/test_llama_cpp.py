"""Constrained decoding with llama-cpp-python, on a real model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import llama_cpp
import numpy as np
import pytest
from llama_cpp import LogitsProcessorList

from schemask import GenerationError, Grammar, MaskError, ModelError, Vocabulary
from schemask.chat import HERMES
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.logprobs import TokenLogprobs
from schemask.core.masking import allocate_mask, apply_mask
from schemask.demo import SYSTEM
from schemask.llama_cpp import Llama, SchemaLogitsProcessor, complete, iter_complete

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "continent": {"enum": ["Africa", "America", "Asia", "Europe", "Oceania"]},
        "capital": {"type": "boolean"},
    },
    "required": ["name", "continent", "capital"],
    "additionalProperties": False,
}
PROMPT = HERMES.render(
    [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "Describe a large city in JSON."},
    ],
    add_generation_prompt=True,
)


def compile_schema(schema: Any, vocabulary: Vocabulary) -> Any:
    return Grammar.from_json_schema(schema, whitespace="spaced").compile(vocabulary)


@pytest.fixture(scope="module")
def compiled(llama_vocabulary: Vocabulary) -> Any:
    return compile_schema(SCHEMA, llama_vocabulary)


def plain_completion(llama: Llama, processor: Any, **options: Any) -> str:
    result = llama.create_completion(
        PROMPT,
        **{"max_tokens": 60, "temperature": 0.0, **options},
        logits_processor=LogitsProcessorList([processor]),
    )
    return result["choices"][0]["text"]


@pytest.mark.parametrize("cached", [False, True])
def test_complete_gives_a_valid_text(llama: Llama, compiled: Any, cached: bool) -> None:
    if not cached:
        llama.reset()
    result = complete(llama, PROMPT, compiled, max_tokens=60)
    jsonschema.validate(json.loads(result.text), SCHEMA)
    assert result.status == "complete"
    tokens = b"".join(map(compiled.vocabulary.token, result.token_ids))
    assert tokens.decode() == result.text
    assert result.completion_tokens == len(result.token_ids)
    assert result.prompt_tokens == len(llama.tokenize(PROMPT.encode(), add_bos=False, special=True))


def test_the_processor_alone_gives_a_valid_text(llama: Llama, compiled: Any) -> None:
    processor = SchemaLogitsProcessor(compiled, max_tokens=60)
    text = plain_completion(llama, processor)
    processor.raise_if_failed()
    jsonschema.validate(json.loads(text), SCHEMA)


def test_forced_text_is_evaluated_at_once_in_the_models_own_tokens(
    llama: Llama, compiled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[list[int]] = []
    evaluate = llama.eval

    def record(tokens: list[int]) -> None:
        runs.append(list(tokens))
        evaluate(tokens)

    monkeypatch.setattr(llama, "eval", record)
    llama.reset()
    result = complete(llama, PROMPT, compiled, max_tokens=60)
    assert len(runs[0]) == result.prompt_tokens
    evaluated = [token_id for run in runs[1:] for token_id in run]
    assert evaluated == result.token_ids[: len(evaluated)]
    assert len(runs) < result.completion_tokens - 3
    for token_id in evaluated:
        # The byte tokens of SentencePiece spell the same, but the model never reads them.
        assert llama.tokenize(compiled.vocabulary.token(token_id), add_bos=False) == [token_id]


def test_sampling_is_valid_and_repeatable(llama: Llama, compiled: Any) -> None:
    texts = [
        complete(llama, PROMPT, compiled, max_tokens=60, temperature=1.5, seed=seed).text
        for seed in (0, 1, 2, 0)
    ]
    for text in texts:
        jsonschema.validate(json.loads(text), SCHEMA)
    assert texts[0] == texts[3]
    assert len(set(texts)) > 1


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 40])
def test_the_budget_is_honoured(llama: Llama, llama_vocabulary: Vocabulary, budget: int) -> None:
    schema = {"type": ["array", "integer"], "items": {"type": "string"}}
    compiled = compile_schema(schema, llama_vocabulary)
    result = complete(llama, PROMPT, compiled, max_tokens=budget, temperature=1.0)
    jsonschema.validate(json.loads(result.text), schema)
    assert result.completion_tokens <= budget
    processor = SchemaLogitsProcessor(compiled, max_tokens=budget)
    text = plain_completion(llama, processor, max_tokens=budget)
    processor.raise_if_failed()
    jsonschema.validate(json.loads(text), schema)


def test_the_status_tells_what_ended_the_text(llama: Llama, llama_vocabulary: Vocabulary) -> None:
    compiled = compile_schema({"enum": ["yes", "no"]}, llama_vocabulary)
    ended = complete(llama, PROMPT, compiled, max_tokens=20)
    assert ended.status == "complete"
    cut = complete(llama, PROMPT, compiled, max_tokens=ended.completion_tokens)
    assert (cut.status, cut.text) == ("max_tokens", ended.text)


def test_the_context_limits_the_budget(llama: Llama, llama_vocabulary: Vocabulary) -> None:
    compiled = compile_schema({"type": "array", "minItems": 1}, llama_vocabulary)
    prompt = [llama.token_bos()] + [506] * (llama.n_ctx() - 9)
    result = complete(llama, prompt, compiled, max_tokens=1000)
    assert isinstance(json.loads(result.text), list)
    assert result.completion_tokens <= 8
    with pytest.raises(ModelError, match="no room"):
        complete(llama, prompt + [506] * 8, compiled)


def test_stop_strings_and_streaming(llama: Llama, compiled: Any) -> None:
    complete(llama, PROMPT, compiled, max_tokens=60)  # the others then start from the same cache
    whole = complete(llama, PROMPT, compiled, max_tokens=60).text
    pieces: list[str] = []
    result = complete(llama, PROMPT, compiled, max_tokens=60, stop=['", "'], on_text=pieces.append)
    assert result.status == "stop"
    assert result.text == whole[: whole.index('", "')] == "".join(pieces)
    pieces.clear()
    assert complete(llama, PROMPT, compiled, max_tokens=60, on_text=pieces.append).text == whole
    assert "".join(pieces) == whole
    assert len(pieces) > 3


def test_pieces_are_those_of_the_whole(llama: Llama, compiled: Any) -> None:
    told: list[str] = []
    whole = complete(llama, PROMPT, compiled, max_tokens=60, on_text=told.append)
    pieces = iter_complete(llama, PROMPT, compiled, max_tokens=60)
    with pytest.raises(ModelError, match="not finished"):
        _ = pieces.completion
    assert list(pieces) == told
    assert pieces.completion == whole
    assert list(pieces) == []
    assert pieces.completion == whole


def test_pieces_that_are_left_end_the_generation(llama: Llama, compiled: Any) -> None:
    whole = complete(llama, PROMPT, compiled, max_tokens=60)
    with iter_complete(llama, PROMPT, compiled, max_tokens=60) as pieces:
        assert whole.text.startswith(next(pieces))
    assert list(pieces) == []
    assert llama._sampler is None
    with pytest.raises(ModelError, match="not finished"):
        _ = pieces.completion
    # Arguments are looked at before the first piece is asked for.
    with pytest.raises(ModelError, match="max_tokens"):
        iter_complete(llama, PROMPT, compiled, max_tokens=0)
    assert complete(llama, PROMPT, compiled, max_tokens=60) == whole


def test_what_raises_in_a_function_that_is_told_ends_the_generation(
    llama: Llama, compiled: Any
) -> None:
    def failing(_: object) -> None:
        raise KeyError("mine")

    for observer in ("on_text", "on_token"):
        with pytest.raises(KeyError, match="mine"):
            complete(llama, PROMPT, compiled, **{observer: failing})  # type: ignore[arg-type]
        assert llama._sampler is None


def test_tokens_are_told_with_their_probabilities(llama: Llama, compiled: Any) -> None:
    tokens: list[TokenLogprobs] = []
    result = complete(
        llama, PROMPT, compiled, max_tokens=60, on_token=tokens.append, top_logprobs=3
    )
    assert [token.token_id for token in tokens] == result.token_ids
    matcher = compiled.matcher(max_tokens=60)
    chosen = 0
    for token in tokens:
        mask = allocate_mask(1, compiled.vocabulary.size)
        matcher.fill_mask(mask)
        allowed = np.zeros(compiled.vocabulary.size)
        apply_mask(allowed, mask[0])
        assert all(np.isfinite(allowed[other]) for other, _ in token.top)
        assert token.top[0] == (token.token_id, token.logprob)  # greedy
        assert math.fsum(math.exp(logprob) for _, logprob in token.top) <= 1 + 1e-9
        chosen += len(token.top) > 1
        assert matcher.accept(token.token_id)
    assert 3 < chosen < len(tokens) - 3


def test_no_sampler_is_left_behind(llama: Llama, compiled: Any) -> None:
    complete(llama, PROMPT, compiled, max_tokens=60)
    assert llama._sampler is None


def test_the_processor_reads_strided_views_and_follows_any_prefix(compiled: Any) -> None:
    """Shorter and other texts of the same prompt get the masks of a matcher that starts anew."""
    vocabulary = compiled.vocabulary
    rng = np.random.default_rng(0)
    prompt = np.array([2, 10, 20], dtype=np.intc)
    processor = SchemaLogitsProcessor(compiled)
    records = np.zeros(vocabulary.size, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
    first: list[int] = []
    for length in [0, 4, 2, 9, 5, 0, 3]:
        matcher = compiled.matcher()
        tokens: list[int] = []
        keep = int(rng.integers(0, len(first) + 1))
        while len(tokens) < length:
            mask = allocate_mask(1, vocabulary.size)
            matcher.fill_mask(mask)
            allowed = np.zeros(vocabulary.size)
            apply_mask(allowed, mask[0])
            choices = np.flatnonzero(np.isfinite(allowed))
            shared = len(tokens) < keep and first[: len(tokens)] == tokens
            token = first[len(tokens)] if shared else int(rng.choice(choices))
            tokens.append(token)
            assert matcher.accept(token)
            if matcher.is_terminated:
                tokens.pop()
                matcher.rollback(1)
                break
        first = tokens
        mask = allocate_mask(1, vocabulary.size)
        matcher.fill_mask(mask)
        wanted = np.zeros(vocabulary.size, dtype=np.float32)
        apply_mask(wanted, mask[0])
        records["logit"] = 0.0
        masked = processor(np.append(prompt, np.array(tokens, dtype=np.intc)), records["logit"])
        assert np.array_equal(masked, wanted)
        assert np.shares_memory(masked, records)  # so that nothing is copied back
        assert not records["id"].any() and not records["p"].any()
    processor.raise_if_failed()


def test_what_the_budget_cut_is_told(llama: Llama, gemma_vocabulary: Vocabulary) -> None:
    """The processor alone: a wish that is forbidden counts, and going back takes it back."""
    vocabulary = gemma_vocabulary
    compiled = compile_schema({"type": "string"}, vocabulary)
    quote, word = (vocabulary.tokenize(text)[0] for text in (b'"', b"word"))
    prompt = np.array([2], dtype=np.intc)

    def scores(wish: int) -> Any:
        made = np.full(vocabulary.size, -50.0, dtype=np.float32)
        made[wish] = 1.0
        return made

    for margin, wish, cut in ((0.0, word, True), (0.0, quote, False), (math.inf, quote, True)):
        processor = SchemaLogitsProcessor(compiled, max_tokens=3, margin=margin)
        for tokens in ([], [quote], [quote, word]):
            assert margin > 0 or not processor.is_cut
            ids = np.append(prompt, np.array(tokens, dtype=np.intc))
            processor(ids, scores(wish if len(tokens) == 2 else word))
        processor.raise_if_failed()
        assert processor.is_cut == cut
        processor(prompt, scores(word))
        assert not processor.is_cut


def test_complete_says_what_is_wrong(llama: Llama, compiled: Any) -> None:
    grammar = Grammar.from_json_schema({})
    for prompt, given, options, message in (
        (None, compiled, {}, "a prompt is"),
        (["a"], compiled, {}, "a prompt is"),
        (b"a", compiled, {}, "a prompt is"),
        ([], compiled, {}, "no tokens"),
        ([-1], compiled, {}, "token -1"),
        ([10**9], compiled, {}, "token 1000000000"),
        ("\ud800", compiled, {}, "lone surrogate"),
        (PROMPT, grammar, {}, "compile it"),
        (PROMPT, grammar.compile(byte_vocabulary()), {}, "another vocabulary"),
        (PROMPT, compiled, {"max_tokens": -1}, "max_tokens"),
        (PROMPT, compiled, {"temperature": -1}, "temperature"),
        (PROMPT, compiled, {"seed": "x"}, "seed"),
        (PROMPT, compiled, {"stop": [""]}, "stop"),
        (PROMPT, compiled, {"stop": None}, "stop"),
        (PROMPT, compiled, {"on_text": 3}, "on_text"),
        (PROMPT, compiled, {"on_token": 3}, "on_token"),
        (PROMPT, compiled, {"top_logprobs": -1}, "top_logprobs"),
        (PROMPT, compiled, {"top_k": 1.5}, "top_k"),
        (PROMPT, compiled, {"top_p": None}, "top_p"),
        (PROMPT, compiled, {"top_p": math.nan}, "top_p"),
        (PROMPT, compiled, {"min_p": 2}, "min_p"),
    ):
        with pytest.raises(ModelError, match=message):
            complete(llama, prompt, given, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_for_amx", [False, True])
def test_weights_stay_as_they_are_where_llama_cpp_was_built_for_amx(
    gguf_path: Path, monkeypatch: pytest.MonkeyPatch, is_for_amx: bool
) -> None:
    system = b"CPU : AVX2 = 1 | " + b"AMX_INT8 = 1 | " * is_for_amx
    monkeypatch.setattr(llama_cpp, "llama_print_system_info", lambda: system)
    made = Llama(str(gguf_path), vocab_only=True, verbose=False)
    assert isinstance(made, llama_cpp.Llama)
    assert made.model_params.use_extra_bufts is not is_for_amx
    made.close()


# failing closed


class Meddler:
    """Brings back a forbidden token after some calls."""

    def __init__(self, after: int, token_id: int) -> None:
        self.calls = 0
        self.after = after
        self.token_id = token_id

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self.calls += 1
        if self.calls == self.after:
            scores = np.array(scores)
            scores[self.token_id] = 1e4
        return scores


def test_a_token_that_is_not_allowed_ends_the_generation(llama: Llama, compiled: Any) -> None:
    bracket = compiled.vocabulary.tokenize(b"]")[0]
    processor, meddler = SchemaLogitsProcessor(compiled), Meddler(4, bracket)
    text = llama.create_completion(
        PROMPT,
        max_tokens=60,
        temperature=0.0,
        logits_processor=LogitsProcessorList([processor, meddler]),
    )["choices"][0]["text"]
    assert meddler.calls == 5  # the call after the bad token ends it
    assert text.endswith("]")
    with pytest.raises(GenerationError, match=r"b'\]'\) at position 3 .* after '\{") as caught:
        processor.raise_if_failed()
    assert repr(text[:-1]) in str(caught.value)


def test_any_exception_ends_the_generation_and_is_raised(
    llama: Llama, llama_vocabulary: Vocabulary
) -> None:
    tokens = [llama_vocabulary.token(i) for i in range(llama_vocabulary.size)]
    wider = Vocabulary(
        [*tokens, *[b"{"] * 40], llama_vocabulary.stop_token_ids, llama_vocabulary.special_token_ids
    )
    compiled = compile_schema(SCHEMA, wider)
    processor = SchemaLogitsProcessor(compiled)
    assert plain_completion(llama, processor) == ""
    with pytest.raises(GenerationError, match="position 0") as caught:
        processor.raise_if_failed()
    assert isinstance(caught.value.__cause__, MaskError)
    with pytest.raises(GenerationError, match="position 0"):
        complete(llama, PROMPT, compiled)
    assert llama._sampler is None


def test_an_interrupt_ends_the_generation_and_is_raised_as_it_was(
    llama: Llama, compiled: Any
) -> None:
    class Interrupted(SchemaLogitsProcessor):
        def _follow(self, input_ids: Any) -> None:
            raise KeyboardInterrupt

    processor = Interrupted(compiled)
    assert plain_completion(llama, processor) == ""
    with pytest.raises(KeyboardInterrupt):
        processor.raise_if_failed()


def test_a_processor_that_was_never_called_has_failed(llama: Llama, compiled: Any) -> None:
    processor = SchemaLogitsProcessor(compiled)
    plain_completion(llama, processor, max_tokens=2, logit_bias={5: 1.0})
    with pytest.raises(GenerationError, match="never called"):
        processor.raise_if_failed()


def test_a_processor_serves_one_prompt(llama: Llama, compiled: Any) -> None:
    processor = SchemaLogitsProcessor(compiled)
    plain_completion(llama, processor)
    processor.raise_if_failed()
    llama.create_completion(
        "Quite another prompt", max_tokens=5, logits_processor=LogitsProcessorList([processor])
    )
    with pytest.raises(GenerationError, match="new SchemaLogitsProcessor"):
        processor.raise_if_failed()
