"""A model is asked every example, in every setting, and what comes is judged and written down."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from tqdm import tqdm

from schemask._files import Journal
from schemask._turns import Thoughts, TurnWriter, own_format
from schemask.chat import ChatFormat, as_python, chat_format
from schemask.core.generation import count_problem
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.errors import (
    DataError,
    FormatError,
    GenerationError,
    LimitError,
    ModelError,
    SchemaError,
    check_flags,
    shortened,
)
from schemask.evaluation.examples import EvalExample, shown_call
from schemask.evaluation.masks import MaskNotes
from schemask.evaluation.records import (
    FORMAT,
    EvalRecord,
    Evaluation,
    RecordKey,
    evaluation_of,
    line_of,
)
from schemask.evaluation.verdicts import Verdict
from schemask.models.base import ChatModel, Model

Mode: TypeAlias = Literal["unconstrained", "constrained", "reasoned"]
MODES: tuple[Mode, ...] = ("unconstrained", "constrained", "reasoned")
NUDGE = "Let me think about which tool fits, and which values it needs. "
"""With what a model begins that is to reason first, if its format has no block for reasoning."""

# What is nested deeper than Python recurs could be neither judged nor written down.
_DEEPEST = 100


class Setting(NamedTuple):
    """How a model is asked.

    Attributes:
        mode: One of `MODES`.
        tool_choice: What its turn is bound to.
    """

    mode: Mode
    tool_choice: str


FREE = Setting("unconstrained", "auto")
BOUND = Setting("constrained", "auto")


@dataclass(frozen=True)
class _Options:
    """What decides about the records, besides model and examples."""

    form: ChatFormat
    sampling: Sampling
    parallel: bool
    thinking: Sampling
    nudge: str


def evaluate(
    model: Model | ChatModel,
    examples: Iterable[EvalExample],
    path: str | os.PathLike[str],
    *,
    modes: Sequence[Mode] = MODES,
    tool_choice: str | Sequence[str] = "auto",
    sampling: Sampling = GREEDY,
    format: str | ChatFormat | None = None,
    parallel: bool = True,
    reasoning_tokens: int = 128,
    nudge: str = NUDGE,
    name: str = "",
    resume: bool = True,
    progress: bool = True,
) -> Evaluation:
    """Asks a model each example, and writes what comes to a file of JSON lines.

    The modes are "unconstrained": the model writes what it likes; "constrained": by the grammar of
    the tools; and "reasoned": it first writes words freely, which are part of its turn, and then
    goes on under the grammar. In a format that has a block for reasoning, and where the prompt
    leaves room for it, that block is where it reasons.

    An example of which no call is right is not asked where the turn is bound to call; and what no
    grammar binds, to "auto" alone. A model that cannot be constrained is asked in the first mode
    only; an endpoint that takes `tool_choice` itself gets it.

    A greedy turn in which the grammar had no say, as one in words, is the same without a grammar,
    and is not written twice.

    A run that was killed goes on where its file ends, and asks again where a model failed in a way
    that may pass.

    Args:
        model: The model.
        examples: What it is asked: of `read_bfcl`, `read_examples`, `read_when2call`.
        path: The file. It is continued if it has records of the same run.
        modes: Which modes.
        tool_choice: What turns are bound to: "auto", "required", the name of a tool, or several of
            these, to see them side by side.
        sampling: How tokens are chosen, and how many a turn may have.
        format: Name of a chat format, or one of your own; else that of the model's own template.
        parallel: Whether a turn may hold several calls.
        reasoning_tokens: The most tokens of the words in the mode "reasoned".
        nudge: What these words begin with.
        name: The name of the model, for reports.
        resume: False refuses to touch a file that has content.
        progress: Show a progress bar on standard error.

    Returns:
        All records of the file.

    Raises:
        DataError: Two examples of one id, a file that cannot be continued or written, or an option
            of a wrong type.
        ModelError: A mode or a choice that the model cannot be bound to; or an endpoint that
            failed: what was written so far stays.
        FormatError: An unknown format, or a template of the model from which none follows.
        DependencyError: A library without which the model's template cannot be read is missing.
        ToolError: Tools that no format can write.
    """
    asked = _checked(examples)
    if not isinstance(model, (Model, ChatModel)):
        raise ModelError(f"the model is no Model or ChatModel, but {shortened(model)}")
    settings = _settings(model, modes, tool_choice)
    check_is_sampling(sampling)
    if problem := count_problem("reasoning_tokens", reasoning_tokens):
        raise DataError(problem)
    check_flags(DataError, parallel=parallel, resume=resume, progress=progress)
    for what, text in {"nudge": nudge, "name": name}.items():
        if not isinstance(text, str):
            raise DataError(f"{what} is a text, not {shortened(text)}")
    form = own_format(model) if format is None else chat_format(format)
    thinking = dataclasses.replace(sampling, max_tokens=reasoning_tokens)
    options = _Options(form, sampling, parallel, thinking, nudge)
    head = _head(model, name, settings, options)
    plan = [(example, setting) for example in asked for setting in _for(example, settings)]
    try:
        place = Path(path)
    except TypeError as error:
        raise DataError(f"path is the place of a file, not {shortened(path)}") from error
    with Journal(place) as journal:
        known = _continue(journal, head, plan, resume)
        told = sum(not record.is_passing for record in known.values())
        with tqdm(total=len(plan), initial=told, unit="turn", disable=not progress) as bar:
            for example, setting in _in_order(plan):
                found = known.get((example.id, *setting))
                if found is not None and not found.is_passing:
                    continue
                twin = known.get((example.id, *BOUND))
                if setting == FREE and twin is not None and _left_alone(twin, sampling):
                    record = dataclasses.replace(twin, mode=setting.mode, masked=None)
                else:
                    record = _record(model, example, setting, options)
                if record != found:
                    journal.append(record.line)
                known[record.key] = record
                bar.update()
    return Evaluation(head, [known[(example.id, *setting)] for example, setting in plan])


def _checked(examples: Iterable[EvalExample]) -> list[EvalExample]:
    if not isinstance(examples, Iterable):
        raise DataError(f"examples are a list of EvalExample, not {shortened(examples)}")
    asked = list(examples)
    ids: set[str] = set()
    for example in asked:
        if not isinstance(example, EvalExample):
            raise DataError(f"examples are a list of EvalExample, not of {shortened(example)}")
        if example.id in ids:
            raise DataError(f"two examples have the id {shortened(example.id)}")
        ids.add(example.id)
    return asked


def _settings(
    model: Model | ChatModel, modes: Sequence[Mode], tool_choice: str | Sequence[str]
) -> list[Setting]:
    choices = [tool_choice] if isinstance(tool_choice, str) else tool_choice
    for what, values in {"modes": modes, "tool_choice": choices}.items():
        is_list = isinstance(values, Sequence) and not isinstance(values, str)
        if not is_list or not values or not all(isinstance(value, str) for value in values):
            raise DataError(f"{what} are a list of names, not {shortened(values)}")
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise DataError(f"mode {shortened(unknown[0])} is none of {', '.join(MODES)}")
    is_chat = isinstance(model, ChatModel)
    is_free = is_chat or getattr(model, "vocabulary", None) is None
    if is_free and any(mode != "unconstrained" for mode in modes):
        raise ModelError('the model cannot be constrained: give modes=["unconstrained"]')
    settings: list[Setting] = []
    for mode in dict.fromkeys(modes):
        if mode == "unconstrained" and not is_chat:
            settings.append(Setting(mode, "auto"))
        else:
            settings += [Setting(mode, choice) for choice in dict.fromkeys(choices)]
    return settings


def _for(example: EvalExample, settings: list[Setting]) -> Iterator[Setting]:
    """The settings in which an example can be right."""
    abstains = example.expected.kind in ("words", "ask", "cannot")
    for setting in settings:
        if not abstains or setting.tool_choice in ("auto", "none"):
            yield setting


def _in_order(plan: list[tuple[EvalExample, Setting]]) -> Iterator[tuple[EvalExample, Setting]]:
    """Example by example, and without a grammar after with it: its turn may be known by then."""
    for _, group in itertools.groupby(plan, key=lambda asked: asked[0].id):
        turns = list(group)
        is_known = any(setting == BOUND for _, setting in turns)
        yield from sorted(turns, key=lambda asked: is_known and asked[1] == FREE)


def _left_alone(record: EvalRecord, sampling: Sampling) -> bool:
    """Whether a turn under the grammar is what the model writes without: it is greedy, each token
    was asked of it (none was forced), and the likeliest one was never forbidden.
    """
    masked = record.masked
    if sampling.temperature or masked is None or record.is_passing:
        return False
    # One more is asked of a turn that ends: the stop token.
    is_asked = masked.steps == record.tokens + (not record.is_truncated)
    return is_asked and masked.overruled == 0


def _head(
    model: Model | ChatModel, name: str, settings: list[Setting], options: _Options
) -> dict[str, Any]:
    form = options.form
    written = as_python(form.spec) + ("" if form.template is None else form.template.text)
    return {
        "schemask_evaluation": FORMAT,
        "model": name,
        # Names stay when a model is trained again, or a format is changed.
        "weights": getattr(model, "digest", None),
        "settings": [list(setting) for setting in settings],
        "format": form.name,
        "format_digest": hashlib.sha256(written.encode()).hexdigest()[:16],
        "sampling": dataclasses.asdict(options.sampling),
        "parallel": options.parallel,
        "reasoning_tokens": options.thinking.max_tokens,
        "nudge": options.nudge,
    }


def _continue(
    journal: Journal,
    head: Mapping[str, Any],
    plan: list[tuple[EvalExample, Setting]],
    resume: bool,
) -> dict[RecordKey, EvalRecord]:
    """The records that are there, of the same run; what a kill has torn is cut off."""
    name = str(journal.path)
    if journal.size and not resume:
        raise DataError(f"{name} has content, and is continued with resume=True only")
    lines = list(journal.lines())
    if lines and not lines[-1].endswith(b"\n"):
        if len(lines) == 1 and not line_of(head).startswith(lines[0]):
            raise DataError(f"{name}: not a file of records")
        journal.cut(journal.size - len(lines.pop()))
    if not lines:
        journal.append(line_of(head))
        return {}
    found = evaluation_of(lines, name)
    for key, value in head.items():
        if found.head.get(key) != value:
            was = shortened(found.head.get(key))
            raise DataError(f"{name} was made with another {key}: {was}, not {shortened(value)}")
    planned: dict[RecordKey, str] = {
        (example.id, *setting): example.digest for example, setting in plan
    }
    for number, record in enumerate(found.records, start=2):
        if planned.get(record.key) != record.digest:
            raise DataError(
                f"{name}: line {number}: a record of another example than this run has",
                line=number,
            )
    return {record.key: record for record in found.records}


def _record(
    model: Model | ChatModel, example: EvalExample, setting: Setting, options: _Options
) -> EvalRecord:
    writer = TurnWriter(model, example.tools, options.form, options.parallel, options.sampling)
    blank = _blank(example, setting)
    notes = MaskNotes()
    thoughts = Thoughts("", 0, 0.0)
    try:
        if setting.mode == "reasoned" and not isinstance(model, ChatModel):
            thoughts = writer.think(model, example.messages, options.nudge, options.thinking)
        turn = writer.write(
            example.messages,
            setting.tool_choice,
            constrained=setting.mode != "unconstrained",
            lead=thoughts.text,
            reasons=setting.mode == "reasoned",
            on_mask=notes,
        )
    except (FormatError, GenerationError, LimitError, SchemaError) as error:
        return dataclasses.replace(blank, problem=str(error))
    except ModelError as error:
        if isinstance(model, ChatModel):  # an endpoint, which may answer another time
            raise
        return dataclasses.replace(blank, problem=str(error), is_passing=True)
    parsed, problem = turn.parsed, turn.error
    if parsed is not None and any(_is_deep(call.arguments) for call in parsed.tool_calls):
        parsed, problem = None, f"a call is nested deeper than {_DEEPEST} levels"
    verdict: Verdict = example.judge(parsed, problem)
    vocabulary = getattr(model, "vocabulary", None)
    calls = [] if parsed is None else parsed.tool_calls
    return dataclasses.replace(
        blank,
        outcome=verdict.outcome,
        problem=verdict.problem,
        calls=tuple(shown_call(call.name, call.arguments) for call in calls),
        arguments=verdict.arguments,
        text=turn.text,
        lead=thoughts.text,
        is_truncated=turn.status == "truncated",
        seconds=round(thoughts.seconds + turn.seconds, 4),
        tokens=thoughts.tokens + turn.tokens,
        masked=None if vocabulary is None else notes.turn(turn, vocabulary),
    )


def _is_deep(arguments: Mapping[str, Any]) -> bool:
    level: list[Any] = [arguments]
    for _ in range(_DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, (dict, list))
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return bool(level)


def _blank(example: EvalExample, setting: Setting) -> EvalRecord:
    """The record of an example to which nothing came."""
    return EvalRecord(
        id=example.id,
        digest=example.digest,
        category=example.category,
        kind=example.expected.kind,
        mode=setting.mode,
        tool_choice=setting.tool_choice,
        outcome="failed",
        problem="",
        request=example.request,
        expected=example.expected.shown,
        calls=(),
        arguments=(),
        text="",
        lead="",
        is_truncated=False,
        seconds=0.0,
        tokens=0,
        masked=None,
    )
