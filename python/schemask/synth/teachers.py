"""Teachers: whatever writes the conversation that it is asked for."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from schemask.core.sampling import Sampling
from schemask.errors import DataError, shortened
from schemask.models import OpenAIModel
from schemask.models.base import Model
from schemask.synth.answers import AnswerGrammars, RefusedAnswer
from schemask.synth.requests import TeacherRequest

Teacher: TypeAlias = (
    Model | Callable[[TeacherRequest], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]
)

TEACHING = Sampling(max_tokens=512, temperature=0.8)
"""How teachers write, unless told otherwise."""

# How many requests endpoints get at once, unless told otherwise.
_CONCURRENCY = 8


class TeacherDesk:
    """Where a teacher is asked, of whatever kind it is.

    Args:
        teacher: The teacher.
        sampling: How its tokens are chosen, if it is a model.

    Attributes:
        is_async: Whether its answers are awaited.

    Raises:
        DataError: No teacher.
    """

    def __init__(self, teacher: Teacher, sampling: Sampling) -> None:
        if not isinstance(teacher, Model) and not callable(teacher):
            raise DataError(f"the teacher is a Model or a function, not {shortened(teacher)}")
        self._teacher = teacher
        self._sampling = sampling
        self.is_async = not isinstance(teacher, Model) and (
            inspect.iscoroutinefunction(teacher)
            or inspect.iscoroutinefunction(getattr(teacher, "__call__", None))  # noqa: B004
        )
        self._grammars: AnswerGrammars | None = None
        if isinstance(teacher, Model) and teacher.vocabulary is not None:
            self._grammars = AnswerGrammars(teacher.vocabulary, "schema")

    def concurrency(self, wanted: int | None) -> int:
        """How many requests it gets at once.

        Args:
            wanted: What the user says; None is what suits the teacher.
        """
        if isinstance(self._teacher, Model):
            return requests_at_once(self._teacher, wanted)
        return wanted or (_CONCURRENCY if self.is_async else 1)

    async def ask(self, request: TeacherRequest) -> object:
        """What the teacher answers. It is awaited for only if the teacher is async.

        Raises:
            RefusedAnswer: A model has written no JSON, or too much.
            DataError: A function that is no `async def` gives something to await.
        """
        teacher = self._teacher
        if isinstance(teacher, Model):
            return _read_object(self._complete(teacher, request))
        answer = teacher(request)
        if self.is_async:
            assert inspect.isawaitable(answer)
            return await answer
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise DataError("a teacher whose answers are awaited is an async def itself")
        return answer

    def _complete(self, model: Model, request: TeacherRequest) -> str:
        constraint: dict[str, Any] = {}
        if self._grammars is not None:
            constraint["grammar"] = self._grammars[request.schema]
        completion = model.generate(
            request.prompt,
            sampling=dataclasses.replace(self._sampling, seed=request.seed),
            **constraint,
        )
        # Under a grammar the text is valid even so, but words end in the middle.
        if completion.status == "max_tokens":
            problem = f"cut off after {self._sampling.max_tokens} tokens"
            raise RefusedAnswer("cut off", problem)
        return completion.text


def requests_at_once(model: Model, wanted: int | None) -> int:
    """How many requests a model gets at once.

    Args:
        model: The model.
        wanted: What the user says; None is what suits the model.
    """
    if model.vocabulary is not None:  # a model in this process writes one text at a time
        return 1
    return wanted or (_CONCURRENCY if isinstance(model, OpenAIModel) else 1)


def _read_object(text: str) -> Any:
    """The JSON object in a model's text; models put it between fences and pleasantries."""
    start = text.find("{")
    try:
        return json.JSONDecoder().raw_decode(text, max(start, 0))[0]
    except (ValueError, RecursionError) as error:
        raise RefusedAnswer("invalid", f"no JSON object: {error}") from error
