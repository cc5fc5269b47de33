"""System prompts that explain tools, of which the rest is kept: tools have a place of theirs."""

from __future__ import annotations

import re

from schemask.synth.importers.notes import Notes


def without_instructions(text: str, pattern: re.Pattern[str], notes: Notes) -> str:
    """A system prompt without the lines that are about tools.

    Args:
        text: The prompt, from which the tools have been cut.
        pattern: What is found in lines about tools.
        notes: That lines were dropped is told here.
    """
    kept, dropped = [], 0
    for line in text.split("\n"):
        if not pattern.search(line):
            kept.append(line)
        elif re.search(r"\w", line):
            dropped += 1
    if dropped:
        notes.add("instructions dropped", f"{dropped} lines of the system prompt")
    return "\n".join(kept).strip()
