"""Files of conversations as datasets that TRL's trainers take as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from schemask._lines import Examples, at_line, read_objects
from schemask.chat import ChatFormat
from schemask.core.vocabulary import Vocabulary
from schemask.errors import DataError, Error, check_flags, missing, shortened
from schemask.tools import ToolsLike
from schemask.training.labels import checked_length, joined
from schemask.training.turns import LearnedTurn, Loss, Turns

if TYPE_CHECKING:
    from datasets import Dataset


def dataset(
    source: Examples,
    tokenizer: Any,
    *,
    tools: ToolsLike | None = None,
    format: str | ChatFormat | None = None,
    loss: Loss = "all",
    max_length: int | None = None,
    drop_long: bool = False,
    vocabulary: Vocabulary | None = None,
) -> Dataset:
    """Conversations with exact labels, for TRL's `SFTTrainer`, which takes them as they are.

        SFTTrainer(model, train_dataset=dataset("train.jsonl", tokenizer, max_length=1024), ...)

    A conversation is one row, as of `encode`; where its template rewrites earlier turns, each of
    its turns is a row, as of `encode_turns`. Rows of which no token is trained are left out.

    The labels reach the loss as they are, also with `packing` and `padding_free`. What TRL cuts is
    its own `max_length`: give it the same one, or None.

    Args:
        source: A file of lines as `encode` takes them, or the examples.
        tokenizer: As of `encode`.
        tools: As of `encode`.
        format: As of `encode`.
        loss: As of `encode`.
        max_length: As of `encode`, for each row.
        drop_long: Whether rows that are longer are left out, and no error.
        vocabulary: As of `encode`.

    Returns:
        The columns `input_ids` and `labels`.

    Raises:
        DataError: As `encode`, with the line; or no row is left.
        FormatError: As `encode`.
        ToolError: As `encode`.
        ModelError: As `encode`.
        VocabularyError: As `encode`.
        DependencyError: As `encode`; or `datasets` is not installed.
    """
    check_flags(DataError, drop_long=drop_long)
    made = Turns(tokenizer, format, vocabulary)

    def rows(example: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        turns = list(made.of(example, tools, loss))
        for row in _rows(turns):
            if not any(label >= 0 for label in row["labels"]):
                continue
            try:
                yield checked_length(row, max_length)
            except DataError:
                if not drop_long or not isinstance(max_length, int):
                    raise

    return _dataset(source, rows, ("input_ids", "labels"))


def completions(
    source: Examples,
    tokenizer: Any,
    *,
    tools: ToolsLike | None = None,
    format: str | ChatFormat | None = None,
    vocabulary: Vocabulary | None = None,
) -> Dataset:
    """Each turn of the assistant as a prompt and its completion, as text and as tokens.

    TRL's `SFTTrainer` takes `input_ids` and `completion_mask` as they are, and trains what the mask
    says, since the columns `prompt` and `completion` are there. The texts are for other trainers,
    whose tokens may be others: in a text, what a message says may be a marker.

    Args:
        source: As of `dataset`.
        tokenizer: As of `encode`.
        tools: As of `encode`.
        format: As of `encode`.
        vocabulary: As of `encode`.

    Returns:
        The columns `prompt`, `completion`, `input_ids` and `completion_mask`, which is 1 at the
        tokens of the completion.

    Raises:
        DataError: As `encode_turns`, with the line; or there is no line.
        FormatError: As `encode`.
        ToolError: As `encode`.
        ModelError: As `encode`.
        VocabularyError: As `encode`.
        DependencyError: As `encode`; or `datasets` is not installed.
    """
    made = Turns(tokenizer, format, vocabulary)

    def rows(example: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for turn in made.of(example, tools):
            mask = [0] * len(turn.prompt_ids) + [1] * len(turn.token_ids)
            yield {
                "prompt": turn.prompt,
                "completion": turn.text,
                "input_ids": [*turn.prompt_ids, *turn.token_ids],
                "completion_mask": mask,
            }

    return _dataset(source, rows, ("prompt", "completion", "input_ids", "completion_mask"))


def preferences(
    source: Examples,
    tokenizer: Any,
    *,
    tools: ToolsLike | None = None,
    format: str | ChatFormat | None = None,
    vocabulary: Vocabulary | None = None,
) -> Dataset:
    """Right turns beside wrong ones, for TRL's `DPOTrainer`, which takes them as they are.

    A line is `{"messages": [...], "tools": [...], "rejected": ...}`: the last message is the turn
    that is right, and `rejected` is the one that is not, as a message of the assistant or as the
    text that a model wrote, in which markers are markers. A text without the end of the turn gets
    one. `schemask.synth.Pair` writes such lines; its texts are `{"text": ..., "right": ...}`, and
    refused unless the format here writes the right turn so, too.

    `DPOTrainer` reads the texts itself: each row is read here in the same way, and refused unless
    the tokens are those of the loop. It also ends each answer with the tokenizer's `eos_token`.

    Args:
        source: A file of such lines, or the lines.
        tokenizer: A tokenizer of transformers.
        tools: As of `encode`.
        format: As of `encode`.
        vocabulary: As of `encode`.

    Returns:
        The columns `prompt`, `chosen` and `rejected`, which are texts, and their tokens:
        `prompt_ids`, `chosen_ids` and `rejected_ids`.

    Raises:
        DataError: As `encode_turns`, with the line; another shape; two equal turns; a row that TRL
            would read otherwise; or there is no line.
        FormatError: As `encode`.
        ToolError: As `encode`.
        ModelError: As `encode`.
        VocabularyError: As `encode`.
        DependencyError: As `encode`; or `datasets` is not installed.
    """
    made = Turns(tokenizer, format, vocabulary)

    def rows(example: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        chosen, rejected = made.pair(example, tools)
        texts = texts_for_trl(tokenizer, chosen, rejected)
        names = ("prompt", "chosen", "rejected")
        ids = (chosen.prompt_ids, chosen.token_ids, rejected.token_ids)
        yield {
            **dict(zip(names, texts, strict=True)),
            **{f"{name}_ids": token_ids for name, token_ids in zip(names, ids, strict=True)},
        }

    names = ("prompt", "chosen", "rejected", "prompt_ids", "chosen_ids", "rejected_ids")
    return _dataset(source, rows, names)


def _rows(turns: list[LearnedTurn]) -> list[dict[str, Any]]:
    """Turns of a conversation in as few rows as hold them: one, or one for each."""
    try:
        return [joined(turns)]
    except DataError:
        return [joined([turn]) for turn in turns]


def texts_for_trl(
    tokenizer: Any, chosen: LearnedTurn, rejected: LearnedTurn
) -> tuple[str, str, str]:
    """The texts of which TRL makes the tokens of the turns: a prompt, and both turns.

    Args:
        tokenizer: A tokenizer of transformers.
        chosen: The right turn.
        rejected: The wrong one.

    Raises:
        DataError: TRL would make others of them.
    """
    prompt = chosen.prompt
    begin = getattr(tokenizer, "bos_token", None) or ""
    if begin and tokenizer(prompt)["input_ids"] != chosen.prompt_ids:
        prompt = prompt.removeprefix(begin)  # the tokenizer puts it there itself
    end = getattr(tokenizer, "eos_token", None) or ""
    for turn in (chosen, rejected):
        if not turn.text.endswith(end):
            raise DataError(
                f"DPOTrainer ends answers with {end!r}, and this turn ends otherwise: "
                f"{shortened(turn.text[-30:])}; set tokenizer.eos_token to what ends turns"
            )
        both = tokenizer(prompt + turn.text)["input_ids"]
        if tokenizer(prompt)["input_ids"] != chosen.prompt_ids or (
            both != [*chosen.prompt_ids, *turn.token_ids]
        ):
            raise DataError(
                "DPOTrainer would read the texts of this pair as other tokens than the loop does: "
                "a message holds a marker, or a token reaches over the end of the prompt"
            )
    return prompt, chosen.text, rejected.text


def _dataset(
    source: Examples,
    rows: Callable[[Mapping[str, Any]], Iterator[dict[str, Any]]],
    columns: tuple[str, ...],
) -> Dataset:
    try:
        from datasets import Dataset
    except ImportError as error:
        raise missing("datasets", "train", error) from error

    held: dict[str, list[Any]] = {column: [] for column in columns}
    for name, number, example in _numbered(source):
        try:
            for row in rows(example):
                for column in columns:
                    held[column].append(row[column])
        except (DataError, ImportError) as error:
            if not isinstance(error, Error) or isinstance(error, ImportError):
                raise
            raise at_line(error, name, number) from error
    if not held[columns[0]]:
        where = "" if not isinstance(source, (str, os.PathLike)) else f"{os.fspath(source)}: "
        raise DataError(f"{where}there is no line to train on")
    return Dataset.from_dict(held)


def _numbered(source: Examples) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """The examples with the name of their file and their number, from 1."""
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        yield from ((name, number, line) for number, line in read_objects(name))
        return
    if isinstance(source, Mapping) or not isinstance(source, Iterable):
        raise DataError(f"examples are a list or a file of lines, not {shortened(source)}")
    for number, example in enumerate(source, start=1):
        yield "examples", number, example
