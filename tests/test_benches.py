"""What the benchmarks write and read, without measuring anything."""

from __future__ import annotations

from pathlib import Path

import pytest

import record
import report
import schemask
from adversarial_cases import Case, cases
from judges import Judges

DOCUMENT = report.DOCUMENT


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_an_adversarial_text_is_valid(case: Case) -> None:
    if case.tools:
        pytest.skip("a turn of an assistant, which is no JSON")
    verdicts = Judges(case.schema).verdicts(case.text)
    # Python's `re`, which the second judge uses, knows no `\p`.
    assert verdicts.first or (verdicts.first is None and verdicts.second)


def test_the_names_of_adversarial_cases_tell_them_apart() -> None:
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)


def test_the_figures_of_the_document_are_those_of_the_files_that_it_names() -> None:
    assert list(report.sources(DOCUMENT))
    assert report.filled(DOCUMENT) == DOCUMENT.read_text(encoding="utf-8")


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    record.write(path, ["data: none"], ("case", "slowest"), [("a, b", 'x "y"\n')])
    assert record.read(path) == record.Record(
        ["data: none"], ["case", "slowest"], [{"case": "a, b", "slowest": 'x "y"\n'}]
    )


def test_a_record_names_what_it_was_measured_with() -> None:
    """Also where schemask is not installed and its sources are run."""
    notes = record.circumstances("none", "python x.py", ("pytest", "no-such-package"))
    [line] = [note for note in notes if note.startswith("versions: ")]
    names = [part.split()[0] for part in line.removeprefix("versions: ").split(", ")]
    assert names == ["Python", "schemask", "pytest", "no-such-package"]
    assert f", schemask {schemask.__version__}" in line
    assert f", pytest {pytest.__version__}, no-such-package not installed" in line
    assert {"transformers", "trl", "peft", "llama-cpp-python"} <= set(record.TRAINING)
    assert {"openai", "datasketch", "ray"} <= set(record.SYNTHESIS)
