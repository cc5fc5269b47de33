"""Models of mlx-lm as models of the loop: converted, opened, and beside transformers."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

mlx_lm = pytest.importorskip("mlx_lm")

from mlx import core as mx  # noqa: E402

from schemask import Grammar, ModelError, tool  # noqa: E402
from schemask.agent import run_agent  # noqa: E402
from schemask.models import MlxModel, Sampling, TransformersModel, open_model  # noqa: E402

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "place_of_birth": {"enum": ["London", "Paris"]},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
    },
    "required": ["name", "place_of_birth", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def tiny(mlx_tiny: Any) -> MlxModel:
    return MlxModel(*mlx_tiny)


def test_it_writes_what_transformers_writes(
    tiny: MlxModel, tiny_model: Any, llama3_tokenizer: Any
) -> None:
    twin = TransformersModel(tiny_model, llama3_tokenizer)
    assert tiny.vocabulary.stop_token_ids == twin.vocabulary.stop_token_ids
    grammar = Grammar.from_json_schema(PERSON, whitespace="spaced")
    of_twin, own = (grammar.compile(model.vocabulary) for model in (twin, tiny))
    for prompt in ("A person: ", "Somebody else, as JSON: "):
        sampling = Sampling(max_tokens=48)
        assert tiny.generate(prompt, grammar=own, sampling=sampling) == twin.generate(
            prompt, grammar=of_twin, sampling=sampling
        )
        sampling = Sampling(max_tokens=12)
        assert tiny.generate(prompt, sampling=sampling) == twin.generate(prompt, sampling=sampling)


def test_threads_wait_for_one_another(tiny: MlxModel) -> None:
    compiled = Grammar.from_json_schema(PERSON, whitespace="spaced").compile(tiny.vocabulary)
    sampling = Sampling(max_tokens=48)
    expected = [tiny.generate(str(n), grammar=compiled, sampling=sampling) for n in range(4)]
    found: dict[int, Any] = {}

    def write(n: int) -> None:
        found[n] = tiny.generate(str(n), grammar=compiled, sampling=sampling)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(4)] == expected


def test_the_seed_alone_decides(tiny: MlxModel) -> None:
    """Whatever else draws random numbers meanwhile."""
    sampling = Sampling(max_tokens=8, temperature=1.0, seed=3)
    first = tiny.generate("Today", sampling=sampling)
    state = mx.random.uniform(shape=(3,))
    assert tiny.generate("Today", sampling=sampling) == first
    assert not mx.array_equal(mx.random.uniform(shape=(3,)), state)
    least = Sampling(max_tokens=8, temperature=1.0, top_p=0.0, seed=3)
    assert tiny.generate("Today", sampling=least) == tiny.generate(
        "Today", sampling=Sampling(max_tokens=8)
    )


def test_the_digest_tells_weights_and_templates_apart(tiny: MlxModel, mlx_tiny: Any) -> None:
    model, tokenizer = mlx_tiny
    assert MlxModel(model, tokenizer, tiny.vocabulary).digest == tiny.digest
    assert MlxModel(model, tokenizer, tiny.vocabulary, template="{{ x }}").digest != tiny.digest
    weights = model.model.norm.weight
    model.model.norm.weight = weights * 1.5
    try:
        assert MlxModel(model, tokenizer, tiny.vocabulary).digest != tiny.digest
    finally:
        model.model.norm.weight = weights


def test_a_folder_that_mlx_wrote_is_opened_by_mlx(tmp_path: Path, small_folder: Path) -> None:
    converted = tmp_path / "converted"
    mlx_lm.convert(str(small_folder), str(converted), quantize=True, q_bits=8, q_group_size=32)
    assert isinstance(open_model(small_folder), TransformersModel)
    model = open_model(converted)
    assert isinstance(model, MlxModel)
    compiled = Grammar.from_json_schema(PERSON, whitespace="spaced").compile(model.vocabulary)
    text = model.generate("A person: ", grammar=compiled, sampling=Sampling(max_tokens=48)).text
    assert list(json.loads(text)) == list(PERSON["properties"])  # type: ignore[call-overload]

    weights = converted / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="converted"):
        open_model(converted)
    weights.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="converted"):
        open_model(converted)


@tool
def weather(city: str) -> int:
    """The weather."""
    return 20


def test_smollm2_calls_a_tool(mlx_smollm2: Path, hf_model: Any, hf_tokenizer: Any) -> None:
    """Real weights, converted: the call is what transformers writes.

    Mlx reads a prompt on a CPU at seven tokens a second; so they are short.
    """
    model = open_model(mlx_smollm2)
    assert isinstance(model, MlxModel)
    results = [
        run_agent(
            each,
            [weather],
            "Weather in Oslo?",
            tool_choice="required",
            max_steps=1,
            sampling=Sampling(max_tokens=32),
        )
        for each in (model, TransformersModel(hf_model, hf_tokenizer))
    ]
    assert results[0].steps[0].kind == "call"
    assert [step.text for step in results[0].steps] == [step.text for step in results[1].steps]
