"""A model that judges lines: what it is shown, and what becomes of its verdict."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from schemask.core.sampling import Sampling
from schemask.errors import DataError, ModelError
from schemask.models import CallableModel, LlamaCppModel, OpenAIModel
from schemask.synth import Judge, Outcome, run_stage
from schemask.synth.ledger import ledger_path

TOOL = {
    "name": "book",
    "parameters": {"type": "object", "properties": {"to": {"type": "string"}}},
}


def line(said: str, to: str) -> dict[str, Any]:
    function = {"name": "book", "arguments": {"to": to}}
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}
    messages = [
        {"role": "user", "content": said},
        call,
        {"role": "tool", "name": "book", "content": "done"},
        {"role": "assistant", "content": "Booked."},
    ]
    return {"messages": messages, "tools": [TOOL]}


def strict(prompt: str) -> str:
    """Right is what the request says; it has something to say before."""
    *_, user, calls, result, answer, end = prompt.split("\n")
    assert (result, answer, end) == ('Result: "done"', 'Assistant: "Booked."', "Verdict: ")
    to = json.loads(calls.removeprefix("Assistant calls: "))[0]["arguments"]["to"]
    if not to:
        return "I do not know."
    verdict = "right" if to in json.loads(user.removeprefix("User: ")) else "wrong"
    return f"Well: {json.dumps({'reason': f'{to}!', 'verdict': verdict})} So be it."


def strict_model() -> CallableModel:
    return CallableModel(strict)


def test_verdicts() -> None:
    judge = Judge(strict_model(), "strict")
    right = line('To "{tools}", {conversation}\nOslo', "Oslo")
    assert judge(right, 0) == Outcome((right,))
    assert judge(line("To Oslo", "Bergen"), 1) == Outcome(refused="judged wrong", detail="Bergen!")
    assert judge(line("To Oslo", ""), 2) == Outcome(refused="no verdict", detail="'I do not know.'")
    assert judge({"messages": 1}, 3).refused == "wrong shape"
    for answer in ("", "{", "[]", '{"verdict": "maybe"}', "[" * 100_000):
        other = Judge(CallableModel(lambda _, answer=answer: answer), "a")  # type: ignore[misc]
        assert other(right, 0).refused == "no verdict"


def test_in_processes(tmp_path: Path) -> None:
    source = tmp_path / "in"
    examples = [line("To Oslo", "Oslo" if n % 3 else "Bergen") for n in range(24)]
    source.write_text("".join(json.dumps(e) + "\n" for e in examples), encoding="utf-8")
    for workers in (1, 2):
        judge = Judge(strict_model, label="strict")
        target = tmp_path / f"out{workers}"
        report = run_stage(judge, source, target, workers=workers, progress=False)
        assert (report.written, report.refused) == (16, {"judged wrong": 8})
    assert (tmp_path / "out1").read_bytes() == (tmp_path / "out2").read_bytes()
    with pytest.raises(DataError, match="cannot be sent"):
        local = Judge(CallableModel(lambda _: ""), "local")
        run_stage(local, source, tmp_path / "out3", workers=2, progress=False)


def test_several_requests_at_once(tmp_path: Path) -> None:
    source = tmp_path / "in"
    examples = [line("To Oslo", "Oslo" if n % 3 else "Bergen") for n in range(30)]
    source.write_text("".join(json.dumps(e) + "\n" for e in examples), encoding="utf-8")
    lock, open_, most = threading.Lock(), 0, 0

    def patient(prompt: str) -> str:
        nonlocal open_, most
        with lock:
            open_ += 1
            most = max(most, open_)
        time.sleep(random.random() * 0.02)
        with lock:
            open_ -= 1
        return strict(prompt)

    written = set()
    for concurrency, least in ((None, 1), (4, 3), (9, 5)):
        most, target = 0, tmp_path / f"{concurrency}"
        judge = Judge(CallableModel(patient), "strict", concurrency=concurrency)
        report = run_stage(judge, source, target, progress=False)
        assert (report.written, report.refused) == (20, {"judged wrong": 10})
        assert least <= most <= (concurrency or 1)
        written.add((target.read_bytes(), ledger_path(target).read_bytes()))
    assert len(written) == 1
    endpoint = OpenAIModel(openai.OpenAI(api_key="none"), "judge")
    assert [Judge(model, "a").at_once for model in (endpoint, lambda: endpoint, dict)] == [8, 8, 1]


def test_a_model_is_bound_to_a_verdict(llama: Any) -> None:
    model = LlamaCppModel(llama)
    judge = Judge(model, label="smollm2", seed=3)
    outcome = judge(line("A ticket to Oslo, please.", "Oslo"), 0)
    assert outcome == judge(line("A ticket to Oslo, please.", "Oslo"), 0)
    assert outcome.refused in (None, "judged wrong")
    assert outcome.examples or outcome.detail
    short = Judge(model, "smollm2", sampling=Sampling(max_tokens=24))
    assert Judge(model, "smollm2", concurrency=8).at_once == 1
    assert short(line("A ticket to Oslo, please.", "Oslo"), 0).refused == "no verdict"


def test_settings() -> None:
    one, other = Judge(strict_model, label="a"), Judge(strict_model, label="b")
    assert one.options() != other.options()
    assert json.loads(json.dumps(one.options())) == one.options()
    for wrong in ({"model": "gpt"}, {"label": 1}, {"label": ""}, {"seed": -1}, {"concurrency": 0}):
        with pytest.raises(DataError):
            Judge(**{"model": strict_model, "label": "a", **wrong})
    with pytest.raises(TypeError, match="label"):
        Judge(strict_model)  # type: ignore[call-arg]
    with pytest.raises(ModelError):
        Judge(strict_model, "a", sampling=0.5)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="a judge is a Model"):
        Judge(dict, "a")(line("", ""), 0)  # type: ignore[arg-type]
