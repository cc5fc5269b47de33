"""Synthetic training data: a teacher writes conversations that call given tools.

Line i of a file is a function of the seed, of i, and of the lines before it, however many requests
are open at once: only duplicates depend on other lines, and they are settled in the order of lines.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from schemask._lines import read_objects
from schemask._settings import check_whole
from schemask.core.generation import check_count
from schemask.core.sampling import Sampling, check_is_sampling
from schemask.errors import DataError, check_flags, shortened
from schemask.synth.answers import said_by_user
from schemask.synth.crews import crew_of
from schemask.synth.drafts import DraftWriter
from schemask.synth.kinds import Kind, full_shares
from schemask.synth.ledger import Ledger
from schemask.synth.outcomes import Outcome
from schemask.synth.plans import Plan
from schemask.synth.teachers import TEACHING, Teacher, TeacherDesk
from schemask.tools import ToolSet, ToolsLike


@dataclass
class Report:
    """What is in a file, and what was refused on the way.

    Attributes:
        written: Lines that this run added.
        found: Lines that were there before.
        refused: Why answers were not written, with how often, also in earlier runs: "invalid" (not
            of the schema, or text that no chat format can write), "cut off" (at the token limit),
            "duplicate", "unlinked" (a chain in which a later call has nothing of an earlier
            result), "not missing" (the user says at once what should be asked for).
        kinds: How many lines there are of each kind.
    """

    written: int = 0
    found: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def count(self, entry: Mapping[str, Any]) -> None:
        """Counts an entry of the ledger.

        Args:
            entry: The entry, as JSON.
        """
        self.kinds[entry["kind"]] += 1
        self.refused.update(refusal["refused"] for refusal in entry.get("refusals", ()))


def generate(
    teacher: Teacher,
    tools: ToolsLike,
    count: int,
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    shares: Mapping[Kind, float] | None = None,
    chains: Iterable[Sequence[str]] | None = None,
    most_tools: int | None = None,
    label: str = "",
    sampling: Sampling = TEACHING,
    attempts: int = 16,
    concurrency: int | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Report:
    """Writes `count` conversations to the JSON lines file `path`.

    A line is `{"messages": [...], "tools": [...]}`, as TRL's `SFTTrainer` and transformers'
    `apply_chat_template(messages, tools=tools)` read it. A `TeacherRequest` says what kinds of
    conversations there are.

    In no two lines does the user say the same, apart from case, spaces and punctuation. Every call
    names a tool that the line offers, and its arguments are valid; a model with a vocabulary is
    constrained so that they are, and what any other teacher writes is checked. An answer that is
    refused is asked for again with other hints, after some of them as another kind.

    Beside the file, `<path>.ledger.jsonl` says of each line what kind it is and which answers were
    refused before, and why. The two are continued where a run ended or was killed; with the same
    teacher, they become the same as without the kill, whatever `concurrency` is.

    Args:
        teacher: A model adapter, or a function from a `TeacherRequest` to an example (a dict as the
            request's `schema` says), plain or `async def`.
        tools: The tools; none of them is run.
        count: Lines that the file shall have in the end.
        path: The file. It is continued if it holds lines of this function for these tools, seed,
            shares, chains, offers and label; any other file is left as it is. While one run writes
            it, another is refused.
        seed: Decides about everything that is drawn.
        shares: How many of all conversations are of each kind, from 0 to 1; of kinds that are not
            named, as many as are left, in the proportions of the defaults: half of them "call", a
            tenth each other kind. Where no tool has a required argument, or none can follow
            another, "missing_value" and "chain" become "call"; with one tool alone, "missing_tool"
            becomes "words".
        chains: Which tools follow each other in a chain, such as
            `[("find_user", "send_mail")]`; None is any two different ones of which the second takes
            arguments.
        most_tools: The most tools that a conversation offers, beside those that it calls; None is
            all.
        label: What the ledger calls the teacher, by which alone it is known: a file with another
            label is left as it is.
        sampling: How the teacher's tokens are chosen, if it is a model, and how many a conversation
            may have; each request has a seed of its own instead of `sampling.seed`.
        attempts: How often to ask for a line before giving up.
        concurrency: How many requests the teacher gets at once: by default 8 for an endpoint or an
            `async def`, 1 for any other. A plain function and an endpoint are called in threads
            then. A model that runs in this process always gets one.
        resume: False refuses to touch a file that has content.
        progress: Show a progress bar on standard error.

    Raises:
        DataError: A file that cannot be continued (damaged, other tools, another writer) or
            written, or a line for which all attempts were refused; lines written so far stay.
        ToolError: What cannot be a tool.
        SchemaError: Parameters of a tool that are no JSON Schema, or that nothing satisfies.
        UnsupportedSchemaError: Parameters of a tool that are not supported exactly.
        LimitError: Parameters of a tool that take too much work.
        ModelError: What the teacher raises, if it is a model. What a function raises passes
            through.
    """
    check_is_sampling(sampling)
    check_flags(DataError, resume=resume, progress=progress)
    desk = TeacherDesk(teacher, sampling)
    plan, place = _checked(
        tools, count, path, seed, shares, chains, most_tools, attempts, concurrency
    )
    report = Report()
    with Ledger(place, _head(plan, label), resume=resume) as ledger:
        for entry in ledger.entries:
            report.count(entry)
        report.found = len(ledger.entries)
        writer = DraftWriter(plan, desk, attempts, _said_before(place, report.found))
        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(
                tqdm(
                    total=count,
                    initial=min(report.found, count),
                    unit="line",
                    disable=not progress,
                )
            )
            size = desk.concurrency(concurrency)
            crew = stack.enter_context(crew_of(size, is_async=desk.is_async))
            drafts = writer.drafts(crew, range(report.found, count), ledger.flush)
            # Closed, it asks for nothing more.
            for draft in stack.enter_context(contextlib.closing(drafts)):
                report.count(ledger.add(draft.entry, Outcome((draft.line,))))
                report.written += 1
                bar.update()
                bar.set_postfix(report.refused, refresh=False)
    return report


def check(
    tools: ToolsLike,
    count: int,
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    shares: Mapping[Kind, float] | None = None,
    chains: Iterable[Sequence[str]] | None = None,
    most_tools: int | None = None,
    label: str = "",
    attempts: int = 16,
    concurrency: int | None = None,
    resume: bool = True,
) -> None:
    """Raises what `generate` would raise before it asks the teacher; nothing is changed.

    Args:
        tools: The tools.
        count: Lines that the file shall have in the end.
        path: The file, which need not exist.
        seed: Decides about everything that is drawn.
        shares: How many of all conversations are of each kind.
        chains: Which tools follow each other in a chain.
        most_tools: The most tools that a conversation offers, beside those that it calls.
        label: What the ledger calls the teacher.
        attempts: How often to ask for a line before giving up.
        concurrency: How many requests the teacher gets at once.
        resume: False refuses a file that has content.

    Raises:
        DataError: No tools, a number or share out of range, or a file that cannot be continued:
            damaged, other tools, another writer.
        ToolError: What cannot be a tool.
        ModelError: A seed that is none.
    """
    check_flags(DataError, resume=resume)
    plan, place = _checked(
        tools, count, path, seed, shares, chains, most_tools, attempts, concurrency
    )
    with Ledger(place, _head(plan, label), resume=resume) as ledger:
        _said_before(place, len(ledger.entries))


def _checked(
    tools: ToolsLike,
    count: int,
    path: str | os.PathLike[str],
    seed: int,
    shares: Mapping[Kind, float] | None,
    chains: Iterable[Sequence[str]] | None,
    most_tools: int | None,
    attempts: int,
    concurrency: int | None,
) -> tuple[Plan, Path]:
    tool_set = ToolSet.of(tools)
    if not len(tool_set):
        raise DataError("no tools to write conversations for")
    check_whole("count", count)
    check_whole("attempts", attempts, least=1)
    if concurrency is not None:
        check_whole("concurrency", concurrency, least=1)
    if most_tools is not None:
        check_whole("most_tools", most_tools, least=1)
    check_count("seed", seed, least=0)
    plan = Plan(tool_set, int(seed), full_shares(shares), chains, most_tools)
    try:
        os.stat(place := Path(path))
    except OSError:
        return plan, place  # `Journal` tells
    except (TypeError, ValueError) as error:
        raise DataError(f"path is the place of a file, not {shortened(path)}") from error
    return plan, place


def _head(plan: Plan, label: str) -> dict[str, Any]:
    if not isinstance(label, str):
        raise DataError(f"label is a text, not {shortened(label)}")
    named = {"teacher": label} if label else {}
    return {"stage": "write", "options": {**named, **plan.options()}}


def _said_before(path: Path, count: int) -> dict[str, int]:
    """What the users say in the lines that are there, with the numbers of the lines."""
    if not count:
        return {}
    lines = itertools.islice(read_objects(path.absolute()), count)
    return {said_by_user(example["messages"]): number for number, example in lines}
