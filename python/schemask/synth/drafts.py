"""Lines from a teacher, in order, while it is asked for several at once."""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, NamedTuple

from schemask.errors import DataError
from schemask.synth.answers import AnswerCheck, RefusedAnswer, said_by_user
from schemask.synth.crews import Crew
from schemask.synth.plans import Plan
from schemask.synth.requests import TeacherRequest, messages_of
from schemask.synth.teachers import TeacherDesk

# Whoever waits for a line is called after so many seconds, again and again.
_SECONDS = 0.25


class Refusal(NamedTuple):
    """Why an answer was not taken."""

    reason: str
    problem: str


class Draft(NamedTuple):
    """An answer that was taken, and those that were refused before."""

    request: TeacherRequest
    answer: dict[str, Any]
    refusals: tuple[Refusal, ...]

    @property
    def line(self) -> dict[str, Any]:
        """The line of training data."""
        return {"messages": messages_of(self.answer), "tools": self.request.tools.definitions}

    @property
    def entry(self) -> dict[str, Any]:
        """What the ledger says of the line."""
        entry: dict[str, Any] = {"line": self.request.index + 1, "kind": self.request.kind}
        if self.refusals:
            entry["refusals"] = [
                {"refused": refusal.reason, "detail": refusal.problem} for refusal in self.refusals
            ]
        return entry


class DraftWriter:
    """Gets lines from a teacher.

    Args:
        plan: What to ask for.
        desk: Where to ask.
        attempts: How often to ask for a line.
        said: What users say in lines that are there, with the numbers of these lines.
    """

    def __init__(self, plan: Plan, desk: TeacherDesk, attempts: int, said: dict[str, int]) -> None:
        self._plan = plan
        self._desk = desk
        self._attempts = attempts
        self._said = said
        self._check = AnswerCheck()
        self._is_over = False

    def drafts(
        self, crew: Crew[Draft], indices: range, on_wait: Callable[[], None]
    ) -> Generator[Draft, None, None]:
        """The lines with these numbers, from 0.

        Args:
            crew: Who asks.
            indices: The numbers, after all lines that are there.
            on_wait: Called now and then while a line is not there yet.

        Raises:
            DataError: A line for which all attempts were refused. What a teacher raises passes
                through; all lines before are there by then.
        """
        upcoming = iter(indices)
        asked: collections.deque[Future[Draft]] = collections.deque()
        try:
            for index in indices:
                for later in itertools.islice(upcoming, crew.ahead - len(asked)):
                    asked.append(self._asked(crew, later, ()))
                draft = _result(asked.popleft(), on_wait)
                # Only now are all lines before it known.
                while (refusal := self._repeated(draft.answer)) is not None:
                    refusals = (*draft.refusals, refusal)
                    draft = _result(self._asked(crew, index, refusals), on_wait)
                self._said[_said(draft.answer)] = index + 1
                yield draft
        finally:
            self._is_over = True

    def _asked(self, crew: Crew[Draft], index: int, refusals: tuple[Refusal, ...]) -> Future[Draft]:
        return crew.submit(lambda: self._write(index, refusals))

    async def _write(self, index: int, refusals: tuple[Refusal, ...]) -> Draft:
        for attempt in range(len(refusals), self._attempts):
            if self._is_over:
                raise concurrent.futures.CancelledError
            request = self._plan.request(index, attempt)
            try:
                answer = self._check(await self._desk.ask(request), request)
            except RefusedAnswer as refused:
                refusals = (*refusals, Refusal(refused.reason, str(refused)))
                continue
            # The lines that are there by now are some of those before it.
            if (refusal := self._repeated(answer)) is None:
                return Draft(request, answer, refusals)
            refusals = (*refusals, refusal)
        counts = Counter(refusal.reason for refusal in refusals)
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
        raise DataError(
            f"line {index + 1}: {self._attempts} answers in a row were refused ({reasons}), the "
            f"last: {refusals[-1].problem}",
            line=index + 1,
        )

    def _repeated(self, answer: dict[str, Any]) -> Refusal | None:
        if (line := self._said.get(_said(answer))) is None:
            return None
        return Refusal("duplicate", f"the user says what an earlier line has, line {line}")


def _said(answer: dict[str, Any]) -> str:
    return said_by_user(messages_of(answer))


def _result(future: Future[Draft], on_wait: Callable[[], None]) -> Draft:
    while not concurrent.futures.wait([future], timeout=_SECONDS).done:
        on_wait()
    return future.result()
