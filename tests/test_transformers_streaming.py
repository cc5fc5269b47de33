"""Texts of transformers as they are written: by a streamer, and piece by piece."""

from __future__ import annotations

import threading
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers import TextIteratorStreamer  # noqa: E402

from byte_models import COMPILED, MODELS, STOP, Bytes, prompts  # noqa: E402
from schemask import ModelError  # noqa: E402
from schemask.transformers import generate, stream  # noqa: E402

OPTIONS: list[dict[str, Any]] = [
    {},
    {"repetition_penalty": 1.4},
    {"do_sample": True, "top_k": 1},
    {"stop_strings": ["_of_"]},
    {"stop_strings": ["t", '"']},
    {"max_new_tokens": 71},
]


class Puts:
    """A streamer that keeps what it gets."""

    def __init__(self) -> None:
        self.puts: list[Any] = []
        self.ends = 0

    def put(self, value: Any) -> None:
        assert not self.ends
        self.puts.append(value)

    def end(self) -> None:
        self.ends += 1


class Passes:
    """Counts how often a model is asked."""

    def __init__(self, model: Any) -> None:
        self.count = 0
        self._hook = model.register_forward_pre_hook(self._add)

    def _add(self, *_: Any) -> None:
        self.count += 1

    def stop(self) -> int:
        self._hook.remove()
        return self.count


def arguments(options: dict[str, Any]) -> dict[str, Any]:
    return {"max_new_tokens": 120, "do_sample": False, **options}


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(sorted(MODELS)),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from(OPTIONS),
)
@pytest.mark.filterwarnings("ignore:max_new_tokens")
def test_pieces_are_the_text(kind: str, seed: int, forced: bool, options: dict[str, Any]) -> None:
    (prompt,) = prompts(seed, 1)
    model = MODELS[kind]
    plain = {key: value for key, value in options.items() if key != "stop_strings"}
    (text,) = generate(model, Bytes(), [prompt], COMPILED, **arguments(plain))
    # The stop string that is complete first.
    ends = [
        (text.find(stop) + len(stop), text.find(stop)) for stop in options.get("stop_strings", ())
    ]
    text = text[: min(ends)[1]] if ends else text
    with stream(
        model, Bytes(), prompt, COMPILED, forced_tokens=forced, **arguments(options)
    ) as pieces:
        found = list(pieces)
    completion = pieces.completion
    assert "".join(found) == completion.text == text
    assert all(found)
    assert completion.prompt_tokens == len(prompt)
    assert completion.completion_tokens == len(completion.token_ids)
    assert bytes(completion.token_ids).decode(errors="replace").startswith(text)
    if "stop_strings" in options:
        assert completion.status == "stop"
    elif "max_new_tokens" not in options:
        assert completion.status == "complete"


@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from(sorted(MODELS)),
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(OPTIONS[:3]),
)
def test_a_streamer_gets_every_token(
    kind: str, seed: int, count: int, forced: bool, options: dict[str, Any]
) -> None:
    rows = prompts(seed, count)
    width = max(map(len, rows))
    puts = Puts()
    texts = generate(
        MODELS[kind],
        Bytes(),
        rows,
        COMPILED,
        streamer=puts,
        forced_tokens=forced,
        **arguments(options),
    )
    assert puts.ends == 1
    first, *others = puts.puts
    assert first.shape == (count, width)
    assert [row[-len(ids) :] for row, ids in zip(first.tolist(), rows, strict=True)] == rows
    if count == 1:
        tokens = torch.cat(others).tolist()
        assert bytes(tokens[: tokens.index(STOP)]).decode() == texts[0]
        if forced and kind != "states":
            assert len(others) < len(tokens) / 2
    else:
        for text, column in zip(texts, torch.stack(others, dim=1).tolist(), strict=True):
            assert bytes(column[: column.index(STOP)]).decode() == text


@pytest.mark.parametrize("forced", [True, False])
def test_the_iterator_of_transformers_has_the_text(forced: bool) -> None:
    streamer = TextIteratorStreamer(Bytes(), skip_prompt=True)  # type: ignore[no-untyped-call]
    texts: list[str] = []

    def run() -> None:
        texts.extend(
            generate(
                MODELS["llama"],
                Bytes(),
                [[1, 2, 3]],
                COMPILED,
                streamer=streamer,
                forced_tokens=forced,
                **arguments({}),
            )
        )

    thread = threading.Thread(target=run)
    thread.start()
    pieces = list(streamer)
    thread.join()
    assert "".join(pieces) == texts[0]
    assert len(pieces) > 2


class Broken:
    """A logits processor that cannot go on after some calls."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self.calls -= 1
        if self.calls < 0:
            raise ArithmeticError("no more")
        return scores


@pytest.mark.parametrize("forced", [True, False])
def test_a_streamer_ends_with_an_error(forced: bool) -> None:
    puts = Puts()
    with pytest.raises(ArithmeticError, match="no more"):
        generate(
            MODELS["llama"],
            Bytes(),
            [[1, 2, 3]],
            COMPILED,
            streamer=puts,
            forced_tokens=forced,
            logits_processor=[Broken(2)],
            **arguments({}),
        )
    assert puts.ends == 1 and len(puts.puts) == 3
    puts = Puts()
    with pytest.raises(ModelError, match="no tokens"):
        generate(MODELS["llama"], Bytes(), [[]], COMPILED, streamer=puts)
    assert puts.ends == 1 and not puts.puts


def test_an_error_comes_out_of_the_pieces() -> None:
    pieces = stream(
        MODELS["llama"], Bytes(), [1, 2, 3], COMPILED, logits_processor=[Broken(2)], do_sample=False
    )
    with pytest.raises(ArithmeticError, match="no more"):
        list(pieces)
    with pytest.raises(ModelError, match="not finished"):
        _ = pieces.completion
    assert list(pieces) == []


def test_the_model_is_asked_as_far_as_pieces_are_taken() -> None:
    threads = threading.active_count()
    passes = Passes(MODELS["llama"])
    pieces = stream(MODELS["llama"], Bytes(), [1, 2, 3], COMPILED, do_sample=False)
    assert passes.count == 0
    assert next(pieces)
    assert passes.count == 1
    pieces.close()
    assert list(pieces) == []
    assert passes.stop() == 1
    with pytest.raises(ModelError, match="not finished"):
        _ = pieces.completion
    assert threading.active_count() == threads


def test_gradients_are_as_they_were() -> None:
    with stream(MODELS["llama"], Bytes(), [1], COMPILED, do_sample=False) as pieces:
        next(pieces)
        assert torch.is_grad_enabled()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "options",
    [{"num_beams": 2}, {"prompt_lookup_num_tokens": 3}, {"num_return_sequences": 2}],
    ids=str,
)
def test_what_is_not_written_token_by_token_is_no_stream(options: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="one by one"):
        stream(MODELS["llama"], Bytes(), [1], COMPILED, **options)


def test_a_streamer_is_one() -> None:
    with pytest.raises(ModelError, match="streamer"):
        generate(MODELS["llama"], Bytes(), [[1]], COMPILED, streamer=print)
