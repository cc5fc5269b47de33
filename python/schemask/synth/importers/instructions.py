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
    lines = text.split("\n")
    kept = [line for line in lines if not pattern.search(line)]
    if len(kept) < len(lines):
        notes.add("instructions dropped", f"{len(lines) - len(kept)} lines of the system prompt")
    return "\n".join(kept).strip()
