"""The whole loop, on a tiny scale: a model of random weights, two requests, one step."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from schemask.cli import main
from schemask.core.sampling import Sampling
from schemask.errors import DataError, DependencyError, ModelError, ToolError
from schemask.evaluation import Abstention, EvalExample, read_examples, read_records
from schemask.improve import OPTIONS, Improvement, improve
from schemask.models import OpenAIModel, TransformersModel
from schemask.models.digests import file_digest
from schemask.models.tokenizers import load_tokenizer
from schemask.tools import ToolSet
from schemask.training import TrainingOptions
from schemask.training.gguf_file import write_gguf
from schemask.training.weights import load_weights

HOUSEHOLD = Path(__file__).parents[1] / "examples" / "household.py"
QUICK = TrainingOptions(steps=1, gguf="f32", precision="fp32")


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of random weights writes as long as it may."""
    monkeypatch.setattr("schemask.improve._SAMPLING", Sampling(max_tokens=16))


@pytest.fixture(scope="module")
def folder(small_folder: Path) -> Path:
    return small_folder


def run(folder: Path, out: Path, said: list[str], **given: Any) -> Improvement:
    return improve(
        HOUSEHOLD,
        folder,
        out,
        **{
            **{"count": 10, "others": 4, "held_out": 2, "options": QUICK},
            **{"say": said.append, "progress": False},
            **given,
        },
    )


def test_from_functions_to_a_report(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    done = run(folder, tmp_path, said)
    assert (done.model / "model.safetensors").is_file()
    assert done.gguf == tmp_path / "model" / "model.gguf"
    # What is asked before is the same kind of file as what is asked after, of the weights as they
    # were; it is no longer needed then.
    write_gguf(load_weights(folder, load_tokenizer(folder)), tmp_path / "given.gguf", "f32")
    assert done.before.head["weights"] == file_digest(tmp_path / "given.gguf")
    assert done.after.head["weights"] == file_digest(done.gguf)
    assert not (tmp_path / "before.gguf").exists()
    assert "before" in (page := done.report.read_text(encoding="utf-8")) and "after" in page
    lines = (tmp_path / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    tools = {tool["function"]["name"] for line in lines for tool in json.loads(line)["tools"]}
    left_out = next(text for text in said if text.startswith("trainable.jsonl: "))
    assert len(lines) == 14 - int(left_out.split()[1]) > 10 and len(tools) > 5
    results = [
        message["content"]
        for line in lines
        for message in json.loads(line)["messages"]
        if message["role"] == "tool"
    ]
    # Of the functions themselves.
    assert results and "{}" not in results
    assert json.loads((tmp_path / "lint.json").read_text(encoding="utf-8"))["errors"] == 0
    for name, records in (("before", done.before.records), ("after", done.after.records)):
        assert len(records) == 2 * len(read_examples(tmp_path / "data" / "held-out.jsonl"))
        assert read_records(tmp_path / f"{name}.jsonl").records == records
    assert re.match(r"held-out\.jsonl: 2 conversations \(\d \w+", said[0])
    assert any(text.startswith("after, all, constrained: ") for text in said)

    changed = (done.model / "model.safetensors").stat().st_mtime_ns
    monkeypatch.setattr("schemask.improve.load_weights", None)  # all of its answers are there
    again = run(folder, tmp_path, told := [])
    assert told == said
    assert (done.model / "model.safetensors").stat().st_mtime_ns == changed
    assert (again.before.records, again.after.records) == (done.before.records, done.after.records)

    # Another run changes nothing of it.
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for given, problem in (
        ({"count": 12}, "count is 10 there and 12 here"),
        ({"held_out": 1}, "held_out is 2 there and 1 here"),
        ({"options": TrainingOptions(steps=2, gguf="f32", precision="fp32")}, "steps is 1 there"),
        ({"teacher": lambda request: pytest.fail("asked")}, "has_teacher is False there"),
    ):
        with pytest.raises(DataError, match=f"holds another run: {problem}"):
            run(folder, tmp_path, [], **given)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == kept


def test_two_runs_in_one_folder(folder: Path, tmp_path: Path) -> None:
    """The second one is refused, and does not write what the first one has open."""

    def say(text: str) -> None:
        with pytest.raises(DataError, match="is being written by somebody else"):
            run(folder, tmp_path, [])
        raise DataError(text)

    with pytest.raises(DataError, match=r"held-out\.jsonl: 2 conversations"):
        run(folder, tmp_path, [], say=say)


def requests(path: Path) -> list[str]:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [line["messages"][0]["content"] for line in lines]


def test_what_is_asked_is_not_trained_and_is_written_as_the_options_say(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="must not be trained on"):
        run(folder, tmp_path / "out", [], options=TrainingOptions(max_length=64))
    known = max(requests(tmp_path / "out" / "data" / "train.jsonl"), key=len)
    example = EvalExample(
        "known", "own", [{"role": "user", "content": known}], ToolSet([]), Abstention("words")
    )
    # A model that learns nothing answers the same before and after.
    options = TrainingOptions(
        steps=1,
        gguf=None,
        precision="fp32",
        learning_rate=1e-12,
        format="hermes",
        max_length=2048,  # the vocabulary is small
    )
    out = tmp_path / "other"
    done = run(folder, out, [], options=options, examples=[example])
    assert known in requests(out / "data" / "executed.jsonl")
    assert known not in requests(out / "data" / "train.jsonl")
    assert done.gguf is None
    assert {done.before.head["format"], done.after.head["format"]} == {"hermes"}
    for one, other in zip(done.before.records, done.after.records, strict=True):
        assert (one.id, one.text) == (other.id, other.text)


def ended(*_: Any, **__: Any) -> Any:
    raise DataError("no training")


def test_a_gguf_is_asked_as_a_folder_where_one_comes_of_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In numbers of 16 bits, as the trained one is then kept."""
    weights = load_weights(folder, load_tokenizer(folder))
    write_gguf(weights, tmp_path / "given.gguf", "f32")
    monkeypatch.setattr("schemask.improve.load_tokenizer", lambda path: weights.tokenizer)
    monkeypatch.setattr("schemask.improve.load_weights", lambda path, tokenizer: weights)
    out = tmp_path / "out"
    monkeypatch.setattr("schemask.improve.train", ended)
    with pytest.raises(DataError, match="no training"):
        run(tmp_path / "given.gguf", out, [], options=TrainingOptions(steps=1, gguf=None))
    expected = TransformersModel(weights.model.bfloat16(), weights.tokenizer).digest
    assert read_records(out / "before.jsonl").head["weights"] == expected
    assert not (out / "before").exists()


def test_the_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its teacher, loss and format are those of the library."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("schemask.improve.improve", lambda *_, **given: asked.append(given))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    command = ["improve", str(HOUSEHOLD), "--model", str(folder), "--out", str(tmp_path)]
    assert main([*command, "--loss", "choices", "--format", "hermes", "--lora", "8"]) == 0
    assert main([*command, "--openai", "writer", "--base-url", "http://localhost:1"]) == 0
    assert main([*command, "--teacher", str(folder)]) == 0
    assert (asked[0]["options"].loss, asked[0]["options"].format) == ("choices", "hermes")
    assert (asked[0]["options"].method, asked[0]["options"].rank) == ("lora", 8)
    assert (asked[0]["teacher"], asked[1]["options"].loss) == (None, "all")
    assert asked[1]["options"] == OPTIONS
    assert isinstance(asked[1]["teacher"], OpenAIModel)
    assert isinstance(asked[2]["teacher"], TransformersModel)
    with pytest.raises(SystemExit):
        main([*command, "--base-url", "http://localhost:1"])


def test_where_no_folder_can_be_made(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        run(folder, tmp_path / "file" / "out", [])
    with pytest.raises(DataError, match="held_out is at least 1"):
        improve(HOUSEHOLD, folder, tmp_path / "out", held_out=0)


@pytest.mark.parametrize("library", ["trl", "matplotlib"])
def test_a_library_that_is_missing_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DependencyError, match=library):
        improve(HOUSEHOLD, tmp_path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


BOOK = """
from schemask import tool
from schemask.synth import Phrasebook

@tool
def play(song: str, loud: bool = False) -> str:
    "Plays a song."
    return song

book = Phrasebook(
    {"play": ["Play {song}!", "I want to hear {song}."]},
    values={"play": {"song": ["Hey Jude", "Yesterday"]}},
)
"""


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("Play {song}!", "Play {sung}!", "a phrase for play names sung"),
        ('"Hey Jude", ', '"Hey Jude", 5, ', "does not take, 5"),
        ('{"song": [', '{"sung": [], "song": [', "values of 'sung'"),
        ('{"song": [', '{"sung": ["a"], "song": [', "values for sung, no parameter of play"),
        ('{"play": {', '{"sing": {}, "play": {', "values for sing, which is no tool"),
        (', "I want to hear {song}."', "", "single phrase"),
        ("values=", 'questions={"sung": ["Which?"]}, values=', "asks for sung"),
        ("values=", 'answers={"play": ["{sung}."]}, values=', "an answer for play names sung"),
        ("", "", "no-model"),
    ],
)
def test_a_phrasebook_is_looked_at_before_a_folder_is_taken(
    tmp_path: Path, good: str, bad: str, problem: str
) -> None:
    path = tmp_path / "functions.py"
    assert good in BOOK
    path.write_text(BOOK.replace(good, bad), encoding="utf-8")
    with pytest.raises((DataError, ModelError, ToolError), match=problem):
        improve(path, tmp_path / "no-model", tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "error", "problem"),
    [
        ("", ToolError, "no function has the decorator"),
        (
            "from schemask import tool\n@tool\ndef f() -> int:\n    '''F.'''\n    return 1\n",
            DataError,
            "the file has 0 phrasebooks",
        ),
    ],
)
def test_what_cannot_be_learned(
    tmp_path: Path, source: str, error: type[Exception], problem: str
) -> None:
    path = tmp_path / "functions.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(error, match=problem):
        improve(path, tmp_path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
