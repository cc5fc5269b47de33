"""Real schemas with valid and invalid instances, on a real vocabulary."""

from __future__ import annotations

from typing import Any

import pytest

from corpus import llama3, maskbench, maskbench_file
from maskbench import judge

SCHEMAS = 300  # all 7,888 take minutes: `python benches/maskbench.py`


@pytest.mark.skipif(
    not maskbench_file().exists(), reason=f"no data: {maskbench_file()} (see benches/README.md)"
)
@pytest.mark.parametrize("spelling", ["plain", "any"])
def test_no_invalid_instance_is_accepted_and_no_valid_one_refused(spelling: Any) -> None:
    entries = {entry.id: entry for entry in maskbench(SCHEMAS, seed=len(spelling))}
    llama = llama3()
    verdicts = list(judge(entries.values(), llama, "schema", spelling))
    compiled = [verdict for verdict in verdicts if verdict.error is None]
    assert len(verdicts) == SCHEMAS
    for verdict in verdicts:
        # What nothing satisfies is an error, and has no valid instance to be refused.
        nothing = "nothing satisfies" in str(verdict.error)
        assert verdict.error is None or not any(t[1] for t in entries[verdict.id].tests), verdict
        assert verdict.error is None or nothing, verdict
    assert len(compiled) >= 0.98 * SCHEMAS
    assert sum(verdict.passed for verdict in compiled) >= 0.95 * len(compiled)
    assert [(verdict.id, verdict.accepted) for verdict in compiled if verdict.accepted] == []
    # Some instances list keys in an order of their own.
    unordered = [entries[verdict.id] for verdict in compiled if verdict.refused]
    refused = [
        (verdict.id, verdict.refused) for verdict in judge(unordered, llama, "any", spelling)
    ]
    assert [(id, texts) for id, texts in refused if texts] == []
