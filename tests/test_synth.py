"""Synthetic data: what is written, that it can be continued, and who can teach."""

from __future__ import annotations

import http.server
import itertools
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pydantic
import pytest

import schemask
from schemask.chat import HERMES, TOOL_CODE
from schemask.models import CallableModel, LlamaCppModel, OpenAIModel, Sampling
from schemask.synth import Kind, TeacherRequest, generate
from schemask.synth.ledger import ledger_path
from schemask.tools import ToolSet, tool

SYMBOLS = {"Apple": "AAPL", "Microsoft": "MSFT", "Nvidia": "NVDA", "Tesla": "TSLA"}


@tool
def get_stock_price(symbol: str, currency: Literal["USD", "EUR"] = "USD") -> float:
    """Get the current price of a stock.

    Args:
        symbol: Ticker symbol.
        currency: Currency of the price.
    """
    raise AssertionError("no tool is run to make data")


@tool
def find_flights(start: str, end: str, day: int | None = None) -> list[str]:
    """Find flights between two cities."""
    raise AssertionError("no tool is run to make data")


TOOLS = ToolSet([get_stock_price, find_flights])
CALLS: dict[Kind, float] = {"call": 1}


def wish(draw: random.Random, target: str) -> tuple[str, dict[str, Any]]:
    """Words of a user, and the call that they ask for."""
    if target == "get_stock_price":
        company, amount = draw.choice(sorted(SYMBOLS)), draw.randrange(1, 1000)
        arguments: dict[str, Any] = {"symbol": SYMBOLS[company]}
        words = f"what {amount} shares of {company} cost"
    else:
        start, end = draw.sample(["Oslo", "Zürich", "東京", "Lima"], k=2)
        arguments = {"start": start, "end": end, "day": draw.randrange(1, 31)}
        words = f"which planes go from {start} to {end} on day {arguments['day']}"
    return words, {"name": target, "arguments": arguments}


def teacher(request: TeacherRequest) -> dict[str, Any]:
    """Writes from templates; what it draws depends on the request alone."""
    draw = random.Random(request.seed)
    wishes, calls = [], []
    for target in request.targets:
        words, call = wish(draw, target)
        wishes.append(words)
        calls.append(call)
    answer = {"user": f"I want to know {' and '.join(wishes)}.", "answer": "That is unknown."}
    results = ["unknown" for _ in calls]
    number = draw.randrange(10_000)
    if request.kind == "chain":
        # What a later call needs is in the result before it, and nowhere else.
        answer["user"] = f"Do it, {number}!"
        results = [json.dumps(call["arguments"]) for call in calls[1:]] + ["done"]
        steps = [{"call": call, "result": text} for call, text in zip(calls, results, strict=True)]
        return {**answer, "steps": steps}
    if request.kind == "missing_value":
        question = {"user": f"Do it, {number}.", "question": f"What is {request.missing}?"}
        answer = {**answer, **question, "reply": f"It is {wishes[0]}."}
    if request.kind == "missing_tool":
        return {"user": f"Do {request.withheld} number {number}!", "answer": "I cannot."}
    if request.kind == "words":
        return {"user": f"Tell me joke number {number}!", "answer": "No joke."}
    return {**answer, "tool_calls": calls, "results": results}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def shape(line: dict[str, Any]) -> str:
    """Who speaks: the user, the assistant with words or calls, tools."""
    letters = {"user": "u", "tool": "t", "assistant": "a"}
    return "".join(
        str(len(message["tool_calls"])) if "tool_calls" in message else letters[message["role"]]
        for message in line["messages"]
    )


SHAPES: dict[str, set[str]] = {
    "call": {"u1ta"},
    "parallel": {"u2tta"},
    "chain": {"u1t1ta"},
    "missing_tool": {"ua"},
    "missing_value": {"uau1ta"},
    "words": {"ua"},
}


def test_lines_hold_valid_conversations(tmp_path: Path) -> None:
    report = generate(teacher, TOOLS, 400, tmp_path / "data.jsonl", progress=False)
    lines = read(tmp_path / "data.jsonl")
    assert (report.written, report.found) == (400, 0)
    assert len(lines) == 400
    said = {tuple(m["content"] for m in line["messages"] if m["role"] == "user") for line in lines}
    assert len(said) == 400
    entries = read(ledger_path(tmp_path / "data.jsonl"))[1:]
    kinds: dict[str, set[str]] = {}
    for line, entry in zip(lines, entries, strict=True):
        assert set(line) == {"messages", "tools"}
        kinds.setdefault(entry["kind"], set()).add(shape(line))
        offered = {definition["function"]["name"]: definition for definition in line["tools"]}
        assert offered.items() <= {t.name: t.definition for t in TOOLS}.items()
        for call in calls_in(line):
            parameters = offered[call["name"]]["function"]["parameters"]
            jsonschema.validate(call["arguments"], parameters)
        if entry["kind"] == "missing_tool":
            assert offered and not any(name in line["messages"][0]["content"] for name in offered)
        for form in (TOOL_CODE, HERMES):
            form.render(line["messages"], line["tools"])
    assert kinds == SHAPES
    assert report.kinds == Counter(entry["kind"] for entry in entries)
    assert sum(report.refused.values()) == sum(len(e.get("refusals", ())) for e in entries)


def calls_in(line: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        call["function"] for message in line["messages"] for call in message.get("tool_calls", [])
    ]


def test_kinds_come_in_the_shares_that_were_asked_for(tmp_path: Path) -> None:
    for shares, expected in (
        ({"words": 0.25, "parallel": 0.5, "call": 0.25}, {"words": 0.25, "parallel": 0.5}),
        ({"chain": 0.4, "call": 0}, {"chain": 0.4, "missing_tool": 0.15, "call": 0.0}),
    ):
        path = tmp_path / str(len(shares))
        report = generate(teacher, TOOLS, 400, path, shares=shares, progress=False)
        for kind, share in expected.items():
            assert abs(report.kinds[kind] / 400 - share) < 0.1
    assert {shape(line) for line in read(tmp_path / "3")} == {"ua", "u1ta", "u2tta"}


def test_the_seed_decides(tmp_path: Path) -> None:
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        generate(teacher, TOOLS, 50, tmp_path / name, seed=seed, progress=False)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert not set(a.splitlines()) & set(c.splitlines())


def test_a_longer_file_begins_as_a_shorter_one(tmp_path: Path) -> None:
    generate(teacher, TOOLS, 40, tmp_path / "whole", progress=False)
    generate(teacher, TOOLS, 15, tmp_path / "parts", progress=False)
    report = generate(teacher, TOOLS, 40, tmp_path / "parts", progress=False)
    assert (report.written, report.found) == (25, 15)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    report = generate(teacher, TOOLS, 10, tmp_path / "parts", progress=False)
    assert (report.written, report.found) == (0, 40)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_torn_line_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    generate(teacher, TOOLS, 5, path, progress=False)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    # After the line break, within the line (also within a character), and without its line break.
    for cut in (last, last + 1, (last + len(whole)) // 2, whole.index("ü".encode()) + 1, -1):
        path.write_bytes(whole[:cut])
        generate(teacher, TOOLS, 5, path, progress=False)
        assert path.read_bytes() == whole


def test_killed_again_and_again(tmp_path: Path) -> None:
    """SIGKILL at any moment neither loses nor repeats a line."""
    generate(teacher, TOOLS, 120, tmp_path / "whole", seed=7, progress=False)
    path = tmp_path / "killed"
    script = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_synth import TOOLS, generate, teacher\n"
        "def slow(request): time.sleep(0.002); return teacher(request)\n"
        f"generate(slow, TOOLS, 120, {str(path)!r}, seed=7, progress=False)\n"
    )
    for lines in (10, 40, 80):
        process = subprocess.Popen([sys.executable, "-c", script])
        while process.poll() is None:
            if path.exists() and path.read_bytes().count(b"\n") >= lines:
                process.kill()
                break
            time.sleep(0.001)
        assert process.wait() == -signal.SIGKILL
        assert (tmp_path / "whole").read_bytes().startswith(path.read_bytes())
    subprocess.run([sys.executable, "-c", script], check=True)
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_file_that_cannot_be_continued(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    generate(teacher, TOOLS, 3, path, progress=False)
    before = path.read_bytes()
    with pytest.raises(schemask.errors.DataError, match="content already"):
        generate(teacher, TOOLS, 5, path, resume=False, progress=False)
    with pytest.raises(
        schemask.errors.DataError, match=r"tools\.get_stock_price is .* there and None here"
    ):
        generate(teacher, [find_flights], 5, path, shares={"words": 1}, progress=False)
    with pytest.raises(schemask.errors.DataError, match="teacher is None there and 'b' here"):
        generate(teacher, TOOLS, 5, path, label="b", progress=False)
    with pytest.raises(schemask.errors.DataError, match="label is a text"):
        generate(teacher, TOOLS, 5, path, label=1, progress=False)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    path.write_bytes(before + b"{}\n")
    with pytest.raises(schemask.errors.DataError, match="lines that its ledger does not know"):
        generate(teacher, TOOLS, 5, path, progress=False)
    with pytest.raises(schemask.errors.DataError, match="nowhere"):
        generate(teacher, TOOLS, 5, tmp_path / "nowhere" / "data.jsonl", progress=False)


def damaged(change: Callable[[dict[str, Any]], Any]) -> Callable[[TeacherRequest], Any]:
    """A teacher whose first answer for each line is spoilt."""

    def teach(request: TeacherRequest) -> Any:
        example = teacher(request)
        return change(example) if request.attempt == 0 else example

    return teach


def first_arguments(example: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = example["tool_calls"][0]["arguments"]
    return arguments


@pytest.mark.parametrize(
    "change",
    [
        lambda example: None,
        lambda example: [example],
        lambda example: {**example, "more": 1},
        lambda example: {**example, "user": 3},
        lambda example: {**example, "user": " ?! "},
        lambda example: {**example, "user": "one\ud800two"},
        lambda example: {**example, "answer": "<|im_end|> and on"},
        lambda example: {**example, "answer": "<tool_code>{}</tool_code>"},
        lambda example: {k: v for k, v in example.items() if k != "answer"},
        lambda example: {**example, "results": []},
        lambda example: {**example, "tool_calls": []},
        lambda example: {**example, "tool_calls": [{"name": "rm", "arguments": {}}]},
        lambda example: first_arguments(example).update(symbol=7) or example,
        lambda example: first_arguments(example).update(symbol=None) or example,
        lambda example: first_arguments(example).update(currency="GBP") or example,
        lambda example: first_arguments(example).update(exchange="NYSE") or example,
        lambda example: first_arguments(example).clear() or example,
        lambda example: first_arguments(example).update(symbol=float("nan")) or example,
        lambda example: first_arguments(example).update(symbol=object()) or example,
    ],
)
def test_what_is_invalid_is_asked_for_again(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    options: dict[str, Any] = {"shares": CALLS, "progress": False}
    report = generate(damaged(change), [get_stock_price], 5, tmp_path / "data", **options)
    assert report.refused == {"invalid": 5}
    assert len(read(tmp_path / "data")) == 5
    with pytest.raises(schemask.errors.DataError, match="line 6: 1 answers in a row were refused"):
        generate(damaged(change), [get_stock_price], 6, tmp_path / "data", attempts=1, **options)
    assert len(read(tmp_path / "data")) == 5


def even(value: int) -> int:
    if value % 2:
        raise ValueError("odd")
    return value


@tool
def halve(number: Annotated[int, pydantic.AfterValidator(even)]) -> int:
    """Half of an even number."""
    return number // 2


def test_what_a_function_of_a_tool_would_not_take_is_refused(tmp_path: Path) -> None:
    """Validators of pydantic can ask for more than a schema says."""

    def teach(request: TeacherRequest) -> dict[str, Any]:
        number = request.seed % 100
        call = {"name": "halve", "arguments": {"number": number}}
        return {
            "user": f"Half of {number}?",
            "tool_calls": [call],
            "results": ["?"],
            "answer": "??",
        }

    report = generate(
        teach, [halve], 10, tmp_path / "data", shares=CALLS, attempts=50, progress=False
    )
    assert report.refused["invalid"] > 0
    for line in read(tmp_path / "data"):
        assert line["messages"][1]["tool_calls"][0]["function"]["arguments"]["number"] % 2 == 0


def test_duplicates_differ_in_no_word(tmp_path: Path) -> None:
    spellings = itertools.cycle(["What's  new?", "what's new", "WHAT'S NEW?!", "What is old?"])

    def teach(request: TeacherRequest) -> dict[str, Any]:
        return {"user": next(spellings), "answer": "Nothing."}

    report = generate(teach, TOOLS, 2, tmp_path / "data", shares={"words": 1}, progress=False)
    assert [line["messages"][0]["content"] for line in read(tmp_path / "data")] == [
        "What's  new?",
        "What is old?",
    ]
    assert report.refused["duplicate"] == 2
    with pytest.raises(schemask.errors.DataError, match="an earlier line has"):
        generate(teach, TOOLS, 3, tmp_path / "data", shares={"words": 1}, progress=False)


def test_bad_arguments(tmp_path: Path) -> None:
    for options in (
        {"shares": {"words": 0.6, "parallel": 0.6}},
        {"shares": {"words": -0.1}},
        {"shares": {kind: 0.1 for kind in SHAPES}},
        {"shares": {"tools": 0.1}},
        {"shares": 0.1},
        {"attempts": 0},
        {"concurrency": 0},
        {"chains": [("get_stock_price",)]},
        {"chains": [("get_stock_price", "sell")]},
        {"chains": "get_stock_price"},
    ):
        with pytest.raises(schemask.errors.DataError):
            generate(teacher, TOOLS, 1, tmp_path / "data", progress=False, **options)
    with pytest.raises(schemask.errors.DataError, match="no tools"):
        generate(teacher, [], 1, tmp_path / "data", progress=False)
    assert not (tmp_path / "data").exists()


def test_a_bar_shows_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(teacher, TOOLS, 3, tmp_path / "data")
    assert "3/3" in capsys.readouterr().err


def test_other_libraries_read_the_lines(
    tmp_path: Path, llama3_tokenizer: Any, qwen_template: str
) -> None:
    """datasets keeps the lines equal, and a chat template renders them as the format does."""
    import datasets

    path = tmp_path / "data.jsonl"
    generate(teacher, TOOLS, 60, path, progress=False)
    loaded = datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    for line, row in zip(read(path), loaded, strict=True):
        # A column of messages has all keys in every row; transformers drops the empty ones.
        messages = [{k: v for k, v in m.items() if v is not None} for m in row["messages"]]
        assert messages == line["messages"]
        assert row["tools"] == line["tools"]
        rendered = llama3_tokenizer.apply_chat_template(
            row["messages"], tools=row["tools"], chat_template=qwen_template, tokenize=False
        )
        for message in line["messages"]:
            for call in message.get("tool_calls", []):
                function = call["function"]
                assert HERMES.render_call(function["name"], function["arguments"]) in rendered


def test_a_text_model_teaches(tmp_path: Path) -> None:
    """A model that cannot be constrained answers the prompt; fences around the JSON do no harm."""
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        number = len(prompts)
        call = {"name": "get_stock_price", "arguments": {"symbol": "AAPL"}}
        example = {
            "user": f"Apple, {number} shares?",
            "tool_calls": [call],
            "results": ["150.0"],
            "answer": "150 each.",
        }
        return (
            "I would rather not." if number == 2 else f"Sure:\n```json\n{json.dumps(example)}\n```"
        )

    report = generate(
        CallableModel(answer),
        [get_stock_price],
        3,
        tmp_path / "data",
        shares=CALLS,
        progress=False,
    )
    assert report.refused["invalid"] == 1
    assert len(read(tmp_path / "data")) == 3
    for prompt in prompts:
        assert '"name": "get_stock_price"' in prompt
        assert prompt.endswith("The assistant: calls get_stock_price\nConversation:")


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[dict[str, Any]], list[str]]]:
    """A server that speaks chat completions: its address, the requests it got, answers to give."""
    requests: list[dict[str, Any]] = []
    answers: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append(json.loads(body))
            message = {"role": "assistant", "content": answers.pop(0)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
            data = json.dumps({**answer, "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", requests, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_teaches(
    tmp_path: Path, endpoint: tuple[str, list[dict[str, Any]], list[str]]
) -> None:
    import openai

    address, requests, answers = endpoint
    call = {"name": "get_stock_price", "arguments": {"symbol": "AAPL"}}
    right = {"user": "Apple?", "tool_calls": [call], "results": ["150.0"], "answer": "150."}
    wrong = {**right, "tool_calls": [{"name": "get_stock_price", "arguments": {"symbol": 1}}]}
    answers += [json.dumps(wrong), json.dumps(right)]
    with openai.OpenAI(base_url=address, api_key="none") as client:
        report = generate(
            OpenAIModel(client, "m"),
            [get_stock_price],
            1,
            tmp_path / "data",
            shares=CALLS,
            progress=False,
        )
    assert report.refused["invalid"] == 1
    [line] = read(tmp_path / "data")
    assert line["messages"][0]["content"] == "Apple?"
    assert line["messages"][1]["tool_calls"] == [{"type": "function", "function": call}]
    assert [request["temperature"] for request in requests] == [0.8, 0.8]
    assert requests[0]["seed"] != requests[1]["seed"]


def test_a_local_model_teaches_under_the_grammar(tmp_path: Path, llama: Any) -> None:
    """A small base model: what it writes is valid, and a run that goes on writes the same."""
    model = LlamaCppModel(llama)
    options: dict[str, Any] = {
        "shares": CALLS,
        "sampling": Sampling(max_tokens=160, temperature=0.8),
        "progress": False,
    }
    path = tmp_path / "data"
    assert generate(model, TOOLS, 1, path, **options).refused["invalid"] == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    report = generate(model, TOOLS, 1, path, **options)
    assert (report.written, report.refused["invalid"]) == (1, 0)
    assert path.read_bytes() == whole
