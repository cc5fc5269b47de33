"""The stages of `schemask synth`, as a user meets them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from schemask.cli import main
from schemask.cli.program import parser
from schemask.models import CallableModel
from schemask.synth.ledger import ledger_path
from schemask.synth.pair import FAULTS

STAGES = (
    *("write", "execute", "ground", "judge", "augment", "deduplicate", "decontaminate", "pair"),
    "import",
)
TOOLS = """\
from schemask import tool

@tool
def get_price(symbol: str, currency: str = "USD") -> float:
    '''The price of a stock.

    Args:
        symbol: Its symbol.
    '''
    if symbol == "NONE":
        raise KeyError(symbol)
    return 150.25
"""
DEFINITION = {
    "name": "get_price",
    "description": "The price of a stock.",
    "parameters": {
        "type": "object",
        "properties": {
            "symbol": {"type": "string", "description": "Its symbol."},
            "currency": {"type": "string", "default": "USD"},
        },
        "required": ["symbol"],
    },
}


def line(said: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": "get_price", "arguments": arguments}
    messages = [
        {"role": "user", "content": said},
        {"role": "assistant", "content": "", "tool_calls": [{"function": function}]},
        {"role": "tool", "name": "get_price", "content": "3"},
        {"role": "assistant", "content": "Here you are."},
    ]
    return {"messages": messages, "tools": [DEFINITION]}


def write(path: Path, *values: Any) -> str:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return str(path)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write(
        tmp_path / "data.jsonl",
        line("What does AAPL cost?", symbol="AAPL"),
        line("What does AAPL cost?", symbol="AAPL"),
        line("And what about the price of MSFT in €, please?", symbol="MSFT", currency="EUR"),
        line("What does NONE cost, or Apple?", symbol="NONE"),
        line("How much is the share of Apple worth today, say?", symbol="AAPL"),
    )


def written(out: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("stage", STAGES)
def test_help_has_an_example_that_can_be_parsed(
    stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["synth", stage, "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    program, *arguments = shlex.split(text.partition("example:\n  ")[2])
    assert (program, *arguments[:2]) == ("schemask", "synth", stage)
    assert parser().parse_args(arguments).run
    if stage == "pair":
        told = " ".join(
            text.replace("and no call", "no call")
            .replace(" (all refused by the grammar)", "")
            .split()
        )
        assert all(fault in told for fault in FAULTS)


@pytest.mark.parametrize(
    ("stage", "options", "report"),
    [
        (
            "execute",
            ["--tools", "{tools}"],
            "5 lines read, 4 written; refused: 1 raised; mended: 4 result",
        ),
        (
            "execute",
            ["--tools", "{tools}", "--errors", "keep", "--stale", "keep", "--memory", "0"],
            "5 lines read, 5 written; mended: 5 result",
        ),
        ("ground", [], "5 lines read, 3 written; refused: 2 invented"),
        (
            "ground",
            ["--synonyms", "{synonyms}", "--free", "none"],
            "5 lines read, 5 written",
        ),
        (
            "augment",
            ["--copies", "2", "--keep-original", "--pool", "{tools}", "--names", "neutral"],
            "5 lines read, 10 written",
        ),
        ("deduplicate", [], "5 lines read, 4 written; refused: 1 duplicate"),
        (
            "decontaminate",
            ["--against", "{withheld}", "--run", "5"],
            "5 lines read, 4 written; refused: 1 withheld words",
        ),
        ("pair", ["--fault", "syntax"], "5 lines read, 5 written"),
    ],
)
def test_stages(
    data: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    options: list[str],
    report: str,
) -> None:
    if stage == "deduplicate":
        pytest.importorskip("datasketch")
    (tmp_path / "tools.py").write_text(TOOLS, encoding="utf-8")
    files = {
        "tools": str(tmp_path / "tools.py"),
        "synonyms": write(tmp_path / "s.json", {"EUR": ["€"], "AAPL": ["apple"]}),
        "withheld": write(
            tmp_path / "held.jsonl", {"question": "How much is the share of Apple worth today?"}
        ),
    }
    out = tmp_path / "out.jsonl"
    arguments = ["synth", stage, data, "--out", str(out), *(o.format(**files) for o in options)]
    for _ in range(2):  # it goes on, where there is nothing left to do
        assert main(arguments) == 0
        assert capsys.readouterr().out == f"{report}\n"
    assert len(written(out)) == int(report.split()[3])
    assert ledger_path(out).exists()


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = {
        "query": "What does AAPL cost?",
        "tools": json.dumps([DEFINITION]),
        "answers": json.dumps([{"name": "get_price", "arguments": {"symbol": "AAPL"}}]),
    }
    out = tmp_path / "out.jsonl"
    for number, source in enumerate(
        (write(tmp_path / "a", record), write(tmp_path / "b", [record]))
    ):
        out = tmp_path / f"out{number}"
        assert main(["synth", "import", source, "--shape", "xlam", "--out", str(out)]) == 0
        assert capsys.readouterr().out.startswith("1 lines read, 1 written")
        [made] = written(out)
        assert made["messages"][0]["content"] == record["query"]
    assert main(["synth", "import", source, "--shape", "none", "--out", str(out)]) == 1
    assert "shape is one of hermes" in capsys.readouterr().err


def test_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = CallableModel(lambda prompt: "Hm.")
    monkeypatch.setattr("schemask.cli.commands.synth_stages.load_writer", lambda _: model)
    data = write(tmp_path / "data", line("What does AAPL cost?", symbol="AAPL"))
    out = tmp_path / "out.jsonl"
    assert main(["synth", "judge", data, "--out", str(out), "--concurrency", "3"]) == 0
    assert capsys.readouterr().out == "1 lines read, 0 written; refused: 1 no verdict\n"
    head = written(ledger_path(out))[0]
    assert head["options"]["model"] == "SmolLM2-135M-Instruct"
    with pytest.raises(SystemExit):
        main(["synth", "judge", data, "--out", str(out), "--base-url", "x"])
    assert "only with --openai" in capsys.readouterr().err


def test_bad_input(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{\n", encoding="utf-8")
    for stage, problem in (
        (["ground", "--synonyms", str(broken)], "broken.json: no JSON"),
        (["execute", "--tools", "none.py"], "line 1: none.py: no such file"),
        (["execute", "--tools", "x", "--timeout", "-1"], "timeout is a number"),
        (["augment", "--distractors", "2"], "no pool"),
        (["pair", "--fault", "none"], "no fault"),
        (["decontaminate", "--against", str(tmp_path / "none")], "No such file"),
    ):
        arguments = ["synth", stage[0], data, "--out", str(tmp_path / "out"), *stage[1:]]
        assert main(arguments) == 1, stage
        captured = capsys.readouterr()
        assert problem in captured.err and captured.err.count("\n") == 1
    assert main(["synth", "ground", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "none: No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit_:
        main(["synth", "tools.py", "--out", "x"])
    assert exit_.value.code == 2
    assert "write" in capsys.readouterr().err
