"""Several texts of one GGUF model at once."""

from __future__ import annotations

import ctypes
import functools
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import llama_cpp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemask import GenerationError, Grammar, LimitError, ModelError, Vocabulary
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.logprobs import TokenLogprobs
from schemask.core.mask_step import MaskStep
from schemask.llama_cpp import Llama, complete
from schemask.models import Completion, LlamaCppModel, LlamaSequences, Sampling
from schemask.models.llama_sequences import shares

CITY = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "continent": {"enum": ["Africa", "America", "Asia", "Europe", "Oceania"]},
        "capital": {"type": "boolean"},
    },
    "required": ["name", "continent", "capital"],
    "additionalProperties": False,
}
LISTS = {"type": ["array", "integer"], "items": {"type": "string"}}
SCHEMAS = (CITY, LISTS, {"enum": ["yes", "no"]}, {"const": "There is only one way to say this."})
PROMPTS = (
    "<|im_start|>user\nDescribe Paris in JSON.<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\nDescribe Tokyo in JSON.<|im_end|>\n<|im_start|>assistant\n",
    "One, two, three, four. " * 12,
    "x",
)


def made(path: Path, n_ctx: int = 1024, n_seq_max: int = 4, **options: Any) -> Llama:
    """A model whose scores depend little on what is computed together."""
    exact = {"n_threads": 1, "n_threads_batch": 1, "type_k": 0, "type_v": 0, "verbose": False}
    return Llama(str(path), n_ctx=n_ctx, n_seq_max=n_seq_max, **{**exact, **options})


@pytest.fixture(scope="module")
def alone(tiny_gguf: Path) -> Iterator[Any]:
    """The tiny model with one sequence, for `complete`."""
    llama = made(tiny_gguf, n_seq_max=1)
    yield llama
    llama.close()


@pytest.fixture(scope="module")
def vocabulary(alone: Any) -> Vocabulary:
    return Vocabulary.from_llama_cpp(alone)


@pytest.fixture(scope="module")
def grammars(vocabulary: Vocabulary) -> list[Any]:
    made = [Grammar.from_json_schema(schema, whitespace="spaced") for schema in SCHEMAS]
    return [grammar.compile(vocabulary) for grammar in made]


@pytest.fixture(scope="module")
def open_model(tiny_gguf: Path, vocabulary: Vocabulary) -> Iterator[Callable[..., LlamaSequences]]:
    """Models of the tiny GGUF, one for each set of options."""
    models: dict[str, LlamaSequences] = {}

    def opened(context_tokens: int | None = None, **options: Any) -> LlamaSequences:
        key = repr((context_tokens, options))
        if key not in models:
            llama = made(tiny_gguf, **options)
            models[key] = LlamaSequences(llama, vocabulary, context_tokens=context_tokens)
        return models[key]

    yield opened
    for model in models.values():
        model.close()
        model.tokenizer.close()


@pytest.fixture(scope="module")
def model(open_model: Callable[..., LlamaSequences]) -> LlamaSequences:
    return open_model()


class Request(NamedTuple):
    """What is asked of a model: numbers of a prompt and a schema, a limit, and when."""

    prompt: int
    schema: int | None
    max_tokens: int = 40
    after: int = 0
    leaves_after: int | None = None


class Left(Exception):
    """Raised by a caller who wants no more."""


def asked(model: Any, grammars: list[Any], request: Request, on_text: Any = None) -> Completion:
    grammar = None if request.schema is None else grammars[request.schema]
    result: Completion = model.generate(
        PROMPTS[request.prompt],
        grammar=grammar,
        sampling=Sampling(max_tokens=request.max_tokens),
        on_text=on_text,
    )
    return result


def reference(alone: Any, grammars: list[Any], request: Request) -> Completion:
    """The same text by itself, by the code for one text."""
    alone.reset()
    return asked(LlamaCppModel(alone, grammars[0].vocabulary), grammars, request)


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.exception() or future.result() for future in futures]


# the texts


@pytest.mark.parametrize("schema", [0, 1, 2, 3, None])
def test_a_text_is_that_of_the_code_for_one(
    model: LlamaSequences, alone: Any, grammars: list[Any], schema: int | None
) -> None:
    for prompt in range(len(PROMPTS)):
        request = Request(prompt, schema)
        assert asked(model, grammars, request) == reference(alone, grammars, request)


def test_a_real_model_writes_the_same_alone_and_beside_others(
    llama: Llama, llama_vocabulary: Vocabulary, gguf_path: Path
) -> None:
    compiled = Grammar.from_json_schema(CITY, whitespace="spaced").compile(llama_vocabulary)
    prompts = [PROMPTS[0].replace("Paris", city) for city in ("Paris", "Tokyo", "Lima", "Oslo")]
    wanted = [complete(llama, prompt, compiled, max_tokens=60) for prompt in prompts]
    for result in wanted:
        jsonschema.validate(json.loads(result.text), CITY)
    with LlamaSequences(
        Llama(str(gguf_path), n_ctx=1024, n_seq_max=9, n_threads=1, verbose=False),
        llama_vocabulary,
    ) as model:

        def text(prompt: str) -> Completion:
            return model.generate(prompt, grammar=compiled, sampling=Sampling(max_tokens=60))

        assert text(prompts[0]) == wanted[0]
        others = at_once([functools.partial(text, prompt) for prompt in [*prompts, *prompts]])
        assert others == [*wanted, *wanted]
    model.tokenizer.close()


requests = st.builds(
    Request,
    prompt=st.integers(0, len(PROMPTS) - 1),
    schema=st.none() | st.integers(0, len(SCHEMAS) - 1),
    max_tokens=st.integers(20, 40),
    after=st.integers(0, 30),
    leaves_after=st.none() | st.integers(1, 8),
)


@given(
    st.lists(requests, min_size=1, max_size=7),
    st.sampled_from([(1024, 4, 512), (256, 3, 512), (512, 2, 16), (256, 4, 8)]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_schedule_gives_each_its_own_text(
    open_model: Callable[..., LlamaSequences],
    alone: Any,
    grammars: list[Any],
    schedule: list[Request],
    shape: tuple[int, int, int],
) -> None:
    """Each comes once so many pieces of text were told in all, or nothing runs any more."""
    n_ctx, n_seq_max, n_batch = shape
    model = open_model(n_ctx=n_ctx, n_seq_max=n_seq_max, n_batch=n_batch)
    changed = threading.Condition()
    told, running = 0, 0

    def run(request: Request) -> Completion | None:
        nonlocal told, running
        pieces: list[str] = []

        def on_text(piece: str) -> None:
            nonlocal told
            pieces.append(piece)
            with changed:
                told += 1
                changed.notify_all()
            if len(pieces) == request.leaves_after:
                raise Left

        try:
            result = asked(model, grammars, request, on_text)
        except Left:
            return None
        finally:
            with changed:
                running -= 1
                changed.notify_all()
        assert "".join(pieces) == result.text
        return result

    with ThreadPoolExecutor(len(schedule)) as pool:
        futures = []
        for request in schedule:
            with changed:
                while told < request.after and running > 0:
                    changed.wait()
                running += 1
            futures.append(pool.submit(run, request))
        results = [future.result(timeout=300) for future in futures]
    for request, result in zip(schedule, results, strict=True):
        if result is None:
            continue
        wanted = reference(alone, grammars, request)
        assert result == wanted
        if request.schema is not None:
            matcher = grammars[request.schema].matcher(max_tokens=request.max_tokens)
            assert all(map(matcher.accept, result.token_ids))
            assert matcher.is_accepting


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 40])
def test_the_budget_is_honoured(model: LlamaSequences, grammars: list[Any], budget: int) -> None:
    result = asked(model, grammars, Request(3, 1, budget))
    jsonschema.validate(json.loads(result.text), LISTS)
    assert result.completion_tokens <= budget


def test_the_status_tells_what_ended_the_text(
    model: LlamaSequences, alone: Any, grammars: list[Any]
) -> None:
    ended = asked(model, grammars, Request(0, 2))
    assert ended.status == "complete"
    cut = asked(model, grammars, Request(0, 2, ended.completion_tokens))
    assert (cut.status, cut.text) == ("max_tokens", ended.text)


def test_equal_seeds_give_equal_texts_whatever_ran_before(
    model: LlamaSequences, alone: Any, grammars: list[Any], vocabulary: Vocabulary
) -> None:
    def drawn(model: Any, seed: int) -> Completion:
        sampling = Sampling(max_tokens=40, temperature=2.0, top_p=0.9, seed=seed)
        result: Completion = model.generate(PROMPTS[0], grammar=grammars[0], sampling=sampling)
        return result

    texts = [drawn(model, seed) for seed in (0, 1, 2)]
    assert len({text.text for text in texts}) > 1
    asked(model, grammars, Request(0, 0))
    assert drawn(model, 0) == texts[0] == drawn(LlamaCppModel(alone, vocabulary), 0)


def test_stop_strings(model: LlamaSequences, grammars: list[Any]) -> None:
    whole = asked(model, grammars, Request(0, 0)).text
    pieces: list[str] = []
    result = model.generate(PROMPTS[0], grammar=grammars[0], stop=['", "'], on_text=pieces.append)
    assert result.status == "stop"
    assert result.text == whole[: whole.index('", "')] == "".join(pieces)


def test_whoever_listens_can_end_a_text(model: LlamaSequences, grammars: list[Any]) -> None:
    whole = asked(model, grammars, Request(0, 0))
    pieces: list[str] = []

    def enough(piece: str) -> bool:
        pieces.append(piece)
        return len(pieces) == 2

    result = asked(model, grammars, Request(0, 0), enough)
    assert (len(pieces), "".join(pieces), result.status) == (2, result.text, "stop")
    assert whole.text.startswith(result.text)
    assert result.token_ids == whole.token_ids[: result.completion_tokens]
    assert result.completion_tokens < whole.completion_tokens


def test_observers_are_told_what_they_are_told_of_one_text(
    model: LlamaSequences, alone: Any, grammars: list[Any], vocabulary: Vocabulary
) -> None:
    for schema in (0, None):
        heard = []
        for each in (model, LlamaCppModel(alone, vocabulary)):
            alone.reset()
            tokens: list[TokenLogprobs] = []
            steps: list[MaskStep] = []
            result = each.generate(
                PROMPTS[0],
                grammar=None if schema is None else grammars[schema],
                sampling=Sampling(max_tokens=30),
                on_token=tokens.append,
                top_logprobs=2,
                on_mask=steps.append,
            )
            assert [token.token_id for token in tokens] == result.token_ids
            assert all(token.top[0][0] == token.token_id for token in tokens)  # greedy
            heard.append(
                (
                    [(token.token_id, [other for other, _ in token.top]) for token in tokens],
                    [pytest.approx(token.logprob, abs=1e-3) for token in tokens],
                    [(step.position, step.wanted, step.best) for step in steps],
                )
            )
            assert bool(steps) == (schema is not None)
            assert any(token.logprob == 0.0 for token in tokens) == (schema is not None)
        assert heard[0][0] == heard[1][0]
        assert [logprob.expected for logprob in heard[0][1]] == heard[1][1]
        assert heard[0][2] == heard[1][2]


# the passes of the model


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, int]]]:
    """Of each pass of any model: the sequence and the position of each token."""
    seen: list[list[tuple[int, int]]] = []
    decode = llama_cpp.llama_decode

    def recorded(context: Any, batch: Any) -> int:
        seen.append([(batch.seq_id[at][0], batch.pos[at]) for at in range(batch.n_tokens)])
        return int(decode(context, batch))

    monkeypatch.setattr(llama_cpp, "llama_decode", recorded)
    return seen


def test_forced_text_takes_no_pass_of_its_own(
    model: LlamaSequences, grammars: list[Any], passes: list[Any]
) -> None:
    result = asked(model, grammars, Request(0, 3))
    assert json.loads(result.text) == SCHEMAS[3]["const"]
    assert result.status == "complete"
    # Of the first and the last character there is more than one token; of the end there is none.
    assert len(passes) <= 3
    passes.clear()
    result = asked(model, grammars, Request(0, 0))
    assert len(passes) < result.completion_tokens - 3


def test_what_a_sequence_holds_is_not_read_again(
    open_model: Callable[..., LlamaSequences], grammars: list[Any], passes: list[Any]
) -> None:
    model = open_model(n_seq_max=2)
    first = asked(model, grammars, Request(2, 0))
    passes.clear()
    again = model.generate(
        [*model.tokenizer.tokenize(PROMPTS[2].encode(), add_bos=False), *first.token_ids, 5, 6],
        grammar=grammars[2],
    )
    held = first.prompt_tokens + first.completion_tokens
    assert again.prompt_tokens == held + 2
    assert len(passes[0]) <= 2 + (first.completion_tokens - 1)
    assert passes[0][0][1] >= first.prompt_tokens
    # Another text with that beginning gets a copy, and leaves what is held as it is.
    passes.clear()
    asked(model, grammars, Request(2, 0))
    assert len(passes[0]) == 1
    passes.clear()
    asked(model, grammars, Request(2, 2))
    assert len(passes[0]) == 1


def test_a_long_prompt_is_read_beside_texts_that_go_on(
    open_model: Callable[..., LlamaSequences], grammars: list[Any], passes: list[Any]
) -> None:
    model = open_model(n_batch=16, n_seq_max=3)
    started = threading.Event()

    def told(_: str) -> None:
        started.set()

    def late() -> Completion:
        started.wait(60)
        return asked(model, grammars, Request(2, 2))

    # Without a grammar, the tiny model goes on to its limit.
    first, second = at_once([lambda: asked(model, grammars, Request(3, None, 400), told), late])
    assert first.completion_tokens == 400
    assert second.prompt_tokens > 4 * 16
    assert all(len(batch) <= 16 for batch in passes)
    shared = [batch for batch in passes if len({sequence for sequence, _ in batch}) == 2]
    reading = [batch for batch in shared if len(batch) > 2]
    assert len(reading) >= second.prompt_tokens // 16
    # The text that goes on gets its token in each of them.
    runner = passes[0][0][0]
    assert all(sum(sequence == runner for sequence, _ in batch) == 1 for batch in reading)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=9), st.integers(9, 600))
def test_shares_are_fair(needs: list[int], room: int) -> None:
    parts = shares(needs, room)
    assert all(1 <= part <= need for part, need in zip(parts, needs, strict=True))
    assert sum(parts) == min(sum(needs), room)
    # Who gets less than it needs gets as much as anyone, but for what cannot be divided.
    for part, need in zip(parts, needs, strict=True):
        assert part == need or part >= max(parts) - 1


# room


def test_more_texts_than_sequences_wait_for_their_turn(
    open_model: Callable[..., LlamaSequences],
    alone: Any,
    grammars: list[Any],
    passes: list[Any],
) -> None:
    model = open_model(n_seq_max=2)
    wanted = [reference(alone, grammars, Request(place % 4, place % 3)) for place in range(9)]
    passes.clear()
    asked_for = [Request(place % 4, place % 3) for place in range(9)]
    assert (
        at_once([functools.partial(asked, model, grammars, each) for each in asked_for]) == wanted
    )
    assert max(len({sequence for sequence, _ in batch}) for batch in passes) == 2


def test_texts_wait_for_cells_that_are_promised(
    open_model: Callable[..., LlamaSequences],
    alone: Any,
    grammars: list[Any],
    passes: list[Any],
) -> None:
    model = open_model(n_ctx=256, n_seq_max=4)
    request = Request(3, None, 150)
    wanted = reference(alone, grammars, request)
    passes.clear()
    assert at_once([lambda: asked(model, grammars, request)] * 3) == [wanted] * 3
    # Two of them could take more than there is.
    assert all(len({sequence for sequence, _ in batch}) == 1 for batch in passes)


def test_a_prompt_that_never_fits_is_refused(
    open_model: Callable[..., LlamaSequences], grammars: list[Any]
) -> None:
    model = open_model(n_ctx=256, n_seq_max=4)
    prompt = [5] * (model.context_tokens - 9)
    with pytest.raises(ModelError, match="no room"):
        model.generate([*prompt, *[5] * 9], grammar=grammars[1])
    result = model.generate(prompt, grammar=grammars[1], sampling=Sampling(max_tokens=1000))
    assert result.completion_tokens <= 9
    jsonschema.validate(json.loads(result.text), LISTS)
    small = open_model(n_ctx=256, n_seq_max=4, n_batch=64, context_tokens=100)
    with pytest.raises(ModelError, match="100 tokens of context"):
        small.generate(prompt)
    assert small.generate([5] * 90, sampling=Sampling(max_tokens=50)).completion_tokens <= 10


def test_the_context_that_a_model_was_trained_on_bounds_a_text(
    open_model: Callable[..., LlamaSequences],
) -> None:
    assert open_model(n_ctx=4096).context_tokens == 2048


# ends


def test_what_a_caller_raises_is_raised_to_that_caller_alone(
    model: LlamaSequences, alone: Any, grammars: list[Any]
) -> None:
    def raising(_: object) -> None:
        raise Left

    def failing(**observers: Any) -> Callable[[], Any]:
        return lambda: model.generate(PROMPTS[1], grammar=grammars[0], **observers)

    request = Request(0, 0)
    first, second, third, good = at_once(
        [
            failing(on_text=raising),
            failing(on_mask=raising),
            failing(on_token=raising),
            lambda: asked(model, grammars, request),
        ]
    )
    assert [type(error) for error in (first, second, third)] == [Left] * 3
    assert good == reference(alone, grammars, request)


def test_a_mask_that_takes_too_much_work_ends_its_text_alone(
    model: LlamaSequences, alone: Any, grammars: list[Any], vocabulary: Vocabulary
) -> None:
    bounded = Grammar.from_json_schema(CITY, limits={"mask_work": 0}).compile(vocabulary)
    request = Request(0, 0)
    failed, good = at_once(
        [
            lambda: model.generate(PROMPTS[2], grammar=bounded),
            lambda: asked(model, grammars, request),
        ]
    )
    assert isinstance(failed, LimitError)
    assert good == reference(alone, grammars, request)


def test_cancelled_wherever_it_is(
    open_model: Callable[..., LlamaSequences],
    grammars: list[Any],
    passes: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = open_model(n_batch=8, n_seq_max=1)
    cancel = {name: threading.Event() for name in ("running", "waiting", "reading")}
    started = threading.Event()

    def running() -> Completion:
        return model.generate(
            PROMPTS[3],
            sampling=Sampling(max_tokens=900),
            on_text=lambda _: started.set(),
            cancel=cancel["running"],
        )

    def waiting() -> Completion:
        started.wait(60)
        cancel["waiting"].set()
        try:
            return model.generate(PROMPTS[3], cancel=cancel["waiting"])
        finally:
            cancel["running"].set()

    for error in at_once([running, waiting]):
        assert isinstance(error, GenerationError)
        assert "cancelled" in str(error)

    passes.clear()
    decode = llama_cpp.llama_decode

    def cancelling(context: Any, batch: Any) -> int:
        cancel["reading"].set()  # while the first part of the prompt is read
        return int(decode(context, batch))

    def reading() -> Completion:
        return model.generate(PROMPTS[2] * 2, cancel=cancel["reading"])

    with monkeypatch.context() as patch:
        patch.setattr(llama_cpp, "llama_decode", cancelling)
        (error,) = at_once([reading])
    assert isinstance(error, GenerationError)
    assert "position 0" in str(error)
    read = sum(map(len, passes))
    assert read < len(model.tokenizer.tokenize(PROMPTS[2].encode() * 2))
    assert asked(model, grammars, Request(0, 2)).status == "complete"


def test_a_pass_that_fails_ends_what_was_in_it(
    open_model: Callable[..., LlamaSequences], alone: Any, grammars: list[Any]
) -> None:
    model = open_model(n_seq_max=2)
    aborts = llama_cpp.ggml_abort_callback(lambda _: True)
    llama_cpp.llama_set_abort_callback(model.tokenizer.ctx, aborts, None)
    try:
        failed = at_once([lambda: asked(model, grammars, Request(0, 0))] * 2)
    finally:
        none = ctypes.cast(None, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(model.tokenizer.ctx, none, None)
    for error in failed:
        assert isinstance(error, GenerationError)
        assert "llama_decode returned 2" in str(error)
    request = Request(0, 0)
    assert asked(model, grammars, request) == reference(alone, grammars, request)


def test_close_ends_everything(tiny_gguf: Path, vocabulary: Vocabulary) -> None:
    llama = made(tiny_gguf, n_seq_max=1)
    model = LlamaSequences(llama, vocabulary)
    started = threading.Event()

    def endless() -> Completion:
        return model.generate(
            PROMPTS[3], sampling=Sampling(max_tokens=900), on_text=lambda _: started.set()
        )

    def closing() -> None:
        started.wait(60)
        while not model._waiting:  # the other one, which must not come when all is closed
            time.sleep(0.001)
        model.close()

    first, second, _ = at_once([endless, endless, closing])
    for error in (first, second):
        assert isinstance(error, GenerationError)
        assert "closed" in str(error)
    model.close()
    with pytest.raises(ModelError, match="closed"):
        model.generate("x")
    assert LlamaSequences(llama, vocabulary).generate("x").completion_tokens > 0
    llama.close()


def test_no_thread_is_left_when_nothing_runs(model: LlamaSequences, grammars: list[Any]) -> None:
    asked(model, grammars, Request(0, 2))
    for thread in threading.enumerate():
        if thread.name == "schemask-llama":
            thread.join(60)
            assert not thread.is_alive()


def test_a_pickled_model_has_as_many_sequences(tiny_gguf: Path) -> None:
    llama = made(tiny_gguf, n_ctx=256, n_seq_max=3)
    copied = pickle.loads(pickle.dumps(llama))
    params = copied.context_params
    assert (params.n_seq_max, params.kv_unified) == (3, True)
    llama.close()
    copied.close()


def test_it_says_what_is_wrong(
    model: LlamaSequences, grammars: list[Any], tiny_gguf: Path, vocabulary: Vocabulary
) -> None:
    foreign = Grammar.from_json_schema({}).compile(byte_vocabulary())
    for prompt, options, message in (
        (None, {}, "a prompt is"),
        ([], {}, "no tokens"),
        ([10**9], {}, "token 1000000000"),
        ("x", {"grammar": Grammar.from_json_schema({})}, "compile it"),
        ("x", {"grammar": foreign}, "another vocabulary"),
        ("x", {"sampling": 3}, "a Sampling"),
        ("x", {"stop": [""]}, "stop"),
        ("x", {"on_text": 3}, "on_text"),
        ("x", {"on_mask": 3}, "on_mask"),
        ("x", {"on_token": 3}, "on_token"),
        ("x", {"top_logprobs": -1}, "top_logprobs"),
        ("x", {"cancel": True}, "threading.Event"),
    ):
        with pytest.raises(ModelError, match=message):
            model.generate(prompt, **options)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"llama_cpp\.Llama"):
        LlamaSequences("model.gguf")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="n_seq_max"):
        Llama(str(tiny_gguf), n_seq_max=0)
    llama = made(tiny_gguf, n_ctx=256)
    with pytest.raises(ModelError, match="the context holds 256"):
        LlamaSequences(llama, vocabulary, context_tokens=257)
    llama.context_params.kv_unified = False
    with pytest.raises(ModelError, match="do not share"):
        LlamaSequences(llama, vocabulary)
    llama.close()
