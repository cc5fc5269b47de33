"""The official JSON Schema Test Suite: every test passes unless it is listed with a reason."""

from __future__ import annotations

import re
from typing import Any

import pytest

from suite import DRAFTS, groups, known_failures, run, suite_file

MISSING = [str(suite_file(draft)) for draft in DRAFTS if not suite_file(draft).exists()]
GROUPS = [] if MISSING else [group for draft in DRAFTS for group in groups(draft)]
FILES = list(dict.fromkeys(group.file for group in GROUPS))


@pytest.mark.skipif(bool(MISSING), reason=f"no data: {', '.join(MISSING)} (see benches/README.md)")
def test_the_suite_is_there() -> None:
    assert len(GROUPS) > 700
    assert sum(len(group.tests) for group in GROUPS) > 3000


def is_long(problem: str) -> bool:
    """Whether an integer was refused that has more digits than plain ones have."""
    number = re.fullmatch(r"refused: (-?[0-9][0-9.e+-]*)", problem)
    return number is not None and abs(float(number[1])) >= 1e32


@pytest.mark.parametrize("spelling", ["plain", "any"])
@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_suite(file: str, spelling: Any) -> None:
    results = list(run((group for group in GROUPS if group.file == file), spelling))
    listed = known_failures()
    failed = [result for result in results if result.problem]
    if spelling == "plain":
        failed = [result for result in failed if not is_long(result.problem)]
    assert [r for r in failed if not any(entry.matches(r) for entry in listed)] == []
    for entry in listed:
        matching = [result for result in results if entry.matches(result)]
        assert not matching or any(r.problem for r in matching), f"listed, but passes: {entry}"


@pytest.mark.skipif(bool(MISSING), reason="no data")
def test_the_list_names_tests_that_exist() -> None:
    tests = [(group, test) for group in GROUPS for test, _, _ in group.tests]
    for entry in known_failures():
        assert any(entry.names(group.id, test) for group, test in tests), entry
        assert entry.reason
