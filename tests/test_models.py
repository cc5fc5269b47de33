"""Model adapters: real models and real clients behind one protocol."""

from __future__ import annotations

import copy
import json
import math
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemask.chat import FORMATS, HERMES, ToolCall
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.generation import TextStream
from schemask.core.grammar import Grammar
from schemask.core.logprobs import TokenLogprobs
from schemask.core.mask_step import MaskStep
from schemask.core.masking import allocate_mask, apply_mask
from schemask.demo import SYSTEM
from schemask.errors import FormatError, GenerationError, ModelError, UnsupportedSchemaError
from schemask.models import (
    CallableModel,
    ChatModel,
    LlamaCppModel,
    MlxModel,
    Model,
    OpenAIModel,
    Sampling,
    TransformersModel,
)
from schemask.models.waiting_line import WaitingLine

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def asked(question: str) -> str:
    """The question in the chat template of SmolLM2."""
    return HERMES.render(
        [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
        add_generation_prompt=True,
    )


# Text and stop strings of few letters, so that they meet; 'é' and '😀' span several bytes.
letters = st.text(alphabet="ab<é😀", max_size=30)


@given(text=letters, stops=st.lists(letters.filter(bool), max_size=3), data=st.data())
def test_text_stream_is_as_searching_the_whole_text(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    expected = text[: min(found)[1]] if found else text

    pieces: list[str] = []
    stream = TextStream(stops, pieces.append)
    rest = text.encode()
    while rest and not stream.stopped:
        size = data.draw(st.integers(1, len(rest)))
        assert stream.feed(rest[:size]) == stream.stopped
        rest = rest[size:]
        assert expected.startswith("".join(pieces))
    assert stream.finish() == "".join(pieces) == expected
    assert stream.stopped == bool(found)


def test_whoever_listens_can_end_a_text_stream() -> None:
    heard: list[str] = []

    def enough(piece: str) -> bool:
        heard.append(piece)
        return len(heard) == 2

    stream = TextStream([], enough)
    ended = [stream.feed(byte) for byte in (b"a", b"\xc3", b"\xa9", b"b")]
    assert ended == [False, False, True, True]
    assert heard == ["a", "é"] and stream.finish() == "aé"


def test_text_stream_of_broken_bytes() -> None:
    stream = TextStream(["\ufffd"])
    assert stream.feed(b"a\xc3") is False
    assert stream.feed(b"(b") is True
    assert stream.finish() == "a"
    with pytest.raises(ModelError, match="empty stop string"):
        TextStream([""])


def test_callable_model() -> None:
    model = CallableModel(lambda prompt: prompt.upper() + "<end> more")
    assert isinstance(model, Model) and not isinstance(model, ChatModel)
    whole = model.generate("a")
    assert (whole.text, whole.status) == ("A<end> more", "complete")
    pieces: list[str] = []
    cut = model.generate("a", stop=["<end>"], on_text=pieces.append)
    assert (cut.text, cut.status, pieces) == ("A", "stop", ["A"])
    with pytest.raises(ModelError, match="NoneType"):
        CallableModel(lambda prompt: None).generate("a")  # type: ignore[arg-type, return-value]


@pytest.fixture(scope="module")
def small(llama: Any) -> LlamaCppModel:
    return LlamaCppModel(llama)


@pytest.fixture(scope="module")
def tiny(tiny_model: Any, llama3_tokenizer: Any) -> TransformersModel:
    return TransformersModel(tiny_model, llama3_tokenizer)


@pytest.fixture(scope="module")
def mlx(mlx_tiny: Any) -> MlxModel:
    return MlxModel(*mlx_tiny)


@pytest.fixture(params=["small", "tiny", "mlx"])
def local(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_is_a_model(local: Any) -> None:
    assert isinstance(local, Model) and not isinstance(local, ChatModel)


def test_grammar_holds_within_any_budget(local: Any) -> None:
    compiled = Grammar.from_json_schema(PERSON, whitespace="spaced").compile(local.vocabulary)
    for max_tokens in (16, 24, 40):
        pieces: list[str] = []
        completion = local.generate(
            "A person as JSON: ",
            grammar=compiled,
            sampling=Sampling(max_tokens=max_tokens, temperature=1.5, seed=max_tokens),
            on_text=pieces.append,
        )
        person = json.loads(completion.text)
        assert list(person) == ["name", "age"] and isinstance(person["age"], int)
        assert completion.completion_tokens == len(completion.token_ids) <= max_tokens
        assert completion.prompt_tokens > 0
        spelt = b"".join(map(local.vocabulary.token, completion.token_ids))
        assert "".join(pieces) == completion.text == spelt.decode()


def test_whoever_listens_can_end_a_text(local: Any) -> None:
    pieces: list[str] = []

    def enough(piece: str) -> bool:
        pieces.append(piece)
        return len(pieces) == 3

    for grammar in (None, Grammar.from_regex("[^]*").compile(local.vocabulary)):
        pieces.clear()
        sampling = Sampling(max_tokens=40)
        completion = local.generate("Once", grammar=grammar, sampling=sampling, on_text=enough)
        assert (len(pieces), "".join(pieces), completion.status) == (3, completion.text, "stop")
        assert completion.completion_tokens == len(completion.token_ids) < 40


def test_words_under_a_grammar_say_when_they_were_cut(local: Any) -> None:
    string = Grammar.from_json_schema({"type": "string"}, whitespace="compact")
    compiled = string.compile(local.vocabulary)
    completion = local.generate(
        "Once upon a time", grammar=compiled, sampling=Sampling(max_tokens=6)
    )
    assert completion.status == "max_tokens"
    assert isinstance(json.loads(completion.text), str)
    fixed = Grammar.from_json_schema({"const": "yes"}, whitespace="compact")
    completion = local.generate(
        "Say:", grammar=fixed.compile(local.vocabulary), sampling=Sampling(max_tokens=20)
    )
    # A model without sense may well spell it by escapes.
    assert (json.loads(completion.text), completion.status) == ("yes", "complete")


def test_a_text_is_complete_only_if_the_budget_changed_nothing(local: Any) -> None:
    """Against the same greedy generation with all the room it wants."""
    schema = {**PERSON, "properties": {"name": {"type": "string", "maxLength": 24}, "age": {}}}
    compiled = Grammar.from_json_schema(
        {**schema, "properties": {**schema["properties"], "age": {"enum": [7, 1815]}}},
        whitespace="spaced",
    ).compile(local.vocabulary)
    prompt = 'Like {"name": "Alexandra", "age": 7}: '
    free = local.generate(prompt, grammar=compiled, sampling=Sampling(max_tokens=200))
    assert free.status == "complete"
    needed = free.completion_tokens
    verdicts = set()
    for max_tokens in (14, needed - 3, needed - 1, needed, needed + 1, needed + 9):
        bound = local.generate(prompt, grammar=compiled, sampling=Sampling(max_tokens=max_tokens))
        if bound.status == "complete":
            assert (bound.text, bound.completion_tokens < max_tokens) == (free.text, True)
        assert bound.status == "complete" or max_tokens <= needed + 8
        verdicts.add((bound.text == free.text, bound.status))
    assert (True, "complete") in verdicts


def test_sampled_texts_are_complete_only_if_no_wish_was_forbidden(local: Any) -> None:
    words = Grammar.from_json_schema({"type": "string"}, whitespace="compact")
    compiled = words.compile(local.vocabulary)
    statuses = set()
    for seed in range(6):
        bound = local.generate(
            "Say a word:",
            grammar=compiled,
            sampling=Sampling(max_tokens=16, temperature=1.0, seed=seed),
        )
        statuses.add(bound.status)
        if bound.status == "complete":
            free = local.generate(
                "Say a word:",
                grammar=compiled,
                sampling=Sampling(max_tokens=64, temperature=1.0, seed=seed),
            )
            assert bound.text == free.text
    assert "max_tokens" in statuses


def test_without_a_grammar(local: Any) -> None:
    pieces: list[str] = []
    whole = local.generate("The sky is", sampling=Sampling(max_tokens=12), on_text=pieces.append)
    assert whole.text == "".join(pieces)
    assert whole.status == "max_tokens" and len(whole.token_ids) == 12

    middle = whole.text[3:5]
    cut = local.generate(
        "The sky is", sampling=Sampling(max_tokens=12), stop=["never there", middle]
    )
    assert cut.status == "stop"
    assert cut.text == whole.text[: whole.text.index(middle)]
    assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]


def test_top_p(local: Any) -> None:
    """Of the least share, only the likeliest token is left."""
    for grammar in (None, Grammar.from_regex("[a-z ]*").compile(local.vocabulary)):
        greedy = local.generate("Today", grammar=grammar, sampling=Sampling(max_tokens=4))
        for seed in range(3):
            sampling = Sampling(max_tokens=4, temperature=1.0, top_p=1e-9, seed=seed)
            drawn = local.generate("Today", grammar=grammar, sampling=sampling)
            assert drawn.token_ids == greedy.token_ids


def test_seeds(local: Any) -> None:
    def sample(seed: int) -> list[int]:
        sampling = Sampling(max_tokens=8, temperature=1.0, seed=seed)
        token_ids: list[int] = local.generate("Today I saw", sampling=sampling).token_ids
        return token_ids

    assert sample(1) == sample(1)
    assert len({tuple(sample(seed)) for seed in range(4)}) > 1


def test_prompt_that_fills_the_context(local: Any) -> None:
    with pytest.raises(ModelError, match="no room"):
        local.generate("word " * 2000)
    nearly = "word " * 1015
    completion = local.generate(nearly, sampling=Sampling(max_tokens=50))
    assert completion.status == "max_tokens"
    assert completion.prompt_tokens + completion.completion_tokens <= 1024


def test_what_is_told_of_tokens(local: Any) -> None:
    """Under a grammar and without one: each token, how likely it was, and what a mask took."""
    grammar = Grammar.from_json_schema(PERSON, whitespace="spaced").compile(local.vocabulary)
    for bound in (grammar, None):
        told: list[TokenLogprobs] = []
        steps: list[MaskStep] = []
        counts: list[int] = []
        completion = local.generate(
            asked("Ada is 36."),
            grammar=bound,
            sampling=Sampling(max_tokens=40),
            on_text=lambda piece, told=told, counts=counts: counts.append(len(told)),
            on_mask=steps.append,
            on_token=told.append,
            top_logprobs=3,
        )
        assert [token.token_id for token in told] == completion.token_ids
        assert counts == sorted(counts) and counts[0] > 0  # a token is told before its text
        for token in told:
            assert token.top[0] == (token.token_id, token.logprob)  # the likeliest is taken
            assert sum(math.exp(logprob) for _, logprob in token.top) < 1 + 1e-5
        lengths = {len(token.top) for token in told}
        assert lengths == {3} if bound is None else {1} < lengths <= {1, 2, 3}
        # What is forced is read at once, and nobody asks the model for it.
        positions = [step.position for step in steps]
        assert positions == sorted(set(positions))
        assert len(steps) < len(told) if bound else not steps
        for step in steps:
            assert step.position == len(told) or told[step.position].token_id == step.best


def test_probabilities_are_those_of_what_the_mask_leaves(tiny: TransformersModel) -> None:
    """At temperature 1 and before cuts, whatever the text is drawn by."""
    import torch

    model: Any = tiny._model
    words = Grammar.from_json_schema(PERSON, whitespace="spaced").compile(tiny.vocabulary)
    for grammar in (words, None):
        told: list[TokenLogprobs] = []
        prompt = [5, 6, 7]
        sampling = Sampling(max_tokens=30, temperature=0.7, top_p=0.9, seed=1)
        written = tiny.generate(
            prompt, grammar=grammar, sampling=sampling, on_token=told.append, top_logprobs=2
        ).token_ids
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *written]])).logits[0, 2:-1]
        matcher = None if grammar is None else grammar.matcher(max_tokens=30)
        for token, row in zip(told, logits, strict=True):
            if matcher is not None:
                mask = allocate_mask(1, tiny.vocabulary.size)
                matcher.fill_mask(mask)
                apply_mask(row, mask[0])
                assert matcher.accept(token.token_id)
            expected = row.double().log_softmax(-1)
            is_forced = len(token.top) == 1
            assert is_forced or abs(float(expected[token.token_id]) - token.logprob) < 1e-3
            for (_, logprob), best in zip(token.top, expected.topk(2).values, strict=False):
                assert is_forced or abs(float(best) - logprob) < 1e-3


@pytest.fixture(params=["tiny", "mlx"])
def single(request: pytest.FixtureRequest) -> Any:
    """A model that has room for one text."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("is_bound", [True, False])
def test_a_generation_is_cancelled(single: Any, is_bound: bool) -> None:
    grammar = Grammar.from_json_schema(PERSON).compile(single.vocabulary) if is_bound else None
    cancel = threading.Event()
    told: list[TokenLogprobs] = []

    def count(token: TokenLogprobs) -> None:
        told.append(token)
        if len(told) == 3:
            cancel.set()

    sampling = Sampling(max_tokens=900)
    with pytest.raises(GenerationError, match=r"position 3, .*cancelled"):
        single.generate([1], grammar=grammar, sampling=sampling, on_token=count, cancel=cancel)
    assert len(told) == 3
    with pytest.raises(GenerationError, match="before it began: cancelled"):
        single.generate([1], grammar=grammar, cancel=cancel)
    assert single.generate([1], grammar=grammar, sampling=Sampling(max_tokens=30)).token_ids
    with pytest.raises(ModelError, match=r"cancel is a threading\.Event"):
        single.generate([1], cancel=True)


def test_a_prompt_is_cancelled_while_mlx_reads_it(mlx: MlxModel) -> None:
    cancel = threading.Event()
    layers = mlx._model.layers
    passes = []

    class Counting(type(layers[0])):  # type: ignore[misc]
        def __call__(self, x: Any, *rest: Any, **named: Any) -> Any:
            passes.append(x.shape[1])
            cancel.set()
            return super().__call__(x, *rest, **named)

    mlx.context_tokens = None
    arguments = mlx._model.args
    context, arguments.max_position_embeddings = arguments.max_position_embeddings, 8192
    kind, layers[0].__class__ = layers[0].__class__, Counting
    try:
        for grammar in (None, Grammar.from_json_schema(PERSON).compile(mlx.vocabulary)):
            cancel.clear()
            with pytest.raises(GenerationError, match="cancelled"):
                mlx.generate([1] * 5000, grammar=grammar, cancel=cancel)
    finally:
        layers[0].__class__ = kind
        arguments.max_position_embeddings = context
        mlx.context_tokens = 1024
    assert passes == [2048, 2048]


def test_masks_are_told_with_what_they_take(single: Any) -> None:
    grammar = Grammar.from_json_schema(PERSON, whitespace="spaced").compile(single.vocabulary)
    masks: list[tuple[int, float]] = []
    steps: list[MaskStep] = []
    single.on_masks = lambda count, seconds: masks.append((count, seconds))
    try:
        sampling = Sampling(max_tokens=30)
        single.generate([1], grammar=grammar, sampling=sampling, on_mask=steps.append)
        single.generate([1], sampling=sampling)
    finally:
        single.on_masks = None
    assert [count for count, _ in masks] == [1] * len(steps)
    assert all(seconds >= 0 for _, seconds in masks)


def test_those_that_wait_come_in_order_and_may_leave() -> None:
    line = WaitingLine()
    entered: list[int] = []
    failed: list[int] = []
    events = [threading.Event() for _ in range(6)]

    def wait(number: int) -> None:
        try:
            with line.turn(events[number] if number % 2 else None):
                entered.append(number)
        except GenerationError:
            failed.append(number)

    with line.turn():
        threads = []
        for number in range(6):
            threads.append(threading.Thread(target=wait, args=(number,)))
            threads[-1].start()
            while len(line._places) < number + 2:
                time.sleep(0.001)
        events[3].set()
        threads[3].join()
        assert (entered, failed) == ([], [3])  # while the others wait still
    for thread in threads:
        thread.join()
    assert entered == [0, 1, 2, 4, 5]
    with pytest.raises(RuntimeError), line.turn():
        raise RuntimeError
    with line.turn():  # whoever fails lets the next one in
        pass


def test_temperatures_that_would_overflow_are_greedy(local: Any) -> None:
    greedy = local.generate("x", sampling=Sampling(max_tokens=8))
    for temperature in (1e-300, 1e-30, 1e-6, 1e-5):
        sampling = Sampling(max_tokens=8, temperature=temperature, top_p=1.0)
        assert local.generate("x", sampling=sampling).token_ids == greedy.token_ids


def test_llama_cpp_is_what_the_library_writes(small: LlamaCppModel, llama: Any) -> None:
    prompt = asked("What is the capital of France?")
    ours = small.generate(prompt, sampling=Sampling(max_tokens=8))
    theirs = llama.create_completion(prompt, max_tokens=8, temperature=0)
    assert ours.text == theirs["choices"][0]["text"]
    assert ours.prompt_tokens == theirs["usage"]["prompt_tokens"]


def test_llama_cpp_reads_special_tokens_in_the_prompt(small: LlamaCppModel) -> None:
    plain = small.generate("a", sampling=Sampling(max_tokens=1)).prompt_tokens
    assert small.generate("a<|im_end|>", sampling=Sampling(max_tokens=1)).prompt_tokens == plain + 1


def test_llama_cpp_leaves_no_sampler_behind(small: LlamaCppModel, llama: Any) -> None:
    small.generate("a", sampling=Sampling(max_tokens=1, temperature=1.0))
    assert llama._sampler is None


def test_transformers_ends_at_any_stop_token(tiny: TransformersModel) -> None:
    grammar = Grammar.from_json_schema({"enum": ["a", "b"]}, whitespace="compact")
    completion = tiny.generate(
        "x", grammar=grammar.compile(tiny.vocabulary), sampling=Sampling(max_tokens=5)
    )
    assert completion.status == "complete"
    assert not set(completion.token_ids) & set(tiny.vocabulary.stop_token_ids)


def test_a_turn_of_messages_goes_on_after_its_reasoning(
    tiny_model: Any, llama3_tokenizer: Any
) -> None:
    """gpt-oss ends its reasoning by a token at which other models end their turns."""
    tokenizer = copy.deepcopy(llama3_tokenizer)
    marks = ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>"]
    tokenizer.add_tokens(marks, special_tokens=True)
    model = TransformersModel(tiny_model, tokenizer)
    form = FORMATS["harmony"]
    prompt = "<|start|>assistant<|channel|>analysis<|message|>"
    grammar = Grammar.from_tools([divide], form, prompt=prompt).compile(model.vocabulary)
    done = model.generate(prompt, grammar=grammar, sampling=Sampling(max_tokens=40))
    assert "<|end|><|start|>assistant" in done.text
    turn = form.parse(done.text, [divide], prompt=prompt)
    assert turn.reasoning and (turn.content or turn.tool_calls)


def divide(number: int, by: int) -> float:
    """A quotient."""
    return number / by


def test_transformers_leaves_the_global_generator_alone(tiny: TransformersModel) -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tiny.generate("x", sampling=Sampling(max_tokens=3, temperature=1.0, seed=1))
    assert torch.equal(torch.rand(3), expected)


class ChatServer:
    """Speaks the chat completions protocol on the loopback interface, from prepared answers."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.requests.append(json.loads(self.rfile.read(length)))
                answer = outer.answers.pop(0)
                body = json.dumps(answer).encode()
                self.send_response(400 if "error" in answer else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def will_say(self, content: str | None, finish: str = "stop", **message: Any) -> None:
        self.answers.append(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "served",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": finish,
                        "message": {"role": "assistant", "content": content, **message},
                    }
                ],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            }
        )

    def will_call(self, *calls: tuple[str, str], finish: str = "tool_calls") -> None:
        made = [
            {"id": f"x{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(calls)
        ]
        self.will_say(None, finish, tool_calls=made)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def remote(server: ChatServer) -> OpenAIModel:
    url = f"http://127.0.0.1:{server.server.server_port}/v1"
    return OpenAIModel(openai.OpenAI(base_url=url, api_key="none", max_retries=0), "served")


TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}


def test_remote_completion(server: ChatServer, remote: OpenAIModel) -> None:
    assert isinstance(remote, Model) and isinstance(remote, ChatModel)
    server.will_say("One. Two.")
    completion = remote.generate(
        "Count.", sampling=Sampling(max_tokens=9, temperature=0.5, seed=3), stop=[" T"]
    )
    assert (completion.text, completion.status) == ("One.", "stop")
    assert (completion.prompt_tokens, completion.completion_tokens) == (7, 3)
    assert server.requests == [
        {
            "model": "served",
            "messages": [{"role": "user", "content": "Count."}],
            "max_tokens": 9,
            "temperature": 0.5,
            "seed": 3,
        }
    ]
    server.will_say("One")
    remote.generate("Count.", sampling=Sampling(top_p=0.5))
    assert server.requests[1]["top_p"] == 0.5
    server.will_say("One", finish="length")
    assert remote.generate("Count.").status == "max_tokens"


def test_remote_conversation(server: ChatServer, remote: OpenAIModel) -> None:
    server.will_call(("f", '{"a": 1}'), ("g", "{}"))
    messages = [
        {"role": "user", "content": "Go."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "function": {"name": "f", "arguments": {"x": "é"}}},
                {"type": "function", "function": {"name": "g", "arguments": {}}},
            ],
        },
        {"role": "tool", "name": "f", "content": "1"},
        {"role": "tool", "name": "g", "content": "2"},
    ]
    answer = remote.chat(messages, tools=[TOOL], tool_choice="f", parallel=False)
    assert answer.turn.tool_calls == [ToolCall("f", {"a": 1}), ToolCall("g", {})]
    assert (answer.turn.content, answer.status, answer.completion_tokens) == ("", "complete", 3)

    (request,) = server.requests
    assert request["tools"] == [TOOL]
    assert request["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert request["parallel_tool_calls"] is False
    user, assistant, first, second = request["messages"]
    ids = [call["id"] for call in assistant["tool_calls"]]
    assert len(set(ids)) == 2 and assistant["content"] is None
    assert [first["tool_call_id"], second["tool_call_id"]] == ids
    assert (first["content"], second["content"]) == ("1", "2")
    sent = json.loads(assistant["tool_calls"][0]["function"]["arguments"])
    assert sent == {"x": "é"} and user == messages[0]


def test_remote_without_tools(server: ChatServer, remote: OpenAIModel) -> None:
    server.will_say("Hi.")
    answer = remote.chat([{"role": "user", "content": "Hello."}])
    assert (answer.turn.content, answer.turn.tool_calls) == ("Hi.", [])
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(server.requests[0])


def test_remote_options_win(server: ChatServer) -> None:
    url = f"http://127.0.0.1:{server.server.server_port}/v1"
    client = openai.OpenAI(base_url=url, api_key="none")
    model = OpenAIModel(client, "served", max_tokens=None, max_completion_tokens=50)
    server.will_say("Hi.")
    model.generate("Hello.")
    assert "max_tokens" not in server.requests[0]
    assert server.requests[0]["max_completion_tokens"] == 50


def test_remote_calls_that_cannot_be_read(server: ChatServer, remote: OpenAIModel) -> None:
    server.will_call(("f", '{"a": '))
    with pytest.raises(FormatError, match="arguments of f"):
        remote.chat([{"role": "user", "content": "Go."}], tools=[TOOL])
    server.will_call(("f", '{"a": '), finish="length")
    cut = remote.chat([{"role": "user", "content": "Go."}], tools=[TOOL])
    assert (cut.turn.tool_calls, cut.status) == ([], "max_tokens")


def test_remote_failures(server: ChatServer, remote: OpenAIModel) -> None:
    server.answers.append({"error": {"message": "context too long"}})
    with pytest.raises(ModelError, match="context too long"):
        remote.generate("a")
    server.will_say("...", finish="content_filter")
    with pytest.raises(ModelError, match="content_filter"):
        remote.generate("a")
    server.will_say(None, refusal="I would rather not.")
    with pytest.raises(ModelError, match="rather not"):
        remote.generate("a")
    with pytest.raises(ModelError, match="after its call"):
        remote.chat([{"role": "tool", "name": "f", "content": "1"}])
    server.server.shutdown()
    server.server.server_close()
    with pytest.raises(ModelError, match="served"):
        remote.generate("a")


def served(server: ChatServer, kind: str, **options: Any) -> OpenAIModel:
    url = f"http://127.0.0.1:{server.server.server_port}/v1"
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    return OpenAIModel(client, "served", server=kind, **options)


NUMBERS = Grammar.from_json_schema({"type": "array", "items": {"type": "integer"}}, "compact")


@pytest.mark.parametrize("kind", ["llama-server", "vllm"])
def test_a_server_is_bound_to_a_grammar(server: ChatServer, kind: str) -> None:
    model = served(server, kind, extra_body={"top_k": 3, "grammar": "mine"})
    server.will_say("[1,2]")
    completion = model.generate("Count.", grammar=NUMBERS)
    assert (completion.text, completion.status) == ("[1,2]", "complete")
    (request,) = server.requests
    told = request if kind == "llama-server" else request["structured_outputs"]
    assert told["grammar"] == NUMBERS.to_gbnf()
    assert request["top_k"] == 3
    server.will_say("[1,", finish="length")
    assert model.generate("Count.", grammar=NUMBERS).status == "max_tokens"
    server.will_say("Hello.")
    model.generate("Hi!")
    assert "structured_outputs" not in server.requests[-1]


@pytest.mark.parametrize(
    ("answer", "finish"),
    [("One, two.", "stop"), ("[1,", "stop"), ("One, t", "length"), ("", "stop")],
)
def test_a_server_that_ignores_a_grammar(server: ChatServer, answer: str, finish: str) -> None:
    server.will_say(answer, finish=finish)
    with pytest.raises(GenerationError, match="did not follow"):
        served(server, "vllm").generate("Count.", grammar=NUMBERS)


def test_grammars_that_no_server_takes(server: ChatServer, remote: OpenAIModel) -> None:
    with pytest.raises(ModelError, match="llama-server, vllm"):
        remote.generate("Count.", grammar=NUMBERS)
    model = served(server, "vllm")
    with pytest.raises(ModelError, match="not compiled"):
        model.generate("Count.", grammar=NUMBERS.compile(byte_vocabulary()))
    with pytest.raises(UnsupportedSchemaError):
        model.generate("Count.", grammar=Grammar.free_text("."))
    with pytest.raises(ModelError, match="'ollama' is none of"):
        served(server, "ollama")
    assert server.requests == []


def test_a_response_schema_is_sent_where_calls_stay_possible(server: ChatServer) -> None:
    schema = {"type": "array"}
    question = [{"role": "user", "content": "Go."}]
    for kind, tools, is_sent in (
        ("openai", [TOOL], True),
        ("openai", [], True),
        ("vllm", [TOOL], False),
        ("llama-server", [TOOL], False),
        ("llama-server", [], True),
    ):
        server.will_say("[]")
        served(server, kind).chat(question, tools=tools, response_schema=schema)
        sent = server.requests[-1].get("response_format")
        assert (sent is not None) == is_sent
        assert sent is None or sent["json_schema"]["schema"] == schema


def test_what_cannot_be_constrained_says_so(remote: OpenAIModel) -> None:
    compiled = Grammar.from_json_schema({"type": "null"}).compile(byte_vocabulary())
    for model in (CallableModel(str.upper), remote):
        assert model.vocabulary is None
        with pytest.raises(ModelError, match="cannot be constrained"):
            model.generate("a", grammar=compiled)
