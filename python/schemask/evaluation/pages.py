"""One page that shows one or several evaluations: rates, plots, and all that is not right."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from schemask._files import replacing
from schemask.errors import DataError, shortened
from schemask.evaluation.plots import NamedRow, mask_plot, outcome_plot, right_plot, visible
from schemask.evaluation.records import EvalRecord, Evaluation
from schemask.evaluation.summary import FaultRow, summarize
from schemask.evaluation.verdicts import OUTCOMES

FAULTS = ("tool", "missing", "unexpected", "type", "value")
MARK = b'<meta name="generator" content="schemask report">'
LONGEST_TEXT = 4000


class ChangeRow(NamedTuple):
    """What became of examples that two evaluations have in common, in one setting."""

    setting: str
    before: str
    after: str
    common: int
    gained: int
    lost: int


@dataclass
class ShownExample:
    """An example, and what came of it in each evaluation and setting."""

    id: str
    kind: str
    request: str
    expected: Any
    answers: list[tuple[str, EvalRecord]] = field(default_factory=list)

    @property
    def wrong(self) -> list[tuple[str, EvalRecord]]:
        """The answers that are not right."""
        return [(name, record) for name, record in self.answers if record.outcome != "right"]


def report(
    evaluations: Mapping[str, Evaluation] | Sequence[Evaluation],
    path: str | os.PathLike[str],
    *,
    title: str = "How well models call tools",
    notes: Sequence[str] = (),
    plots: str | os.PathLike[str] | None = None,
) -> None:
    """Writes an HTML page, which needs nothing else, of one evaluation or of several to compare.

    It has the rates of `summarize`, plots, the faults of arguments, which examples were gained and
    lost between the first evaluation and each other, and all that is not right. The same records
    give the same file. It takes the place of an older report, and of no other file.

    Args:
        evaluations: What `read_records` or `evaluate` gave, by name ("before", "after"); without
            names, those of the models.
        path: Where the page shall be.
        title: Its title.
        notes: Paragraphs that it begins with.
        plots: A folder into which the plots are written, too, as SVG.

    Raises:
        DataError: An argument of a wrong type, a file that cannot be written, or one that is there
            and is no report.
        DependencyError: matplotlib is not installed.
    """
    named = _named(evaluations)
    texts = [notes] if isinstance(notes, str) else [title, *notes]
    if isinstance(notes, str) or not all(isinstance(text, str) for text in texts):
        raise DataError("title is a text, and notes are a list of texts")
    target = Path(path)
    _check_target(target)
    folder = None if plots is None else _folder(Path(plots))
    rows = _rows(named)
    if not rows:
        raise DataError("there is nothing to report: the evaluations hold no record")
    drawn = {
        "outcomes": outcome_plot(rows),
        "right": right_plot(rows),
        "masks": mask_plot(rows),
    }
    page = (
        _environment()
        .from_string(_template())
        .render(
            mark=Markup(MARK.decode()),
            title=title,
            notes=notes,
            evaluations=named,
            rows=rows,
            outcomes=[name for name in OUTCOMES if any(row.outcomes.get(name) for _, row in rows)],
            plots={key: Markup(text) for key, text in drawn.items() if text},
            changes=_changes(named),
            fault_names=FAULTS,
            faults=_faults(named),
            groups=_groups(named),
        )
    )
    with replacing(target, force=True) as file:
        file.write(page.encode())
    if folder is not None:
        _write_plots(folder, drawn)


def _named(evaluations: Any) -> dict[str, Evaluation]:
    if isinstance(evaluations, Mapping):
        named = dict(evaluations)
    elif isinstance(evaluations, Sequence) and not isinstance(evaluations, (str, Evaluation)):
        named = {}
        for number, found in enumerate(evaluations, start=1):
            name = getattr(found, "name", "") or f"evaluation {number}"
            named[f"{name} ({number})" if name in named else name] = found
    else:
        raise DataError(f"evaluations are a list or a mapping, not {shortened(evaluations)}")
    for name, found in named.items():
        if not isinstance(name, str) or not isinstance(found, Evaluation):
            raise DataError(f"evaluations are Evaluation by name, not {shortened(found)}")
    if not named:
        raise DataError("no evaluation to report")
    return named


def _check_target(path: Path) -> None:
    try:
        if path.is_file():
            with path.open("rb") as file:
                if file.read(1) and MARK not in file.read(1000):
                    raise DataError(f"{path} exists, and is no report")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _folder(path: Path) -> Path:
    """The folder, which is made if there is none."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    return path


def _write_plots(folder: Path, drawn: Mapping[str, str]) -> None:
    for key, text in drawn.items():
        if text:
            with replacing(folder / f"{key}.svg", force=True) as file:
                file.write(text.replace('style="', 'style="background:#fff;', 1).encode())


def _rows(named: Mapping[str, Evaluation]) -> list[NamedRow]:
    """The rows of all summaries, so that those to compare are beside one another."""
    rows = [
        NamedRow(name, row)
        for name, found in named.items()
        for row in summarize(found.records).rows
    ]
    categories = list(dict.fromkeys(row.category for _, row in rows))
    settings = list(dict.fromkeys(row.setting for _, row in rows))
    if "all" in categories:
        categories.sort(key=lambda category: category == "all")
    return sorted(
        rows,
        key=lambda found: (
            categories.index(found.row.category),
            settings.index(found.row.setting),
        ),
    )


def _faults(named: Mapping[str, Evaluation]) -> list[tuple[str, FaultRow]]:
    rows = [(name, row) for name, found in named.items() for row in summarize(found.records).faults]
    return sorted(rows, key=lambda found: (found[1].setting, found[1].kind))


def _changes(named: Mapping[str, Evaluation]) -> list[ChangeRow]:
    """How the first evaluation compares with each other one, example by example."""
    outcomes = {
        name: {
            (record.setting, record.category, record.id, record.digest): record.outcome == "right"
            for record in found.records
        }
        for name, found in named.items()
    }
    first, *others = outcomes
    rows: list[ChangeRow] = []
    for other in others:
        counts: Counter[str] = Counter()
        gained: Counter[str] = Counter()
        lost: Counter[str] = Counter()
        for key, was_right in outcomes[first].items():
            if key in outcomes[other]:
                is_right = outcomes[other][key]
                counts[key[0]] += 1
                gained[key[0]] += is_right and not was_right
                lost[key[0]] += was_right and not is_right
        rows += [
            ChangeRow(setting, first, other, count, gained[setting], lost[setting])
            for setting, count in counts.items()
        ]
    return rows


def _groups(named: Mapping[str, Evaluation]) -> dict[str, list[ShownExample]]:
    """The examples of each category that are not right everywhere."""
    shown: dict[tuple[str, str, str], ShownExample] = {}
    for name, found in named.items():
        for record in found.records:
            key = (record.category, record.id, record.digest)
            if key not in shown:
                shown[key] = ShownExample(record.id, record.kind, record.request, record.expected)
            shown[key].answers.append((name, record))
    groups: dict[str, list[ShownExample]] = {}
    for (category, _, _), example in shown.items():
        if example.wrong:
            groups.setdefault(category, []).append(example)
    return groups


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=lambda value: (
            visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        ),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shown"] = _shown
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    return environment


def _template() -> str:
    return Path(__file__).with_name("report.html").read_text(encoding="utf-8")


def _shown(value: Any, length: int = LONGEST_TEXT) -> str:
    """A value as text, which is cut if it is long."""
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, indent=None if length < 1000 else 1)
    if len(text) <= length:
        return text
    return f"{text[:length]}… ({len(text) - length} more characters)"
