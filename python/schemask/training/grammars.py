"""The grammar run over turns that a model is to learn: it must accept them as decoding would."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from schemask._native import CompiledGrammar, Matcher
from schemask.chat import ChatFormat
from schemask.core.generation import text_of
from schemask.core.grammar import Grammar
from schemask.core.vocabulary import Vocabulary
from schemask.errors import DataError, shortened
from schemask.tools import ToolSet

# Each holds masks of its own, and lines with the same tools mostly follow each other.
_KEPT = 64


class TurnGrammars:
    """The grammars of turns on one vocabulary, compiled as the loop compiles them.

    Args:
        vocabulary: The vocabulary.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._stops = frozenset(vocabulary.stop_token_ids)
        self._compiled: OrderedDict[Any, CompiledGrammar] = OrderedDict()

    def check(
        self,
        form: ChatFormat,
        tools: ToolSet,
        prompt: str,
        token_ids: Sequence[int],
        *,
        choices: bool,
    ) -> list[bool]:
        """Reads a turn, and says which of its tokens are choices.

        Args:
            form: The format of the turn.
            tools: The tools that it may call.
            prompt: What it follows.
            token_ids: Its tokens, with the one that ends it.
            choices: Whether to find that out; else all are.

        Returns:
            Of each token whether there is any other, or other text than the one it spells.

        Raises:
            DataError: The grammar does not allow the turn; with the reason.
            Error: As `Grammar.from_tools`.
        """
        matcher = self._matcher(form, tools, prompt)
        found = []
        forced = b""
        for position, token_id in enumerate(token_ids):
            text = self.vocabulary.token(token_id)
            if choices:
                # What must follow is one text, in whichever tokens.
                forced = forced or b"".join(map(self.vocabulary.token, matcher.forced_tokens()))
                is_forced = bool(text) and forced.startswith(text)
                found.append(not is_forced and matcher.allowed(1).count > 1)
                forced = forced[len(text) :] if is_forced else b""
            else:
                found.append(True)
            if not matcher.accept(token_id):
                raise self._refusal(matcher, token_ids, position)
        ends = token_ids[-1:] and token_ids[-1] in self._stops
        if not (matcher.is_accepting or matcher.is_terminated or ends):
            raise DataError(f"the turn is unfinished: {matcher.explain_end()}")
        return found

    def _matcher(self, form: ChatFormat, tools: ToolSet, prompt: str) -> Matcher:
        key = form.spec, form.spec.opened_by(prompt), json.dumps(tools.definitions)
        compiled = self._compiled.get(key)
        if compiled is None:
            grammar = Grammar.from_tools(tools, format=form, prompt=prompt)
            compiled = self._compiled[key] = grammar.compile(self.vocabulary)
            if len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return compiled.matcher()

    def _refusal(self, matcher: Matcher, token_ids: Sequence[int], position: int) -> DataError:
        before = text_of(self.vocabulary, token_ids[:position])
        token = text_of(self.vocabulary, token_ids[position : position + 1])
        end = shortened(before[-60:])
        where = f"after {end}" if before else "at its beginning"
        explanation = matcher.explain(token_ids[position])
        return DataError(f"the grammar does not allow {token!r} {where}: {explanation}")
