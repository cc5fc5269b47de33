"""Constrained decoding with `transformers`.

    processor = SchemaLogitsProcessor(compiled, max_tokens=200)
    model.generate(
        **inputs,
        max_new_tokens=200,
        logits_processor=LogitsProcessorList([processor]),
        eos_token_id=compiled.vocabulary.stop_token_ids,
    )

Pass all stop tokens as `eos_token_id`, as above: a model's generation config often names only one
of them, and after the others generation would go on, with stop tokens alone. Decode with
`clean_up_tokenization_spaces=False`, or `decode` edits the text. `generate` does all of this, and
checks each sequence once more before it returns it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import warnings
from collections.abc import Callable, Generator, Sequence
from typing import Any

from schemask._native import CompiledGrammar
from schemask.core.completion_pieces import CompletionPieces
from schemask.core.generation import (
    Completion,
    Status,
    TextStream,
    check_compiled,
    refusal,
)
from schemask.errors import GenerationError, ModelError, check_flags, missing, shortened

try:
    import torch
    from transformers import StoppingCriteriaList, StopStringCriteria
except ImportError as error:
    raise missing("transformers with torch", "transformers", error) from error

from schemask._forced_decoding import ForcedDecoding, is_for, options_of
from schemask._transformers_processor import SchemaLogitsProcessor
from schemask._transformers_request import Request, ended

__all__ = [
    "SchemaLogitsProcessor",
    "batched_text",
    "constrain_batching",
    "forced_decoding",
    "generate",
    "prefix_allowed_tokens_fn",
    "stream",
]

_LOGGER = logging.getLogger(__name__)


def generate(
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str | Sequence[int]],
    compiled: CompiledGrammar,
    *,
    max_new_tokens: int = 256,
    forced_tokens: bool = True,
    prompt_lookup: bool = False,
    streamer: Any = None,
    **options: Any,
) -> list[str]:
    """Generates a valid text for each prompt.

    Adds to `model.generate` what is easily forgotten: left padding, all stop tokens, the token
    budget, texts made of the very bytes that the grammar saw, and an error instead of any text that
    is not valid. Warns of texts that `max_new_tokens` cut short, as `Completion.status` tells it.

    Args:
        model: A `transformers` model that generates.
        tokenizer: Its tokenizer; encodes those prompts that are strings, with its special tokens.
        prompts: Texts, or token ids (what `apply_chat_template` returns), as one batch. A string
            is one prompt.
        compiled: The grammar, compiled for the model's vocabulary.
        max_new_tokens: Tokens for each text, all of which are finished within it. It is cut to what
            the context still holds after the longest prompt.
        forced_tokens: Whether the text that the grammar forces is appended without asking the
            model, which then reads it at once. That is done where tokens are chosen one by one,
            greedily or by sampling: not with beams, drafts, or outputs beside the tokens.
        prompt_lookup: Whether, beside forced text, values that stand in the prompt are guessed; see
            `forced_decoding`.
        streamer: A streamer of transformers, such as `TextIteratorStreamer`, which gets the prompt,
            then the tokens as they come, forced ones at once. Its end is told whatever happens,
            errors included, so that nobody waits for it in vain.
        options: Further arguments of `model.generate`, such as `do_sample` or `num_beams`.
            `stop_strings` end a text early, and are not part of it; only then is it not valid, but
            the beginning of a valid one.

    Returns:
        `num_return_sequences` texts (default 1) for each prompt, in order.

    Raises:
        ModelError: No prompts, an empty one, one that fills the context, or a grammar for another
            vocabulary.
        GenerationError: A sequence is not valid. Beam search returns such ones when it runs out of
            valid beams.
    """
    with ended(streamer) as told:
        check_flags(ModelError, forced_tokens=forced_tokens, prompt_lookup=prompt_lookup)
        request = Request.of(model, tokenizer, prompts, compiled, max_new_tokens, options)
        processor = _processor(model, compiled, request, options)
        stops = options.get("stop_strings") or ()
        if forced_tokens and is_for(model, options):
            decoding = forced_decoding(processor, tokenizer, told, prompt_lookup=prompt_lookup)
            options |= _forcing(decoding, tokenizer, options)
        else:
            if forced_tokens:
                _LOGGER.debug("forced text is sampled: the options ask for another way to decode")
            options["streamer"] = told
            if stops:
                options["tokenizer"] = tokenizer
        output = request.generate(model, processor, **options)
    sequences = output if isinstance(output, torch.Tensor) else output.sequences
    rows: list[list[int]] = sequences[:, request.width :].tolist()
    stop_ids = compiled.vocabulary.stop_token_ids
    texts: list[str] = []
    cut = 0
    for number, row in enumerate(rows):
        length = next((n for n, token in enumerate(row) if token in stop_ids), len(row))
        prompt = request.padded[number * len(request.padded) // len(rows)]
        cut += length == request.budget or processor.is_cut(prompt, row[:length])
        texts.append(_checked_text(compiled, row[:length], stops))
    if cut:
        limit = f"max_new_tokens={max_new_tokens}"
        if request.budget < max_new_tokens:
            limit = f"the context of {request.context} tokens"
        warnings.warn(
            f"{limit} ended {cut} of {len(texts)} texts: they are valid, "
            "but what they say may be cut short",
            stacklevel=2,
        )
    return texts


def stream(
    model: Any,
    tokenizer: Any,
    prompt: str | Sequence[int],
    compiled: CompiledGrammar,
    *,
    max_new_tokens: int = 256,
    forced_tokens: bool = True,
    prompt_lookup: bool = False,
    **options: Any,
) -> CompletionPieces:
    """Generates a valid text as `generate` does, piece by piece, without a thread.

    Args:
        model: A `transformers` model that generates.
        tokenizer: Its tokenizer.
        prompt: Text or token ids, as for `generate`.
        compiled: The grammar, compiled for the model's vocabulary.
        max_new_tokens: The most tokens; the text is finished within it.
        forced_tokens: Whether the text that the grammar forces is appended without asking the
            model.
        prompt_lookup: Whether values that stand in the prompt are guessed, too.
        options: Further arguments of `model.generate`, such as `do_sample` or `stop_strings`; not
            beams, drafts, or outputs beside the tokens.

    Returns:
        An iterator of pieces of text, which holds the `Completion` when it has ended.

    Raises:
        ModelError: No prompt, one that fills the context, a grammar for another vocabulary, or
            options with which tokens are not chosen one by one.
        GenerationError: From `next`: the text is not valid.
    """
    check_flags(ModelError, forced_tokens=forced_tokens, prompt_lookup=prompt_lookup)
    request = Request.of(model, tokenizer, [prompt], compiled, max_new_tokens, options)
    if not is_for(model, options) or options.get("num_return_sequences") not in (None, 1):
        raise ModelError(
            "a text can be streamed where its tokens are chosen one by one, greedily or by "
            "sampling: without beams, drafts, and outputs beside the tokens"
        )
    processor = _processor(model, compiled, request, options)
    stops = options.pop("stop_strings", None) or ()
    certain: list[str] = []
    text = TextStream(stops, certain.append)
    decoding = ForcedDecoding(lambda ids, token: [])
    if forced_tokens:
        decoding = forced_decoding(processor, tokenizer, prompt_lookup=prompt_lookup)
    runs = request.generate(model, processor, custom_generate=decoding.runs, **options)

    def pieces() -> Generator[str, None, Completion]:
        tokens: list[int] = []
        status: Status = "max_tokens"
        with contextlib.closing(runs):
            for (run,) in runs:
                for token in run:
                    if token in request.stop_ids:
                        status = "complete"
                        break
                    tokens.append(token)
                    if text.feed(compiled.vocabulary.token(token)):
                        status = "stop"
                        break
                yield from certain
                certain.clear()
                if status != "max_tokens":
                    break
        whole = text.finish()
        yield from certain
        _checked_text(compiled, tokens, stops)
        (prompt_ids,) = request.padded
        if processor.is_cut(prompt_ids, tokens):
            status = "max_tokens"
        return Completion(whole, tokens, status, len(prompt_ids), len(tokens))

    return CompletionPieces(pieces())


def constrain_batching(manager: Any) -> None:
    """Has the continuous batching of transformers take a grammar with each request.

        manager = model.init_continuous_batching(generation_config, batching_config)
        constrain_batching(manager)
        manager.start()
        stops = compiled.vocabulary.stop_token_ids
        manager.add_request(ids, max_new_tokens=64, eos_token_id=stops, grammar=compiled)
        batched_text(compiled, manager.get_result())

    Requests without a grammar are as before. A text is finished within the request's
    `max_new_tokens`. A request that cannot go on (its budget is too small, or a mask takes too
    much work) ends with a stop token, a warning in the log, and a text that `batched_text` refuses.

    Args:
        manager: A manager that has not been started, of a batching without `use_async_batching`:
            there the next pass is prepared before the token is known which its mask depends on.

    Raises:
        ModelError: No manager, one that has been started, or one that batches asynchronously.
    """
    from schemask._continuous_batching import GrammarProcessor

    processors = getattr(manager, "logit_processor", None)
    if processors is None or not hasattr(manager, "batch_processor"):
        raise ModelError(f"the manager is one of transformers, not {shortened(manager)}")
    if manager.batch_processor is not None:
        raise ModelError("the manager has been started: grammars come before")
    if manager.continuous_batching_config.use_async_batching:
        raise ModelError(
            "a mask depends on the token before, which asynchronous batching does not wait for: "
            "set use_async_batching=False in the ContinuousBatchingConfig"
        )
    # Before those that choose among the likeliest tokens, as in `generate`.
    processors.logits_processor.insert(0, GrammarProcessor(manager))
    processors.tensors_required += 1
    processors.supported_keys["grammar"] = CompiledGrammar
    processors.do_processing = True


def batched_text(compiled: CompiledGrammar, output: Any) -> str:
    """The text of a request of continuous batching.

    Args:
        compiled: The grammar that the request came with.
        output: What the manager's `get_result` gave for it.

    Raises:
        ModelError: `compiled` is not compiled.
        GenerationError: The request failed, or its text is not valid.
    """
    check_compiled(compiled)
    if output.error is not None:
        raise GenerationError(f"the request {output.request_id} failed: {output.error}")
    stops = compiled.vocabulary.stop_token_ids
    tokens = itertools.takewhile(lambda token: token not in stops, output.generated_tokens)
    return _checked_text(compiled, list(tokens), ())


def prefix_allowed_tokens_fn(
    compiled: CompiledGrammar,
    *,
    max_tokens: int | None = None,
    prompt_length: int | None = None,
) -> Callable[[int, torch.Tensor], list[int]]:
    """A function for `model.generate(..., prefix_allowed_tokens_fn=...)`, and for whatever else
    wants the tokens that may come next as a list.

    The masks are those of `SchemaLogitsProcessor`, which is faster: a list of all tokens that a
    string may go on with is long.

    Args:
        compiled: The grammar, compiled for the model's vocabulary.
        max_tokens: A budget; see `SchemaLogitsProcessor`.
        prompt_length: Tokens before the constrained text; see there.

    Returns:
        A function of the number of a row, which it does not look at, and of the row's token ids, of
        shape (length,); it returns the allowed ones in order.

    Raises:
        ModelError: An argument of a wrong type or out of range.
        LimitError: `max_tokens` is too small for any valid text; on a call, a mask takes too much
            work.
        GenerationError: On a call with a row that is shorter than `prompt_length`.
    """
    processor = SchemaLogitsProcessor(compiled, max_tokens=max_tokens, prompt_length=prompt_length)
    return lambda _, input_ids: processor.allowed_after(input_ids)


def _processor(
    model: Any, compiled: CompiledGrammar, request: Request, options: dict[str, Any]
) -> SchemaLogitsProcessor:
    margin = 0.0 if _is_greedy(model, options) else math.inf
    return SchemaLogitsProcessor(compiled, max_tokens=request.budget, margin=margin)


def _forcing(decoding: ForcedDecoding, tokenizer: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options with which forced text is not sampled."""
    forcing: dict[str, Any] = {"custom_generate": decoding}
    if stops := options.pop("stop_strings", None):
        # `generate` would not find the tokenizer beside a loop that it does not know.
        criteria = [StopStringCriteria(tokenizer, stops), *options.get("stopping_criteria", ())]
        forcing["stopping_criteria"] = StoppingCriteriaList(criteria)
    return forcing


def forced_decoding(
    processor: SchemaLogitsProcessor,
    tokenizer: Any,
    streamer: Any = None,
    *,
    prompt_lookup: bool = False,
) -> ForcedDecoding:
    """A way to decode for `model.generate(..., custom_generate=...)`: forced text is not sampled.

    After each token that the model chose, what the grammar forces is appended without asking the
    model, in the tokens of its tokenizer, and read together with that token in one pass: a call of
    a tool takes a fraction of the passes, and its text is the same. It is for greedy decoding and
    sampling, without outputs beside the tokens. Batches have to have a cache without windows and
    states; with others each token takes a pass, as ever.

    Args:
        processor: The one in `logits_processor` of the same call.
        tokenizer: The model's tokenizer.
        streamer: A streamer of transformers. It has to be given here: what `model.generate` is
            given beside a way to decode gets the prompt, and never anything else.
        prompt_lookup: Whether values that have begun as something in the prompt are guessed to go
            on like that, as arguments that stand in a request do. The guess is read together with
            what is certain, and what the model would have written instead comes in its place. It
            is done with one row, decoded greedily, whose cache can be cut.
    """

    def tokenize(text: bytes) -> list[int]:
        try:
            ids: list[int] = tokenizer.encode(text.decode(), add_special_tokens=False)
        except UnicodeDecodeError:  # it ends inside a character
            return []
        return ids

    def forced(ids: torch.Tensor, token: int) -> list[int]:
        return processor.forced_after(ids, token, tokenize)

    def drafted(ids: torch.Tensor, value: list[int]) -> list[int]:
        return processor.drafted_after(ids, value, tokenize)

    return ForcedDecoding(forced, drafted if prompt_lookup else None, streamer)


def _is_greedy(model: Any, options: dict[str, Any]) -> bool:
    """Whether the token with the best score is always taken."""
    option = options_of(model, options)
    return not option("do_sample") and option("num_beams") in (None, 1)


def _checked_text(compiled: CompiledGrammar, tokens: list[int], stops: str | Sequence[str]) -> str:
    stream = TextStream(stops)
    matcher = compiled.matcher()
    for position, token_id in enumerate(tokens):
        if not matcher.accept(token_id):
            raise refusal(compiled.vocabulary, tokens, position)
        if stream.feed(compiled.vocabulary.token(token_id)):
            return stream.finish()
    text = stream.finish()
    if not matcher.is_accepting:
        raise GenerationError(f"the text ends at position {len(tokens)}, unfinished: {text!r}")
    return text
