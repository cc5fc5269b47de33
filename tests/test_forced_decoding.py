"""Decoding in which forced text is not sampled, against plain decoding by transformers."""

from __future__ import annotations

import json
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers import LogitsProcessorList  # noqa: E402

import schemask.transformers  # noqa: E402
from byte_models import COMPILED, MODELS, STOP, VOCABULARY, Bytes, prompts  # noqa: E402
from schemask import Grammar, ModelError  # noqa: E402
from schemask.transformers import SchemaLogitsProcessor, forced_decoding  # noqa: E402


def decoded(
    model: Any, rows: list[list[int]], *, is_forced: bool, **options: Any
) -> tuple[list[list[int]], int]:
    """The tokens of each row up to its end, and how often the model was asked."""
    width = max(map(len, rows))
    processor = SchemaLogitsProcessor(COMPILED, max_tokens=options.get("max_new_tokens", 120))
    if is_forced:
        options["custom_generate"] = forced_decoding(processor, Bytes())
    passes: list[int] = []
    hook = model.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        sequences = model.generate(
            input_ids=torch.tensor([[0] * (width - len(row)) + row for row in rows]),
            attention_mask=torch.tensor(
                [[0] * (width - len(row)) + [1] * len(row) for row in rows]
            ),
            logits_processor=LogitsProcessorList([processor]),
            eos_token_id=[STOP],
            pad_token_id=STOP,
            **{"max_new_tokens": 120, "do_sample": False, **options},
        )
    finally:
        hook.remove()
    found = sequences[:, width:].tolist()
    return [row[: row.index(STOP)] if STOP in row else row for row in found], len(passes)


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(sorted(MODELS)),
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from(
        [
            {},
            {"repetition_penalty": 1.4},
            {"no_repeat_ngram_size": 9},
            {"do_sample": True, "top_k": 1},
            {"max_new_tokens": 70},
            {"use_cache": True, "min_new_tokens": 5},
        ]
    ),
)
def test_the_text_is_the_same(kind: str, seed: int, count: int, options: dict[str, Any]) -> None:
    rows = prompts(seed, count)
    plain, often = decoded(MODELS[kind], rows, is_forced=False, **options)
    forced, seldom = decoded(MODELS[kind], rows, is_forced=True, **options)
    assert forced == plain
    assert seldom <= often
    goes_apart = kind == "llama" and not options.keys() & {
        "repetition_penalty",
        "no_repeat_ngram_size",
    }
    if goes_apart or (kind != "states" and count == 1):
        assert seldom < often / 2


NOTES = Grammar.from_json_schema(
    {
        "type": "object",
        "properties": {
            "note": {"type": "string", "maxLength": 60},
            "other_note": {"type": "string", "maxLength": 60},
        },
        "required": ["note", "other_note"],
        "additionalProperties": False,
    },
    whitespace="compact",
).compile(VOCABULARY)


class Script:
    """A logits processor that has one text written after one prompt."""

    def __init__(self, prompt: list[int], text: bytes) -> None:
        self._begin = len(prompt)
        self._tokens = [*text, STOP]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        written = input_ids[0, self._begin :].tolist()
        scores = scores.clone()
        if written == self._tokens[: len(written)]:
            scores[0, self._tokens[len(written)]] += 1e4
        return scores


@settings(deadline=None, max_examples=15)
@given(st.data())
def test_values_that_stand_in_the_prompt_take_fewer_passes(data: st.DataObject) -> None:
    plain_text = st.text("abcdefgh ", min_size=12, max_size=30)
    notes = [data.draw(plain_text), data.draw(plain_text)]
    text = json.dumps(dict(zip(("note", "other_note"), notes, strict=True)), separators=(",", ":"))
    said = " and ".join(data.draw(st.permutations([*notes, data.draw(plain_text)])))
    is_said = data.draw(st.booleans())
    prompt = list(said.encode() if is_said else b"0123456789")
    found = []
    for lookup in (False, True):
        processor = SchemaLogitsProcessor(NOTES, max_tokens=200)
        passes: list[int] = []
        model = MODELS["llama"]
        hook = model.register_forward_pre_hook(lambda *_, passes=passes: passes.append(1))
        try:
            (row,) = model.generate(
                input_ids=torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                logits_processor=LogitsProcessorList([Script(prompt, text.encode()), processor]),
                eos_token_id=[STOP],
                pad_token_id=STOP,
                max_new_tokens=200,
                do_sample=False,
                custom_generate=forced_decoding(processor, Bytes(), prompt_lookup=lookup),
            )
        finally:
            hook.remove()
        assert row[len(prompt) :].tolist() == [*text.encode(), STOP]
        found.append(len(passes))
    without, looked_up = found
    if is_said:
        assert looked_up < without
    else:
        assert looked_up == without


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_the_end_that_is_forced_is_not_asked_for(kind: str) -> None:
    if kind == "states":
        pytest.skip("such caches take tokens one by one")
    compiled = Grammar.literal("It is done.").compile(VOCABULARY)
    processor = SchemaLogitsProcessor(compiled)
    passes: list[int] = []
    hook = MODELS[kind].register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        (row,) = MODELS[kind].generate(
            input_ids=torch.tensor([[1, 2]]),
            attention_mask=torch.ones(1, 2, dtype=torch.long),
            logits_processor=LogitsProcessorList([processor]),
            eos_token_id=[STOP],
            pad_token_id=STOP,
            max_new_tokens=20,
            do_sample=False,
            custom_generate=forced_decoding(processor, Bytes()),
        )
    finally:
        hook.remove()
    assert row[2:].tolist() == [*b"It is done.", STOP]
    assert len(passes) == 1


def test_prompts_of_one_length_need_no_mask() -> None:
    rows = [[1, 2, 3], [7, 8, 9], [100, 101, 102]]
    plain, _ = decoded(MODELS["llama"], rows, is_forced=False)
    assert decoded(MODELS["llama"], rows, is_forced=True)[0] == plain


def test_sampled_texts_are_valid_and_differ() -> None:
    torch.manual_seed(1)
    rows = prompts(3, 2) * 8
    found, _ = decoded(MODELS["llama"], rows, is_forced=True, do_sample=True, temperature=3.0)
    texts = {bytes(row) for row in found}
    for text in texts:
        matcher = COMPILED.matcher()
        assert matcher.accept_bytes(text) and matcher.is_accepting
    assert len(texts) > 8


def test_it_stops_inside_forced_text(hf_tokenizer: Any, hf_model: Any) -> None:
    vocabulary = schemask.Vocabulary.from_transformers(hf_tokenizer)
    compiled = Grammar.from_json_schema(
        {
            "type": "object",
            "properties": {"temperature_in_celsius": {"type": "integer"}, "city": {"const": "x"}},
            "required": ["temperature_in_celsius", "city"],
            "additionalProperties": False,
        },
        whitespace="spaced",
    ).compile(vocabulary)
    for stops in ([], ["_in_"], ["city"]):
        texts = [
            schemask.transformers.generate(
                hf_model,
                hf_tokenizer,
                "It is 20 degrees. As JSON: ",
                compiled,
                max_new_tokens=60,
                forced_tokens=forced,
                **({"stop_strings": stops} if stops else {}),
            )
            for forced in (True, False)
        ]
        assert texts[0] == texts[1]
        assert texts[0][0].startswith('{"temperature')


def test_what_is_decoded_in_another_way_is_left_to_transformers(
    hf_tokenizer: Any, hf_model: Any
) -> None:
    compiled = Grammar.from_json_schema({"enum": ["abcdef", 12]}, whitespace="compact").compile(
        schemask.Vocabulary.from_transformers(hf_tokenizer)
    )
    for options in ({"num_beams": 2}, {"prompt_lookup_num_tokens": 3}, {"use_cache": False}):
        (text,) = schemask.transformers.generate(
            hf_model, hf_tokenizer, "Say", compiled, max_new_tokens=12, **options
        )
        assert text in ('"abcdef"', "12")
    with pytest.raises(ModelError, match="forced_tokens"):
        schemask.transformers.generate(
            hf_model,
            hf_tokenizer,
            "Say",
            compiled,
            forced_tokens="yes",  # type: ignore[arg-type]
        )
