"""The logits processor under every way in which transformers generates."""

from __future__ import annotations

import json
import warnings
from typing import Any

import jsonschema
import pytest
import torch
from transformers import LlamaForCausalLM, LogitsProcessor, LogitsProcessorList

from schemask import (
    GenerationError,
    Grammar,
    MaskError,
    ModelError,
    Vocabulary,
    _transformers_processor,
)
from schemask.core.masking import allocate_mask, apply_mask
from schemask.transformers import (
    SchemaLogitsProcessor,
    generate,
    prefix_allowed_tokens_fn,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "size": {"enum": ["small", "large"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 99},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 2},
    },
    "required": ["name", "size", "count"],
    "additionalProperties": False,
}
PROMPTS = [
    "A thing as JSON:",
    'Another, like {"name": "lamp", "size": "small", "count": 3}, please:',
]


def compile_schema(schema: Any, vocabulary: Vocabulary) -> Any:
    return Grammar.from_json_schema(schema, whitespace="compact").compile(vocabulary)


@pytest.fixture(scope="module")
def compiled(llama3_vocabulary: Vocabulary) -> Any:
    return compile_schema(SCHEMA, llama3_vocabulary)


def run(
    model: Any, tokenizer: Any, compiled: Any, prompts: list[str], **options: Any
) -> list[list[int]]:
    """The generated tokens of each sequence, up to its stop token."""
    inputs = tokenizer(
        prompts,
        return_tensors="pt",
        padding=True,
        padding_side="left",
        return_token_type_ids=False,
    )
    stop_ids = compiled.vocabulary.stop_token_ids
    rows = model.generate(
        **inputs,
        eos_token_id=stop_ids,
        pad_token_id=tokenizer.pad_token_id,
        **{"max_new_tokens": 120, "do_sample": False, **options},
    )
    generated = rows[:, inputs["input_ids"].shape[1] :].tolist()
    ends = [next((n for n, t in enumerate(row) if t in stop_ids), len(row)) for row in generated]
    return [row[:end] for row, end in zip(generated, ends, strict=True)]


def processor_list(compiled: Any, **options: Any) -> LogitsProcessorList:
    return LogitsProcessorList([SchemaLogitsProcessor(compiled, **options)])


def check(compiled: Any, token_ids: list[int], schema: Any = SCHEMA) -> str:
    text = b"".join(map(compiled.vocabulary.token, token_ids)).decode()
    jsonschema.validate(json.loads(text), schema)
    return text


@pytest.mark.parametrize(
    ("prompts", "options"),
    [
        (PROMPTS[:1], {}),
        (PROMPTS, {}),
        (PROMPTS, {"do_sample": True}),
        (PROMPTS[:1], {"do_sample": True, "num_return_sequences": 5, "temperature": 3.0}),
        (PROMPTS, {"do_sample": True, "num_return_sequences": 2, "top_k": 3}),
        (PROMPTS[:1], {"num_beams": 4}),
        (PROMPTS, {"num_beams": 3, "num_return_sequences": 3}),
        (PROMPTS[:1], {"num_beams": 3, "do_sample": True}),
        (PROMPTS, {"repetition_penalty": 1.3, "no_repeat_ngram_size": 0}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else str(len(value)),
)
def test_every_sequence_is_valid(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any, prompts: list[str], options: Any
) -> None:
    torch.manual_seed(1)
    rows = run(
        tiny_model,
        llama3_tokenizer,
        compiled,
        prompts,
        logits_processor=processor_list(compiled, max_tokens=120),
        **options,
    )
    assert len(rows) == len(prompts) * options.get("num_return_sequences", 1)
    for row in rows:
        check(compiled, row)


def test_sampled_sequences_differ(tiny_model: Any, llama3_tokenizer: Any, compiled: Any) -> None:
    torch.manual_seed(1)
    rows = run(
        tiny_model,
        llama3_tokenizer,
        compiled,
        PROMPTS[:1],
        do_sample=True,
        num_return_sequences=6,
        logits_processor=processor_list(compiled, max_tokens=120),
    )
    texts = [check(compiled, row) for row in rows]
    assert len(set(texts)) == len(texts)
    assert len(set(map(len, rows))) > 1  # some rows finished before others


@pytest.fixture(scope="module")
def greedy(tiny_model: Any, llama3_tokenizer: Any, compiled: Any) -> list[int]:
    (row,) = run(
        tiny_model,
        llama3_tokenizer,
        compiled,
        PROMPTS[1:],
        logits_processor=processor_list(compiled, max_tokens=120),
    )
    return row


def test_prompt_lookup_changes_nothing(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any, greedy: list[int]
) -> None:
    rows = run(
        tiny_model,
        llama3_tokenizer,
        compiled,
        PROMPTS[1:],
        logits_processor=processor_list(compiled, max_tokens=120),
        prompt_lookup_num_tokens=8,
        max_matching_ngram_size=1,
    )
    assert rows == [greedy]


def test_an_assistant_model_changes_nothing(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any, greedy: list[int]
) -> None:
    torch.manual_seed(5)
    rows = run(
        tiny_model,
        llama3_tokenizer,
        compiled,
        PROMPTS[1:],
        logits_processor=processor_list(compiled, max_tokens=120),
        assistant_model=LlamaForCausalLM(tiny_model.config).eval(),
    )
    assert rows == [greedy]


def test_prompt_lookup_drafts_forced_text_from_the_prompt(
    tiny_model: Any, llama3_tokenizer: Any, llama3_vocabulary: Vocabulary
) -> None:
    text = "Never reuse a tensor that somebody else still reads from."
    compiled = compile_schema({"const": text}, llama3_vocabulary)
    forwards = 0

    def count(*_: Any) -> None:
        nonlocal forwards
        forwards += 1

    class OneTokenization(LogitsProcessor):
        """Leaves the tokens of the canonical encoding as the only choice."""

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            wanted = torch.full_like(scores, -100.0)
            wanted[:, list(canonical)] = 100.0
            return scores + wanted

    canonical = set(llama3_tokenizer.encode(f'"{text}"', add_special_tokens=False))
    hook = tiny_model.register_forward_pre_hook(count)
    try:
        (row,) = run(
            tiny_model,
            llama3_tokenizer,
            compiled,
            [f'Repeat "{text}":'],
            logits_processor=LogitsProcessorList(
                [SchemaLogitsProcessor(compiled), OneTokenization()]
            ),
            prompt_lookup_num_tokens=20,
        )
    finally:
        hook.remove()
    assert check(compiled, row, {"const": text})
    assert forwards < len(row)


@pytest.mark.parametrize("budget", [2, 3, 7, 40])
def test_the_budget_is_honoured(
    tiny_model: Any, llama3_tokenizer: Any, llama3_vocabulary: Vocabulary, budget: int
) -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    compiled = compile_schema(schema, llama3_vocabulary)
    torch.manual_seed(2)
    rows = run(
        tiny_model,
        llama3_tokenizer,
        compiled,
        PROMPTS,
        do_sample=True,
        num_return_sequences=3,
        max_new_tokens=budget,
        logits_processor=processor_list(compiled, max_tokens=budget),
    )
    for row in rows:
        check(compiled, row, schema)


def test_states_depend_on_the_tokens_of_a_row_alone(
    tiny_model: Any, compiled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any order of rows and lengths gives the masks of matchers that start anew."""
    vocabulary = compiled.vocabulary
    generator = torch.Generator().manual_seed(3)
    width = vocabulary.size + 5
    prompt = [128000, 1, 2]
    prefixes: list[list[int]] = []
    wanted: list[torch.Tensor] = []
    for _ in range(6):
        matcher = compiled.matcher()
        tokens: list[int] = []
        while not matcher.is_terminated and len(tokens) < 12:
            mask = allocate_mask(1, vocabulary.size)
            matcher.fill_mask(mask)
            scores = torch.zeros(1, width)
            apply_mask(scores, mask)
            prefixes.append(list(tokens))
            wanted.append(scores[0])
            tokens.append(int(torch.multinomial(scores[0].exp(), 1, generator=generator)))
            assert matcher.accept(tokens[-1])
    monkeypatch.setattr(_transformers_processor, "MIN_CACHED_STATES", 3)  # states are forgotten
    processor = SchemaLogitsProcessor(compiled)
    processor(torch.tensor([prompt]), torch.zeros(1, width))
    for number in torch.randperm(len(prefixes), generator=generator).tolist():
        rows = [n for n, prefix in enumerate(prefixes) if len(prefix) == len(prefixes[number])]
        input_ids = torch.tensor([prompt + prefixes[n] for n in rows])
        scores = torch.zeros(len(rows), width)
        masked = processor(input_ids, scores)
        assert torch.equal(masked, torch.stack([wanted[n] for n in rows]))
        assert not scores.any()  # the scores passed in are untouched


@pytest.mark.parametrize(
    ("prompts", "options"),
    [(PROMPTS, {}), (PROMPTS[:1], {"num_beams": 4}), (PROMPTS, {"num_beams": 2})],
    ids=str,
)
def test_allowed_tokens_are_those_of_the_masks(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any, prompts: list[str], options: Any
) -> None:
    allowed, masked = (
        run(tiny_model, llama3_tokenizer, compiled, prompts, **way, **options)
        for way in (
            {"prefix_allowed_tokens_fn": prefix_allowed_tokens_fn(compiled, max_tokens=120)},
            {"logits_processor": processor_list(compiled, max_tokens=120)},
        )
    )
    assert allowed == masked
    for row in allowed:
        check(compiled, row)


def test_allowed_tokens_are_listed_in_order(compiled: Any) -> None:
    vocabulary = compiled.vocabulary
    allowed = prefix_allowed_tokens_fn(compiled, prompt_length=2)
    prompt = [1, 2]
    texts = [b"", b'{"name":"', b'{"name":"a","size":"small","count":1}']
    for text in texts:
        ids = allowed(0, torch.tensor(prompt + vocabulary.tokenize(text)))
        matcher = compiled.matcher()
        assert matcher.accept_bytes(text)
        wanted = [token for token in range(vocabulary.size) if matcher.clone().accept(token)]
        assert ids == wanted
    with pytest.raises(GenerationError, match="shorter"):
        allowed(0, torch.tensor([1]))


def test_after_a_stop_token_a_row_may_hold_anything(compiled: Any) -> None:
    vocabulary = compiled.vocabulary
    stops = vocabulary.stop_token_ids
    processor = SchemaLogitsProcessor(compiled)
    text = vocabulary.tokenize(b'{"name":"a","size":"small","count":1}')
    scores = torch.zeros(1, vocabulary.size)
    processor(torch.tensor([[128000]]), scores)
    for tail in ([], [stops[0]], [stops[-1], 128004, 128004], [stops[0], 5, 6]):
        masked = processor(torch.tensor([[128000, *text, *tail]]), scores)
        assert masked[0].isfinite().nonzero().flatten().tolist() == stops


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"do_sample": True, "num_return_sequences": 3},
        {"num_beams": 3},
        {"prompt_lookup_num_tokens": 4},
    ],
    ids=str,
)
def test_stop_tokens_that_generate_does_not_know_keep_a_row_finished(
    tiny_model: Any, llama3_tokenizer: Any, llama3_vocabulary: Vocabulary, options: Any
) -> None:
    """As with a generation config that names `<eos>` but not the end of the turn."""

    class EndsTurns(LogitsProcessor):
        """A model that ends with the one stop token that `generate` does not know."""

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            scores = scores.clone()
            scores[:, unknown] += 1e4
            return scores

    *known, unknown = llama3_vocabulary.stop_token_ids
    assert known
    compiled = compile_schema({"enum": ["a", "bb", None]}, llama3_vocabulary)
    inputs = llama3_tokenizer(PROMPTS[0], return_tensors="pt", return_token_type_ids=False)
    torch.manual_seed(6)
    rows = tiny_model.generate(
        **inputs,
        eos_token_id=known,
        pad_token_id=llama3_tokenizer.pad_token_id,
        logits_processor=LogitsProcessorList(
            [EndsTurns(), SchemaLogitsProcessor(compiled, max_tokens=12)]
        ),
        **{"max_new_tokens": 12, "do_sample": False, **options},
    )
    for row in rows[:, inputs["input_ids"].shape[1] :].tolist():
        end = row.index(unknown)
        assert json.loads(check(compiled, row[:end], {})) in ("a", "bb", None)
        assert len(row) == 12
        assert set(row[end:]) == {unknown}


def test_the_end_of_the_prompt_may_be_part_of_the_text(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any
) -> None:
    start = '{"name":"'
    prompt_length = len(llama3_tokenizer(PROMPTS[0])["input_ids"])
    (row,) = run(
        tiny_model,
        llama3_tokenizer,
        compiled,
        [PROMPTS[0] + start],
        logits_processor=processor_list(compiled, prompt_length=prompt_length),
    )
    text = b"".join(map(compiled.vocabulary.token, row)).decode()
    jsonschema.validate(json.loads(start + text), SCHEMA)


# failing


def test_a_token_that_is_not_allowed_stops_generation(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any
) -> None:
    class Meddler(LogitsProcessor):
        """Brings back a token that was forbidden before it."""

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            if input_ids.shape[1] == length + 3:
                scores = scores.clone()
                scores[:, 128004] = 1e4
            return scores

    length = len(llama3_tokenizer(PROMPTS[0])["input_ids"])
    processors = LogitsProcessorList([SchemaLogitsProcessor(compiled), Meddler()])
    with pytest.raises(GenerationError, match=r"token 128004 .* at position 3 .* after '\{"):
        run(tiny_model, llama3_tokenizer, compiled, PROMPTS[:1], logits_processor=processors)


def test_a_beam_without_a_future_is_tolerated_beside_a_living_one(compiled: Any) -> None:
    """Beam sampling keeps candidates of probability zero if there are too few others."""
    processor = SchemaLogitsProcessor(compiled)
    scores = torch.zeros(2, compiled.vocabulary.size)
    good, bad = (compiled.vocabulary.tokenize(text)[0] for text in (b"{", b"]"))
    processor(torch.tensor([[1], [2]]), scores)
    masked = processor(torch.tensor([[1, bad], [1, good]]), scores)
    assert masked[0].isneginf().all()
    assert masked[1].isfinite().any()
    with pytest.raises(GenerationError, match="position 0"):
        processor(torch.tensor([[1, bad], [2, good]]), scores)


def test_token_ids_outside_the_vocabulary_are_named(compiled: Any) -> None:
    processor = SchemaLogitsProcessor(compiled)
    scores = torch.zeros(1, compiled.vocabulary.size)
    processor(torch.tensor([[1]]), scores)
    for token_id in (-1, compiled.vocabulary.size):
        with pytest.raises(GenerationError, match=f"token {token_id} .*position 0"):
            processor(torch.tensor([[1, token_id]]), scores)


def test_a_processor_serves_one_generation_after_the_other(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any
) -> None:
    """As a pipeline does, which calls `generate` for each batch of prompts."""
    processors = processor_list(compiled, max_tokens=60)
    for prompts in (PROMPTS[:1], PROMPTS[1:], PROMPTS, PROMPTS[:1]):
        options: dict[str, Any] = {"max_new_tokens": 60}
        alone = processor_list(compiled, max_tokens=60)
        rows = [
            run(tiny_model, llama3_tokenizer, compiled, prompts, logits_processor=list_, **options)
            for list_ in (processors, alone)
        ]
        assert rows[0] == rows[1]


def test_a_pipeline_with_two_prompts(tiny_model: Any, llama3_tokenizer: Any, compiled: Any) -> None:
    from transformers import pipeline

    pipe = pipeline("text-generation", model=tiny_model, tokenizer=llama3_tokenizer)
    results = pipe(
        PROMPTS,
        max_new_tokens=60,
        do_sample=False,
        return_full_text=False,
        clean_up_tokenization_spaces=False,
        eos_token_id=compiled.vocabulary.stop_token_ids,
        logits_processor=processor_list(compiled, max_tokens=60),
    )
    assert len(results) == 2
    for [result] in results:
        jsonschema.validate(json.loads(result["generated_text"]), SCHEMA)


def test_a_prompt_shorter_than_told(compiled: Any) -> None:
    processor = SchemaLogitsProcessor(compiled, prompt_length=3)
    with pytest.raises(GenerationError, match="prompt_length=3"):
        processor(torch.tensor([[1]]), torch.zeros(1, compiled.vocabulary.size))


@pytest.mark.parametrize("margin", [0.0, float("inf")])
def test_a_cut_is_a_wish_that_the_budget_forbade(
    llama3_vocabulary: Vocabulary, margin: float
) -> None:
    """Rows that wish for more, and rows that wish to end; also beside each other."""
    vocabulary = llama3_vocabulary
    compiled = compile_schema({"type": "string"}, vocabulary)
    quote, word = (vocabulary.tokenize(text)[0] for text in (b'"', b"word"))
    processor = SchemaLogitsProcessor(compiled, max_tokens=3, margin=margin)
    prompts = [[128000, 1], [128000, 2]]
    scores = torch.full((2, vocabulary.size), -50.0)
    scores[:, quote] = 0.0
    scores[1, word] = 1.0
    texts: list[list[int]] = [[], []]
    for chosen in ([quote, quote], [quote, word]):
        rows = [prompt + text for prompt, text in zip(prompts, texts, strict=True)]
        processor(torch.tensor(rows), scores)
        texts = [[*text, token] for text, token in zip(texts, chosen, strict=True)]
    # One token is left, which must be the quote; the first row has ended already.
    rows = [prompt + text for prompt, text in zip(prompts, texts, strict=True)]
    processor(torch.tensor(rows), scores)
    assert processor.is_cut(prompts[1], [*texts[1], quote])
    assert processor.is_cut(prompts[0], texts[0]) == (margin > 0)
    assert not processor.is_cut(prompts[0], [])


def test_heads_narrower_than_the_allowed_tokens_are_errors(compiled: Any) -> None:
    with pytest.raises(MaskError):
        SchemaLogitsProcessor(compiled)(torch.tensor([[1]]), torch.zeros(1, 1000))


# generate


def test_generate(tiny_model: Any, llama3_tokenizer: Any, compiled: Any) -> None:
    torch.manual_seed(4)
    prompts = [PROMPTS[0], llama3_tokenizer(PROMPTS[1])["input_ids"]]
    texts = generate(
        tiny_model,
        llama3_tokenizer,
        prompts,
        compiled,
        max_new_tokens=60,
        do_sample=True,
        num_return_sequences=2,
    )
    assert len(texts) == 4
    for text in texts:
        jsonschema.validate(json.loads(text), SCHEMA)


def test_generate_is_greedy_by_default_and_independent_of_padding(
    tiny_model: Any, llama3_tokenizer: Any, compiled: Any, greedy: list[int]
) -> None:
    # A model of random weights has no favourite among the tokens that spell a forced text.
    texts = generate(
        tiny_model, llama3_tokenizer, PROMPTS, compiled, max_new_tokens=120, forced_tokens=False
    )
    assert texts[1] == check(compiled, greedy)


def test_generate_never_returns_an_unfinished_text(
    tiny_model: Any, llama3_tokenizer: Any, llama3_vocabulary: Vocabulary
) -> None:
    class EndsEarly(LogitsProcessor):
        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            return torch.full_like(scores, -torch.inf).index_fill_(1, torch.tensor([stop]), 0.0)

    stop = llama3_vocabulary.stop_token_ids[0]
    compiled = compile_schema({"const": True}, llama3_vocabulary)
    with pytest.raises(GenerationError, match="unfinished"):
        generate(
            tiny_model,
            llama3_tokenizer,
            PROMPTS,
            compiled,
            logits_processor=[EndsEarly()],
        )


def test_generate_warns_of_texts_that_were_cut(
    tiny_model: Any, llama3_tokenizer: Any, llama3_vocabulary: Vocabulary
) -> None:
    words = compile_schema({"type": "string"}, llama3_vocabulary)
    prompts = [*PROMPTS, [100] * (tiny_model.config.max_position_embeddings - 6)]
    with pytest.warns(UserWarning, match=r"the context of 1024 tokens ended [23] of 3 texts"):
        texts = generate(tiny_model, llama3_tokenizer, prompts, words)
    assert all(isinstance(json.loads(text), str) for text in texts)
    with pytest.warns(UserWarning, match="max_new_tokens=6 ended 2 of 2 texts"):
        texts = generate(tiny_model, llama3_tokenizer, PROMPTS, words, max_new_tokens=6)
    assert all(isinstance(json.loads(text), str) for text in texts)
    fixed = compile_schema({"const": True}, llama3_vocabulary)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert generate(tiny_model, llama3_tokenizer, PROMPTS[0], fixed) == ["true"]


def test_generate_ends_at_stop_strings(
    tiny_model: Any, llama3_tokenizer: Any, llama3_vocabulary: Vocabulary
) -> None:
    compiled = compile_schema({"const": ["one", "two"]}, llama3_vocabulary)
    texts = generate(tiny_model, llama3_tokenizer, PROMPTS[:1], compiled, stop_strings=['","'])
    assert texts == ['["one']


def test_generate_says_what_is_wrong(
    tiny_model: Any, llama3_tokenizer: Any, llama3_vocabulary: Vocabulary, compiled: Any
) -> None:
    grammar = Grammar.from_json_schema({})
    tokens = [llama3_vocabulary.token(i) for i in range(llama3_vocabulary.size)]
    other = Vocabulary(tokens[1:] + tokens[:1], llama3_vocabulary.stop_token_ids)
    for prompts, given, max_new_tokens, message in (
        ([], compiled, 5, "prompts is empty"),
        (3, compiled, 5, "prompts are"),
        ([3], compiled, 5, "a prompt is"),
        ([["a"]], compiled, 5, "a prompt is"),
        ([[]], compiled, 5, "no tokens"),
        (PROMPTS, grammar, 5, "compile it"),
        (PROMPTS, None, 5, "CompiledGrammar"),
        (PROMPTS, grammar.compile(other), 5, "another vocabulary"),
        (PROMPTS, compiled, -1, "max_new_tokens"),
        (PROMPTS, compiled, None, "max_new_tokens"),
        (b"Hi", compiled, 5, "a prompt is"),
        ([b"Hi"], compiled, 5, "a prompt is"),
        ([[-1]], compiled, 5, "token -1"),
        ([[10**6]], compiled, 5, "token 1000000"),
        (["\ud800"], compiled, 5, "lone surrogate"),
        (["word " * 1100], compiled, 5, "no room"),
    ):
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens}
        with pytest.raises(ModelError, match=message):
            generate(tiny_model, llama3_tokenizer, prompts, given, **options)
