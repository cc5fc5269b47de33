"""Checkouts of the sources become the files that tests and benchmarks read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import corpus
import fetch
import suite
from schemask.errors import DataError

SCHEMA = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}


def put(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, indent=4)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both repositories in small, with the layout and the keys that they have."""
    monkeypatch.setenv("SCHEMASK_DATA", str(tmp_path / "data"))
    bench = tmp_path / "jsonschemabench"
    put(bench / "README.md", "# JSONSchemaBench")
    put(bench / "data/Github_easy/o1.json", SCHEMA)
    for name in ("Glaiveai2K---b", "BFCL_java_0"):
        put(
            bench / f"maskbench/data/{name}.json",
            {
                "description": f"sample {name}",
                "meta": {"full_size": 9, "features": ["@minmax"]},
                "schema": {"properties": {"é": {"const": name}}},
                "tests": [
                    {"description": "good", "valid": True, "data": {"é": name}},
                    {"description": "bad", "valid": False, "rust_error": "é", "data": {"é": 1.0}},
                ],
            },
        )
    put(bench / "maskbench/data/untested.json", {"description": "", "meta": {}, "schema": True})

    tests = tmp_path / "suite/tests"
    case = {"description": "a test", "data": [], "valid": False}
    group = {"description": "a group", "schema": SCHEMA, "tests": [case], "specification": []}
    for draft in suite.DRAFTS:
        put(tests / draft / "type.json", [group, {**group, "description": "another"}])
        put(tests / draft / "optional/format/date.json", [group])
        # Python would read the number as infinity, and write that.
        numbers = json.dumps([group]).replace('"data": []', '"data": 1E+400')
        put(tests / draft / "optional/float-overflow.json", numbers)
    put(tests / "draft3/type.json", [group])
    put(tmp_path / "suite/remotes/integer.json", {"type": "integer"})
    put(tmp_path / "suite/remotes/draft7/nested/a.json", True)
    return tmp_path


def run(checkouts: Path, *options: str) -> None:
    bench, tests = checkouts / "jsonschemabench", checkouts / "suite"
    fetch.main(["--maskbench", str(bench), "--suite", str(tests), *options])


def test_maskbench_is_read_as_it_was_fetched(checkouts: Path) -> None:
    run(checkouts)
    entries = {entry.id: entry for entry in corpus.maskbench()}
    assert list(entries) == ["BFCL_java_0", "Glaiveai2K---b", "untested"]
    entry = entries["Glaiveai2K---b"]
    assert entry.schema == {"properties": {"é": {"const": "Glaiveai2K---b"}}}
    assert entry.tests == [({"é": "Glaiveai2K---b"}, True), ({"é": 1.0}, False)]
    assert entries["untested"].tests == []


def test_the_suite_is_read_as_it_was_fetched(checkouts: Path) -> None:
    run(checkouts)
    for draft in suite.DRAFTS:
        groups = suite.groups(draft)
        assert [group.id for group in groups] == [
            f"{draft}/optional/float-overflow#0",
            f"{draft}/optional/format/date#0",
            f"{draft}/type#0",
            f"{draft}/type#1",
        ]
        assert groups[0].tests == [("a test", "1E+400", False)]
        assert groups[2].schema["type"] == "object"
    remotes = suite.remotes("draft7")
    assert remotes["http://localhost:1234/integer.json"]["type"] == "integer"
    assert remotes["http://localhost:1234/draft7/nested/a.json"] is True


def test_files_that_are_there_are_kept(checkouts: Path) -> None:
    run(checkouts)
    with pytest.raises(DataError, match="there"):
        run(checkouts)
    run(checkouts, "--force")
    with gzip.open(corpus.maskbench_file(), "rt", encoding="utf-8") as file:
        assert len(file.readlines()) == 3


def test_another_layout_writes_nothing(checkouts: Path) -> None:
    (checkouts / "suite/tests").rename(checkouts / "suite/cases")
    with pytest.raises(SystemExit, match="whole"):
        fetch.main(["--suite", str(checkouts / "suite")])
    assert not suite.suite_file("draft7").exists()
