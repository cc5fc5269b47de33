"""The stage that reads a data set of another shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemask._settings import check_choice
from schemask.synth.importers.hermes import read_hermes
from schemask.synth.importers.notes import ImportRefusal, Notes
from schemask.synth.importers.openai import read_openai
from schemask.synth.importers.sharegpt import read_sharegpt
from schemask.synth.importers.toolace import read_toolace
from schemask.synth.importers.xlam import read_xlam
from schemask.synth.outcomes import Outcome

_READERS: dict[str, Callable[[Mapping[str, Any], Notes], dict[str, Any]]] = {
    "hermes": read_hermes,
    "openai": read_openai,
    "sharegpt": read_sharegpt,
    "toolace": read_toolace,
    "xlam": read_xlam,
}
SHAPES: tuple[str, ...] = tuple(_READERS)
"""The shapes of published data sets that can be imported."""


@dataclass(frozen=True)
class Import:
    """A stage that makes lines of the records of a published data set.

    What it changes to keep a record is told (`Outcome.mended`, and `detail` says where): types that
    are Python's, JSON inside of texts, names that no model can write, arguments of another type
    that can mean one thing only. What cannot be mended is refused: calls of tools that are not
    offered, arguments that are not valid, results that belong to no call, text that cannot be read.

    Attributes:
        shape: "hermes" (`conversations` with `<tools>` and `<tool_call>`), "openai" (lines for
            fine-tuning), "sharegpt" (`conversations` with function_call and observation, as
            LLaMA-Factory reads them), "toolace" (tools in the system text, calls as Python writes
            them) or "xlam" (`query`, `tools` and `answers`).

    Raises:
        DataError: Another shape.
    """

    shape: str

    def __post_init__(self) -> None:
        check_choice("shape", self.shape, SHAPES)

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "import"

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        return {"shape": self.shape}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The line of a record.

        Args:
            example: The record.
            index: Its number in the input, from 0.
        """
        notes = Notes()
        try:
            line = _READERS[self.shape](example, notes)
        except ImportRefusal as refusal:
            return Outcome(refused=refusal.reason, detail=refusal.detail)
        except Exception as error:  # one record of a million must not end the run
            return Outcome(refused="unreadable", detail=f"{type(error).__name__}: {error}")
        return Outcome((line,), detail=notes.detail, mended=notes.words)
