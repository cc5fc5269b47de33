"""All that is changed in SGLang, by its own registry of hooks.

- `traverse_tree`, where the masks of a speculation are made: an error there would end the
  scheduler, so a token of a draft that may not come is none.
- `GrammarManager.process_req_with_grammar` and `get_ready_grammar_requests`, where a request gets
  its grammar: it gets the budget of its `max_new_tokens`, too.
- `ReasonerGrammarObject.transfer_state`, where reasoning ends: the grammar is told how many tokens
  that took.

With any other backend all of them do what they did.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import sglang
from sglang.srt.constrained.reasoner_grammar_backend import ReasonerGrammarObject
from sglang.srt.plugins.hook_registry import HookRegistry, HookType
from sglang.srt.runtime_context import get_disagg

from schemask.errors import DependencyError, LimitError
from schemask.sglang.grammar import SchemaskGrammar

_TRAVERSE = "sglang.srt.speculative.spec_utils.traverse_tree"
_REASONER = "sglang.srt.constrained.reasoner_grammar_backend.ReasonerGrammarObject"
_TRANSFER = f"{_REASONER}.transfer_state"
_MANAGER = "sglang.srt.constrained.grammar_manager.GrammarManager"


def _traverse(
    traverse: Callable[..., None],
    retrieve_next_token: Any,
    retrieve_next_sibling: Any,
    draft_tokens: Any,
    grammar: Any,
    *args: Any,
    **kwargs: Any,
) -> None:
    own = _own(grammar)
    if own is not None:
        own.proposing = True
    try:
        traverse(retrieve_next_token, retrieve_next_sibling, draft_tokens, grammar, *args, **kwargs)
    finally:
        if own is not None:
            own.proposing = False


def _processed(waits: bool, manager: Any, req: Any) -> None:
    if not waits:
        _bound(req)


def _ready(requests: list[Any], manager: Any) -> None:
    for req in requests:
        _bound(req)


def _bound(req: Any) -> None:
    """Gives a request its budget, or aborts it where no valid text is so short."""
    grammar = _own(req.grammar)
    if grammar is None or req.finished():
        return
    if get_disagg().disaggregation_mode == "prefill":
        return  # this process writes one token, and another one goes on with the text
    reasoner = req.grammar if isinstance(req.grammar, ReasonerGrammarObject) else None
    if reasoner and reasoner.tokens_after_end < 0 and not reasoner.reasoning_in_grammar:
        grammar.bound_after_reasoning(req.sampling_params.max_new_tokens)
        return
    try:
        grammar.bound(req.sampling_params.max_new_tokens)
    except LimitError as error:
        req.set_finish_with_abort(f"max_new_tokens is too small: {error}")


def _transferred(result: None, reasoner: Any, token: int) -> None:
    """Tells a grammar that reasoning ends here, which is several tokens if its marker is.

    Each token of reasoning is in the history of the matches of that marker; those of a draft are
    taken out again.
    """
    if reasoner.tokens_after_end == 0 and isinstance(reasoner.grammar, SchemaskGrammar):
        reasoner.grammar.begin(len(reasoner._thinking_match_history))


def _own(grammar: Any) -> SchemaskGrammar | None:
    """The grammar of this backend that SGLang has for a request, if it is one."""
    inner = grammar.grammar if isinstance(grammar, ReasonerGrammarObject) else grammar
    return inner if isinstance(inner, SchemaskGrammar) else None


# What is hooked, the arguments that it has, and how.
_HOOKS: tuple[tuple[str, list[str], Callable[..., None], HookType], ...] = (
    (
        _TRAVERSE,
        [
            "retrieve_next_token",
            "retrieve_next_sibling",
            "draft_tokens",
            "grammar",
            "allocate_token_bitmask",
            "vocab_size",
        ],
        _traverse,
        HookType.AROUND,
    ),
    (f"{_MANAGER}.process_req_with_grammar", ["self", "req"], _processed, HookType.AFTER),
    (f"{_MANAGER}.get_ready_grammar_requests", ["self"], _ready, HookType.AFTER),
    (_TRANSFER, ["self", "token"], _transferred, HookType.AFTER),
)


def apply_hooks() -> None:
    """Hooks this backend into SGLang. Again is the same as once.

    Raises:
        DependencyError: The code of this SGLang is another one than that of 0.5.23, where it
            matters here; nothing is changed then.
    """
    new = [entry for entry in _HOOKS if not _is_hooked(entry[0], entry[2])]
    for target, wanted, _, _ in new:
        function = _function(target)
        found = list(inspect.signature(function).parameters) if function is not None else None
        if found != wanted:
            raise DependencyError(
                f"SGLang {sglang.__version__} has other code than 0.5.23, for which schemask is "
                f"made ({target} has other arguments): pip install 'sglang==0.5.23'"
            )
    for target, _, hook, kind in new:
        HookRegistry.register(target, hook, kind)
    HookRegistry.apply_hooks()
    for target, _, hook, _ in new:
        if not _is_hooked(target, hook):
            # It only logs what it cannot do, and hooks nothing that another plug-in has hooked.
            raise DependencyError(f"SGLang {sglang.__version__} does not let {target} be hooked")


def _function(target: str) -> Any:
    """The function of a name, if there is one."""
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError):
        return None


def _is_hooked(target: str, hook: Callable[..., None]) -> bool:
    """Whether a hook is among those around a function."""
    function = _function(target)
    while function is not None:
        cells = getattr(function, "__closure__", None) or ()
        if any(cell.cell_contents is hook for cell in cells):
            return True
        function = getattr(function, "__wrapped__", None)
    return False
