"""The whole loop: from Python functions to a model that calls them better, with proof."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemask._files import Journal, replacing
from schemask.core.generation import count_problem
from schemask.core.sampling import Sampling
from schemask.errors import DataError, check_flags, shortened
from schemask.evaluation import (
    EvalExample,
    Evaluation,
    evaluate,
    plots,
    read_examples,
    read_records,
    report,
    summarize,
)
from schemask.evaluation.runs import Mode
from schemask.lint import lint
from schemask.models import open_model
from schemask.models.digests import file_facts
from schemask.models.tokenizers import load_tokenizer, model_location
from schemask.synth import (
    Augment,
    Decontaminate,
    Execute,
    Kind,
    Phrasebook,
    Stage,
    Teacher,
    Withheld,
    everyday,
    generate,
    run_stage,
)
from schemask.synth.ledger import as_line, differences
from schemask.synth.settings import digest_of
from schemask.tools import ToolSet
from schemask.tools.files import python_values, tools_among
from schemask.training import TrainingOptions, TrainingReport, encode_turns, train
from schemask.training.gguf_file import write_gguf
from schemask.training.runs import check_libraries
from schemask.training.weights import load_weights

SHARES: dict[Kind, float] = {
    "call": 0.35,
    "parallel": 0.12,
    "chain": 0.0,
    "missing_tool": 0.2,
    "missing_value": 0.2,
    "words": 0.13,
}
"""The kinds of conversations: those that a phrasebook can write.

Where a value is missing, the user tells it when asked, so that these hold a call, too.
"""

HELD_OUT_PHRASES = 0.25
"""The share of a phrasebook's phrases that only the evaluation sees."""

MASKED = 0.3
"""The share of conversations about everyday tools whose names say nothing."""

MOST_TOOLS = 3
"""The most everyday tools that are offered beside those that are called."""

OPTIONS = TrainingOptions(epochs=1)
"""How a model is trained: once through the data."""

_MODES: tuple[Mode, ...] = ("unconstrained", "constrained")
_SAMPLING = Sampling(max_tokens=128)


@dataclass(frozen=True)
class Improvement:
    """What became of a model.

    Attributes:
        model: The folder of the trained model, which transformers and vLLM load.
        gguf: The same for llama.cpp, or None if none was asked for.
        report: The report, for a browser.
        before: What the model did that was given.
        after: What the trained one did.
    """

    model: Path
    gguf: Path | None
    report: Path
    before: Evaluation
    after: Evaluation


def improve(
    functions: str | os.PathLike[str],
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    teacher: Teacher | None = None,
    count: int = 900,
    others: int = 900,
    held_out: int = 100,
    examples: Sequence[EvalExample] = (),
    options: TrainingOptions | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> Improvement:
    """Trains a model to call the functions of a file, and measures what that changed.

    Conversations are written, and carried out by the functions themselves. As many others about
    everyday tools are trained beside them: with its own few functions alone, a model would learn to
    call these whatever is offered and asked, instead of reading what is. Those that are held out
    are like none of the others, and have other phrases if the teacher is a phrasebook; nor is a
    request of `examples` trained. The linter must find no error in what is trained. Both models are
    asked what was held out, with and without a grammar, and both as the same kind of file: the one
    that was given is written as the trained one is. All of it is kept in `out`, and a run that was
    killed goes on there; another one, or a second one at the same time, leaves it as it is.

    Args:
        functions: A Python file with `@tool` functions and, if no teacher is given, a `Phrasebook`.
        model: A folder of transformers, or a GGUF file.
        out: The folder to write: `data/`, `model/`, records and `report.html`.
        teacher: Who writes the conversations, if it is not the phrasebook of the file.
        count: Conversations to write for training.
        others: Conversations about everyday tools to train beside them.
        held_out: Conversations to write for the evaluation.
        examples: What to ask beside these, such as `read_bfcl(...)`.
        options: How to train; by default once through the data.
        seed: Decides about everything that is drawn.
        say: Gets a line about each step.
        progress: Show progress bars on standard error.

    Raises:
        DataError: No teacher; data in which the linter finds errors; or a folder with other work,
            such as a run with another file, model, count, seed or option.
        ToolError: A file without tools, or one that cannot be run.
        FormatError: A template of the model from which no format follows.
        ModelError: A model that cannot be loaded or trained.
        DependencyError: A library is missing that training or evaluation needs.
    """
    for what, number in {"count": count, "held_out": held_out}.items():
        if problem := count_problem(what, number):
            raise DataError(problem)
    if problem := count_problem("others", others, least=0):
        raise DataError(problem)
    check_flags(DataError, progress=progress)
    options = OPTIONS if options is None else options
    if not isinstance(options, TrainingOptions):
        raise DataError(f"options are TrainingOptions, not {shortened(options)}")
    values = python_values(functions)
    tools = tools_among(values, functions)
    has_teacher = teacher is not None
    if teacher is None:
        teacher = _found_teacher(values)
    writers = (teacher, teacher)
    if isinstance(teacher, Phrasebook):
        teacher.check(tools)
        writers = teacher.divided(HELD_OUT_PHRASES, seed)
    folder = Path(out)
    given = model_location(model)
    check_libraries()  # what is missed at the end would be missed after an hour
    plots.check_library()
    tokenizer = load_tokenizer(given)
    steps = _Steps(Path(functions), tools, folder, options, seed, progress, say)
    deciding = {
        "functions": Execute(os.fspath(functions)).options()["tools"],
        "model": digest_of(file_facts(given)),
        "has_teacher": has_teacher,
        "count": count,
        "others": others,
        "held_out": held_out,
        "examples": digest_of([example.digest for example in examples]),
        # A checkpoint may be made at any step.
        "options": {**dataclasses.asdict(options), "save_steps": None},
        "seed": seed,
    }
    with steps.begun(deciding):
        steps.write_data(*writers, count, others, held_out, examples, tokenizer)
        steps.check_data(given)
        asked = [*read_examples(steps.held_out, category="held-out"), *examples]
        before = steps.evaluate_given(given, asked)
        say("training")
        trained = train(steps.data, model, folder / "model", options=options, progress=progress)
        steps.say_trained(trained)
        place = trained.gguf or folder / "model"
        after = steps.evaluate(place, "after", asked)
        page = folder / "report.html"
        report(
            {"before": before, "after": after},
            page,
            title=f"Before and after training on {Path(functions).name}",
        )
    say(f"the report: {page}")
    return Improvement(folder / "model", trained.gguf, page, before, after)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error


def _other(found: bytes, head: bytes) -> str:
    """What the mark of a folder says, in words, that is not that of this run."""
    try:
        differing = differences(json.loads(found), json.loads(head))
        return f"another run: {'; '.join(differing)}"
    except (ValueError, AttributeError, RecursionError):
        return "other files"


def _found_teacher(names: dict[str, object]) -> Phrasebook:
    found = [value for value in names.values() if isinstance(value, Phrasebook)]
    if len(found) != 1:
        raise DataError(f"no teacher was given, and the file has {len(found)} phrasebooks, not one")
    return found[0]


class _Steps:
    """The steps of a run, whose files lie in its folder."""

    def __init__(
        self,
        functions: Path,
        tools: ToolSet,
        folder: Path,
        options: TrainingOptions,
        seed: int,
        progress: bool,
        say: Callable[[str], None],
    ) -> None:
        self._functions = functions
        self._tools = tools
        self._folder = folder
        self._options = options
        self._seed = seed
        self._progress = progress
        self._say = say
        self.data = folder / "data" / "train.jsonl"
        self.held_out = folder / "data" / "held-out.jsonl"
        self._withheld = [self.held_out]

    @contextlib.contextmanager
    def begun(self, deciding: Mapping[str, Any]) -> Iterator[None]:
        """Keeps the folder for this run alone, which goes on or is new there.

        Args:
            deciding: What decides about all that is written, as JSON.

        Raises:
            DataError: Another run was there before, or is at work.
        """
        head, folder = as_line(deciding), self._folder
        _make(folder)
        with Journal(folder / "run.json") as mark:
            found = b"".join(mark.lines())
            if found != head:
                if not head.startswith(found):  # which a kill has torn, or it is not there yet
                    raise DataError(
                        f"{folder} holds {_other(found, head)}: give another folder "
                        "or empty this one"
                    )
                mark.cut(0)
                mark.append(head)
            _make(folder / "data")
            yield

    def write_data(
        self,
        teacher: Teacher,
        other: Teacher,
        count: int,
        others: int,
        held_out: int,
        examples: Sequence[EvalExample],
        tokenizer: Any,
    ) -> None:
        """Conversations to train on, and others, by the other teacher, to be asked."""
        self._generate(other, held_out, self.held_out, self._seed + 1)
        data = self._folder / "data"
        self._generate(teacher, count, data / "drafts.jsonl", self._seed)
        self._run(Execute(str(self._functions)), data / "drafts.jsonl", data / "executed.jsonl")
        parts = [data / "executed.jsonl"]
        if others:
            tools, phrases = everyday(besides=self._tools.names)
            self._generate(
                phrases, others, data / "others.jsonl", self._seed + 2, tools, MOST_TOOLS
            )
            masked = Augment(seed=self._seed, mask=MASKED)
            self._run(masked, data / "others.jsonl", data / "masked.jsonl")
            self._keep_trainable(data / "masked.jsonl", data / "trainable.jsonl", tokenizer)
            parts.append(data / "trainable.jsonl")
        with replacing(data / "all.jsonl", force=True) as file:
            file.writelines(part.read_bytes() for part in parts)
        self._write_requests(examples)
        self._run(Decontaminate(Withheld.of(*self._withheld)), data / "all.jsonl", self.data)

    def _keep_trainable(self, source: Path, target: Path, tokenizer: Any) -> None:
        """Leaves out what this model's format cannot write, or not in so many tokens.

        Nobody chose these conversations, so that none of them may stop a run.
        """
        options = self._options
        refused = 0
        with source.open("rb") as lines, replacing(target, force=True) as file:
            for line in lines:
                try:
                    encode_turns(
                        json.loads(line),
                        tokenizer,
                        format=options.format,
                        max_length=options.max_length,
                    )
                except DataError:
                    refused += 1
                else:
                    file.write(line)
        self._say(f"{target.name}: {refused} left out, too long or not of the format")

    def _write_requests(self, examples: Sequence[EvalExample]) -> None:
        texts = [
            message["content"]
            for example in examples
            for message in example.messages
            if message["role"] == "user" and message["content"].strip()
        ]
        if texts:
            path = self._folder / "data" / "asked.jsonl"
            with replacing(path, force=True) as file:
                file.writelines(json.dumps({"text": text}).encode() + b"\n" for text in texts)
            self._withheld.append(path)

    def check_data(self, model: Path) -> None:
        """Has the linter look at the data."""
        options = self._options
        found = lint(
            self.data,
            str(model),
            format=options.format,
            max_length=None if options.drop_long else options.max_length,
            against=self._withheld,
            progress=self._progress,
        )
        with replacing(self._folder / "lint.json", force=True) as file:
            file.write(json.dumps(found.as_json(), ensure_ascii=False, indent=1).encode())
        self._say(f"lint: {found.errors} errors, {found.warnings} warnings")
        if found.errors:
            raise DataError(f"{self.data} must not be trained on:\n{found.as_text()}")

    def say_trained(self, trained: TrainingReport) -> None:
        """What was trained, and what was too long for it."""
        with self.data.open("rb") as file:
            lines = sum(1 for _ in file)
        self._say(
            f"trained: {trained.rows} rows of {lines} conversations, {trained.steps} steps, "
            f"loss {trained.first_loss:.3f} to {trained.last_loss:.3f}"
        )

    def evaluate_given(self, model: Path, asked: Sequence[EvalExample]) -> Evaluation:
        """Asks the model that was given, in the form in which the trained one will be asked.

        Else the two would also differ in how their numbers are held, and in who computes.
        """
        if (known := self._answered("before", asked)) is not None:
            return self._told("before", known)
        kind = self._options.gguf
        if kind is None and model.is_dir():
            return self.evaluate(model, "before", asked)
        copy = self._folder / ("before" if kind is None else "before.gguf")
        weights = load_weights(model, load_tokenizer(model))
        try:
            if kind is None:
                weights.model.bfloat16().save_pretrained(copy)
                weights.tokenizer.save_pretrained(copy)
            else:
                write_gguf(weights, copy, kind)
            del weights
            found = self.evaluate(copy, "before", asked)
            copy.unlink() if copy.is_file() else shutil.rmtree(copy)
        except OSError as error:
            raise DataError(f"{copy}: {error.strerror or error}") from error
        return found

    def _answered(self, name: str, asked: Sequence[EvalExample]) -> Evaluation | None:
        """The answers of an earlier run, if all are there."""
        path = self._folder / f"{name}.jsonl"
        if not path.exists():
            return None
        found = read_records(path)
        told = {record.key: record.digest for record in found.records if not record.is_passing}
        wanted = {
            (example.id, mode, "auto"): example.digest for example in asked for mode in _MODES
        }
        return found if told == wanted else None

    def evaluate(self, model: Path, name: str, asked: Sequence[EvalExample]) -> Evaluation:
        """Asks a model."""
        found = evaluate(
            open_model(model),
            asked,
            self._folder / f"{name}.jsonl",
            modes=_MODES,
            sampling=_SAMPLING,
            format=self._options.format,
            name=name,
            progress=self._progress,
        )
        return self._told(name, found)

    def _told(self, name: str, found: Evaluation) -> Evaluation:
        for row in summarize(found.records).rows:
            self._say(f"{name}, {row.category}, {row.setting}: {row.right} right")
        return found

    def _generate(
        self,
        teacher: Teacher,
        count: int,
        path: Path,
        seed: int,
        tools: ToolSet | None = None,
        most_tools: int | None = None,
    ) -> None:
        done = generate(
            teacher,
            self._tools if tools is None else tools,
            count,
            path,
            seed=seed,
            shares=SHARES,
            most_tools=most_tools,
            progress=self._progress,
        )
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(done.kinds.items()))
        self._say(f"{path.name}: {done.found + done.written} conversations ({kinds})")

    def _run(self, stage: Stage, source: Path, target: Path) -> None:
        done = run_stage(stage, source, target, progress=self._progress)
        self._say(f"{target.name}: {done}")
