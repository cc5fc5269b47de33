"""Lines whose calls a model finds wrong."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from schemask._lines import Conversation
from schemask._settings import check_whole
from schemask.chat.messages import Message
from schemask.core.grammar import Grammar
from schemask.core.sampling import Sampling, check_is_sampling
from schemask.errors import DataError, shortened
from schemask.models.base import Model
from schemask.schemas.schema import Schema
from schemask.synth.outcomes import Outcome
from schemask.synth.settings import digest_of
from schemask.synth.teachers import requests_at_once
from schemask.synth.validity import Flaw, read_conversation

_HOW = Sampling(max_tokens=160, temperature=0.0)
# The reason comes first, so that the verdict can rest on it.
_VERDICT: Schema = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "minLength": 1, "maxLength": 240},
        "verdict": {"enum": ["right", "wrong"]},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
_FORECAST = '{"name": "get_forecast", "parameters": {"city": "string", "days": "integer"}}'
_PROMPT = f"""\
Conversations between a user and an assistant that can call tools, each with a verdict on the
assistant. It is right if it calls the tools that the request needs and no others, with the values
that the user or an earlier result said, and if it calls nothing where no tool fits or a value is
missing. It is wrong otherwise.

Tools:
{_FORECAST}
User: "Will it rain in Oslo in the next 3 days?"
Assistant calls: [{{"name": "get_forecast", "arguments": {{"city": "Oslo", "days": 3}}}}]
Verdict: {{"reason": "The forecast is what was asked for, with city and days as said.", \
"verdict": "right"}}

Tools:
{_FORECAST}
User: "Will it rain in Oslo in the next 3 days?"
Assistant calls: [{{"name": "get_forecast", "arguments": {{"city": "Bergen", "days": 3}}}}]
Verdict: {{"reason": "The user asked about Oslo, not Bergen.", "verdict": "wrong"}}

Tools:
{_FORECAST}
User: "Book me a table for two tonight."
Assistant: "I can only look up forecasts, so I cannot book a table."
Verdict: {{"reason": "No tool books tables, and the assistant says so.", "verdict": "right"}}

Tools:
{{tools}}
{{conversation}}
Verdict: """


@dataclass(frozen=True, eq=False)
class Judge:
    """A stage that asks a model whether the calls of a line are what its request needs.

    The model is shown the tools and the conversation, and answers with a reason and a verdict, to
    which one with a vocabulary is constrained. Lines that it finds wrong are refused ("judged
    wrong"), with its reason; so are those on which it gives no verdict ("no verdict").

    Attributes:
        model: A `Model`, which cannot be sent to other processes; or a function without arguments
            that makes one there.
        label: What ledgers call the model, by which it is known: a run with another label does not
            go on.
        sampling: How its tokens are chosen; each line has a seed of its own.
        seed: Decides about those seeds.
        concurrency: How many requests the model gets at once from each process: by default 8 for an
            endpoint, 1 for any other. A model that runs in the process always gets one.

    Raises:
        DataError: A setting of a wrong type.
        ModelError: `sampling` is no `Sampling`.
    """

    model: Model | Callable[[], Model]
    label: str
    sampling: Sampling = field(default=_HOW)
    seed: int = 0
    concurrency: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, Model) and not callable(self.model):
            raise DataError(f"a judge is a Model or makes one, not {shortened(self.model)}")
        if not isinstance(self.label, str) or not self.label:
            raise DataError(f"label is a text that is not empty, not {shortened(self.label)}")
        check_is_sampling(self.sampling)
        check_whole("seed", self.seed)
        if self.concurrency is not None:
            check_whole("concurrency", self.concurrency, 1)

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "judge"

    @property
    def at_once(self) -> int:
        """How many lines are judged at once in this process; it makes the model."""
        try:
            model, _ = self._opened()
        except Exception:
            return 1  # and the first line raises it again
        return requests_at_once(model, self.concurrency)

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        return {
            "model": self.label,
            "prompt": digest_of([_PROMPT, _VERDICT]),
            "sampling": {key: value for key, value in vars(self.sampling).items() if key != "seed"},
            "seed": self.seed,
        }

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The line, or why it is not kept.

        Args:
            example: The line.
            index: Its number in the input, from 0.

        Raises:
            DataError: The function made no model.
            ModelError: What the model raises.
        """
        read = read_conversation(example)
        if isinstance(read, Flaw):
            return Outcome(refused=read.reason, detail=read.detail)
        seed = random.Random(f"{self.seed}/{self.name}/{index}").getrandbits(31)
        model, constraint = self._opened()
        completion = model.generate(
            judge_prompt(read),
            sampling=dataclasses.replace(self.sampling, seed=seed),
            stop=() if constraint else ("\n\n",),
            **constraint,
        )
        verdict = _read_verdict(completion.text)
        # Under a grammar a text is closed in time; the verdict may then be no more than that.
        if verdict is None or completion.status == "max_tokens":
            return Outcome(refused="no verdict", detail=shortened(completion.text))
        reason, is_right = verdict
        if is_right:
            return Outcome((example,))
        return Outcome(refused="judged wrong", detail=reason)

    def close(self) -> None:
        """Lets go of the model that was made here."""
        vars(self).pop("_open", None)

    def _opened(self) -> tuple[Model, dict[str, Any]]:
        """The model, and what constrains it; both are made once."""
        if (found := vars(self).get("_open")) is None:
            model = self.model
            if isinstance(model, type) or not isinstance(model, Model):
                model = model()
            if not isinstance(model, Model):
                raise DataError(f"a judge is a Model, not {shortened(model)}")
            constraint = {}
            if model.vocabulary is not None:
                grammar = Grammar.from_json_schema(
                    _VERDICT, whitespace="spaced", property_order="schema"
                )
                constraint["grammar"] = grammar.compile(model.vocabulary)
            found = vars(self)["_open"] = (model, constraint)
        opened: tuple[Model, dict[str, Any]] = found
        return opened


def judge_prompt(line: Conversation) -> str:
    """The text that a judge continues with its verdict.

    Args:
        line: What it judges.
    """
    tools = [tool.definition["function"] for tool in line.tools]
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools) or "none"
    shown = "\n".join(part for message in line.messages for part in _shown(message))
    head, _, rest = _PROMPT.partition("{tools}")
    middle, _, end = rest.partition("{conversation}")
    return head + listed + middle + shown + end


def _shown(message: Message) -> Sequence[str]:
    role = "Result" if message["role"] == "tool" else message["role"].capitalize()
    calls = [call["function"] for call in message.get("tool_calls", ())]
    parts = []
    if message["content"] or not calls:
        parts.append(f"{role}: {json.dumps(message['content'], ensure_ascii=False)}")
    if calls:
        parts.append(f"{role} calls: {json.dumps(calls, ensure_ascii=False)}")
    return parts


def _read_verdict(text: str) -> tuple[str, bool] | None:
    """The reason, and whether it is right; models put words around the JSON object."""
    try:
        value = json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))[0]
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("verdict") not in ("right", "wrong"):
        return None
    return str(value.get("reason", "")), value["verdict"] == "right"
