"""Pages of evaluations: what stands in them, and that nothing of it is markup."""

from __future__ import annotations

import dataclasses
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from schemask.cli import main
from schemask.errors import DataError
from schemask.evaluation import (
    ArgumentVerdict,
    EvalRecord,
    Evaluation,
    MaskedText,
    MaskedTurn,
    read_records,
    report,
    summarize,
)
from schemask.evaluation.records import FORMAT, line_of

HOSTILE = (
    '</pre><script src="//x.test/a.js">alert(1)</script>&lt;$\\frac$\x00\u202e\ud800_{{ 7 * 7 }}'
)
VOID = {"meta", "br"}


class Page(HTMLParser):
    """What a page is made of; unbalanced tags are errors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        self.references += [value or "" for name, value in attrs if "url(" in (value or "")]
        if "id" in given:
            self.ids.append(given["id"] or "")
        assert not any(name.startswith("on") for name in given)
        if tag == "table":
            self._rows = self.tables.setdefault(given.get("id") or "", [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] in (["td"], ["th"]):
            self._rows[-1][-1] += data
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def record(number: int, outcome: Any, setting: str = "auto", **more: Any) -> EvalRecord:
    wrong = (
        ArgumentVerdict(0, "get_weather", "place", "string", "value", "Oslo", f"Bergen {number}"),
    )
    given: dict[str, Any] = {
        "id": f"example-{number}",
        "digest": str(number),
        "category": "towns" if number % 3 else "routes",
        "kind": "call",
        "mode": "constrained",
        "tool_choice": setting,
        "outcome": outcome,
        "problem": "" if outcome == "right" else "place of get_weather is of another value",
        "request": f"The weather, number {number}?",
        "expected": [{"name": "get_weather", "arguments": {"place": "Oslo"}}],
        "calls": ({"name": "get_weather", "arguments": {"place": "Bergen"}},),
        "arguments": wrong if outcome == "wrong" else (),
        "text": "<tool_call>…</tool_call>",
        "lead": "",
        "is_truncated": False,
        "seconds": 0.5,
        "tokens": 12,
        "masked": MaskedTurn(
            *(10, 0.25, 0.9, 1, "It is ", "sunny", "<tool_call>"),
            calls=(MaskedText(3, 0.5, 0.75, 0), MaskedText(7, 0.125, 0.9, 2, "{", "Oslo", "B")),
        ),
    }
    return EvalRecord(**{**given, **more})


def evaluation(seed: int, size: int = 30) -> Evaluation:
    draw = random.Random(seed)
    outcomes = ("right", "wrong", "malformed", "no_call", "failed")
    return Evaluation(
        {"schemask_evaluation": FORMAT, "model": "model"},
        [
            record(number, draw.choices(outcomes, (9, 4, 3, 2, 1))[0], setting)
            for number in range(size)
            for setting in ("auto", "required")
        ],
    )


def write(path: Path, found: Evaluation) -> str:
    path.write_bytes(b"".join([line_of(found.head), *(record.line for record in found.records)]))
    return str(path)


def page(tmp_path: Path, evaluations: Any, **options: Any) -> Page:
    report(evaluations, tmp_path / "report.html", **options)
    return Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_page_has_the_numbers_of_the_summary_and_what_was_gained(tmp_path: Path) -> None:
    both = {"before": evaluation(1), "after": evaluation(2)}
    found = page(tmp_path, both)
    head, *rows = found.tables["rates"]
    assert head[:9] == [
        *("category", "setting", "evaluation", "n", "right"),
        *("wrong", "malformed", "no call", "failed"),
    ]
    expected = {
        (row.category, row.setting, name): [
            *(str(row.count), str(row.right)),
            *(str(row.outcomes.get(key, 0)) for key in ("wrong", "malformed", "no_call", "failed")),
            *("25.0%", str(row.overruled), "12.0", "0.50"),
        ]
        for name, one in both.items()
        for row in summarize(one.records).rows
    }
    assert {tuple(row[:3]): row[3:] for row in rows} == expected
    assert [row[2] for row in rows] == ["before", "after"] * 6
    faults = {(row[2], row[0], row[1]): row[3:] for row in found.tables["faults"][1:]}
    assert faults == {
        (name, row.setting, row.kind): [str(row.count), "0", "0", "0", "0", str(row.count)]
        for name, one in both.items()
        for row in summarize(one.records).faults
    }

    before, after = (
        {(r.id, r.setting): r.outcome == "right" for r in evaluation(seed).records}
        for seed in (1, 2)
    )
    for row in found.tables["changes"][1:]:
        keys = [key for key in before if key[1] == row[0]]
        gained = sum(after[key] and not before[key] for key in keys)
        lost = sum(before[key] and not after[key] for key in keys)
        assert row[1:] == ["before", "after", "30", str(gained), str(lost)]


def test_all_that_is_not_right_can_be_opened(tmp_path: Path) -> None:
    one = evaluation(3)
    found = page(tmp_path, [one])
    assert "changes" not in found.tables
    wrong = {record.id for record in one.records if record.outcome != "right"}
    shown = set(re.findall(r"example-\d+", found.text))
    assert shown == wrong
    assert found.tags.count("details") == len(wrong) + 2
    assert 'wanted "sunny" and "<tool_call>" was taken' in found.text
    rows = [row for row in found.tables[""] if len(row) == 8]
    assert rows[1:3] == [
        ["1", "3", "50.0%", "75.0%", "0", "", "", ""],
        ["2", "7", "12.5%", "90.0%", "2", '"{"', '"Oslo"', '"B"'],
    ]
    assert "Bergen " in found.text and "Expected (call)" in found.text
    right = [record for record in one.records if record.outcome == "right"]
    assert "Nothing." in page(tmp_path, [Evaluation(one.head, right)]).text


def test_the_page_loads_nothing_and_texts_are_texts(tmp_path: Path) -> None:
    call = MaskedText(1, 0.5, 0.5, 1, HOSTILE, HOSTILE, HOSTILE)
    masked = MaskedTurn(**vars(call), calls=(call,))
    calls = ({"name": HOSTILE, "arguments": {HOSTILE: HOSTILE}},)
    verdicts = (ArgumentVerdict(0, HOSTILE, HOSTILE, HOSTILE, "value", HOSTILE, HOSTILE),)
    texts = ("id", "category", "mode", "problem", "request", "text", "lead")
    hostile = record(0, "wrong", arguments=verdicts, calls=calls, masked=masked, expected=HOSTILE)
    hostile = dataclasses.replace(hostile, **dict.fromkeys(texts, HOSTILE))
    both = {HOSTILE: Evaluation({"model": HOSTILE}, [hostile]), "_b": evaluation(1)}
    found = page(tmp_path, both, title=HOSTILE, notes=[HOSTILE], plots=tmp_path / "plots")
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(found.tags)
    assert all(value.startswith("#") or value.startswith("url(#") for value in found.references), (
        found.references
    )
    targets = {value.removeprefix("url(").rstrip(")")[1:] for value in found.references}
    assert targets and targets <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert "alert(1)" in found.text and "{{ 7 * 7 }}" in found.text
    assert "\\u0000\\u202e\\ud800" in found.text
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        *("masks.svg", "outcomes.svg", "right.svg"),
    ]
    for path in (tmp_path / "plots").iterdir():
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "</pre><script" in "".join(root.itertext())


def test_the_same_records_give_the_same_files(tmp_path: Path) -> None:
    import matplotlib

    made = []
    for size in (10.0, 20.0):
        with matplotlib.rc_context({"font.size": size}):
            report([evaluation(1, 3), evaluation(2, 3)], tmp_path / "a.html", plots=tmp_path)
        made.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert made[0] == made[1] and len(made[0]) == 4
    assert "model (2)" in made[0]["a.html"].decode()


def test_misuse(tmp_path: Path) -> None:
    other = tmp_path / "records.jsonl"
    write(other, evaluation(1))
    kept = other.read_bytes()
    with pytest.raises(DataError, match="is no report"):
        report([evaluation(1)], other)
    assert other.read_bytes() == kept
    with pytest.raises(DataError, match="folder"):
        report([evaluation(1)], tmp_path)
    for bad in (None, "text", evaluation(1), [3], {}, [], {1: evaluation(1)}):
        with pytest.raises(DataError):
            report(bad, tmp_path / "a.html")  # type: ignore[arg-type]
    for options in ({"notes": "text"}, {"title": 3}, {"notes": [3]}, {"plots": other}):
        with pytest.raises(DataError):
            report([evaluation(1)], tmp_path / "a.html", **options)  # type: ignore[arg-type]


def test_the_command(tmp_path: Path, capsys: Any) -> None:
    before = write(tmp_path / "before.jsonl", evaluation(1, 2))
    after = write(tmp_path / "after.jsonl", evaluation(2, 2))
    out = tmp_path / "report.html"
    command = ["report", before, after, "--out", str(out), "--note", "All of it."]
    assert main(command) == 0
    found = Page(out.read_text(encoding="utf-8"))
    assert [row[0] for row in found.tables["evaluations"][1:]] == ["before", "after"]
    assert "All of it." in found.text
    assert read_records(before) == evaluation(1, 2)
    assert main(["report", before, "--out", after]) == 1
    assert "is no report" in capsys.readouterr().err
