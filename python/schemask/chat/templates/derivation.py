"""A format with the template that it was derived from and proven against."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemask.chat.families import SPECS
from schemask.chat.formats.tool_code import TOOL_CODE
from schemask.chat.spec import FormatSpec
from schemask.chat.templates.derive import Derived, derive
from schemask.chat.templates.proof import Proof, prove
from schemask.chat.templates.template import ChatTemplate
from schemask.chat.templates.writer import TemplateWriter
from schemask.chat.texts import TAG
from schemask.errors import FormatError

# What calls are made of, and what is around results and descriptions of tools.
_FIELDS_OF_CALLS = (
    *("call_open", "call_close", "call_padding", "call_separator", "calls_open", "calls_close"),
    *("call", "call_members", "optional_members", "max_calls", "id_pattern", "first_index"),
    *("counts_on", "arguments", "words_with_calls", "preamble_close", "no_preamble", "escapes"),
    *("result_open", "result_close", "result_padding", "result_separator"),
    *("tools_intro", "tools_outro"),
)


@dataclass(frozen=True)
class Derivation:
    """What was derived from a template, and what was proven of it.

    Attributes:
        template: The template.
        derived: What was derived.
        proof: What was tried.
        calls_by: Name of the format by which calls are written into words, of a template that
            writes none; else None.
    """

    template: ChatTemplate
    derived: Derived
    proof: Proof
    calls_by: str | None = None

    @property
    def spec(self) -> FormatSpec:
        """The format of the assistant's turns."""
        return self.derived.spec

    @property
    def writer(self) -> TemplateWriter:
        """What writes conversations."""
        is_foreign = self.calls_by is not None
        return TemplateWriter(self.template, self.derived.shape, self.spec, is_foreign)

    def with_reasoning(self, on: bool) -> Derivation:
        """The derivation for prompts that make the model reason, or not.

        Raises:
            FormatError: No variable of the template does that.
        """
        variables = self.derived.thinking if on else self.derived.plain
        if variables is None:
            what = "reason" if on else "not reason"
            raise FormatError(f"no variable of the template makes the model {what}")
        variables = {**self.template.variables, **variables}
        spec = dataclasses.replace(self.spec, reasons=on)
        return dataclasses.replace(
            self,
            template=dataclasses.replace(self.template, variables=variables),
            derived=dataclasses.replace(self.derived, spec=spec),
        )


def derivation_of(template: ChatTemplate, name: str) -> Derivation:
    """What follows from a template, and is proven; remembered for templates seen before.

    Args:
        template: The template.
        name: Name of the format.

    Raises:
        FormatError: As `ChatFormat.from_template`.
    """
    return _remembered(_Key(template), name)


class _Key:
    """A template by what decides what it writes."""

    def __init__(self, template: ChatTemplate) -> None:
        self.template = template
        self._held = (template.digest, template.special_tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._held == other._held

    def __hash__(self) -> int:
        return hash(self._held)


@functools.lru_cache(maxsize=256)
def _remembered(key: _Key, name: str) -> Derivation:
    template = key.template
    derived = derive(template, name)
    proof = prove(template, derived)
    if derived.spec.max_calls != 0:
        return Derivation(template, derived, proof)
    foreign = _named_by(template)
    fields: Mapping[str, Any] = {field: getattr(foreign, field) for field in _FIELDS_OF_CALLS}
    spec = dataclasses.replace(derived.spec, **fields)
    derived = dataclasses.replace(derived, spec=spec)
    return Derivation(template, derived, proof, foreign.name)


def _named_by(template: ChatTemplate) -> FormatSpec:
    """The format whose tags a template names, such as in what it tells the model of tools."""
    found: list[tuple[int, FormatSpec]] = []
    for spec in SPECS:
        parts = (spec.calls_open, spec.call_open, spec.call_close, spec.calls_close, spec.call)
        tags = {tag for text in (*parts, spec.arguments.closing) for tag in TAG.findall(text)}
        if tags and not spec.bare and all(tag in template.text for tag in tags):
            found.append((len(tags), spec))
    return max(found, key=lambda pair: pair[0])[1] if found else TOOL_CODE
