"""The engines that `batch.py` measures, each behind its fastest calls for many texts at once.

The rows of a bitmask are masks, the one at `i` that of matcher `i`. `engines.py` says how schemas
are compiled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from corpus import Tokenizer
from engines import SETUPS, Bitmask, Engine

# Threads of each engine, whose process has as many processors.
THREADS = 2


class Calls(ABC):
    """What a library has for the matchers of many texts; where it has nothing, a loop in Python."""

    accept_one: Callable[[Any, int], bool]
    """Goes on with a token, and says whether it may come."""

    @abstractmethod
    def begin(self, compiled: Any) -> Any:
        """A matcher at the start of a text."""

    @abstractmethod
    def fill_row(self, matcher: Any, row: int) -> None:
        """Writes one mask."""

    def fill(self, matchers: list[Any]) -> None:
        """Writes the masks of all."""
        fill_row = self.fill_row
        for row, matcher in enumerate(matchers):
            fill_row(matcher, row)

    def accept(self, matchers: list[Any], tokens: Sequence[int]) -> Sequence[bool]:
        """Goes on with a token of each, and says which of them may come."""
        # The fastest loop that Python has.
        return list(map(self.accept_one, matchers, tokens))


class Schemask(Calls):
    """`fill_masks`, on all processors of the process; it has no call to accept many tokens."""

    def __init__(self, bitmask: Bitmask) -> None:
        import schemask

        self.accept_one = schemask.Matcher.accept
        self._bitmask = bitmask
        self._fill = schemask.fill_masks

    def begin(self, compiled: Any) -> Any:
        return compiled.matcher()

    def fill_row(self, matcher: Any, row: int) -> None:
        matcher.fill_mask(self._bitmask, row)

    def fill(self, matchers: list[Any]) -> None:
        self._fill(matchers, self._bitmask)


class LLGuidance(Calls):
    """Its executor, whose masks and tokens are those of pairs."""

    def __init__(self, bitmask: Bitmask) -> None:
        import llguidance
        import llguidance.numpy

        self.accept_one = llguidance.LLMatcher.consume_token
        self._bitmask = bitmask
        self._fill_one = llguidance.numpy.fill_next_token_bitmask
        executor = llguidance.LLExecutor(THREADS)
        self._fill = partial(llguidance.numpy.fill_next_token_bitmask_par, executor)
        self._accept = partial(llguidance.numpy.consume_token_par, executor)

    def begin(self, compiled: Any) -> Any:
        return compiled.deep_copy()

    def fill_row(self, matcher: Any, row: int) -> None:
        self._fill_one(matcher, self._bitmask, row)

    def fill(self, matchers: list[Any]) -> None:
        self._fill(list(zip(matchers, range(len(matchers)), strict=True)), self._bitmask)

    def accept(self, matchers: list[Any], tokens: Sequence[int]) -> Sequence[bool]:
        taken: list[bool] = self._accept(list(zip(matchers, tokens, strict=True)))
        return taken


class XGrammar(Calls):
    """Masks of its batch of matchers, whose call to accept tokens is slower than one for each."""

    def __init__(self, bitmask: Bitmask) -> None:
        import torch
        import xgrammar

        self.accept_one = xgrammar.GrammarMatcher.accept_token
        self._begin = xgrammar.GrammarMatcher
        self._bitmask = torch.from_numpy(bitmask)
        batch = xgrammar.BatchGrammarMatcher(max_threads=THREADS)
        self._fill = batch.batch_fill_next_token_bitmask

    def begin(self, compiled: Any) -> Any:
        return self._begin(compiled)

    def fill_row(self, matcher: Any, row: int) -> None:
        matcher.fill_next_token_bitmask(self._bitmask, row)

    def fill(self, matchers: list[Any]) -> None:
        self._fill(matchers, self._bitmask)


class GLRMask(Calls):
    """Row by row: it has no calls for many texts, and keeps the GIL, so that threads would wait."""

    def __init__(self, bitmask: Bitmask) -> None:
        import glrmask

        self.accept_one = glrmask.ConstraintState.commit_token
        self._rows = list(bitmask)

    def begin(self, compiled: Any) -> Any:
        return compiled.start()

    def fill_row(self, matcher: Any, row: int) -> None:
        matcher.fill_mask(self._rows[row])

    def fill(self, matchers: list[Any]) -> None:
        for matcher, row in zip(matchers, self._rows, strict=True):
            matcher.fill_mask(row)


class Looped(Calls):
    """The calls for one text of an engine that has others for many."""

    def __init__(self, calls: Calls) -> None:
        self.accept_one = calls.accept_one
        self._calls = calls

    def begin(self, compiled: Any) -> Any:
        return self._calls.begin(compiled)

    def fill_row(self, matcher: Any, row: int) -> None:
        self._calls.fill_row(matcher, row)


@dataclass(frozen=True)
class Way:
    """How an engine is called, and which of `engines.SETUPS` it is."""

    setup: str
    calls: Callable[[Bitmask], Calls]
    is_looped: bool = False

    def make(self, tokenizer: Tokenizer, bitmask: Bitmask) -> tuple[Engine, Calls]:
        """The engine on a vocabulary, and its calls that write into a bitmask of many rows."""
        engine = SETUPS[self.setup].make(tokenizer, bitmask[0].copy())
        calls = self.calls(bitmask)
        return engine, Looped(calls) if self.is_looped else calls


WAYS: dict[str, Way] = {
    "schemask": Way("schemask warm", Schemask),
    "schemask one by one": Way("schemask warm", Schemask, is_looped=True),
    "llguidance": Way("llguidance", LLGuidance),
    "llguidance one by one": Way("llguidance", LLGuidance, is_looped=True),
    "xgrammar": Way("xgrammar", XGrammar),
    "xgrammar one by one": Way("xgrammar", XGrammar, is_looped=True),
    "xgrammar open": Way("xgrammar open", XGrammar),
    "glrmask": Way("glrmask", GLRMask),
    "glrmask dynamic": Way("glrmask dynamic", GLRMask),
}
COMPARED = ("schemask", "llguidance", "xgrammar", "glrmask")
