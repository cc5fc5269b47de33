"""A bounded store of compiled grammars that threads share."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from schemask._native import CompiledGrammar
from schemask.core.generation import check_count, check_is_vocabulary
from schemask.core.grammar import Grammar
from schemask.core.vocabulary import Vocabulary
from schemask.errors import GrammarError, shortened

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheStats:
    """What a cache did so far.

    Attributes:
        size: Grammars that it holds.
        hits: How often one was there, or was being made for somebody else.
        misses: How often one had to be made.
        evicted: How many were dropped for others.
    """

    size: int
    hits: int
    misses: int
    evicted: int


class GrammarCache:
    """Compiled grammars of one vocabulary, by what they were made from; the oldest use goes first.

    Threads may share it. Where several ask for the same grammar at once, one makes it and the
    others wait for that one. What cannot be made is an error for all of them, and is not kept.

        cache = GrammarCache(vocabulary)
        compiled = cache.get(Grammar.from_json_schema, schema, whitespace="compact")

    A hit keeps what the matchers of that grammar found out before: its first masks are fast, too.

    Args:
        vocabulary: The tokens.
        max_size: The most grammars that it holds, those in the making not counted.

    Raises:
        ModelError: An argument of a wrong type or out of range.
    """

    def __init__(self, vocabulary: Vocabulary, max_size: int = 1000) -> None:
        check_is_vocabulary(vocabulary)
        check_count("max_size", max_size)
        self._vocabulary = vocabulary
        self._max_size = max_size
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, CompiledGrammar] = OrderedDict()
        self._making: dict[Hashable, Future[CompiledGrammar]] = {}
        self._hits = 0
        self._misses = 0
        self._evicted = 0

    def get(self, make: Callable[..., Grammar], *args: Any, **kwargs: Any) -> CompiledGrammar:
        """The grammar `make(*args, **kwargs)`, compiled.

        Args:
            make: A constructor of grammars, such as `Grammar.from_json_schema`, or a function that
                is always the same object.
            args: Its arguments: JSON values, tools, types and whatever else can be a key of a
                dict. The order of keys counts, as it does for grammars.
            kwargs: Its arguments by name.

        Raises:
            GrammarError: An argument that cannot be told from others.
            Error: What `make` and `Grammar.compile` raise.
        """
        try:
            key = (make, _key(args), _key(kwargs))
        except RecursionError as error:
            raise GrammarError("an argument is nested too deeply") from error
        with self._lock:
            if key in self._held:
                self._hits += 1
                self._held.move_to_end(key)
                return self._held[key]
            making = self._making.get(key)
            if making is None:
                self._misses += 1
                own = self._making[key] = Future()
            else:
                self._hits += 1
        if making is not None:
            return making.result()
        try:
            compiled = make(*args, **kwargs).compile(self._vocabulary)
        except BaseException as error:
            with self._lock:
                del self._making[key]
            own.set_exception(
                error
                if isinstance(error, Exception)
                else GrammarError("the thread that was making this grammar was interrupted")
            )
            raise
        with self._lock:
            del self._making[key]
            self._held[key] = compiled
            while len(self._held) > self._max_size:
                self._held.popitem(last=False)
                self._evicted += 1
        own.set_result(compiled)
        _LOGGER.debug("a grammar was not at hand: %s", self)
        return compiled

    def stats(self) -> CacheStats:
        """What it did so far."""
        with self._lock:
            return CacheStats(len(self._held), self._hits, self._misses, self._evicted)

    def clear(self) -> None:
        """Drops all grammars. Those who hold one keep it."""
        with self._lock:
            self._held.clear()

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<GrammarCache of at most {self._max_size} grammars: {self.stats()}>"


def _key(value: Any) -> Hashable:
    """What is equal for equal arguments alone. 1, 1.0 and True are not."""
    if isinstance(value, Mapping):
        return (dict, tuple((_key(name), _key(item)) for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return (list, tuple(map(_key, value)))
    try:
        hash(value)
    except TypeError as error:
        raise GrammarError(f"{shortened(value)} cannot be told from others: {error}") from error
    return (type(value), value)
