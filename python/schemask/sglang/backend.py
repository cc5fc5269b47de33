"""The grammar backend that SGLang's scheduler asks for grammars."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sglang.srt.constrained.base_grammar_backend import (
    BaseGrammarBackend,
    BaseGrammarObject,
    InvalidGrammarObject,
)
from sglang.srt.constrained.reasoner_grammar_backend import ReasonerGrammarBackend
from sglang.srt.constrained.torch_ops.token_filter_torch_ops import set_token_filter_torch
from sglang.srt.parser.reasoning_parser import ReasoningParser
from sglang.srt.runtime_context import get_serving

from schemask.core.cache import GrammarCache
from schemask.core.grammar import Grammar
from schemask.core.structural_tag import special_names
from schemask.core.vocabulary import Vocabulary
from schemask.errors import Error, ModelError
from schemask.sglang import masks
from schemask.sglang.grammar import SchemaskGrammar, log
from schemask.sglang.hooks import apply_hooks
from schemask.sglang.requests import Spacing, json_grammar, tag_grammar

# How many grammars are kept, the latest ones used.
_GRAMMARS = 64


class _Latest(OrderedDict[Any, Any]):
    """A cache of SGLang's, which has no bound of its own; the oldest use goes first."""

    def get(self, key: Any, default: Any = None) -> Any:
        if key in self:
            self.move_to_end(key)
        return super().get(key, default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > _GRAMMARS:
            self.popitem(last=False)


class SchemaskGrammarBackend(BaseGrammarBackend):  # type: ignore[misc]
    """What SGLang's scheduler has of schemask; `--grammar-backend schemask` makes it.

    Grammars are compiled on SGLang's threads. What bounds them is work, counted in units that are
    the same on every machine, and not time: the processes of a model that is spread over several
    have to come to the same grammars and masks.

    Args:
        tokenizer: SGLang's tokenizer of the model.
        vocab_size: Width of the model's logits.
        eos_token_ids: The tokens that end a text, according to the model's configuration. Those at
            which SGLang stops on account of its tokenizer are added.
        spacing: White space in JSON.

    Raises:
        VocabularyError: The tokens of this tokenizer cannot be read as bytes, or no token ends a
            text.
    """

    # What SGLang asks the backend for where a request has no grammar, but filters on reasoning.
    allocate_vocab_mask = staticmethod(masks.allocate_vocab_mask)
    move_vocab_mask = staticmethod(masks.move_vocab_mask)
    apply_vocab_mask = staticmethod(masks.apply_vocab_mask)
    set_token_filter = staticmethod(set_token_filter_torch)

    def __init__(
        self,
        tokenizer: Any,
        vocab_size: int,
        eos_token_ids: Iterable[int] | None = None,
        spacing: Spacing | None = None,
    ) -> None:
        super().__init__()
        self.cache = _Latest()
        stops = {*(eos_token_ids or ()), tokenizer.eos_token_id} - {None}
        stops |= set(getattr(tokenizer, "additional_stop_token_ids", None) or ())
        vocabulary = Vocabulary.from_transformers(
            tokenizer, vocab_size, stop_token_ids=sorted(stops)
        )
        spacing = spacing or Spacing()
        names = special_names(vocabulary)
        self._json = functools.partial(json_grammar, spacing=spacing)
        self._tag = functools.partial(tag_grammar, special_tokens=names, spacing=spacing)
        # Requests that ask for the same at once have it compiled once.
        self._compiled = GrammarCache(vocabulary, _GRAMMARS)

    def dispatch_json(self, key_string: str) -> BaseGrammarObject:
        """The grammar of a JSON Schema.

        Args:
            key_string: The schema, or `$$ANY$$` for any JSON.
        """
        return self._grammar("json", self._json, key_string)

    def dispatch_regex(self, key_string: str) -> BaseGrammarObject:
        """The grammar of a pattern of ECMA-262 that the whole text matches.

        Args:
            key_string: The pattern.
        """
        return self._grammar("regex", Grammar.from_regex, key_string)

    def dispatch_ebnf(self, key_string: str) -> BaseGrammarObject:
        """The grammar of GBNF, which SGLang calls EBNF, from its rule `root`.

        Args:
            key_string: The rules.
        """
        return self._grammar("ebnf", Grammar.from_gbnf, key_string)

    def dispatch_structural_tag(self, key_string: str) -> BaseGrammarObject:
        """The grammar of a structural tag.

        Args:
            key_string: The tag, as JSON.
        """
        return self._grammar("structural_tag", self._tag, key_string)

    def _grammar(self, kind: str, make: Callable[[str], Grammar], text: str) -> BaseGrammarObject:
        """The grammar of a request, or what SGLang answers it with: an error, and why."""
        try:
            return SchemaskGrammar(self._compiled.get(make, text), kind)
        except Error as error:
            log.info("refused: %s", error)
            return InvalidGrammarObject(str(error))

    @property
    def is_support_token_filter(self) -> bool:
        """Yes: SGLang can keep tokens out of reasoning."""
        return True

    def reserve_framing_tokens(self, token_ids: Sequence[int]) -> None:
        """Refuses models whose reasoning SGLang frames with tokens of its own.

        Args:
            token_ids: The tokens.

        Raises:
            ModelError: Always.
        """
        raise ModelError(
            "answers framed by tokens, as this reasoning parser has, are not supported"
        )

    def reset(self) -> None:
        """Forgets what was compiled."""
        super().reset()
        self._compiled.clear()


def create_backend(
    server_args: Any, tokenizer: Any, vocab_size: int, eos_token_ids: Iterable[int] | None
) -> BaseGrammarBackend:
    """The backend of a server.

    SGLang leaves backends that it does not know without the wrapper that has constraints begin
    where reasoning ends: so that comes from here.

    Args:
        server_args: SGLang's arguments of the server.
        tokenizer: SGLang's tokenizer of the model.
        vocab_size: Width of the model's logits.
        eos_token_ids: The tokens that end a text.

    Raises:
        VocabularyError: As `SchemaskGrammarBackend`.
        ModelError: The server is told what this backend does not do.
        DependencyError: The code of this SGLang is another one than that of 0.5.23, where it
            matters here.
    """
    serving = get_serving()
    backend = SchemaskGrammarBackend(tokenizer, vocab_size, eos_token_ids, Spacing.of(serving))
    apply_hooks()
    if not serving.reasoning_parser:
        return backend
    parser = ReasoningParser(
        model_type=serving.reasoning_parser, stream_reasoning=False, tokenizer=tokenizer
    )
    if not parser.detector.get_think_end_token_ids(tokenizer):
        return backend
    wrapped = ReasonerGrammarBackend(
        backend, parser, tokenizer, enable_strict_thinking=serving.enable_strict_thinking
    )
    wrapped.cache = _Latest()
    return wrapped
