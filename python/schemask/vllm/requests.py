"""What a request of vLLM asks for, as a grammar on the vocabulary of the model."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from vllm.v1.structured_output.backend_types import StructuredOutputOptions
from vllm.v1.structured_output.request import get_structured_output_key

from schemask._native import CompiledGrammar
from schemask.core.cache import GrammarCache
from schemask.core.grammar import Grammar, Whitespace
from schemask.core.notation import from_choices, from_notation
from schemask.core.structural_tag import from_structural_tag, special_names
from schemask.core.vocabulary import Vocabulary
from schemask.errors import GenerationError, GrammarError, ModelError, VocabularyError, shortened

# How many sets of tokens that end a text are kept, and of each how many grammars: the latest
# ones used.
_VOCABULARIES, _GRAMMARS = 4, 64


class Constraint(NamedTuple):
    """What a request asks for.

    Attributes:
        kind: Which of vLLM's constraints it is.
        text: The constraint, as vLLM writes it.
        whitespace: Between the tokens of JSON values.
    """

    kind: StructuredOutputOptions
    text: str
    whitespace: Whitespace = "flexible"

    @classmethod
    def of(cls, params: Any) -> Constraint:
        """The constraint of a request.

        Args:
            params: vLLM's `StructuredOutputsParams`.

        Raises:
            ModelError: Something is asked for that this backend does not do.
            GrammarError: The constraint is empty.
        """
        if params.whitespace_pattern is not None:
            raise ModelError("whitespace_pattern is not supported: leave it out")
        if params.disable_additional_properties:
            raise ModelError(
                "disable_additional_properties is not supported: "
                'write "additionalProperties": false into the schema'
            )
        if params.json_object is False:
            raise ModelError("json_object is True if it is given, not False")
        kind, text = get_structured_output_key(params)
        if not isinstance(text, str):
            raise GrammarError(f"a structured output is a text, not {shortened(text)}")
        return cls(kind, text, "compact" if params.disable_any_whitespace else "flexible")


class _Ending(NamedTuple):
    """The grammars of texts that some tokens end, and what makes them."""

    grammars: GrammarCache
    make: Callable[[Constraint], Grammar]


class Compiler:
    """Compiles requests for one model, and keeps what was compiled last. Threads may share it.

    Args:
        tokenizer: vLLM's tokenizer of the model.
        vocab_size: Width of the model's logits.

    Attributes:
        model_stops: The tokens that end a text of this model, whatever a request says, once they
            are known.
    """

    def __init__(self, tokenizer: Any, vocab_size: int) -> None:
        # vLLM's own class for Mistral's tokenizers holds one of transformers.
        self._tokenizer = getattr(tokenizer, "transformers_tokenizer", tokenizer)
        self._vocab_size = vocab_size
        self.model_stops: frozenset[int] | None = None
        self._ending = functools.lru_cache(_VOCABULARIES)(self._found_ending)

    def compile(self, constraint: Constraint, stop_token_ids: frozenset[int]) -> CompiledGrammar:
        """The grammar of a constraint, on the vocabulary where these tokens end a text.

        Raises:
            VocabularyError: The tokens of this tokenizer cannot be read as bytes, no token ends a
                text, or one of them is not in the vocabulary.
            Error: It is refused; each kind of constraint has its own errors.
        """
        ending = self._ending(stop_token_ids)
        return ending.grammars.get(ending.make, constraint)

    def forget(self) -> None:
        """Forgets what was compiled."""
        self._ending.cache_clear()

    def _found_ending(self, stop_token_ids: frozenset[int]) -> _Ending:
        if not stop_token_ids:
            raise VocabularyError("the request has no stop token, so no text could end")
        vocabulary = Vocabulary.from_transformers(
            self._tokenizer, self._vocab_size, stop_token_ids=sorted(stop_token_ids)
        )
        make = functools.partial(grammar_of, special_tokens=special_names(vocabulary))
        return _Ending(GrammarCache(vocabulary, _GRAMMARS), make)


def grammar_of(constraint: Constraint, special_tokens: Iterable[str] = ()) -> Grammar:
    """The grammar of a constraint.

    A grammar is read as `from_notation` reads it.

    Args:
        constraint: What is asked for.
        special_tokens: Texts of the vocabulary's special tokens.

    Raises:
        Error: It is refused; each kind of constraint has its own errors.
    """
    kind, text, whitespace = constraint
    options = StructuredOutputOptions
    if kind is options.JSON:
        return Grammar.from_json_schema(text, whitespace=whitespace)
    if kind is options.JSON_OBJECT:
        return Grammar.from_json_schema({"type": "object"}, whitespace=whitespace)
    if kind is options.REGEX:
        return Grammar.from_regex(text)
    if kind is options.CHOICE:
        return _choice(text)
    if kind is options.STRUCTURAL_TAG:
        return from_structural_tag(text, list(special_tokens), whitespace)
    if kind is not options.GRAMMAR:
        raise GrammarError(f"structured outputs of the kind {kind} are not known")
    return from_notation(text, whitespace)


def _choice(text: str) -> Grammar:
    """One of the texts of a JSON array."""
    try:
        choices = json.loads(text)
    except ValueError as error:
        raise GrammarError(f"choice is a list of texts: {error}") from error
    return from_choices(choices)


def check_request(
    params: Any, compiler: Compiler, stop_token_ids: Iterable[int], has_budget: bool = True
) -> None:
    """Refuses a request of which not all can be kept exactly.

    Args:
        params: vLLM's `SamplingParams`, with structured outputs.
        compiler: The compiler of the model.
        stop_token_ids: The tokens that end a text of this model, whatever the request says.
        has_budget: Whether the text has to be finished within its `max_tokens`.

    Raises:
        Error: The request is refused; the message says why.
    """
    if params.ignore_eos:
        raise GenerationError("ignore_eos has no sense with structured outputs: a text must end")
    stops = frozenset(stop_token_ids) | frozenset(params.stop_token_ids or ())
    compiled = compiler.compile(Constraint.of(params.structured_outputs), stops)
    compiled.matcher(max_tokens=budget_of(params) if has_budget else None)


def budget_of(params: Any, room: int | None = None) -> int | None:
    """In how many tokens the text has to be finished; None if nothing bounds it.

    Args:
        params: vLLM's `SamplingParams`.
        room: What the model's context holds after the prompt, in tokens.
    """
    transfer = (params.extra_args or {}).get("kv_transfer_params") or {}
    if transfer.get("do_remote_decode"):
        return None  # this engine writes one token, and another one goes on with the text
    bounds = [bound for bound in (params.max_tokens, room) if bound is not None]
    return min(bounds, default=None)
