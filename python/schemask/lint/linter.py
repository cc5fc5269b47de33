"""`lint`: looks at a file of training data as it would be trained."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from schemask._lines import Examples
from schemask._settings import check_whole
from schemask.chat import ChatFormat, ChatTemplate, chat_format
from schemask.chat.templates.encoders import encoder_of
from schemask.chat.templates.sources import Source, read_source
from schemask.errors import DataError, FormatError, check_flags, shortened
from schemask.lint.calls import look_at_calls, look_at_tools
from schemask.lint.comparison import Comparison
from schemask.lint.dialogues import look_at_order, look_at_turns, look_for_markers
from schemask.lint.dropped import DroppedParts
from schemask.lint.encoded import EncodedLines
from schemask.lint.report import LintReport, counts_of
from schemask.lint.rules import RULES, LintFinding
from schemask.lint.samples import Dialogue, Sample, raw_lines, read_line, sample_of
from schemask.lint.scripts import FormatWriter, PlainWriter, Script, Writer
from schemask.lint.statistics import StatisticsCounter
from schemask.lint.trained import Lengths, LossLooker
from schemask.models.tokenizers import load_tokenizer
from schemask.training.turns import Turns


def lint(
    data: Examples,
    tokenizer: Any,
    *,
    template: str | os.PathLike[str] | ChatTemplate | None = None,
    format: str | ChatFormat | None = None,
    trl: bool = False,
    max_length: int | None = None,
    against: Sequence[str | os.PathLike[str]] = (),
    ignore: Iterable[str] = (),
    keep: int = 100,
    progress: bool = False,
) -> LintReport:
    """Looks at training data as it would be trained, and says what a model would learn wrongly.

    Lines are conversations (`{"messages": [...], "tools": [...]}`), `{"prompt", "completion"}` of
    messages or of text, preferences (`{"prompt", "chosen", "rejected"}`; or `{"messages", "tools",
    "rejected"}`, as `schemask.synth.Pair` writes them), `{"text"}`, or encoded already
    (`{"input_ids", "labels"}`). Each is looked at by itself and beside the others. The file is read
    once, from beginning to end; of each line some 400 bytes are kept.

    Lines are encoded as `schemask.training.dataset` does it, which takes all lines of a file in
    which no error is found, if it gets the same tokenizer, format and `max_length`; those of `Pair`
    as `schemask.training.preferences` does it. With `trl`,
    conversations are written by the tokenizer's chat template from the messages as they are, as TRL
    does it by itself.

    Args:
        data: Path of a file of JSON lines, "-" for standard input, or examples, such as a
            `datasets.Dataset`.
        tokenizer: A tokenizer of transformers, a `llama_cpp.Llama`, or the path of a folder that
            transformers wrote or of a GGUF file, which is read as `schemask.training.train` reads
            it.
        template: Another template than the tokenizer's: its text, its path, or itself.
        format: A chat format or its name, as of `schemask.training.encode`; if none is given, the
            one that follows from the template. "template" names that one, too.
        trl: Look at what TRL makes of the lines without `schemask.training`.
        max_length: At which length, in tokens, a trainer cuts or refuses lines.
        against: Files whose requests the data must not hold, as `schemask.synth.Withheld.of` takes
            them.
        ignore: Ids of rules that are not looked for.
        keep: How many findings of each rule are kept; all are counted.
        progress: Show a progress bar on standard error.

    Raises:
        DataError: A file that cannot be read, or arguments of a wrong type.
        FormatError: A tokenizer or template of another kind; or there are conversations, and
            nothing that writes them.
        ModelError: A tokenizer that cannot be loaded.
        DependencyError: A library that the tokenizer needs is not installed.
    """
    check_flags(DataError, trl=trl, progress=progress)
    check_whole("keep", keep, least=0)
    if max_length is not None:
        check_whole("max_length", max_length, least=1)
    ignored = frozenset(ignore)
    if unknown := sorted(ignored - RULES.keys()):
        raise DataError(f"no rule is called {shortened(unknown[0])}; there are {', '.join(RULES)}")
    linter = Linter(
        tokenizer,
        template=template,
        format=format,
        trl=trl,
        max_length=max_length,
        against=against,
        ignored=ignored,
        keep=keep,
    )
    name = os.fspath(data) if isinstance(data, (str, os.PathLike)) else "data"
    if isinstance(data, (str, os.PathLike)):
        _read_file(linter, name, progress)
    else:
        with tqdm(data, unit=" lines", disable=not progress) as bar:
            for number, example in enumerate(bar, start=1):
                linter.look(number, example)
    return linter.report(name)


def _read_file(linter: Linter, name: str, progress: bool) -> None:
    is_file = name != "-" and Path(name).is_file()
    size = Path(name).stat().st_size if is_file else None
    with tqdm(total=size, unit="B", unit_scale=True, disable=not progress) as bar:
        for line in raw_lines(name):
            found = read_line(line)
            if isinstance(found, LintFinding):
                linter.add_line([found])
            else:
                linter.look(line.number, found)
            bar.update(line.end - bar.n)
            bar.set_postfix(errors=linter.errors, refresh=False)


class Linter:
    """Looks at lines one after the other; see `lint`."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        template: str | os.PathLike[str] | ChatTemplate | None,
        format: str | ChatFormat | None,
        trl: bool,
        max_length: int | None,
        against: Sequence[str | os.PathLike[str]],
        ignored: frozenset[str],
        keep: int,
    ) -> None:
        if template is not None and format is not None:
            raise DataError("conversations are written by a template or by a format, not by both")
        if trl and format is not None:
            raise DataError("TRL has a template write conversations, and no format")
        if isinstance(tokenizer, (str, os.PathLike)):
            tokenizer = load_tokenizer(tokenizer)
        self._writer: Writer | None
        self._encoded: EncodedLines | None = None
        if trl:
            self._writer = _writer_of(tokenizer, template)
        else:
            encoder_of(tokenizer, "")  # a clear error for what is no tokenizer
            turns = Turns(tokenizer, _format_of(tokenizer, template, format))
            self._encoded = EncodedLines(turns, max_length)
            self._writer = FormatWriter(turns.form)
        around = self._writer.around if self._writer is not None else ""
        encoder = encoder_of(tokenizer, around)
        self._markers = encoder.markers
        self._loss = LossLooker(encoder, self._writer, max_length)
        self._dropped: DroppedParts | None = None
        if isinstance(self._writer, PlainWriter):
            self._dropped = DroppedParts(self._writer)
        self._comparison = Comparison(against)
        self._counter = StatisticsCounter()
        self._ignored = ignored
        self._keep = keep
        self._lines = 0
        self._counts: Counter[str] = Counter()
        self._findings: dict[str, list[LintFinding]] = {}

    @property
    def errors(self) -> int:
        """How many errors have been found."""
        return sum(n for rule, n in self._counts.items() if RULES[rule].severity == "error")

    def look(self, number: int, example: Mapping[str, Any]) -> None:
        """Looks at one line."""
        if not isinstance(example, Mapping):
            message = f"no object, but {shortened(example)}"
            self.add_line([LintFinding("invalid-json", number, message)])
            return
        sample = sample_of(example, number)
        self._counter.add_line(sample)
        self.add_line(self._look(sample, example))

    def add_line(self, findings: Iterable[LintFinding]) -> None:
        """Counts a line, with what was found in it."""
        self._lines += 1
        self._add(findings)

    def _add(self, findings: Iterable[LintFinding]) -> None:
        for finding in findings:
            if finding.rule in self._ignored:
                continue
            self._counts[finding.rule] += 1
            kept = self._findings.setdefault(finding.rule, [])
            if len(kept) < self._keep:
                kept.append(finding)

    def report(self, name: str) -> LintReport:
        """What was found in all of them."""
        if not self._lines:
            self._add([LintFinding("no-lines", 1, "the file holds no line")])
        self._add(self._counter.last_findings())
        self._add(self._comparison.last_findings())
        counts = counts_of(self._counts)
        findings = [finding for rule in counts for finding in self._findings[rule]]
        return LintReport(name, self._lines, tuple(findings), counts, self._counter.statistics())

    def _look(self, sample: Sample, example: Mapping[str, Any]) -> Iterator[LintFinding]:
        if self._encoded is None:
            yield from self._look_at(sample)
        else:
            is_clean = True
            for finding in self._look_at(sample):
                is_error = finding.severity == "error" and finding.rule not in self._ignored
                # Neither keeps a line from being trained.
                is_clean &= not is_error or finding.rule in ("turn-order", "empty-turn")
                yield finding
            found = self._encoded.look(example, sample, is_clean=is_clean)
            yield from self._counted(found)
        yield from self._comparison.add(sample)

    def _look_at(self, sample: Sample) -> Iterator[LintFinding]:
        yield from sample.findings
        found = map(self._look_at_dialogue, sample.dialogues)
        # The two conversations of a preference have most messages in common.
        yield from dict.fromkeys(itertools.chain.from_iterable(found))
        if sample.text is not None:
            yield from self._counted(self._loss.text(sample))
        if sample.tokens is not None:
            yield from self._counted(self._loss.tokens(sample))

    def _look_at_dialogue(self, dialogue: Dialogue) -> Iterator[LintFinding]:
        yield from look_at_tools(dialogue)
        yield from look_at_order(dialogue)
        yield from look_at_turns(dialogue)
        yield from look_at_calls(dialogue)
        yield from self._counter.add_dialogue(dialogue)
        if self._encoded is None:  # which reads texts as text
            yield from look_for_markers(dialogue, self._markers)
            yield from self._look_at_text(dialogue)
        elif not dialogue.spoken:
            yield dialogue.finding("no-trained-tokens", "there is no turn of the assistant")

    def _counted(self, found: Iterable[LintFinding | Lengths]) -> Iterator[LintFinding]:
        for item in found:
            if isinstance(item, Lengths):
                self._counter.add_lengths(item.total, item.trained, item.forced)
            else:
                yield item

    def _look_at_text(self, dialogue: Dialogue) -> Iterator[LintFinding]:
        """What becomes of a conversation when it is written."""
        if self._writer is None:
            raise FormatError(
                "the tokenizer has no chat template: name one, or the format of conversations"
            )
        script = Script(dialogue, self._writer)
        try:
            text = script.text
        except FormatError as error:
            yield LintFinding("template-refuses", dialogue.line, str(error))
            return
        if self._dropped is not None:
            yield from self._dropped.look(dialogue)
            yield from _look_at_spelling(dialogue, text, self._dropped)
        yield from self._counted(self._loss.dialogue(script))


def _look_at_spelling(dialogue: Dialogue, text: str, dropped: Any) -> Iterator[LintFinding]:
    """Arguments that are JSON text and are written as a string."""
    for turn in dialogue.spoken:
        for at, call in enumerate(dialogue.raw[turn].get("tool_calls") or ()):
            arguments = call["function"].get("arguments")
            if isinstance(arguments, str) and arguments.strip():
                # Inside of a string of JSON, every quote is escaped.
                escaped = json.dumps(arguments, ensure_ascii=False)
                if '"' in arguments and escaped in text and arguments not in text:
                    problem = f"{call['function'].get('name')}: {escaped[:60]}"
                    path = ("tool_calls", at, "function", "arguments")
                    yield dialogue.finding("arguments-as-text", problem, turn, *path)


def _format_of(
    tokenizer: Any,
    template: str | os.PathLike[str] | ChatTemplate | None,
    format: str | ChatFormat | None,
) -> ChatFormat | None:
    """The format of conversations; None for the tokenizer's own."""
    if template is not None:
        writer = _writer_of(tokenizer, template)
        assert isinstance(writer, PlainWriter)
        return ChatFormat.from_template(writer.template)
    return None if format is None or format == "template" else chat_format(format)


def _writer_of(
    tokenizer: Any,
    template: str | os.PathLike[str] | ChatTemplate | None,
) -> Writer | None:
    """What writes conversations; None if nothing does."""
    if isinstance(template, ChatTemplate):
        return PlainWriter(template)
    source = read_source(tokenizer)
    if template is not None:
        text = read_source(template).text
        if text is None:
            raise FormatError(f"{shortened(template)} has no chat template")
        source = Source(text, source.named, source.special_tokens)
    return None if source.text is None else PlainWriter(ChatTemplate.made_of(source))
