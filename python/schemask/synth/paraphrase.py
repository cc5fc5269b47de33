"""Requests in other words, in which the values of arguments still stand."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from schemask.core.grammar import Grammar
from schemask.core.sampling import Sampling, check_is_sampling
from schemask.errors import DataError, shortened
from schemask.models.base import Model
from schemask.schemas.schema import Schema
from schemask.synth.settings import digest_of

Paraphraser: TypeAlias = Callable[[str, int], str]
"""A function of a request and a seed to the request in other words."""

_PROMPT = """\
Requests, each said again in other words. Names, numbers and quoted texts stay as they are.

Request: "What does a ticket from Oslo to Bergen cost on the 3rd of May?"
In other words: "How much would I pay on the 3rd of May to get from Oslo to Bergen?"

Request: "remind me at 18:30 to call Zoë"
In other words: "Please set a reminder for 18:30: call Zoë."

Request: {request}
In other words: """
_HOW = Sampling(max_tokens=200, temperature=0.8)
_SAYING: Schema = {"type": "string", "minLength": 1}


class ModelParaphraser:
    """A model that says requests in other words.

    Args:
        model: The model. One with a vocabulary is constrained to write a JSON string.
        label: What ledgers call the model, by which it is known.
        sampling: How its tokens are chosen; each request has a seed of its own.

    Raises:
        DataError: No model, or no label.
        ModelError: `sampling` is no `Sampling`.
    """

    def __init__(self, model: Model, label: str, sampling: Sampling = _HOW) -> None:
        if not isinstance(model, Model):
            raise DataError(f"a paraphraser asks a Model, not {shortened(model)}")
        if not isinstance(label, str) or not label:
            raise DataError(f"label is a text that is not empty, not {shortened(label)}")
        check_is_sampling(sampling)
        self._model = model
        self._label = label
        self._sampling = sampling
        self._constraint: dict[str, Any] = {}
        if model.vocabulary is not None:
            grammar = Grammar.from_json_schema(_SAYING)
            self._constraint["grammar"] = grammar.compile(model.vocabulary)

    def options(self) -> dict[str, Any]:
        """All that decides about the words, as JSON."""
        how = {key: value for key, value in vars(self._sampling).items() if key != "seed"}
        return {"model": self._label, "prompt": digest_of(_PROMPT), "sampling": how}

    def __call__(self, request: str, seed: int) -> str:
        """The request in other words; empty if the model does not come to an end.

        Args:
            request: What the user says.
            seed: Decides about the words.

        Raises:
            ModelError: What the model raises.
        """
        completion = self._model.generate(
            _PROMPT.replace("{request}", json.dumps(request, ensure_ascii=False)),
            sampling=dataclasses.replace(self._sampling, seed=seed),
            stop=() if self._constraint else ("\n",),
            **self._constraint,
        )
        if completion.status == "max_tokens":
            return ""
        try:
            said = json.loads(completion.text)
        except ValueError:
            said = completion.text.strip().strip('"')
        return said if isinstance(said, str) else ""


def lost_value(request: str, said: str, values: Iterable[Any]) -> str | None:
    """A value that stands in a request and no longer in its paraphrase; None if all do.

    Args:
        request: The request.
        said: The paraphrase.
        values: Strings and numbers of arguments.
    """
    for value in values:
        if isinstance(value, bool) or value is None or value == "":
            continue
        stands = re.compile(rf"(?<!\w){re.escape(str(value))}(?!\w)", re.IGNORECASE)
        loose = isinstance(value, str) and value.casefold() in request.casefold()
        kept = value.casefold() in said.casefold() if loose else stands.search(said)
        if (loose or stands.search(request)) and not kept:
            return str(value)
    return None
