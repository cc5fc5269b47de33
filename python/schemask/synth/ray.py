"""Stages on a cluster of Ray: the same lines as in one process."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pickle
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from schemask._lines import at_line, decoded, read_objects
from schemask._settings import check_whole
from schemask.errors import DataError, Error, check_flags, missing, shortened
from schemask.synth.crews import in_order
from schemask.synth.ledger import Ledger, as_line
from schemask.synth.outcomes import (
    Failure,
    Numbered,
    Outcome,
    Reduction,
    Results,
    Stage,
    applied,
    at_once,
    close,
    until_error,
)
from schemask.synth.stages import Reader, StageReport, check_places, digest_of_file


@dataclass(frozen=True)
class RayCluster:
    """How stages run on Ray: `run_stage(..., mapper=RayCluster())`, or `run_pipeline`.

    The cluster is the one that the program is connected to; `ray.init` says which, and what its
    processes need: stages are sent there by name, so the module of a stage must be there, too. A
    process that ends takes no line with it: what it had is done again, by another one.

    Attributes:
        workers: How many processes a stage gets; None is as many as there is room for. Those of a
            stage that has `close`, or takes GPUs, end with it.
        cpus: The CPUs that each of them takes.
        gpus: The GPUs that each of them takes.
        lines: How many lines are sent at once.
        retries: How often these are sent again because the process ended, before the run fails.

    Raises:
        DataError: A setting out of range.
        DependencyError: Ray is not installed.
    """

    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    lines: int = 64
    retries: int = 3

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_whole("workers", self.workers, 1)
        check_whole("lines", self.lines, 1)
        check_whole("retries", self.retries)
        for name, value in (("cpus", self.cpus), ("gpus", self.gpus)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise DataError(f"{name} is a number of at least 0, not {shortened(value)}")
        _check_ray()

    def __call__(self, stage: Stage, items: Iterable[Numbered]) -> Results:
        """What becomes of lines, in their order; what is read ahead is all of them.

        Args:
            stage: What to do with each line.
            items: The lines with their numbers.

        Raises:
            DataError: The stage cannot be sent, or Ray gave it up.
        """
        problems: list[DataError] = []
        dataset = self._sent(_source_rows(until_error(items, problems)))
        for row in self._read(self._mapped(stage, dataset)):
            account: Outcome | Failure = pickle.loads(row.account)
            yield row.number, account
        # As elsewhere, the lines before it are done.
        for problem in problems:
            raise problem

    def _sent(self, rows: Iterable[_Row], *, progress: bool = False) -> Any:
        """A dataset of rows."""
        import ray.data

        rows = iter(rows)
        blocks = iter(lambda: list(itertools.islice(rows, self.lines)), [])
        references = [ray.put(_table(block)) for block in blocks]
        dataset = ray.data.from_arrow_refs(references or [ray.put(_table([]))])
        dataset.context.execution_options.preserve_order = True
        dataset.context.enable_progress_bars = progress
        return dataset

    def _mapped(
        self, stage: Stage, dataset: Any, starts: _Starts | None = None, *, apart: bool = False
    ) -> Any:
        """The dataset of what becomes of the lines of another one.

        Args:
            stage: What to do with each line.
            dataset: Outcomes of a stage before, or the source.
            starts: The numbers of the stage's lines; None for the source, which has them.
            apart: Whether lines are kept beside what is said of them, for a stage that follows.
        """
        import ray

        try:
            pickled = ray.cloudpickle.dumps(stage)
        except Exception as error:  # a class raises what it likes there
            raise DataError(f"{stage.name} cannot be sent to other processes: {error}") from error
        # A reference in a list stays one: processes get the arrays from their machine's memory.
        numbers = [] if starts is None else [ray.put(starts.arrays())]
        work = (pickled, numbers, apart)
        with warnings.catch_warnings():
            # Ray has no other name yet for how often a process is started and a call repeated.
            warnings.filterwarnings("ignore", "`ray_remote_args`")
            return dataset.map_batches(
                **(self._kept_processes(work) if self._keeps(stage) else self._any_processes(work)),
                batch_size=None,
                batch_format="pyarrow",
                num_cpus=self.cpus,
                num_gpus=self.gpus,
            )

    def _keeps(self, stage: Stage) -> bool:
        """Whether a stage has processes of its own, which end with it: it holds what is scarce."""
        return self.gpus > 0 or hasattr(stage, "close")

    def _kept_processes(self, work: tuple[bytes, list[Any], bool]) -> dict[str, Any]:
        from ray.data import ActorPoolStrategy

        return {
            "fn": _RayWorker,
            "fn_constructor_args": work,
            "compute": ActorPoolStrategy(size=self.workers or self._room()),
            "max_restarts": -1 if self.retries else 0,
            "max_task_retries": self.retries,
        }

    def _any_processes(self, work: tuple[bytes, list[Any], bool]) -> dict[str, Any]:
        from ray.data import TaskPoolStrategy

        return {
            "fn": _apply,
            "fn_args": work,
            "compute": TaskPoolStrategy(self.workers),
            "max_retries": self.retries,
        }

    def _room(self) -> int:
        import ray

        there = ray.cluster_resources()
        needs = (("CPU", self.cpus), ("GPU", self.gpus))
        return max(1, min((int(there.get(what, 0) / n) for what, n in needs if n), default=1))

    def _read(self, dataset: Any, columns: Sequence[str] = ()) -> Iterator[_Row]:
        """The rows of a dataset, which is computed meanwhile."""
        last = -1
        with _ray_errors():
            if columns:
                dataset = dataset.select_columns(list(columns))
            for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                for values in table.to_pylist():
                    row = _Row(**values)
                    if row.number <= last:
                        raise DataError(f"Ray gave line {row.number + 1} after line {last + 1}")
                    last = row.number
                    yield row


def run_pipeline(
    stages: Sequence[Stage],
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    cluster: RayCluster | None = None,
    resume: bool = True,
    progress: bool = True,
    reader: Reader = read_objects,
) -> StageReport:
    """Applies stages one after the other on Ray, without files between them.

    The lines are those that `run_stage` writes with each stage and what the one before has written.
    They stay in the memory of the cluster; here come the source, what is written at last, and what
    a stage with a reduction keeps. `<target>.ledger.jsonl` has an entry for each line of the
    source: how many lines took its place at last, or which stage refused it, or the last one that
    came of it. A run that was killed computes all again and goes on writing where it was.

    Args:
        stages: What to do with each line, at least one.
        source: A file of JSON lines, which is read here.
        target: The file to write, or to go on with; other files are left as they are.
        cluster: How stages run there.
        resume: False refuses to touch files that have content.
        progress: Let Ray show how far it is.
        reader: Reads the source, if it is not plain JSON lines.

    Returns:
        What became of the lines of the source.

    Raises:
        DataError: A source that cannot be read, a target that cannot be written or is of other
            work, a line at which a stage failed (`line` says which line of the source it came of),
            what Ray could not do, or an argument of a wrong type.
        DependencyError: Ray is not installed.
    """
    check_flags(DataError, resume=resume, progress=progress)
    stages = tuple(stages) if isinstance(stages, (list, tuple)) else ()
    if not stages or not all(isinstance(stage, Stage) for stage in stages):
        raise DataError("a pipeline is a list of at least one stage")
    cluster = RayCluster() if cluster is None else cluster
    source, place = os.fspath(source), Path(target)
    check_places(source, place)
    digest, _ = digest_of_file(source)
    named = [{"stage": stage.name, "options": stage.options()} for stage in stages]
    report = StageReport()
    with Ledger(place, {"stages": named, "source": digest}, resume=resume) as ledger:
        for entry in ledger.entries:
            report.count(entry)
        report.found = report.read
        if ledger.is_finished:
            return report
        pipeline = _Pipeline(cluster, source, progress)
        outcomes = pipeline.outcomes(stages, reader(source))
        for number, outcome in itertools.islice(outcomes, report.found, None):
            try:
                report.count(ledger.add({"line": number}, outcome))
            except DataError as error:
                raise at_line(error, source, number) from error
        ledger.finish()
    return report


class _Row(NamedTuple):
    """What became of a line.

    Attributes:
        number: The number of the line in the input of the stage.
        origin: The number of the line of the source that it came of.
        account: The pickled outcome, without the lines if they are apart; or the failure.
        kept: How many lines there are.
        examples: The pickled lines, if they are apart.
    """

    number: int
    origin: int
    account: bytes
    kept: int
    examples: list[bytes] = []  # noqa: RUF012 - nobody adds to it


_NOTES = ("number", "origin", "account", "kept")


def _table(rows: list[_Row]) -> Any:
    import pyarrow

    number, data = pyarrow.int64(), pyarrow.large_binary()
    types = (number, number, data, number, pyarrow.large_list(data))
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pyarrow.table(dict(zip(_Row._fields, arrays, strict=True)))


def _source_rows(items: Iterable[Numbered]) -> Iterator[_Row]:
    for index, example in items:
        yield _Row(index, index, b"", 1, [pickle.dumps(example)])


class _Starts:
    """Numbers for the lines that a stage kept: those that they would have in a file."""

    def __init__(self) -> None:
        self._indices = array("q")
        self._numbers = array("q")
        self._next = 0

    def add(self, index: int, count: int) -> None:
        self._indices.append(index)
        self._numbers.append(self._next)
        self._next += count

    def arrays(self) -> tuple[Any, Any]:
        """Two arrays, which the processes of a machine share."""
        import numpy

        return numpy.asarray(self._indices), numpy.asarray(self._numbers)


class _RayWorker:
    """A stage in a process of the cluster."""

    def __init__(self, pickled: bytes, starts: Sequence[Any], apart: bool) -> None:
        import ray

        self._stage: Stage = pickle.loads(pickled)
        self._starts = ray.get(starts[0]) if starts else None
        self._apart = apart

    def __del__(self) -> None:
        if (stage := getattr(self, "_stage", None)) is not None:
            close(stage)

    def __call__(self, table: Any) -> Any:
        rows = [_Row(**values) for values in table.to_pylist()]
        calls = (
            functools.partial(self._made, data, index, row.origin)
            for row in rows
            for index, data in enumerate(row.examples, start=self._start(row.number))
        )
        return _table(list(in_order(calls, at_once(self._stage))))

    def _made(self, data: bytes, index: int, origin: int) -> _Row:
        try:
            example = pickle.loads(data)
            if self._starts is not None:
                # What a file between the stages would make of it.
                example = decoded(as_line(example).decode())
            result = applied(self._stage, example, index)
        except Error as error:
            result = Failure(str(error))
        return self._kept(result, index, origin)

    def _start(self, index: int) -> int:
        if self._starts is None:
            return index
        indices, numbers = self._starts
        return int(numbers[indices.searchsorted(index)])

    def _kept(self, result: Outcome | Failure, index: int, origin: int) -> _Row:
        examples: tuple[dict[str, Any], ...] = ()
        try:
            if isinstance(result, Outcome):
                examples = result.examples
            if not self._apart:
                return _Row(index, origin, pickle.dumps(result), len(examples))
            notes = pickle.dumps(_Notes.of(result) if isinstance(result, Outcome) else result)
            pickled = [pickle.dumps(example) for example in examples]
            return _Row(index, origin, notes, len(pickled), pickled)
        except Exception as error:  # objects raise what they like there
            problem = f"what {self._stage.name} made of it cannot be sent: {error}"
            return _Row(index, origin, pickle.dumps(Failure(problem)), 0)


@functools.lru_cache(maxsize=1)
def _worker(pickled: bytes, starts: tuple[Any, ...], apart: bool) -> _RayWorker:
    """The stage that this process has had last, with what it has loaded."""
    return _RayWorker(pickled, starts, apart)


def _apply(table: Any, pickled: bytes, starts: list[Any], apart: bool) -> Any:
    return _worker(pickled, tuple(starts), apart)(table)


class _Notes(NamedTuple):
    """What an outcome says besides its lines."""

    refused: str | None
    detail: str
    mended: tuple[str, ...]

    @classmethod
    def of(cls, outcome: Outcome) -> _Notes:
        return cls(outcome.refused, outcome.detail, outcome.mended)


@dataclass
class _Fate:
    """What stages said of a line of the source and of those that came of it."""

    refused: str | None = None
    cause: str = ""
    details: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    def outcome(self, examples: tuple[dict[str, Any], ...]) -> Outcome:
        mended = tuple(self.mended)
        if examples:
            return Outcome(examples, detail="; ".join(self.details), mended=mended)
        return Outcome(refused=self.refused, detail=self.cause, mended=mended)


class _Pipeline:
    """Stages one after the other, and what becomes of the lines of the source."""

    def __init__(self, cluster: RayCluster, source: str, progress: bool) -> None:
        self._cluster = cluster
        self._source = source
        self._progress = progress
        self._fates: dict[int, _Fate] = {}

    def outcomes(
        self, stages: Sequence[Stage], lines: Iterator[Numbered]
    ) -> Iterator[tuple[int, Outcome]]:
        """What becomes of the lines of the source at last, with their numbers from 1."""
        origins = array("q")

        def noted() -> Iterator[Numbered]:
            for number, example in lines:
                origins.append(number - 1)
                yield number - 1, example

        dataset = self._sent(_source_rows(noted()))
        if not origins:
            return
        starts: _Starts | None = None
        for stage in stages[:-1]:
            dataset, starts = self._passed(stage, dataset, starts)
        made = self._whole(stages[-1], dataset, starts)
        groups = itertools.groupby(made, key=lambda pair: pair[0].origin)
        group = next(groups, None)
        for origin in origins:
            examples: tuple[dict[str, Any], ...] = ()
            if group is not None and group[0] == origin:
                examples = tuple(itertools.chain(*(outcome.examples for _, outcome in group[1])))
                group = next(groups, None)
            yield origin + 1, self._fates.pop(origin, _Fate()).outcome(examples)

    def _sent(self, rows: Iterable[_Row]) -> Any:
        with _ray_errors():
            return self._cluster._sent(rows, progress=self._progress)

    def _passed(self, stage: Stage, dataset: Any, starts: _Starts | None) -> tuple[Any, _Starts]:
        """What a stage leaves to the next one."""
        following = _Starts()
        if hasattr(stage, "reduction"):
            made = self._whole(stage, dataset, starts)
            return self._sent(_rows_for(made, following)), following
        with _ray_errors():
            mapped = self._cluster._mapped(stage, dataset, starts, apart=True).materialize()
        for row in self._cluster._read(mapped, _NOTES):
            notes: _Notes | Failure = pickle.loads(row.account)
            self._note(stage, row, notes)
            following.add(row.number, row.kept)
        return mapped, following

    def _whole(
        self, stage: Stage, dataset: Any, starts: _Starts | None
    ) -> Iterator[tuple[_Row, Outcome]]:
        """What becomes of the lines of a stage, after its reduction."""
        make: Callable[[], Reduction] | None = getattr(stage, "reduction", None)
        reduction = None if make is None else make()
        for row in self._cluster._read(self._cluster._mapped(stage, dataset, starts)):
            result: Outcome | Failure = pickle.loads(row.account)
            if reduction is not None and isinstance(result, Outcome):
                result = reduction(result, row.number)
            self._note(stage, row, _Notes.of(result) if isinstance(result, Outcome) else result)
            assert isinstance(result, Outcome)
            yield row, result

    def _note(self, stage: Stage, row: _Row, notes: _Notes | Failure) -> None:
        if isinstance(notes, Failure):
            trace = RuntimeError(notes.trace) if notes.trace else None
            raise at_line(DataError(notes.problem), self._source, row.origin + 1) from trace
        if notes == (None, "", ()):
            return
        fate = self._fates.setdefault(row.origin, _Fate())
        fate.mended += [word for word in notes.mended if word not in fate.mended]
        if notes.refused is not None:
            fate.refused, fate.cause = notes.refused, f"{stage.name}: {notes.detail}"
        elif notes.detail:
            fate.details.append(f"{stage.name}: {notes.detail}")


def _rows_for(made: Iterable[tuple[_Row, Outcome]], starts: _Starts) -> Iterator[_Row]:
    """Rows for the stage that follows a reduction."""
    for row, outcome in made:
        starts.add(row.number, len(outcome.examples))
        pickled = [pickle.dumps(example) for example in outcome.examples]
        yield _Row(row.number, row.origin, b"", len(pickled), pickled)


@contextlib.contextmanager
def _ray_errors() -> Iterator[None]:
    """What Ray raises, as our errors."""
    import ray.exceptions

    try:
        yield
    except ray.exceptions.RayError as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"Ray gave up: {text[:2000]}") from error


def _check_ray() -> None:
    """Raises DependencyError if Ray is not installed."""
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise missing("Ray", "ray", error) from error
