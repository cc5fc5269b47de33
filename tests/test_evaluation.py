"""Evaluation: examples, judges, what is written down, and what it comes to."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import math
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemask._turns import WrittenTurn
from schemask.chat import FORMATS, TOOL_CODE, ChatFormat, ParsedTurn, ToolCall
from schemask.cli import main
from schemask.cli.inputs import load_model
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar
from schemask.core.mask_step import MaskStep, Scored, mask_step
from schemask.core.masking import allocate_mask, apply_mask
from schemask.errors import DataError, ModelError
from schemask.evaluation import (
    Abstention,
    AnyCall,
    EvalExample,
    EvalRecord,
    ExpectedCalls,
    MaskedText,
    evaluate,
    rate,
    read_bfcl,
    read_examples,
    read_records,
    read_when2call,
    summarize,
    table,
)
from schemask.evaluation.intervals import Z_95
from schemask.evaluation.masks import MaskNotes
from schemask.models import CallableModel, ChatTurn, LlamaCppModel, Sampling, TransformersModel
from schemask.schemas.equal_values import are_equal, call_text, filled
from schemask.tools import ToolSet, tool


class Place(pydantic.BaseModel):
    city: str
    country: str = "Norway"


@tool
def get_weather(place: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
    """The weather of the next days.

    Args:
        place: Name of a town.
        days: How many days.
        unit: Unit of temperatures.
    """
    return "sun"


@tool
def find_route(start: Place, end: Place | None = None, stops: list[Place] = []) -> str:  # noqa: B006
    """A way from one place to another."""
    return "north"


TOOLS = ToolSet([get_weather, find_route])


def example(*calls: tuple[str, dict[str, Any]], name: str = "one") -> EvalExample:
    expected = ExpectedCalls(tuple(ToolCall(*call) for call in calls), TOOLS)
    return EvalExample(name, "own", [{"role": "user", "content": "Go!"}], TOOLS, expected)


def turn(*calls: tuple[str, dict[str, Any]]) -> ParsedTurn:
    return ParsedTurn("", [ToolCall(*call) for call in calls])


def line(*messages: dict[str, Any], **more: Any) -> str:
    return json.dumps({"messages": messages, "tools": TOOLS.definitions, **more}) + "\n"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def calling(*calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made = [{"function": {"name": name, "arguments": given}} for name, given in calls]
    return {"role": "assistant", "content": "", "tool_calls": made}


WEATHER = ("get_weather", {"place": "Oslo"})


# --- intervals ------------------------------------------------------------------------------------


def wilson_by_search(successes: int, total: int) -> tuple[float, float]:
    """The shares that the observed one does not contradict at 95%, by bisection."""
    share = successes / total

    def fits(p: float) -> bool:
        return abs(share - p) <= Z_95 * math.sqrt(p * (1 - p) / total)

    def edge(outside: float) -> float:
        inside = share
        for _ in range(80):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if fits(middle) else (inside, middle)
        return inside

    return (0.0 if fits(0.0) else edge(0.0)), (1.0 if fits(1.0) else edge(1.0))


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_are_wilsons(pair: tuple[int, int]) -> None:
    found = rate(*pair)
    low, high = wilson_by_search(*pair)
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_known_intervals() -> None:
    assert str(rate(8, 10)) == "80.0% (49.0 to 94.3)"
    assert str(rate(0, 200)) == "0.0% (0.0 to 1.9)"
    assert str(rate(0, 0)) == "-"
    assert math.isnan(rate(0, 0).value)


# --- judges ---------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 2.5, -0.0])
    | st.sampled_from(["", "a", "1"]),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from("ab"), parts),
    max_leaves=6,
)


@given(JSON, JSON)
def test_equality_is_that_of_json_schema(one: Any, other: Any) -> None:
    assert are_equal(one, other) == jsonschema.Draft202012Validator({"const": one}).is_valid(other)
    assert are_equal(one, json.loads(json.dumps(one)))


@given(JSON, JSON)
def test_equal_calls_have_one_text(one: Any, other: Any) -> None:
    texts = [call_text("f", {"x": value}, {}) for value in (one, other)]
    assert (texts[0] == texts[1]) == are_equal(one, other)
    parameters = {"properties": {"x": {"default": one}}}
    assert call_text("f", {}, parameters) == texts[0] == call_text("f", {"x": one}, parameters)


def test_defaults_are_filled_in() -> None:
    parameters = find_route.definition["function"]["parameters"]
    assert filled({"start": {"city": "Oslo"}}, parameters) == {
        "start": {"city": "Oslo", "country": "Norway"},
        "end": None,
        "stops": [],
    }
    given_ = {"start": {"city": "A"}, "end": {"city": "B"}, "stops": [{"city": "C"}]}
    assert filled(given_, parameters) == {
        name: [{"country": "Norway", **part} for part in value]
        if isinstance(value, list)
        else {"country": "Norway", **value}
        for name, value in given_.items()
    }


def test_a_default_within_itself_ends() -> None:
    part = {"$ref": "#", "default": {"b": 2}}
    parameters = {"type": "object", "properties": {"a": part, "c": {"default": 3}}}
    assert filled({}, parameters) == {"a": {"b": 2, "c": 3}, "c": 3}
    assert filled({"a": {}}, parameters) == {"a": {"a": {"b": 2, "c": 3}, "c": 3}, "c": 3}


WEATHERS = st.fixed_dictionaries(
    {"place": st.sampled_from(["Oslo", "Bergen"])},
    optional={"days": st.sampled_from([3, 3.0, 4]), "unit": st.sampled_from(["C", "F"])},
)


@given(WEATHERS, WEATHERS)
def test_calls_are_right_where_the_function_gets_the_same(
    wanted: dict[str, Any], got: dict[str, Any]
) -> None:
    def bound(arguments: dict[str, Any]) -> Any:
        made = get_weather.bind(arguments)
        made.apply_defaults()
        return made.arguments

    verdict = example(("get_weather", wanted)).judge(turn(("get_weather", got)))
    assert (verdict.outcome == "right") == (bound(wanted) == bound(got))
    wrong = {found.argument for found in verdict.arguments if found.fault}
    assert wrong == {key for key, value in bound(wanted).items() if bound(got)[key] != value}


CALLS = st.lists(st.tuples(st.just("get_weather"), WEATHERS), min_size=1, max_size=4)


@given(CALLS, st.randoms(use_true_random=False), st.integers(0, 2))
def test_parallel_calls_have_no_order(
    calls: list[tuple[str, Any]], draw: random.Random, change: int
) -> None:
    shuffled = draw.sample(calls, k=len(calls))
    if change == 0:
        assert example(*calls).judge(turn(*shuffled)).outcome == "right"
        return
    if change == 1:
        shuffled.append(draw.choice(calls))
    else:
        shuffled[0] = ("get_weather", {"place": "Lima"})
    verdict = example(*calls).judge(turn(*shuffled))
    assert verdict.outcome == "wrong"
    assert any(found.fault for found in verdict.arguments)


def test_equal_calls_to_python_are_two_calls() -> None:
    """True is 1 to Python, and not in JSON."""
    one, true = ("get_weather", {"place": 1}), ("get_weather", {"place": True})
    assert example(one, true).judge(turn(true, one)).outcome == "right"
    assert example(one, true).judge(turn(true, true)).outcome == "malformed"


@pytest.mark.parametrize(
    ("written", "outcome", "fault"),
    [
        ([WEATHER], "right", None),
        ([("get_weather", {"place": "Oslo", "days": 3.0})], "right", None),
        ([], "no_call", None),
        ([("get_weather", {"place": "oslo"})], "wrong", ("place", "string", "value")),
        ([("get_weather", {"place": "Oslo", "days": 7})], "wrong", ("days", "integer", "value")),
        ([("get_weather", {"place": "Oslo", "unit": "F"})], "wrong", ("unit", "choice", "value")),
        ([("find_route", {"start": {"city": "Oslo"}})], "wrong", ("", "tool", "tool")),
        ([WEATHER, WEATHER], "wrong", ("", "tool", "tool")),
        ([("get_weather", {})], "malformed", ("place", "string", "missing")),
        ([("get_weather", {"place": 1})], "malformed", ("place", "string", "type")),
        ([("get_weather", {"place": "Oslo", "x": 1})], "malformed", ("x", "any", "unexpected")),
        ([("get_sun", {"place": "Oslo"})], "malformed", ("", "tool", "tool")),
    ],
)
def test_outcomes(
    written: list[tuple[str, Any]], outcome: str, fault: tuple[str, str, str] | None
) -> None:
    verdict = example(WEATHER).judge(turn(*written))
    assert verdict.outcome == outcome
    assert bool(verdict.problem) == (outcome != "right")
    faults = [(v.argument, v.kind, v.fault) for v in verdict.arguments if v.fault]
    assert faults == ([] if fault is None else [fault])


def test_where_no_call_is_right() -> None:
    for kind in ("words", "ask", "cannot"):
        abstaining = dataclasses.replace(example(), expected=Abstention(kind))  # type: ignore[arg-type]
        assert abstaining.judge(turn()).outcome == "right"
        assert abstaining.judge(turn(WEATHER)).outcome == "wrong"
        assert abstaining.judge(turn(("get_sun", {}))).outcome == "malformed"
        assert abstaining.judge(None, "cut").problem == "cut"
    either = dataclasses.replace(example(), expected=AnyCall())
    assert either.judge(turn()).outcome == "no_call"
    assert either.judge(turn(("find_route", {"start": {"city": "A"}}))).outcome == "right"
    assert either.judge(turn(("find_route", {}))).outcome == "malformed"


# --- sources --------------------------------------------------------------------------------------


def test_examples_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "held.jsonl"
    earlier = [user("Hello"), {"role": "assistant", "content": "Hello!"}]
    result = {"role": "tool", "name": "get_weather", "content": "sun"}
    path.write_text(
        line(*earlier, user("Weather in Oslo?"), calling(WEATHER), result)
        + "\n"
        + line(user("Both?"), calling(WEATHER, ("find_route", {"start": {"city": "A"}})))
        + line(user("Weather?"), {"role": "assistant", "content": "Where?"}, kind="ask", id="x")
        + line(user("Thanks"), {"role": "assistant", "content": "Welcome"}, category="talk"),
        encoding="utf-8",
    )
    found = read_examples(path)
    assert [one.id for one in found] == ["held:1", "held:1.2", "held:3", "x", "held:5"]
    categories = ["held/words", "held/call", "held/parallel", "held/ask", "talk"]
    assert [one.category for one in found] == categories
    assert [one.expected.kind for one in found] == ["words", "call", "parallel", "ask", "words"]
    assert [message["role"] for message in found[1].messages] == ["user", "assistant", "user"]
    assert found[1].judge(turn(WEATHER)).outcome == "right"
    assert found[1].expected.shown == [{"name": "get_weather", "arguments": {"place": "Oslo"}}]
    assert len({one.digest for one in found}) == 5
    assert [one.id for one in read_examples(path, category="c", limit=3)] == ["c:1", "c:1.2", "c:3"]
    assert len(read_examples(path, limit=1)) == 1


@pytest.mark.parametrize(
    ("kind", "kinds"),
    [
        (None, ["words", "ask", "call", "words"]),
        ("ask", ["words", "ask", "call", "words"]),
        ("cannot", ["words", "ask", "call", "cannot"]),
    ],
)
def test_every_answer_to_a_user_is_an_example(
    tmp_path: Path, kind: str | None, kinds: list[str]
) -> None:
    """That an assistant asks is seen from the call that follows the answer to its question."""
    path = tmp_path / "held.jsonl"
    says = [{"role": "assistant", "content": text} for text in ("Hello!", "Where?", "Sun.", "Bye")]
    result = {"role": "tool", "name": "get_weather", "content": "sun"}
    talk = [
        user("Hello"),
        says[0],
        user("The weather?"),
        says[1],
        user("In Oslo"),
        calling(WEATHER),
    ]
    given_ = {} if kind is None else {"kind": kind}
    path.write_text(
        line(*talk, result, says[2], user("Thanks"), says[3], **given_), encoding="utf-8"
    )
    found = read_examples(path)
    assert [one.expected.kind for one in found] == kinds
    assert [one.request for one in found] == ["Hello", "The weather?", "In Oslo", "Thanks"]
    assert [len(one.messages) for one in found] == [1, 3, 5, 9]


def test_limits_are_data(tmp_path: Path) -> None:
    for read in (read_examples, read_when2call):
        with pytest.raises(DataError, match="limit is at least 0"):
            read(tmp_path / "x.jsonl", limit=-1)
    with pytest.raises(DataError, match="limit is an integer"):
        read_bfcl(tmp_path, limit=True)
    with pytest.raises(DataError, match="reasoning_tokens is at least 1"):
        run(tmp_path / "x.jsonl", reasoning_tokens=0)


def test_breaks_within_texts_of_bfcl_do_not_end_lines(tmp_path: Path) -> None:
    entry = {"id": "irrelevance_0", "question": [[user("one\u2028two\x85three")]], "function": []}
    text = json.dumps(entry, ensure_ascii=False) + "\r\n"
    (tmp_path / "BFCL_v4_irrelevance.json").write_text(text, encoding="utf-8")
    (tmp_path / "BFCL_v4_simple_python.json").write_text("", encoding="utf-8")
    (found,) = read_bfcl(tmp_path, ["irrelevance"])
    assert found.request == "one\u2028two\x85three"


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (line(user("Only asked")), "no turn of the assistant"),
        (line({"role": "assistant", "content": "Hello"}), "no turn of the assistant"),
        (line(user("?"), {"role": "system", "content": "x"}), "a message of 'system'"),
        (line(user("?"), calling(WEATHER), kind="ask"), "its kind is 'ask'"),
        (line(user("?"), calling(WEATHER), id=7), "id is a text"),
        ('{"messages": 1}\n', "messages must be a list"),
        ("[]\n", "not a JSON object"),
    ],
)
def test_lines_that_are_no_examples(tmp_path: Path, bad: str, problem: str) -> None:
    path = tmp_path / "held.jsonl"
    path.write_text(line(user("?"), calling(WEATHER)) + bad, encoding="utf-8")
    with pytest.raises(DataError, match=problem) as error:
        read_examples(path)
    assert error.value.line == 2


def when2call(right: str, **more: Any) -> dict[str, Any]:
    """A line in the shape of the published test file, which has other words."""
    function = {
        "name": "train.find",
        "description": "Finds trains.",
        "parameters": {
            "type": "dict",
            "required": ["to"],
            "properties": {"to": {"type": "string"}, "price": {"type": "float"}},
        },
    }
    call = {"name": "train.find", "arguments": {"to": "Rome"}}
    return {
        "uuid": f"id-{right}",
        "source": "BFCL v2 Live Simple",
        "source_id": "live_simple_0",
        "question": "I want to go by train.",
        "correct_answer": right,
        "answers": {
            "direct": "There are many.",
            "tool_call": json.dumps(call),
            "request_for_info": "Where to?",
            "cannot_answer": "I cannot.",
        },
        "target_tool": None,
        "tools": [json.dumps(function)],
        "orig_tools": [json.dumps(function)],
        **more,
    }


def test_when2call(tmp_path: Path) -> None:
    path = tmp_path / "mcq.jsonl"
    unknown = json.dumps({"name": "f", "parameters": {"properties": {"x": {"type": "List[x]"}}}})
    lines = [
        *map(when2call, ["tool_call", "direct", "request_for_info", "cannot_answer"]),
        when2call("cannot_answer", uuid="none", tools=[]),
        when2call("tool_call", uuid="no tools", tools=[]),
        when2call("something"),
        when2call("direct", question=None),
        when2call("direct", tools=[unknown]),
        when2call("direct", tools=["{"]),
        when2call("direct", tools={}),
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    found = read_when2call(path)
    kinds = ["any_call", "words", "ask", "cannot", "cannot"]
    assert [one.expected.kind for one in found.examples] == kinds
    assert found.examples[0].category == "when2call/call"
    assert found.examples[2].expected.shown == {"no_call": "ask", "words": "Where to?"}
    (offered,) = found.examples[0].tools
    assert (offered.name, offered.parameters["properties"]["price"]) == (
        "train_find",
        {"type": "number"},
    )
    assert [number for number, _ in found.unread] == [6, 7, 8, 9, 10, 11]
    assert "unknown type 'List[x]'" in found.unread[3][1]


# --- runs -----------------------------------------------------------------------------------------


def answered(prompt: str) -> str:
    """A model that calls for some towns, and for others in ways that are wrong."""
    question = prompt.rpartition("user")[2]
    if "Oslo" in question:
        return TOOL_CODE.render_call(*WEATHER)
    if "Bergen" in question:
        return TOOL_CODE.render_call("get_weather", {"place": "Bergen", "unit": "F"})
    if "Lima" in question:
        return '<tool_code>{"name": "get_weather", "arguments": {"place'
    return "I do not know."


def asked_examples() -> list[EvalExample]:
    towns = ["Oslo", "Bergen", "Lima", "Nowhere", "Oslo again", "Bergen again"]
    made = [
        EvalExample(
            town,
            "towns" if number < 4 else "again",
            [user(f"The weather in {town}?")],
            TOOLS,
            ExpectedCalls((ToolCall("get_weather", {"place": town.split()[0]}),), TOOLS),
        )
        for number, town in enumerate(towns)
    ]
    return [*made, dataclasses.replace(made[3], id="no call", expected=Abstention("words"))]


def run(path: Path, model: Any = None, **options: Any) -> list[EvalRecord]:
    options = {"modes": ["unconstrained"], "progress": False, **options}
    return evaluate(model or CallableModel(answered), asked_examples(), path, **options).records


def untimed(records: list[EvalRecord]) -> list[EvalRecord]:
    return [dataclasses.replace(record, seconds=0.0) for record in records]


def test_records(tmp_path: Path) -> None:
    records = run(tmp_path / "records.jsonl", name="towns")
    outcomes = ["right", "wrong", "malformed", "no_call", "right", "wrong", "right"]
    assert [record.outcome for record in records] == outcomes
    read = read_records(tmp_path / "records.jsonl")
    assert (read.records, read.name) == (records, "towns")
    assert records[1].calls == (
        {"name": "get_weather", "arguments": {"place": "Bergen", "unit": "F"}},
    )
    assert "cannot be read" in records[2].problem or records[2].problem
    summary = summarize(records)
    assert [(row.category, row.count) for row in summary.rows] == [
        ("towns", 5),
        ("again", 2),
        ("all", 7),
    ]
    assert summary.rows[0].outcomes == {"right": 2, "wrong": 1, "malformed": 1, "no_call": 1}
    (fault,) = summary.faults
    assert (fault.kind, fault.count, fault.faults) == ("choice", 2, {"value": 2})
    shown = table(summary)
    assert "all       unconstrained  7  42.9% (15.8 to 75.0)      2          1        1" in shown
    json.dumps(summary.json, allow_nan=False)
    assert table(summarize([])) == "category  setting  n  right, 95% interval  masked  overruled"


def test_a_call_that_is_nested_deeper_than_python_recurs(tmp_path: Path) -> None:
    """It can be read, and neither be judged nor written down: no reason to end a run."""

    def model(prompt: str) -> str:
        call = {"name": "get_weather", "arguments": {"place": "@"}}
        return f"<tool_code>{json.dumps(call)}</tool_code>".replace('"@"', "[" * 700 + "]" * 700)

    path = tmp_path / "records.jsonl"
    records = run(path, CallableModel(model))
    assert {record.outcome for record in records} == {"malformed"}
    assert "deeper than" in records[0].problem and "[" * 700 in records[0].text
    assert read_records(path).records == records


def test_a_run_goes_on_wherever_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    whole = run(path)
    data = path.read_bytes()
    for size in range(0, len(data), 211):
        path.write_bytes(data[:size])
        assert untimed(run(path)) == untimed(whole)
    assert untimed(run(path)) == untimed(whole)
    assert untimed(read_records(path).records) == untimed(whole)


def test_files_of_other_runs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    run(path)
    before = path.read_bytes()
    with pytest.raises(DataError, match="made with another sampling"):
        run(path, sampling=Sampling(max_tokens=7))
    with pytest.raises(DataError, match="made with another model"):
        run(path, name="another")
    with pytest.raises(DataError, match="has content"):
        run(path, resume=False)
    fewer = asked_examples()[1:]
    with pytest.raises(DataError, match="line 2: a record of another example"):
        evaluate(CallableModel(answered), fewer, path, modes=["unconstrained"], progress=False)
    assert path.read_bytes() == before
    for text in ("{}\n", "hello", '{"schemask_evaluation": 1}\n{}\n'):
        path.write_text(text)
        with pytest.raises(DataError):
            run(path)
        assert path.read_text() == text


class Named(CallableModel):
    """A model that says which weights it has."""

    def __init__(self, digest: str) -> None:
        super().__init__(answered)
        self.digest = digest


def test_another_model_or_format_of_the_same_name_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    run(path, Named("a"), name="model")
    with pytest.raises(DataError, match="made with another weights: 'a', not 'b'"):
        run(path, Named("b"), name="model")
    spec = dataclasses.replace(TOOL_CODE.spec, call_open="<calls>")
    with pytest.raises(DataError, match="made with another format_digest"):
        run(path, Named("a"), name="model", format=ChatFormat(spec))


def test_models_tell_their_weights(
    small_wide_model: Any, small_tokenizer: Any, llama: Any, llama_vocabulary: Any
) -> None:
    import torch

    before = TransformersModel(small_wide_model, small_tokenizer).digest
    assert before == TransformersModel(small_wide_model, small_tokenizer).digest
    other = TransformersModel(small_wide_model, small_tokenizer, template="{{ messages }}").digest
    changed = copy.deepcopy(small_wide_model)
    with torch.no_grad():
        changed.get_input_embeddings().weight[-1, -1] += 1
    assert len({before, other, TransformersModel(changed, small_tokenizer).digest}) == 3
    file = hashlib.sha256(Path(llama.model_path).read_bytes()).hexdigest()[:16]
    assert LlamaCppModel(llama, llama_vocabulary).digest == file
    other = LlamaCppModel(llama, llama_vocabulary, template="{{ messages }}").digest
    assert other not in (None, file)


def test_what_failed_for_a_while_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    is_ill = True

    def sometimes(prompt: str) -> Any:
        return None if is_ill and "Bergen" in prompt.rpartition("user")[2] else answered(prompt)

    ill = run(path, CallableModel(sometimes))
    assert [record.outcome for record in ill if record.id.startswith("Bergen")] == ["failed"] * 2
    size = path.stat().st_size
    assert untimed(run(path, CallableModel(sometimes))) == untimed(ill)
    assert path.stat().st_size == size
    is_ill = False
    well = run(path, CallableModel(sometimes))
    assert untimed(well) == untimed(run(tmp_path / "other.jsonl"))
    assert read_records(path).records == well
    asked: list[str] = []
    again = run(path, CallableModel(lambda prompt: asked.append(prompt) or ""))  # type: ignore[func-returns-value, arg-type]
    assert again == well and not asked


def test_misuse(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with pytest.raises(ModelError, match="cannot be constrained"):
        run(path, modes=["constrained"])
    with pytest.raises(DataError, match="mode 'fast' is none"):
        run(path, modes=["fast"])
    with pytest.raises(DataError, match="modes are a list"):
        run(path, modes="constrained")
    with pytest.raises(DataError, match="two examples have the id"):
        evaluate(CallableModel(answered), asked_examples() * 2, path, modes=["unconstrained"])
    with pytest.raises(ModelError, match="no Model or ChatModel"):
        evaluate(answered, [], path)  # type: ignore[arg-type]
    assert not path.exists()


# --- masks ----------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=8).flatmap(
        lambda scores: st.tuples(
            st.just(scores), st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))
        )
    )
)
def test_masked_mass_is_the_probability_of_what_is_forbidden(
    pair: tuple[list[float], list[bool]],
) -> None:
    scores, allowed = pair
    allowed[0] = True
    before = np.array(scores, dtype=np.float32)
    after = np.where(allowed, before, -np.inf).astype(np.float32)
    step = mask_step(4, Scored.of(before), Scored.of(after))
    odds = [math.exp(score) for score in before.tolist()]
    forbidden = sum(odd for odd, is_allowed in zip(odds, allowed, strict=True) if not is_allowed)
    assert step.masked_mass == pytest.approx(forbidden / sum(odds), abs=1e-6)
    assert step.is_overruled == (not allowed[step.wanted])
    assert step.position == 4


def weather_grammar(vocabulary: Any) -> Any:
    return Grammar.from_tools([get_weather], TOOL_CODE, "required").compile(vocabulary)


def test_masks_are_told_by_transformers(small_wide_model: Any, small_tokenizer: Any) -> None:
    """The same as a pass through the model by hand, and a mask on its scores."""
    import torch

    model = TransformersModel(small_wide_model, small_tokenizer)
    compiled = weather_grammar(model.vocabulary)
    steps: list[MaskStep] = []
    prompt = [1, 4093, 905]
    done = model.generate(
        prompt, grammar=compiled, sampling=Sampling(max_tokens=40), on_mask=steps.append
    )
    told_of = {step.position: step for step in steps}
    assert list(told_of) == sorted(told_of) and len(told_of) == len(steps)
    matcher = compiled.matcher(max_tokens=40)
    bitmask = allocate_mask(1, compiled.vocabulary.size)
    with torch.no_grad():
        scores = small_wide_model(torch.tensor([[*prompt, *done.token_ids]])).logits[0, 2:].numpy()
    for position, (row, token) in enumerate(zip(scores, done.token_ids, strict=False)):
        if position not in told_of:  # nobody asked the model
            assert matcher.forced_tokens()
            assert matcher.accept(token)
            continue
        step = told_of[position]
        matcher.fill_mask(bitmask)
        masked = row.copy()
        apply_mask(masked, bitmask[0])
        odds = np.exp(row.astype(np.float64) - row.max())
        share = odds[np.isinf(masked)].sum() / odds.sum()
        assert step.masked_mass == pytest.approx(share, abs=1e-4)
        assert (step.wanted, step.best) == (int(row.argmax()), token)
        assert matcher.accept(token)
    told = MaskNotes()
    for step in steps:
        told(step)
    written = WrittenTurn(None, done.text, "ok", None, 0.0, 40, done.token_ids, ((4, 99),))
    summed = told.turn(written, model.vocabulary)
    assert summed is not None and summed.steps == len(steps)
    assert 0 < summed.calls[0].steps < len(steps)
    assert summed.overruled == sum(step.wanted != step.best for step in steps) > 0


def test_each_call_has_its_own_masks() -> None:
    """Words, two calls, and the end, where the model wanted something else in all of them."""
    vocabulary = byte_vocabulary()
    calls = [ToolCall("get_weather", {"place": place}) for place in ("Øst", "Bergen")]
    form = FORMATS["hermes"]
    message = ParsedTurn("Så!", calls).message
    text = form.render_assistant(message, TOOLS)
    reader = form.reader(TOOLS)
    reader.feed(text)
    reader.finish()
    token_ids = list(text.encode())
    written = WrittenTurn(None, text, "ok", None, 0.0, len(token_ids), token_ids, reader.call_spans)
    first = text.encode().index(b"<tool_call>")
    second = text.encode().rindex(b"<tool_call>")
    wishes = {
        1: 0.5,  # in the words
        first: 0.25,
        second + 3: 0.75,
        second + 5: 0.25,
        len(token_ids): 1.0,  # after the end
    }
    notes = MaskNotes()
    for position, best in enumerate([*token_ids, 10]):
        mass = wishes.get(position, 0.0)
        notes(MaskStep(position, mass, ord("x") if mass else best, best))
    found = notes.turn(written, vocabulary)
    assert found is not None
    assert (found.overruled, found.after, found.wanted) == (5, "S", "x")
    one, two = found.calls
    # A line break stands before the second call, which is part of it.
    end = text.encode().index(b"</tool_call>") + len("</tool_call>")
    assert (one.steps, two.steps) == (end - first, len(token_ids) - end)
    assert one == MaskedText(one.steps, 0.25 / one.steps, 0.25, 1, "", "x", "<")
    assert two == MaskedText(two.steps, 1 / two.steps, 0.75, 2, "\n<to", "x", "o")
    assert MaskNotes().turn(written, vocabulary) is None


def test_a_token_of_two_calls_is_of_the_first() -> None:
    class Pieces:
        size = 3

        def token(self, token_id: int) -> bytes:
            return (b"Hi <call>a</call", b"><call>", b"b</call>")[token_id]

    text = "Hi <call>a</call><call>b</call>"
    written = WrittenTurn(None, text, "ok", None, 0.0, 3, [0, 1, 2], ((3, 17), (17, 31)))
    notes = MaskNotes()
    for position in range(3):
        notes(MaskStep(position, 0.5, 0, position))
    found = notes.turn(written, Pieces())
    assert found is not None
    assert [call.steps for call in found.calls] == [2, 1]
    assert found.calls[1].taken == "b</call>" and found.calls[1].after == ""


def test_records_of_turns_without_calls_are_read(tmp_path: Path) -> None:
    """As they were written before calls were told apart."""
    [record, *_] = run(tmp_path / "records.jsonl")
    head, line, *_ = (tmp_path / "records.jsonl").read_text().splitlines()
    value = json.loads(line)
    numbers = {"steps": 3, "mean_mass": 0.5, "most_mass": 1.0, "overruled": 1}
    value["masked"] = {**numbers, "after": "a", "wanted": "b", "taken": "c"}
    older = {**json.loads(head), "schemask_evaluation": 1}
    (tmp_path / "older.jsonl").write_text(f"{json.dumps(older)}\n{json.dumps(value)}\n")
    [read] = read_records(tmp_path / "older.jsonl").records
    assert read.masked is not None and read.masked.wanted == "b" and read.masked.calls == ()
    assert dataclasses.replace(read, masked=None) == record
    value["masked"]["calls"] = [numbers]
    assert EvalRecord.from_object(value).masked.calls == (MaskedText(3, 0.5, 1.0, 1),)  # type: ignore[union-attr]
    for wrong in ([3], {"steps": 1}, [1, 2]):
        with pytest.raises(DataError, match="not a record"):
            EvalRecord.from_object({**value, "masked": wrong})


def test_masks_are_told_by_llama_cpp(llama: Any, llama_vocabulary: Any) -> None:
    model = LlamaCppModel(llama, llama_vocabulary)
    compiled = weather_grammar(llama_vocabulary)
    steps: list[MaskStep] = []
    prompt = llama.tokenize(b"The weather in Oslo?\n", add_bos=False)
    done = model.generate(
        prompt, grammar=compiled, sampling=Sampling(max_tokens=40), on_mask=steps.append
    )
    plain = model.generate(prompt, grammar=compiled, sampling=Sampling(max_tokens=40))
    assert done.token_ids == plain.token_ids
    assert 0 < len(steps) <= len(done.token_ids) + 1
    bitmask = allocate_mask(1, llama_vocabulary.size)
    for step in steps[:3]:
        text = done.token_ids[: step.position]
        llama.reset()
        llama.eval([*prompt, *text])
        logits = llama._ctx.get_logits_ith(-1)
        row = np.ctypeslib.as_array(logits, shape=(llama.n_vocab(),)).copy()
        matcher = compiled.matcher(max_tokens=40)
        assert all(map(matcher.accept, text))
        matcher.fill_mask(bitmask)
        masked = row.copy()
        apply_mask(masked, bitmask[0])
        odds = np.exp(row.astype(np.float64) - row.max())
        share = odds[np.isinf(masked)].sum() / odds.sum()
        assert step.masked_mass == pytest.approx(share, abs=2e-2)
        assert step.best == done.token_ids[step.position]
    with pytest.raises(Exception, match="no more"):
        model.generate(prompt, grammar=compiled, on_mask=failing)


def failing(step: MaskStep) -> None:
    raise RuntimeError("no more")


# --- a real model ---------------------------------------------------------------------------------


SHORT = Sampling(max_tokens=32)


def real_examples() -> list[EvalExample]:
    asked = asked_examples()
    return [asked[0], asked[-1]]


def test_a_real_model(tmp_path: Path, llama: Any, llama_vocabulary: Any) -> None:
    """SmolLM2 calls only if it must; what the masks took from it is told. Then a kill."""
    model = LlamaCppModel(llama, llama_vocabulary)
    path = tmp_path / "records.jsonl"
    options: dict[str, Any] = {
        "tool_choice": ("auto", "required"),
        "sampling": SHORT,
        "reasoning_tokens": 8,
        "progress": False,
    }
    whole = evaluate(model, real_examples(), path, **options).records
    assert [(record.id, record.setting) for record in whole] == [
        ("Oslo", "unconstrained"),
        ("Oslo", "constrained"),
        ("Oslo", "constrained, required"),
        ("Oslo", "reasoned"),
        ("Oslo", "reasoned, required"),
        ("no call", "unconstrained"),
        ("no call", "constrained"),
        ("no call", "reasoned"),
    ]
    by_setting = {record.setting: record for record in whole[:5]}
    free = by_setting["unconstrained"]
    assert (free.outcome, free.masked) == ("no_call", None)
    bound = by_setting["constrained, required"]
    assert bound.outcome in ("right", "wrong")
    assert bound.calls and bound.masked is not None
    assert bound.masked.overruled > 0
    assert bound.masked.taken.startswith("<") and not bound.masked.after
    assert 0.5 < bound.masked.most_mass <= 1
    assert len(bound.masked.calls) == len(bound.calls)
    assert bound.masked.calls[0].wanted == bound.masked.wanted
    assert EvalRecord.from_object(json.loads(bound.line)) == bound
    reasoned = by_setting["reasoned, required"]
    assert reasoned.lead.startswith("Let me think") and reasoned.lead.endswith("\n")
    assert reasoned.calls and reasoned.tokens > len(reasoned.calls)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\n", len(data) // 2) - 7])
    again = evaluate(model, real_examples(), path, **options).records
    for one, other in zip(whole, again, strict=True):
        assert (one.id, one.setting, one.outcome) == (other.id, other.setting, other.outcome)
        assert (one.text, one.lead, one.calls) == (other.text, other.lead, other.calls)
        assert (one.masked is None) == (other.masked is None)


class Counted:
    """A model of llama.cpp that counts what is asked of it."""

    def __init__(self, model: LlamaCppModel) -> None:
        self.vocabulary, self.template, self.digest = model.vocabulary, model.template, "1"
        self.asked = 0
        self._model = model

    def generate(
        self, prompt: Any, *, grammar: Any = None, on_mask: Any = None, **more: Any
    ) -> Any:
        self.asked += 1
        return self._model.generate(prompt, grammar=grammar, on_mask=on_mask, **more)


def test_a_turn_in_which_the_grammar_had_no_say_is_not_written_twice(
    tmp_path: Path, llama: Any, llama_vocabulary: Any
) -> None:
    """What is taken over is what the model writes without a grammar."""
    model = Counted(LlamaCppModel(llama, llama_vocabulary))
    few = ToolSet([get_weather])  # the prompts are short
    examples = [dataclasses.replace(one, tools=few) for one in real_examples()]
    sampling = Sampling(max_tokens=8)
    options: dict[str, Any] = {"progress": False, "sampling": sampling}
    modes = ("unconstrained", "constrained")
    both = evaluate(model, examples, tmp_path / "both", modes=modes, **options).records
    assert model.asked == 2
    assert [record.mode for record in both] == [*modes, *modes]
    alone = evaluate(model, examples, tmp_path / "one", modes=["unconstrained"], **options).records
    assert model.asked == 4
    assert untimed(both[::2]) == untimed(alone)
    warm = {**options, "sampling": dataclasses.replace(sampling, temperature=1.0)}
    evaluate(model, examples, tmp_path / "warm", modes=modes, **warm)
    assert model.asked == 8


def test_a_folder_of_transformers_is_a_model(
    tmp_path: Path, small_wide_model: Any, small_tokenizer: Any
) -> None:
    small_wide_model.save_pretrained(tmp_path)
    with pytest.raises(ModelError):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="the folder has no config"):
        load_model(tmp_path.parent)
    small_tokenizer.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert isinstance(model, TransformersModel)
    assert model.vocabulary.size == small_wide_model.config.vocab_size


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_the_command_is_killed_and_goes_on(tmp_path: Path, capsys: Any) -> None:
    data, out = tmp_path / "held.jsonl", tmp_path / "records.jsonl"
    data.write_text(
        line(user("The weather in Oslo?"), calling(WEATHER))
        + line(user("Thank you"), {"role": "assistant", "content": "Welcome"}),
        encoding="utf-8",
    )
    command = ["eval", "--data", str(data), "--out", str(out), "--max-tokens", "32"]
    process = subprocess.Popen([sys.executable, "-m", "schemask", *command])
    while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < 3):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = read_records(out).records
    assert len(killed) >= 2
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["count"] for row in rows if row["category"] == "all"] == [2, 2, 1]
    records = read_records(out).records
    kept = {record.key for record in killed}
    assert [record for record in records if record.key in kept] == killed
    assert len(records) == 5


def test_the_command_takes_a_format(tmp_path: Path, capsys: Any) -> None:
    data, out = tmp_path / "held.jsonl", tmp_path / "records.jsonl"
    data.write_text(line(user("Hello"), {"role": "assistant", "content": "Hello!"}))
    command = ["eval", "--data", str(data), "--out", str(out), "--max-tokens", "4"]
    assert main([*command, "--modes", "unconstrained", "--format", "qwen3"]) == 0
    assert read_records(out).head["format"] == "qwen3"
    assert main([*command, "--format", "no such"]) == 1
    assert "no such" in capsys.readouterr().err


def test_the_command_needs_something_to_ask(tmp_path: Path, capsys: Any) -> None:
    assert main(["eval", "--out", str(tmp_path / "out")]) == 1
    assert "nothing to ask: give --bfcl" in capsys.readouterr().err
    (tmp_path / "empty").touch()
    assert main(["eval", "--data", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 1
    assert "no example in what was given" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class Endpoint:
    """An endpoint that calls if it must."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def chat(self, messages: Any, *, tool_choice: str = "auto", **_: Any) -> ChatTurn:
        self.asked.append(tool_choice)
        if len(self.asked) > 6:
            raise ModelError("the line is dead")
        calls = [ToolCall(*WEATHER)] if tool_choice == "required" else []
        return ChatTurn(ParsedTurn("words", calls), "complete", 0, 0)


def test_an_endpoint_binds_turns_itself(tmp_path: Path) -> None:
    """Where it fails, the run ends, and can go on later."""
    endpoint = Endpoint()
    options: dict[str, Any] = {"model": endpoint, "tool_choice": ["auto", "required"]}
    with pytest.raises(ModelError, match="the line is dead"):
        run(tmp_path / "records.jsonl", **options)
    assert endpoint.asked == ["auto", "required"] * 3 + ["auto"]
    written = read_records(tmp_path / "records.jsonl").records
    assert [record.outcome for record in written[:4]] == ["no_call", "right", "no_call", "wrong"]
    endpoint.asked = ["", ""]
    with pytest.raises(ModelError):
        run(tmp_path / "records.jsonl", **options)
    assert len(read_records(tmp_path / "records.jsonl").records) == 10


def test_reasoning_has_a_block_of_its_own(
    tmp_path: Path, llama: Any, llama_vocabulary: Any
) -> None:
    """In a format that has one; what the model cannot do in time is a record, too."""
    model = LlamaCppModel(llama, llama_vocabulary)
    options: dict[str, Any] = {
        "modes": ["reasoned"],
        "tool_choice": "get_weather",
        "format": "qwen3",
        "progress": False,
    }
    (record,) = evaluate(
        model, real_examples()[:1], tmp_path / "a", sampling=Sampling(max_tokens=48), **options
    ).records
    assert (record.lead, record.tool_choice) == ("", "get_weather")
    assert [call["name"] for call in record.calls] == ["get_weather"], record.problem
    (record,) = evaluate(
        model, real_examples()[:1], tmp_path / "b", sampling=Sampling(max_tokens=4), **options
    ).records
    assert record.outcome == "failed" and "the budget of 4" in record.problem
