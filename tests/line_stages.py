"""Stages that the tests of stages run; processes import them, so this imports little."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemask.synth import Outcome


@dataclass(frozen=True)
class Sifted:
    """Refuses every third line, doubles every fifth, and draws a number for each."""

    seed: int = 0
    pause: float = 0.0
    ends_at: int | None = None
    name = "sifted"

    def options(self) -> dict[str, Any]:
        return {"seed": self.seed}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        time.sleep(self.pause)
        if index == self.ends_at:
            os._exit(3)
        if example.get("is_wrong"):
            raise KeyError("what is wrong")
        if index % 3 == 2:
            return Outcome(refused="third", detail=f"line {index} is a third one, ü")
        drawn = random.Random(f"{self.seed}/{self.name}/{index}").random()
        line = {**example, "drawn": drawn}
        return Outcome((line,) * (1 + (index % 5 == 4)), mended=("even",) * (index % 2 == 0))


@dataclass(frozen=True)
class Waiting(Sifted):
    """Takes several lines at once, and its time for each."""

    at_once = 4

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        time.sleep(random.random() * 0.004)
        return super().__call__(example, index)


@dataclass(frozen=True)
class Unrepeated:
    """Keeps lines whose text no earlier line had: a function of each, and a reduction of all."""

    name = "unrepeated"

    def options(self) -> dict[str, Any]:
        return {}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        return Outcome((example,), value=example["text"].casefold())

    def reduction(self) -> Callable[[Outcome, int], Outcome]:
        seen: dict[str, int] = {}

        def judged(outcome: Outcome, index: int) -> Outcome:
            first = seen.setdefault(outcome.value, index)
            return outcome if first == index else Outcome(refused="again", detail=f"as {first}")

        return judged


@dataclass(frozen=True)
class Endless:
    """Writes a number that JSON has not."""

    name = "endless"

    def options(self) -> dict[str, Any]:
        return {}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        return Outcome(({**example, "number": float("inf")},))


@dataclass(frozen=True)
class Killed:
    """Kills its process at a line, once if there is a file to remember it by."""

    at: int
    marker: str = ""
    name = "killed"

    def options(self) -> dict[str, Any]:
        return {}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        if index == self.at and not (self.marker and os.path.exists(self.marker)):
            if self.marker:
                Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome(({**example, "number": index},))


@dataclass(frozen=True)
class Closed(Killed):
    """Says in a file that it was closed."""

    name = "closed"

    def close(self) -> None:
        with open(f"{self.marker}.closed", "a") as file:
            file.write("closed\n")
