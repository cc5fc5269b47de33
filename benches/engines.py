"""The engines that are measured, each behind the same few calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from corpus import Llama3, Tokenizer

Bitmask = npt.NDArray[np.int32]
Start = tuple[Callable[[], Any], Callable[[int], bool]]


class Engine(Protocol):
    """One library on one vocabulary."""

    def compile(self, schema: str) -> Any:
        """From the JSON text of a schema to something that has made its first matcher.

        Raises whatever the library raises for a schema that it refuses.
        """

    def start(self, compiled: Any) -> Start:
        """What begins a text: a call that fills the bitmask, and one that accepts a token."""

    def forget(self) -> None:
        """Drops what the library keeps from one schema to the next."""


class Schemask:
    def __init__(self, tokenizer: Tokenizer, bitmask: Bitmask, **options: Any) -> None:
        import schemask

        self.new_vocabulary = partial(
            schemask.Vocabulary,
            tokenizer.tokens,
            tokenizer.stop_token_ids,
            tokenizer.special_token_ids,
        )
        self.vocabulary = self.new_vocabulary()
        self.bitmask = bitmask
        self.read: Callable[[str], Any] = partial(schemask.Grammar.from_json_schema, **options)
        self.read_tools = schemask.Grammar.from_tools

    def compile(self, schema: str) -> Any:
        compiled = self.read(schema).compile(self.vocabulary)
        compiled.matcher()
        return compiled

    def compile_tools(self, tools: list[Any], format: str) -> Any:
        compiled = self.read_tools(tools, format=format).compile(self.vocabulary)
        compiled.matcher()
        return compiled

    def start(self, compiled: Any) -> Start:
        matcher = compiled.matcher()
        return partial(matcher.fill_mask, self.bitmask), matcher.accept

    def forget(self) -> None:
        # All that outlives a grammar is kept in the vocabulary.
        self.vocabulary = self.new_vocabulary()


class Before(Schemask):
    """Another build of schemask: that of the folder which the variable SCHEMASK_BEFORE names."""

    def __init__(self, tokenizer: Tokenizer, bitmask: Bitmask, **options: Any) -> None:
        sys.path.insert(0, os.environ["SCHEMASK_BEFORE"])
        super().__init__(tokenizer, bitmask, **options)


class LLGuidance:
    def __init__(self, tokenizer: Tokenizer, bitmask: Bitmask) -> None:
        import llguidance
        import llguidance.numpy
        import llguidance.tiktoken

        if not isinstance(tokenizer, Llama3):
            raise ValueError("llguidance is measured with the vocabulary of Llama 3 only")
        self.matcher = partial(
            llguidance.LLMatcher,
            llguidance.tiktoken.lltokenizer_from_encoding(
                tokenizer.encoding,
                n_vocab=len(tokenizer.tokens),
                eos_token=tokenizer.stop_token_ids,
            ),
            log_level=0,
        )
        self.read = llguidance.LLMatcher.grammar_from_json_schema
        self.fill = llguidance.numpy.fill_next_token_bitmask
        self.bitmask = bitmask.reshape(1, -1)

    def compile(self, schema: str) -> Any:
        matcher = self.matcher(self.read(schema))
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher

    def start(self, compiled: Any) -> Start:
        matcher = compiled.deep_copy()
        return partial(self.fill, matcher, self.bitmask, 0), matcher.consume_token

    def forget(self) -> None:
        """It keeps nothing but tables of the vocabulary."""


class XGrammar:
    def __init__(self, tokenizer: Tokenizer, bitmask: Bitmask, **options: Any) -> None:
        import torch
        import xgrammar

        torch.set_num_threads(1)
        # xgrammar knows special tokens by their being empty.
        special = set(tokenizer.special_token_ids)
        tokens = [b"" if i in special else token for i, token in enumerate(tokenizer.tokens)]
        info = xgrammar.TokenizerInfo(tokens, stop_token_ids=tokenizer.stop_token_ids)
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self.read: Callable[[str], Any] = partial(self.compiler.compile_json_schema, **options)
        self.matcher = xgrammar.GrammarMatcher
        self.bitmask = torch.from_numpy(bitmask.reshape(1, -1))

    def compile(self, schema: str) -> Any:
        compiled = self.read(schema)
        self.matcher(compiled)
        return compiled

    def start(self, compiled: Any) -> Start:
        matcher = self.matcher(compiled)
        return partial(matcher.fill_next_token_bitmask, self.bitmask), matcher.accept_token

    def forget(self) -> None:
        self.compiler.clear_cache()


class GLRMask:
    """GLRMask, whose grammars hold the stop token, as masks of the others do."""

    def __init__(self, tokenizer: Tokenizer, bitmask: Bitmask, strategy: str) -> None:
        import glrmask

        special = set(tokenizer.special_token_ids)
        words = {i: token for i, token in enumerate(tokenizer.tokens) if i not in special}
        self.vocabulary = glrmask.Vocab.from_id_to_bytes(words)
        self.read = glrmask.Grammar.from_json_schema
        self.whole = glrmask.Grammar.from_expr
        self.sequence = glrmask.Expr.sequence
        self.stop = glrmask.TokenSet(tokenizer.stop_token_ids)
        self.strategy = getattr(glrmask.MaskStrategy, strategy)
        self.bitmask = bitmask

    def compile(self, schema: str) -> Any:
        grammar = self.whole(self.sequence(self.read(schema), self.stop))
        compiled = grammar.compile(self.vocabulary, mask_strategy=self.strategy)
        compiled.start()
        return compiled

    def start(self, compiled: Any) -> Start:
        state = compiled.start()
        return partial(state.fill_mask, self.bitmask), state.commit_token

    def forget(self) -> None:
        """It keeps nothing but tables of the vocabulary."""


@dataclass(frozen=True)
class Setup:
    """An engine with its options; a cold one forgets before each schema what it can."""

    make: Callable[[Tokenizer, Bitmask], Engine]
    is_cold: bool = False


SETUPS: dict[str, Setup] = {
    "schemask warm": Setup(Schemask),
    "schemask cold": Setup(Schemask, is_cold=True),
    "schemask spaced": Setup(partial(Schemask, whitespace="spaced")),
    "schemask any spelling": Setup(partial(Schemask, spelling="any")),
    "schemask any spelling cold": Setup(partial(Schemask, spelling="any"), is_cold=True),
    "schemask any": Setup(partial(Schemask, property_order="any")),
    "schemask before": Setup(Before),
    "schemask before cold": Setup(Before, is_cold=True),
    "llguidance": Setup(LLGuidance),
    # By default xgrammar closes objects that JSON Schema leaves open.
    "xgrammar": Setup(XGrammar),
    "xgrammar open": Setup(partial(XGrammar, strict_mode=False)),
    "xgrammar spaced": Setup(partial(XGrammar, any_whitespace=False)),
    "xgrammar cold": Setup(XGrammar, is_cold=True),
    # Compiled ahead as far as it is not too large; and walking the vocabulary at each mask.
    "glrmask": Setup(partial(GLRMask, strategy="AUTO")),
    "glrmask dynamic": Setup(partial(GLRMask, strategy="TOKEN_TRIE")),
}
COMPARED = (
    *("schemask warm", "schemask cold", "llguidance"),
    *("xgrammar", "xgrammar open", "glrmask", "glrmask dynamic"),
)
