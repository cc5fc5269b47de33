"""Masks, budgets and forced text through mlx-lm's own ways to generate."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

mlx_lm = pytest.importorskip("mlx_lm")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from mlx import core as mx  # noqa: E402
from mlx.utils import tree_map  # noqa: E402
from mlx_lm.generate import (  # noqa: E402
    BatchGenerator,
    generate_step,
    speculative_generate_step,
    stream_generate,
)
from mlx_lm.models.llama import Model, ModelArgs  # noqa: E402
from mlx_lm.sample_utils import make_sampler  # noqa: E402
from mlx_lm.tokenizer_utils import TokenizerWrapper  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

from schemask import (  # noqa: E402
    GenerationError,
    Grammar,
    LimitError,
    MaskError,
    ModelError,
    Vocabulary,
    tool,
)
from schemask.core.byte_vocabulary import byte_vocabulary  # noqa: E402
from schemask.core.logprobs import TokenLogprobs  # noqa: E402
from schemask.core.mask_step import MaskStep  # noqa: E402
from schemask.mlx import SchemaLogitsProcessor, generate, stream  # noqa: E402

SCHEMA = {
    "type": "object",
    "properties": {
        "location": {"type": "string", "maxLength": 6},
        "unit_of_measure": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
    },
    "required": ["location", "unit_of_measure", "days"],
    "additionalProperties": False,
}


@tool
def convert(amount: float, currency: str) -> str:
    """Convert an amount.

    Args:
        amount: How much.
        currency: Of which currency.
    """
    return ""


def byte_tokenizer(merges: int) -> TokenizerWrapper:
    """A byte-level BPE with a few tokens of several bytes, as mlx-lm wraps it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=258 + merges,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<end>", "<|im_end|>"],
        show_progress=False,
    )
    texts = ['{"location": "Rome", "unit_of_measure": "celsius", "days": 12}'] * 9
    backend.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, eos_token="<end>"
    )
    return TokenizerWrapper(
        tokenizer, eos_token_ids=tokenizer.convert_tokens_to_ids(["<|im_end|>"])
    )


TOKENIZER = byte_tokenizer(40)
VOCABULARY = Vocabulary.from_transformers(TOKENIZER)
# Single bytes, of which a forced text has one spelling, so that all ways end in one text.
BYTES = byte_tokenizer(0)


class Counted(Model):  # type: ignore[misc]
    """A Llama that counts how often it is asked."""

    passes = 0

    def __call__(self, *args: Any, **options: Any) -> mx.array:
        self.passes += 1
        return super().__call__(*args, **options)


@functools.cache
def model(seed: int = 0, width: int = VOCABULARY.size + 29) -> Counted:
    """With random weights, large enough that it has opinions, and more logits than tokens."""
    mx.random.seed(seed)
    args = ModelArgs(
        model_type="llama",
        hidden_size=32,
        num_hidden_layers=2,
        intermediate_size=64,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-5,
        vocab_size=width,
        tie_word_embeddings=False,
        max_position_embeddings=400,
    )
    made = Counted(args)
    made.update(tree_map(lambda weights: weights * 3, made.parameters()))
    mx.eval(made.parameters())
    return made


GRAMMARS: dict[str, Grammar] = {
    "schema": Grammar.from_json_schema(SCHEMA, whitespace="spaced"),
    "any value": Grammar.from_json_schema({"type": ["array", "object"], "maxProperties": 2}),
    "tools": Grammar.from_tools([convert], format="hermes", tool_choice="auto"),
    "gbnf": Grammar.from_gbnf('root ::= "<" [a-zé]* ">" | "(" root ")" root'),
    "regex": Grammar.from_regex("(ab?|celsius)+[0-9]{1,3}"),
}


@functools.cache
def compiled(name: str) -> Any:
    return GRAMMARS[name].compile(VOCABULARY)


class Seen:
    """A logits processor after another one: which tokens are left, by the tokens so far."""

    def __init__(self) -> None:
        self.masks: list[tuple[list[int], set[int]]] = []

    def __call__(self, tokens: mx.array, logits: mx.array) -> mx.array:
        left = np.isfinite(np.array(logits)[0]).nonzero()[0].tolist()
        self.masks.append((tokens.tolist(), set(left)))  # type: ignore[arg-type]
        return logits


def tried(grammar: Any, budget: int | None, tokens: list[int]) -> set[int]:
    """The tokens that may come after others, by trying each; after the budget there is the end."""
    matcher = grammar.matcher(max_tokens=budget)
    stops = grammar.vocabulary.stop_token_ids
    for token in tokens:
        if not matcher.is_terminated:
            assert matcher.accept(token)
    if matcher.is_terminated or len(tokens) == budget:
        assert matcher.is_accepting
        return set(stops)
    return {t for t in range(grammar.vocabulary.size) if matcher.clone().accept(t)}


def check(seen: Seen, prompt_length: int, grammar: Any, budget: int | None) -> None:
    assert len(seen.masks) > 2
    for tokens, left in seen.masks:
        assert left == tried(grammar, budget, tokens[prompt_length:])


def until_stop(tokens: Iterator[int]) -> list[int]:
    """The tokens before a stop token; all are taken, as the generator goes on behind them."""
    row = list(tokens)
    ends = [at for at, token in enumerate(row) if token in VOCABULARY.stop_token_ids]
    return row[: ends[0]] if ends else row


def check_whole(name: str, row: list[int]) -> None:
    matcher = compiled(name).matcher()
    assert all(map(matcher.accept, row)) and matcher.is_accepting


prompts = st.lists(st.integers(2, VOCABULARY.size - 1), min_size=1, max_size=9)
walks = settings(deadline=None, max_examples=15)


@walks
@given(
    st.sampled_from(sorted(GRAMMARS)),
    prompts,
    st.integers(0, 10**6),
    st.sampled_from([1, 3, 2048]),
    st.sampled_from([30, 60]),
)
def test_masks_of_generate_step(
    name: str, prompt: list[int], seed: int, prefill: int, budget: int
) -> None:
    seen = Seen()
    grammar = compiled(name)
    mx.random.seed(seed)
    steps = generate_step(
        mx.array(prompt),
        model(),
        max_tokens=budget,
        sampler=make_sampler(temp=1.5),
        logits_processors=[SchemaLogitsProcessor(grammar, max_tokens=budget), seen],
        prefill_step_size=prefill,
    )
    check_whole(name, until_stop(int(token) for token, _ in steps))
    assert seen.masks[0][0] == prompt
    check(seen, len(prompt), grammar, budget)


@walks
@given(
    st.sampled_from(sorted(GRAMMARS)),
    prompts,
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.sampled_from([0, 1]),
)
def test_masks_of_speculation(
    name: str, prompt: list[int], seed: int, drafts: int, draft: int
) -> None:
    """mlx-lm hands over only the last token of the prompt, and the tokens of drafts after it."""
    seen = Seen()
    grammar = compiled(name)
    mx.random.seed(seed)
    steps = speculative_generate_step(
        mx.array(prompt),
        model(),
        model(draft),
        num_draft_tokens=drafts,
        max_tokens=40,
        sampler=make_sampler(temp=1.5),
        logits_processors=[SchemaLogitsProcessor(grammar, max_tokens=40), seen],
    )
    check_whole(name, until_stop(int(token) for token, *_ in steps))
    assert seen.masks[0][0] == prompt[-1:]
    check(seen, 1, grammar, 40)


@walks
@given(st.sampled_from(sorted(GRAMMARS)), prompts, st.integers(1, 4), st.sampled_from([0, 1]))
def test_speculation_changes_nothing(name: str, prompt: list[int], drafts: int, draft: int) -> None:
    rows = []
    for options in ({}, {"draft_model": model(draft), "num_draft_tokens": drafts}):
        processor = SchemaLogitsProcessor(compiled(name), max_tokens=40, margin=0.0)
        responses = stream_generate(
            model(),
            TOKENIZER,
            prompt,
            max_tokens=40,
            logits_processors=[processor],
            **options,
        )
        row = until_stop(response.token for response in responses)
        rows.append((row, len(row) < 40 and processor.is_cut))
    assert rows[0] == rows[1]
    check_whole(name, rows[0][0])


@walks
@given(st.lists(st.tuples(st.sampled_from(sorted(GRAMMARS)), prompts), min_size=1, max_size=5))
def test_a_batch_of_sequences_with_grammars_of_their_own(rows: list[tuple[str, list[int]]]) -> None:
    generator = BatchGenerator(
        model(),
        stop_tokens=[[stop] for stop in VOCABULARY.stop_token_ids],
        sampler=make_sampler(temp=1.5),
        prefill_batch_size=2,  # so that some begin later than others
        completion_batch_size=3,
    )
    seen = [Seen() for _ in rows]
    budgets = [30 + 10 * row for row in range(len(rows))]
    uids = generator.insert(
        [prompt for _, prompt in rows],
        budgets,
        logits_processors=[
            [SchemaLogitsProcessor(compiled(name), max_tokens=budget), observer]
            for (name, _), budget, observer in zip(rows, budgets, seen, strict=True)
        ],
    )
    written: dict[int, list[int]] = {uid: [] for uid in uids}
    while responses := generator.next_generated():
        for response in responses:
            written[response.uid].append(response.token)
    generator.close()
    for uid, (name, prompt), budget, observer in zip(uids, rows, budgets, seen, strict=True):
        check_whole(name, until_stop(iter(written[uid])))
        check(observer, len(prompt), compiled(name), budget)


def test_sequences_cannot_share_a_processor() -> None:
    processor = SchemaLogitsProcessor(compiled("schema"), max_tokens=60)
    with pytest.raises(GenerationError, match="for each sequence of a batch"):
        mlx_lm.batch_generate(
            model(), TOKENIZER, [[5, 6, 7], [8, 9, 10]], logits_processors=[processor]
        )
    with pytest.raises(GenerationError, match="one sequence"):
        processor(mx.array([5, 6, 7]), mx.zeros((2, VOCABULARY.size)))


def test_what_stops_a_processor_reaches_the_caller() -> None:
    def forbidden(tokens: mx.array, logits: mx.array) -> mx.array:
        return mx.where(mx.arange(logits.shape[-1]) == 77, 0.0, -mx.inf)[None]

    processor = SchemaLogitsProcessor(compiled("schema"), max_tokens=60)
    with pytest.raises(GenerationError, match="at position 0 of the generated text"):
        mlx_lm.generate(
            model(), TOKENIZER, [9, 9], logits_processors=[processor, forbidden], max_tokens=60
        )
    hard = Grammar.from_regex("[a-z]{3,9}", limits={"mask_work": 1}).compile(VOCABULARY)
    with pytest.raises(LimitError, match="mask_work"):
        mlx_lm.generate(model(), TOKENIZER, [9, 9], logits_processors=[SchemaLogitsProcessor(hard)])
    with pytest.raises(LimitError, match="mask_work"):
        generate(model(), TOKENIZER, [9, 9], hard)
    with pytest.raises(LimitError):
        SchemaLogitsProcessor(compiled("schema"), max_tokens=3)


def test_a_processor_learns_its_prompt_once() -> None:
    processor = SchemaLogitsProcessor(compiled("regex"))
    logits = mx.zeros((1, VOCABULARY.size))
    first = processor(mx.array([4, 5]), logits)
    letter = VOCABULARY.tokenize(b"a")
    processor(mx.array([4, 5, *letter]), logits)
    again = processor(mx.array([4, 5]), logits)
    assert mx.array_equal(first, again)
    with pytest.raises(GenerationError, match="begin with the prompt"):
        processor(mx.array([4, 6]), logits)
    with pytest.raises(GenerationError, match="begin with the prompt"):
        processor(mx.array([4]), logits)


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
@pytest.mark.parametrize("shape", [(1, VOCABULARY.size), (1, VOCABULARY.size + 70), (1, 4096)])
def test_logits_of_any_kind(dtype: Any, shape: tuple[int, int]) -> None:
    logits = mx.random.normal(shape).astype(dtype)
    masked = SchemaLogitsProcessor(compiled("regex"))(mx.array([1]), logits)
    allowed = sorted(tried(compiled("regex"), None, []))
    assert (masked.dtype, masked.shape) == (dtype, shape)
    kept = np.array(masked.astype(mx.float32))[0]
    assert np.isfinite(kept).nonzero()[0].tolist() == allowed
    assert np.array_equal(kept[allowed], np.array(logits.astype(mx.float32))[0, allowed])


def test_a_model_with_too_few_logits() -> None:
    allowed = tried(compiled("regex"), None, [])
    narrow = max(allowed)
    with pytest.raises(MaskError, match=f"past the {narrow} columns"):
        SchemaLogitsProcessor(compiled("regex"))(mx.array([1]), mx.zeros((1, narrow)))
    enough = SchemaLogitsProcessor(compiled("regex"))(mx.array([1]), mx.zeros((1, narrow + 1)))
    assert int(mx.isfinite(enough).sum()) == len(allowed)


# generate and stream


def plain(grammar: Any, prompt: list[int], budget: int) -> tuple[list[int], bool, int]:
    """What mlx-lm writes with a processor, greedily: tokens, whether cut, passes."""
    made = model(width=len(BYTES) + 3)
    processor = SchemaLogitsProcessor(grammar, max_tokens=budget, margin=0.0)
    made.passes = 0
    steps = generate_step(mx.array(prompt), made, max_tokens=budget, logits_processors=[processor])
    row = []
    for token, _ in steps:
        if token in grammar.vocabulary.stop_token_ids:
            break
        row.append(int(token))
    steps.close()
    return row, processor.is_cut, made.passes


@functools.cache
def of_bytes(name: str) -> Any:
    return GRAMMARS[name].compile(Vocabulary.from_transformers(BYTES))


@walks
@given(
    st.sampled_from(sorted(GRAMMARS)),
    st.lists(st.integers(2, 257), min_size=1, max_size=6),
    st.integers(72, 120),
)
def test_forced_text_changes_nothing(name: str, prompt: list[int], budget: int) -> None:
    made = model(width=len(BYTES) + 3)
    row, is_cut, often = plain(of_bytes(name), prompt, budget)
    made.passes = 0
    completion = generate(made, BYTES, prompt, of_bytes(name), max_tokens=budget)
    assert completion.token_ids == row
    is_whole = len(row) < budget and not is_cut
    assert completion.status == ("complete" if is_whole else "max_tokens")
    assert made.passes <= often
    if name == "schema":
        assert made.passes < often / 2


def test_every_budget_is_kept() -> None:
    least = next(n for n in range(99) if _fits("schema", n))
    for budget in range(least, least + 12):
        completion = generate(model(), TOKENIZER, "Rome: ", compiled("schema"), max_tokens=budget)
        assert len(completion.token_ids) == completion.completion_tokens <= budget
        assert list(json.loads(completion.text)) == ["location", "unit_of_measure", "days"]
    with pytest.raises(LimitError):
        generate(model(), TOKENIZER, "Rome: ", compiled("schema"), max_tokens=least - 1)


def _fits(name: str, budget: int) -> bool:
    try:
        compiled(name).matcher(max_tokens=budget)
    except LimitError:
        return False
    return True


def test_pieces_of_a_stream() -> None:
    made = model()
    pieces = stream(made, TOKENIZER, "Rome: ", compiled("schema"), max_tokens=60)
    taken = [next(pieces)]
    with pytest.raises(ModelError, match="not finished"):
        _ = pieces.completion
    taken += pieces
    told: list[str] = []
    whole = generate(
        made, TOKENIZER, "Rome: ", compiled("schema"), max_tokens=60, on_text=told.append
    )
    assert len(taken) > 2 and all(taken)
    assert pieces.completion == whole
    assert "".join(taken) == "".join(told) == whole.text

    with stream(made, TOKENIZER, "Rome: ", compiled("schema"), max_tokens=60) as pieces:
        made.passes = 0
        next(pieces)
        asked = made.passes
    assert list(pieces) == []
    assert made.passes == asked
    with pytest.raises(ModelError, match="not finished"):
        _ = pieces.completion


@pytest.mark.parametrize("stop", ['"unit', "_of_", 'n": "', "days"])
def test_it_stops_inside_forced_text(stop: str) -> None:
    whole = generate(model(), TOKENIZER, "Rome: ", compiled("schema"), max_tokens=60)
    cut = generate(model(), TOKENIZER, "Rome: ", compiled("schema"), max_tokens=60, stop=stop)
    assert (cut.text, cut.status) == (whole.text[: whole.text.index(stop)], "stop")
    assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]


def test_what_is_told_of_tokens() -> None:
    steps: list[MaskStep] = []
    told: list[TokenLogprobs] = []
    completion = generate(
        model(),
        TOKENIZER,
        "Rome: ",
        compiled("schema"),
        max_tokens=60,
        on_mask=steps.append,
        on_token=told.append,
        top_logprobs=2,
    )
    assert [token.token_id for token in told] == completion.token_ids
    chosen = [at for at, token in enumerate(told) if len(token.top) > 1]
    positions = [step.position for step in steps]
    # Where only one token may come, there is a mask and no second best.
    assert set(chosen) <= set(positions) <= {*range(len(told) + 1)}
    assert len(positions) < len(told)
    for step in steps[:-1]:
        assert told[step.position].token_id == step.best
        assert 0.0 <= step.masked_mass <= 1.0
        assert step.masked_mass > 0.0 or not step.is_overruled
    for token in told:
        assert token.top[0][0] == token.token_id and token.logprob == token.top[0][1] <= 0.0


def test_sampled_texts_are_valid_and_differ() -> None:
    texts = set()
    for seed in range(6):
        mx.random.seed(seed)
        sampler = make_sampler(temp=2.0, top_p=0.95)
        completion = generate(
            model(), TOKENIZER, "Rome: ", compiled("schema"), max_tokens=60, sampler=sampler
        )
        assert set(json.loads(completion.text)) == set(SCHEMA["properties"])  # type: ignore[call-overload]
        texts.add(completion.text)
    assert len(texts) > 3


def test_prompts() -> None:
    texts = {
        generate(model(), TOKENIZER, prompt, compiled("schema"), max_tokens=60).text
        for prompt in ("Rome: ", TOKENIZER.encode("Rome: "), mx.array(TOKENIZER.encode("Rome: ")))
    }
    assert len(texts) == 1
    long = generate(model(), TOKENIZER, [9] * 330, compiled("schema"), max_tokens=500)
    assert len(long.token_ids) <= 70 and long.prompt_tokens == 330


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": object()}, "the model is one of mlx-lm"),
        ({"tokenizer": object()}, "the tokenizer is one of mlx-lm"),
        ({"prompt": ""}, "no tokens"),
        ({"prompt": b"Rome"}, "a string or a list"),
        ({"prompt": [VOCABULARY.size]}, "none of the model's"),
        ({"prompt": [9] * 400}, "no room to generate"),
        ({"compiled": GRAMMARS["regex"]}, "compile it for the model's vocabulary"),
        ({"compiled": GRAMMARS["regex"].compile(byte_vocabulary())}, "another vocabulary"),
        ({"max_tokens": 0}, "max_tokens is at least 1"),
        ({"top_logprobs": -1}, "top_logprobs is at least 0"),
        ({"stop": [""]}, "empty stop string"),
        ({"on_text": 3}, "on_text"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_arguments(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "model": model(),
        "tokenizer": TOKENIZER,
        "prompt": "Rome",
        "compiled": compiled("regex"),
    }
    with pytest.raises(ModelError, match=message):
        generate(**{**given, **change})


def test_stop_tokens_of_the_wrapper() -> None:
    """Those that mlx-lm was told of count, too."""
    tokenizer = byte_tokenizer(1)
    alone = Vocabulary.from_transformers(tokenizer._tokenizer)
    assert Vocabulary.from_transformers(tokenizer) == alone
    last = len(tokenizer) - 1  # a byte would leave texts that cannot be spelt
    tokenizer.add_eos_token(str(last))
    more = Vocabulary.from_transformers(tokenizer)
    assert set(more.stop_token_ids) == {*alone.stop_token_ids, last}
