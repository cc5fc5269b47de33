"""The table of everyday tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemask.improve import SHARES
from schemask.schemas.validator import Validator
from schemask.synth import Ground, Kind, TeacherRequest, everyday, generate
from schemask.synth.kinds import full_shares
from schemask.synth.plans import Plan
from schemask.synth.small_talk import SMALL_TALK

TOOLS, PHRASES = everyday()


def test_all_can_be_asked_for() -> None:
    assert len(TOOLS) >= 50
    assert set(PHRASES.requests) == set(TOOLS.names)
    assert not {request for request, _ in PHRASES.small_talk} & {text for text, _ in SMALL_TALK}


@pytest.mark.parametrize("name", TOOLS.names)
def test_each_phrase_names_what_the_schema_takes(name: str) -> None:
    """All values are valid, and each phrase is tried."""
    validator = Validator(TOOLS[name].parameters)
    for seed in range(4 * len(PHRASES.requests[name])):
        answer = PHRASES(TeacherRequest(0, 0, seed=seed, kind="call", tools=TOOLS, targets=(name,)))
        assert validator.problem(answer["tool_calls"][0]["arguments"]) is None
        assert "{}" not in answer["results"] and answer["answer"] != "Done."


def test_conversations_are_grounded_and_few_are_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "everyday.jsonl"
    done = generate(PHRASES, TOOLS, 400, path, shares=SHARES, most_tools=4, progress=False)
    assert done.written == 400 and done.refused.total() < 40
    refused = []
    for index, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        outcome = Ground()(json.loads(line), index)
        refused += [] if outcome.refused is None else [outcome.detail]
    assert refused == []


def test_ones_own_tools_are_left_out() -> None:
    name = TOOLS.names[3]
    spelled = name.replace("_", "").replace(".", "").upper()
    tools, phrases = everyday(besides=[spelled, "other"])
    assert set(tools.names) == set(TOOLS.names) - {name} == set(phrases.requests)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.sampled_from(list(SHARES)))
def test_no_more_tools_are_offered_than_asked_for(index: int, most: int, kind: Kind) -> None:
    request = Plan(TOOLS, 0, full_shares({kind: 1}), [TOOLS.names[:2]], most).request(index, 0)
    assert set(request.targets) <= set(request.tools.names)
    assert len(set(request.tools.names) - set(request.targets)) <= most
