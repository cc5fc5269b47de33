"""Lines that were there before, or that an evaluation has; exact Jaccard is the oracle."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemask.errors import DataError
from schemask.synth.decontaminate import Decontaminate
from schemask.synth.duplicates import Deduplicate
from schemask.synth.outcomes import Outcome, Stage
from schemask.synth.stages import run_stage
from schemask.synth.withheld import Withheld, WithheldText, read_records
from schemask.synth.words import jaccard, shingles_of, words_of


def line(*requests: str, calls: list[Any] | None = None, tools: Any = ()) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant", "content": "Yes."}
    if calls:
        answer["tool_calls"] = [{"type": "function", "function": call} for call in calls]
    messages = [m for text in requests for m in ({"role": "user", "content": text}, answer)]
    return {"messages": messages, "tools": list(tools)}


def walked(stage: Deduplicate, examples: list[dict[str, Any]]) -> list[Outcome]:
    reduce = stage.reduction()
    # A signature comes from another process.
    sent = [pickle.loads(pickle.dumps(stage(example, i))) for i, example in enumerate(examples)]
    return [reduce(outcome, index) for index, outcome in enumerate(sent)]


def test_the_same_words() -> None:
    examples = [
        line("What is the time?"),
        line("what is THE time"),
        line("What is the time?", "And now?"),
        line("Was ist die Zeit?"),
        line("\uff37\uff28\uff21\uff34 is the time…"),
        line("?!"),
        {"messages": "none"},
    ]
    outcomes = walked(Deduplicate(threshold=1), examples)
    assert [outcome.refused for outcome in outcomes] == [
        *(None, "duplicate", None, None, "duplicate", "no words", "wrong shape")
    ]
    assert outcomes[1].detail == "the request of line 1"
    assert outcomes[2].examples == (examples[2],)


def texts(count: int, seed: int) -> list[str]:
    """Random texts, of which many are others with a few words changed."""
    draw = random.Random(seed)
    words = [f"w{number}" for number in range(400)]
    made = [draw.choices(words, k=draw.randint(6, 60)) for _ in range(count // 4)]
    while len(made) < count:
        text = list(draw.choice(made))
        for _ in range(draw.randint(0, 4)):
            text[draw.randrange(len(text))] = draw.choice(words)
        made.append(text)
    draw.shuffle(made)
    return [" ".join(text) for text in made]


def by_comparing_all(requests: list[str], threshold: float, size: int) -> list[int | None]:
    """For each text the first one that was kept and is as near as the threshold; None: it stays."""
    kept: dict[int, set[str]] = {}
    found: list[int | None] = []
    for index, text in enumerate(requests):
        shingles = shingles_of(words_of(text), size)
        near = (i for i, other in kept.items() if jaccard(shingles, other) >= threshold)
        found.append(next(near, None))
        if found[-1] is None:
            kept[index] = shingles
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_near_duplicates_are_those_of_exact_comparison(threshold: float) -> None:
    requests = texts(400, seed=3)
    expected = by_comparing_all(requests, threshold, 3)
    outcomes = walked(Deduplicate(threshold), [line(text) for text in requests])
    missed = 0
    for index, (first, outcome) in enumerate(zip(expected, outcomes, strict=True)):
        if outcome.refused is None:
            missed += first is not None
            continue
        # Exact whatever is found: the line that is named is as near as that.
        named = int(outcome.detail.rpartition(" ")[2]) - 1
        assert named < index
        assert outcomes[named].refused is None
        own, other = (set(shingles_of(words_of(requests[i]), 3)) for i in (index, named))
        assert jaccard(own, other) >= threshold
    duplicates = sum(first is not None for first in expected)
    assert duplicates > 50
    assert missed <= duplicates * 0.02


def test_characters_and_calls() -> None:
    def call(city: str) -> list[Any]:
        return [{"name": "weather", "arguments": {"city": city}}]

    examples = [
        line("Could you tell me what the weather is in Oslo", calls=call("Oslo")),
        line("Could you tell me what the weather is in Rome", calls=call("Rome")),
        line("could you tell me what the weather is in Oslo??", calls=call("Oslo")),
    ]
    words = walked(Deduplicate(), examples)
    assert [outcome.refused for outcome in words] == [None, None, "duplicate"]
    characters = Deduplicate(0.7, shingles="characters", size=4)
    assert [o.refused for o in walked(characters, examples)] == [
        *(None, "near duplicate", "duplicate")
    ]
    same = Deduplicate(0.7, shingles="characters", size=4, same_calls=True)
    assert [o.refused for o in walked(same, examples)] == [None, None, "duplicate"]


def test_equal_calls_are_the_same() -> None:
    """As they are in an evaluation: numbers by value, defaults told or not, in any order."""
    properties = {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}}
    tool = {"name": "weather", "parameters": {"type": "object", "properties": properties}}

    def example(*arguments: dict[str, Any]) -> dict[str, Any]:
        calls = [
            {"id": f"{place}{given}", "function": {"name": "weather", "arguments": given}}
            for place, given in enumerate(arguments)
        ]
        messages = [
            {"role": "user", "content": "And the weather in these towns?"},
            {"role": "assistant", "content": "", "tool_calls": calls},
        ]
        return {"messages": messages, "tools": [tool]}

    oslo, rome = {"city": "Oslo", "days": 1}, {"city": "Rome", "days": 2}
    lines = [
        example(oslo, rome),
        example({"days": 2.0, "city": "Rome"}, {"city": "Oslo"}),
        example(oslo, {**rome, "days": 3}),
    ]
    outcomes = walked(Deduplicate(same_calls=True), lines)
    assert [outcome.refused for outcome in outcomes] == [None, "duplicate", None]


def test_in_files(tmp_path: Path) -> None:
    """In one process or two, and where a run goes on, the same lines stay."""
    requests = texts(60, seed=5)
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(line(text)) + "\n" for text in requests))
    ledgers = []
    for workers in (1, 2):
        target = tmp_path / f"{workers}.jsonl"
        for _ in range(2):
            report = run_stage(Deduplicate(), source, target, workers=workers, progress=False)
        ledgers.append(Path(f"{target}.ledger.jsonl").read_bytes())
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    assert ledgers[0] == ledgers[1]
    assert report.refused["near duplicate"] + report.written <= 60
    again = tmp_path / "again.jsonl"
    assert run_stage(Deduplicate(), target, again, progress=False).refused == {}
    assert again.read_bytes() == target.read_bytes()


def test_words() -> None:
    assert words_of("What's  THE Straße?") == ["what", "s", "the", "strasse"]
    assert words_of("東京の天気 now") == ["東", "京", "の", "天", "気", "now"]
    assert shingles_of(["a", "b", "c"], 2) == {"a b", "b c"}
    assert shingles_of("ab", 3) == {"ab"}
    assert shingles_of([], 3) == set()
    assert (jaccard(set(), set()), jaccard({"a"}, set())) == (1, 0)


def test_settings_of_deduplicate() -> None:
    assert isinstance(Deduplicate(), Stage)
    assert json.loads(json.dumps(Deduplicate().options()))["threshold"] == 0.8
    for wrong in (
        {"threshold": 0},
        {"threshold": 1.5},
        {"shingles": "letters"},
        {"size": 0},
        {"same_calls": 1},
    ):
        with pytest.raises(DataError):
            Deduplicate(**wrong)  # type: ignore[arg-type]


def test_without_datasketch() -> None:
    code = (
        "import sys; sys.modules['datasketch'] = None\n"
        "from schemask.errors import DependencyError\n"
        "from schemask.synth.duplicates import Deduplicate\n"
        "try: Deduplicate()\n"
        "except DependencyError as error: assert '[synth]' in str(error)\n"
        "else: raise AssertionError"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


QUESTION = "Find the area of a triangle with a base of 10 units and height of 5 units."
LONG = (
    "I would like to know which of the trains between Hamburg and Munich have a restaurant on "
    "board, and whether a seat can be booked for my dog."
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("withheld")
    tool = {"name": "area", "parameters": {"type": "dict", "properties": {"a": {}, "b": {}}}}
    entries = [
        {"id": "x_0", "question": [[{"role": "user", "content": QUESTION}]], "function": [tool]},
        {"prompt": [{"role": "system", "content": "Be kind to all."}], "text": LONG},
    ]
    (folder / "a.json").write_text("\n".join(map(json.dumps, entries)))
    listed = [
        {"conversations": [{"from": "human", "value": "How tall is the tower in Paris?"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Play me a song"}]}]},
    ]
    (folder / "b.json").write_text(json.dumps(listed, indent=1))
    (folder / "c.txt").write_text("Where do the wild geese go in winter?\n\nyes, please\n")
    return [str(folder / name) for name in ("a.json", "b.json", "c.txt")]


@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        (QUESTION, "withheld request"),
        (QUESTION.upper().replace(" ", "  "), "withheld request"),
        ("Find the area of a circle with a radius of 10 units and height of 5 units.", None),
        ("Find the area of a triangle with a base of 10 units and a height of 9", "withheld words"),
        ("Please, how tall is the tower in Paris?", "near a withheld request"),
        ("How tall is the tower in Rome?", None),
        ("Play me a song!", "withheld request"),
        ("Where do the wild geese go in winter", "withheld request"),
        ("Yes, please.", None),
        ("Be kind to all.", None),
        (f"Hello! {LONG[:80]} Thanks for that.", "withheld words"),
        (f"Hello! {LONG[:50]} Thanks for that.", None),
    ],
)
def test_decontaminate(files: list[str], request_: str, refused: str | None) -> None:
    stage = Decontaminate(Withheld.of(*files))
    outcome = pickle.loads(pickle.dumps(stage))(line("Hello there, how are you?", request_), 0)
    assert outcome.refused == refused
    if refused:
        assert outcome.detail.startswith("message 2: ")
        assert "line 1" in outcome.detail or "line 2" in outcome.detail


@given(st.lists(st.sampled_from("abcde"), min_size=3, max_size=12), st.data())
@settings(max_examples=100)
def test_decontaminate_as_comparing_with_each(words: list[str], data: st.DataObject) -> None:
    others = data.draw(
        st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=12), max_size=4)
    )
    texts = tuple(WithheldText(" ".join(o), f"line {i}") for i, o in enumerate(others))
    outcome = Decontaminate(Withheld(texts), run=5, threshold=0.6)(line(" ".join(words)), 0)

    def runs(items: list[str], size: int) -> set[str]:
        return {" ".join(items[i : i + size]) for i in range(len(items) - size + 1)}

    def is_like(other: list[str]) -> bool:
        if len(other) < 3:
            return False
        share = jaccard(runs(words, 3), runs(other, 3))
        return words == other or bool(runs(words, 5) & runs(other, 5)) or share >= 0.6

    assert (outcome.refused is not None) == any(map(is_like, others))


def test_tools_that_are_withheld(files: list[str]) -> None:
    def tool(name: str, *keys: str) -> dict[str, Any]:
        properties = {key: {"type": "number"} for key in keys}
        parameters = {"type": "object", "properties": properties}
        return {"type": "function", "function": {"name": name, "parameters": parameters}}

    withheld = Withheld.of(files[0])
    assert [text.text for text in withheld.texts] == [QUESTION, LONG]
    for tools, refused in (
        ([tool("time"), tool("area", "b", "a")], "withheld tool"),
        ([tool("area", "b")], None),
        ([tool("areas", "a", "b")], None),
    ):
        assert Decontaminate(withheld, tools=True)(line("Hi", tools=tools), 0).refused == refused
        assert Decontaminate(withheld)(line("Hi", tools=tools), 0).refused is None
    assert Decontaminate(withheld)({"messages": 3}, 0).refused == "wrong shape"


def test_bfcl_as_it_comes(tmp_path: Path) -> None:
    """Its wheel, its folder, or a file: also the turns and functions that lie in other files."""

    def asked(*turns: str, **more: Any) -> str:
        question = [[{"role": "user", "content": turn}] for turn in turns]
        return json.dumps({"id": "x", "question": question, **more})

    def function(name: str) -> dict[str, Any]:
        parameters = {"type": "dict", "properties": {"a": {"type": "integer"}}}
        return {"name": name, "description": "", "parameters": parameters}

    data = tmp_path / "unpacked" / "bfcl_eval" / "data"
    files = {
        "BFCL_v4_simple_python.json": asked(QUESTION, function=[function("math.area")]),
        "BFCL_v4_multi_turn_base.json": asked("Open my own folder now", "Sort what is in there"),
        "BFCL_v4_format_sensitivity.json": '{\n "simple_python": ["x"]\n}',
        "BFCL_v4_notes.txt": "no JSON",
        "possible_answer/BFCL_v4_simple_python.json": '{"id": "x", "ground_truth": []}',
        "memory_prereq_conversation/memory_student.json": asked("I study computer science"),
        "multi_turn_func_doc/files.json": json.dumps(function("sort")),
        "unused_datasets/question/BFCL_v4_sql.json": asked("What is asked by nobody"),
    }
    wheel = tmp_path / "bfcl.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_text(text)
            archive.write(data / name, f"bfcl_eval/data/{name}")
    said = ["Open my own folder now", "Sort what is in there", QUESTION, "I study computer science"]
    for place in (wheel, tmp_path / "unpacked", data):
        withheld = Withheld.of(place)
        assert [text.text for text in withheld.texts] == said
        assert [tool.name for tool in withheld.tools] == ["math.area", "sort"]
        assert withheld.texts[2].place.startswith(str(place))
        assert withheld.texts[2].place.endswith("BFCL_v4_simple_python.json: line 1")
    one = Withheld.of(data / "BFCL_v4_simple_python.json")
    assert [text.text for text in one.texts] == [QUESTION]
    # Models that take no dots are shown underscores.
    definition = {"type": "function", "function": {**function("math_area")}}
    definition["function"]["parameters"] = {"type": "object", "properties": {"a": {}}}
    outcome = Decontaminate(one, tools=True)(line("Hi", tools=[definition]), 0)
    assert outcome.refused == "withheld tool"

    with pytest.raises(DataError, match="no data of bfcl-eval in there"):
        Withheld.of(tmp_path)
    (data / "BFCL_v4_multiple.json").write_text('\n{"id": "x"}')
    with pytest.raises(DataError, match=r"multiple\.json: line 2: no request") as caught:
        Withheld.of(data)
    assert caught.value.line == 2


def test_files_that_hold_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"text": "a b c"}\n\n{"id": 3}\n')
    with pytest.raises(DataError, match="line 3: no request under any of") as caught:
        Withheld.of(path)
    assert caught.value.line == 3
    path.write_text('[{"text": "a b c"},\n 3]')
    with pytest.raises(DataError, match="item 2: not a JSON object"):
        list(read_records(path))
    path.write_text('[{"text": "a b c"},\n 3')
    with pytest.raises(DataError, match="no JSON"):
        list(read_records(path))
    with pytest.raises(DataError, match="No such file"):
        Withheld.of(tmp_path / "none.json")


def test_settings_of_decontaminate() -> None:
    stage = Decontaminate(Withheld())
    assert isinstance(stage, Stage)
    assert stage(line("Anything at all?"), 0).refused is None
    json.dumps(stage.options())
    for wrong in ({"run": 1}, {"threshold": 0}, {"tools": "all"}, {"withheld": ["x"]}):
        with pytest.raises(DataError):
            Decontaminate(**{"withheld": Withheld(), **wrong})  # type: ignore[arg-type]
