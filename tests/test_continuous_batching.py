"""Requests under grammars of their own in the continuous batching of transformers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers import (  # noqa: E402
    ContinuousBatchingConfig,
    GenerationConfig,
)

from byte_models import COMPILED, STOP, VOCABULARY, Bytes, model_of, prompts  # noqa: E402
from schemask import GenerationError, Grammar, ModelError  # noqa: E402
from schemask.transformers import batched_text, constrain_batching, generate  # noqa: E402

MODEL = model_of("llama")
OTHER = Grammar.from_regex("(ab|cd){3,9}").compile(VOCABULARY)


def manager_of(model: Any, **generation: Any) -> Any:
    return model.init_continuous_batching(
        generation_config=GenerationConfig(
            **{"do_sample": False, "eos_token_id": [STOP], "pad_token_id": STOP, **generation}
        ),
        continuous_batching_config=ContinuousBatchingConfig(
            num_blocks=64, max_batch_tokens=64, use_async_batching=False
        ),
    )


@contextmanager
def batching(**generation: Any) -> Iterator[Any]:
    manager = manager_of(model_of("llama"), **generation)
    constrain_batching(manager)
    manager.start()
    try:
        yield manager
    finally:
        manager.stop(block=True)
        manager.destroy()


def results(manager: Any, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while len(found) < count:
        result = manager.get_result(timeout=60)
        assert result is not None, "the batch does not go on"
        if result.is_finished() or result.error is not None:
            found[result.request_id] = result
    return found


@settings(deadline=None, max_examples=3)
@given(st.integers(0, 10**6))
def test_texts_are_those_of_generate(seed: int) -> None:
    rows = prompts(seed, 6)
    grammars = [COMPILED, OTHER, COMPILED, OTHER, COMPILED, None]
    with batching() as manager:
        ids = [
            manager.add_request(row, max_new_tokens=120, **({"grammar": g} if g else {}))
            for row, g in zip(rows, grammars, strict=True)
        ]
        found = results(manager, len(rows))
    for row, grammar, name in zip(rows, grammars, ids, strict=True):
        if grammar is None:
            free = MODEL.generate(
                input_ids=torch.tensor([row]),
                attention_mask=torch.ones(1, len(row), dtype=torch.long),
                max_new_tokens=120,
                do_sample=False,
                eos_token_id=[STOP],
                pad_token_id=STOP,
            )
            assert found[name].generated_tokens == free[0, len(row) :].tolist()
        else:
            (text,) = generate(
                MODEL, Bytes(), [row], grammar, max_new_tokens=120, forced_tokens=False
            )
            assert batched_text(grammar, found[name]) == text


def test_sampled_texts_are_valid_and_finished_in_time() -> None:
    torch.manual_seed(0)
    with batching(do_sample=True, temperature=2.0, top_k=0) as manager:
        for row in prompts(1, 5) * 3:
            manager.add_request(row, max_new_tokens=70, grammar=COMPILED)
        found = results(manager, 15)
    texts = {batched_text(COMPILED, result) for result in found.values()}
    assert len(texts) > 5


def test_a_request_that_cannot_go_on_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    with batching() as manager, caplog.at_level(logging.WARNING, logger="schemask"):
        short = manager.add_request([1, 2], max_new_tokens=3, grammar=COMPILED)
        good = manager.add_request([1, 2], max_new_tokens=120, grammar=COMPILED)
        found = results(manager, 2)
    assert batched_text(COMPILED, found[good])
    with pytest.raises(GenerationError, match="unfinished"):
        batched_text(COMPILED, found[short])
    assert "ends unfinished" in caplog.text


def test_what_cannot_be_constrained_is_refused() -> None:
    with pytest.raises(ModelError, match="manager"):
        constrain_batching(MODEL)
    manager = manager_of(model_of("llama"))
    manager.continuous_batching_config.use_async_batching = True
    with pytest.raises(ModelError, match="use_async_batching"):
        constrain_batching(manager)
    with batching() as running:
        running.add_request([1], max_new_tokens=4)
        results(running, 1)
        with pytest.raises(ModelError, match="started"):
            constrain_batching(running)
