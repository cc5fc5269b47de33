"""Labels of conversations: exactly the tokens that a model has to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemask.chat import ChatFormat
from schemask.core.vocabulary import Vocabulary
from schemask.errors import DataError, shortened
from schemask.tools import ToolsLike
from schemask.training.turns import LearnedTurn, Loss, Turns

IGNORED = -100
"""The label of a token that the loss does not count, as torch and transformers have it."""


def encode(
    example: Mapping[str, Any],
    tokenizer: Any,
    *,
    tools: ToolsLike | None = None,
    format: str | ChatFormat | None = None,
    loss: Loss = "all",
    max_length: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> dict[str, list[int]]:
    """A conversation as tokens, with labels at exactly those that the model has to write.

    These are, of each turn of the assistant, the tokens from the first one after the prompt, as
    `run_agent` gives it to the model, to the one that ends the turn. Nothing that the prompt
    supplies is trained, and nothing after the turn; what messages say never becomes a marker. The
    grammar that constrains the model in the loop has read every turn and accepts it.

    Args:
        example: `{"messages": [...], "tools": [...]}`, or the short form of
            `schemask.chat.messages_from_example`.
        tokenizer: A tokenizer of transformers, or a `llama_cpp.Llama`.
        tools: The tools, instead of those of the example.
        format: What writes the conversation, as of `run_agent`: if none is given, the tokenizer's
            own template does; and "tool_code" if there is none.
        loss: "choices" trains only the tokens for which the grammar leaves a choice, since
            constrained decoding supplies the others.
        max_length: The most tokens that are allowed.
        vocabulary: The vocabulary that the model is decoded with, if it is not that of the
            tokenizer, such as one with other stop tokens.

    Returns:
        `input_ids`, which end with the last token that is trained, and `labels`, of the same
        length: the token where it is trained, and -100 elsewhere.

    Raises:
        DataError: Another shape; no turn of the assistant; a turn that the template, or the
            grammar, does not allow, with the turn and the reason; more tokens than `max_length`; or
            a template that writes an earlier turn otherwise once others follow, such as without its
            reasoning, so that no one text holds all prompts: see `encode_turns`.
        FormatError: An unknown format; or no format follows from the template.
        ToolError: What cannot be a tool.
        ModelError: `vocabulary` is no `Vocabulary`.
        VocabularyError: The tokens of the tokenizer cannot be read.
        DependencyError: The library that reads the tokenizer is not installed.
    """
    turns = list(Turns(tokenizer, format, vocabulary).of(example, tools, loss))
    return checked_length(joined(turns), max_length)


def encode_turns(
    example: Mapping[str, Any],
    tokenizer: Any,
    *,
    tools: ToolsLike | None = None,
    format: str | ChatFormat | None = None,
    loss: Loss = "all",
    max_length: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> list[dict[str, list[int]]]:
    """As `encode`, for each turn of the assistant by itself, after the prompt that leads to it.

    It is for templates that rewrite earlier turns: each turn is trained in the context in which the
    loop has the model write it.

    Args:
        example: As of `encode`.
        tokenizer: As of `encode`.
        tools: As of `encode`.
        format: As of `encode`.
        loss: As of `encode`.
        max_length: As of `encode`, for each turn with its prompt.
        vocabulary: As of `encode`.

    Returns:
        `input_ids` and `labels` of each turn.

    Raises:
        DataError: As `encode`, but for the last reason.
        FormatError: As `encode`.
        ToolError: As `encode`.
        ModelError: As `encode`.
        VocabularyError: As `encode`.
        DependencyError: As `encode`.
    """
    turns = Turns(tokenizer, format, vocabulary).of(example, tools, loss)
    return [checked_length(joined([turn]), max_length) for turn in turns]


def joined(turns: Sequence[LearnedTurn]) -> dict[str, list[int]]:
    """Turns of one conversation as one row.

    Args:
        turns: The turns; the prompt of each begins with the one before it, and what is written
            after that.

    Raises:
        DataError: It does not.
    """
    input_ids: list[int] = []
    labels: list[int] = []
    text = ""
    for turn in turns:
        if turn.prompt_ids[: len(input_ids)] != input_ids:
            raise _rewritten(turn, text)
        prompt = turn.prompt_ids[len(input_ids) :]
        input_ids += [*prompt, *turn.token_ids]
        labels += [IGNORED] * len(prompt)
        for token_id, is_trained in zip(turn.token_ids, turn.is_trained, strict=True):
            labels.append(token_id if is_trained else IGNORED)
        text = turn.prompt + turn.text
    return {"input_ids": input_ids, "labels": labels}


def checked_length(row: dict[str, list[int]], max_length: int | None) -> dict[str, list[int]]:
    """The row, if it has no more tokens than are allowed.

    Args:
        row: The row.
        max_length: How many these are; None is any number.

    Raises:
        DataError: It has more, or `max_length` is no number of tokens.
    """
    if max_length is None:
        return row
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
        raise DataError(f"max_length is a number of tokens, not {shortened(max_length)}")
    if (length := len(row["input_ids"])) > max_length:
        raise DataError(f"{length} tokens are more than max_length={max_length}")
    return row


def _rewritten(turn: LearnedTurn, text: str) -> DataError:
    """The error for a prompt that does not begin with what was read and written before it."""
    if turn.prompt.startswith(text):
        what = "its prompt is read as other tokens than those that the model wrote before it"
    else:
        pairs = zip(turn.prompt, text, strict=False)
        at = next((at for at, (new, old) in enumerate(pairs) if new != old), len(turn.prompt))
        what = (
            f"the template rewrites earlier turns: here they read {shortened(turn.prompt[at:])}, "
            f"and the model wrote {shortened(text[at:])}"
        )
    return DataError(f"{turn.place}: {what}; encode_turns gives a row for each turn")
