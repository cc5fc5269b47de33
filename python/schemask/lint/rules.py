"""What the linter looks for: a table of rules, and what is found by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True)
class LintRule:
    """One thing that training data shall not do.

    Attributes:
        id: Its name, for people and programs.
        severity: "error" for what a model is taught wrongly or not at all, "warning" for what one
            should look at.
        cause: What is wrong, in a line.
        hint: How it is mended.
    """

    id: str
    severity: Severity
    cause: str
    hint: str


@dataclass(frozen=True)
class LintFinding:
    """Something that a rule found.

    Attributes:
        rule: The id of the rule.
        line: The line, from 1; of data that is no file, the example, from 1.
        message: What is wrong there.
        turn: The message that is at fault, from 0, if one is.
        pointer: JSON pointer into the line of what is at fault; empty for all of it.
    """

    rule: str
    line: int
    message: str
    turn: int | None = None
    pointer: str = ""

    @property
    def severity(self) -> Severity:
        """That of the rule."""
        return RULES[self.rule].severity


_TABLE = (
    # Lines and their shapes.
    LintRule(
        "no-lines",
        "error",
        "there is nothing to train on",
        "write a line for each conversation",
    ),
    LintRule(
        "not-utf-8",
        "error",
        "the line is no text in UTF-8",
        "write the file as UTF-8, and replace lone surrogates",
    ),
    LintRule(
        "invalid-json",
        "error",
        "the line is no JSON object",
        "write one JSON object a line, without NaN and without a key twice",
    ),
    LintRule(
        "unknown-shape",
        "error",
        "the line has none of the shapes of training data",
        "write messages, prompt and completion, prompt and chosen and rejected, text, or input_ids",
    ),
    LintRule(
        "bad-message",
        "error",
        "a message is not as chat templates take it",
        "write the messages as transformers and OpenAI do",
    ),
    # Conversations.
    LintRule(
        "turn-order",
        "error",
        "messages, calls and results do not follow one another as they do when a model is used",
        "answer each call by one result, in order and with its id, and end with the assistant",
    ),
    LintRule(
        "empty-turn",
        "error",
        "a turn of the assistant says nothing",
        "drop the line, or give the turn words or a call",
    ),
    LintRule(
        "same-answers",
        "error",
        "the chosen and the rejected answer are the same",
        "drop the line: it teaches no preference",
    ),
    # Tools and calls.
    LintRule(
        "bad-tool",
        "error",
        "a tool is defined by what is no definition, or has parameters that are no JSON Schema",
        "write the definition as OpenAI and transformers do",
    ),
    LintRule(
        "null-definitions",
        "error",
        "a definition of a tool holds nulls that Arrow filled in",
        "keep `tools` as JSON text in what Arrow reads, or drop the keys that hold null",
    ),
    LintRule(
        "undescribed-tool",
        "warning",
        "a tool has no description",
        "say in the definition what the tool does: at run time the model chooses by it",
    ),
    LintRule(
        "tool-differs",
        "warning",
        "a tool has other parameters than in an earlier line",
        "give different tools different names, unless the differences are meant",
    ),
    LintRule(
        "schema-violation",
        "error",
        "a call of a tool that is not offered, or with arguments that its schema does not allow",
        "drop or mend the call, or offer the tool that it means",
    ),
    LintRule(
        "null-arguments",
        "error",
        "arguments that Arrow filled with nulls",
        "keep `arguments` as JSON text in what Arrow reads, or drop the keys that hold null",
    ),
    LintRule(
        "constant-argument",
        "warning",
        "an argument has the same value in all calls",
        "vary the value: the model learns to write it whatever the request says",
    ),
    LintRule(
        "no-abstentions",
        "warning",
        "every conversation that offers tools calls one",
        "add requests that no tool helps with, or the model calls one always",
    ),
    # What the template makes of them.
    LintRule(
        "marker-in-text",
        "error",
        "a text spells a special token, and would be read as one",
        "encode with `schemask.training.encode`, which reads texts as text; or change the text",
    ),
    LintRule(
        "template-refuses",
        "error",
        "the template refuses the conversation",
        "drop the line, or take another template or format",
    ),
    LintRule(
        "calls-dropped",
        "error",
        "the template does not write a part of the conversation: calls, results, tools, words",
        "take a template or a format that writes it (--template, --format)",
    ),
    LintRule(
        "arguments-as-text",
        "error",
        "arguments are JSON text, which the template writes as a string once more",
        "write `arguments` as an object",
    ),
    LintRule(
        "rewritten-turns",
        "error",
        "the template writes a turn otherwise than when the model wrote it",
        "take a template that keeps earlier turns as they were, or train on each turn by itself",
    ),
    LintRule(
        "not-encodable",
        "error",
        "`schemask.training` refuses the line: the grammar does not allow a turn, or it is no "
        "conversation",
        "mend the turn, or drop the line; lines for TRL alone are looked at with --trl",
    ),
    # What is trained.
    LintRule(
        "prompt-in-loss",
        "error",
        "tokens are trained that the model never writes itself",
        "take the labels of `schemask.training.encode`, or another template",
    ),
    LintRule(
        "missing-end",
        "error",
        "the marker that ends a turn is not there or not trained",
        "take the labels of `schemask.training.encode`, or another template",
    ),
    LintRule(
        "no-trained-tokens",
        "error",
        "nothing of a line, or not all of a turn, is trained",
        "take the labels of `schemask.training.encode`, or drop the line",
    ),
    LintRule(
        "bad-labels",
        "error",
        "labels or masks that do not fit the tokens",
        "encode the line again with this tokenizer",
    ),
    LintRule(
        "truncated",
        "error",
        "the line is longer than the limit, so that tokens are cut off that should be trained",
        "raise --max-length, offer fewer tools, or drop the line",
    ),
    # Lines among others.
    LintRule(
        "duplicate",
        "error",
        "the line says the same as an earlier one",
        "drop the line",
    ),
    LintRule(
        "near-duplicate",
        "warning",
        "the line says nearly the same as another one",
        "drop one of them, unless the difference matters",
    ),
    LintRule(
        "contradiction",
        "warning",
        "the same request with the same tools has other calls in an earlier line",
        "keep the right one",
    ),
    LintRule(
        "leaked",
        "error",
        "a request stands in a file of the evaluation",
        "drop the line from the training data",
    ),
    LintRule(
        "nearly-leaked",
        "warning",
        "a request is nearly one of a file of the evaluation",
        "drop the line from the training data, unless the difference matters",
    ),
)

RULES = {rule.id: rule for rule in _TABLE}
"""All rules by their ids, in the order in which they are told."""


def counted(count: int, what: str) -> str:
    """A number of things, such as "1 error" or "2 errors"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
