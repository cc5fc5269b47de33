"""All that is found about a chat template: the format that follows, its proof, and oddities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemask.chat.spec import FormatSpec
from schemask.chat.templates.derivation import derivation_of
from schemask.chat.templates.derive import Derived, derive
from schemask.chat.templates.environment import settings
from schemask.chat.templates.findings import Finding, Looker
from schemask.chat.templates.probing import shape_of
from schemask.chat.templates.proof import Proof, prove
from schemask.chat.templates.shape import MessageShape
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError, shortened

# Conversations that are tried between two calls of `progress`.
_BATCH = 10


@dataclass(frozen=True)
class TemplateReport:
    """What is known of a template.

    Attributes:
        template: The template.
        spec: The format of the assistant's turns; None if none could be derived.
        proof: What was tried; None if the format is not proven.
        error: Why there is no format, or none that is proven; else None.
        calls_by: Name of the format by which calls are written into words, of a template that
            writes none; else None.
        thinking: Variables with which a prompt makes the model reason; None if none do.
        plain: Variables with which a prompt makes it not reason; None if none do.
        variables: Names of the variables that the template reads, but for those that all do.
        findings: What it cannot do or does oddly.
    """

    template: ChatTemplate
    spec: FormatSpec | None
    proof: Proof | None
    error: str | None
    calls_by: str | None
    thinking: Mapping[str, Any] | None
    plain: Mapping[str, Any] | None
    variables: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_proven(self) -> bool:
        """Whether a format was derived and proven."""
        return self.proof is not None


def report(
    template: ChatTemplate,
    *,
    name: str = "template",
    conversations: int = 100,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> TemplateReport:
    """Derives the format of a template, proves it, and looks at what else the template does.

    Args:
        template: The template.
        name: Name of the format.
        conversations: How many random conversations are tried.
        seed: Seed of the random choices.
        progress: Called with the number of further conversations that have been tried.

    Raises:
        FormatError: `conversations` is no number from 1 on.
    """
    if isinstance(conversations, bool) or not isinstance(conversations, int) or conversations < 1:
        raise FormatError(f"conversations is a number from 1 on, not {shortened(conversations)}")
    derived: Derived | None = None
    proof: Proof | None = None
    error: str | None = None
    calls_by: str | None = None
    try:
        derived = derive(template, name)
        proof = _proven(template, derived, conversations, seed, progress)
        if derived.spec.max_calls == 0:
            calls_by = derivation_of(template, name).calls_by
    except FormatError as problem:
        error = str(problem)
    thinking, plain = (derived.thinking, derived.plain) if derived else (None, None)
    modes = [mode for mode in ({}, thinking, plain) if mode is not None]
    shape = shape_of(template)
    looker = Looker(
        template,
        shape or MessageShape(),
        writes_calls=shape is not None,
        modes=[mode for at, mode in enumerate(modes) if mode not in modes[:at]],
        spec=derived.spec if derived else None,
    )
    if derived is not None:
        told = [*derived.findings, *(proof.findings if proof else ())]
    else:
        told = [] if shape else ["the template writes no calls: it drops `tool_calls`"]
    return TemplateReport(
        template,
        derived.spec if derived else None,
        proof,
        error,
        calls_by,
        thinking,
        plain,
        settings(template.text),
        (*(Finding("format", text) for text in told), *looker.findings()),
    )


def _proven(
    template: ChatTemplate,
    derived: Derived,
    conversations: int,
    seed: int,
    progress: Callable[[int], object] | None,
) -> Proof:
    """What was tried, batch after batch."""
    proofs = []
    start = 0
    while start < conversations:
        # A small rest could be of conversations that the template refuses alone.
        count = _BATCH if conversations - start >= 2 * _BATCH else conversations - start
        proofs.append(prove(template, derived, conversations=count, seed=seed + start))
        if progress is not None:
            progress(count)
        start += count
    return Proof(
        conversations=conversations,
        turns=sum(proof.turns for proof in proofs),
        unwritable=sum(proof.unwritable for proof in proofs),
        off_prompt=sum(proof.off_prompt for proof in proofs),
        dropped_reasoning=sum(proof.dropped_reasoning for proof in proofs),
        dropped_parts=sum(proof.dropped_parts for proof in proofs),
        changed=sum(proof.changed for proof in proofs),
        findings=tuple(dict.fromkeys(text for proof in proofs for text in proof.findings)),
    )
