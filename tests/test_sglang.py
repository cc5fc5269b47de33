"""The grammar backend for SGLang, through SGLang's own manager, masks and speculation.

No model runs, and the scheduler around the manager is a stand-in: SGLang's own needs kernels for a
GPU. SGLang has an environment of its own: where it is not installed, all of this is skipped.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import itertools
import json
import os
import random
import re
import subprocess
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins import with_entry_point
from schemask import Grammar, Vocabulary, allocate_mask
from schemask.errors import DependencyError, ModelError, TokenError

pytest.importorskip("sglang")
torch = pytest.importorskip("torch")

from sglang.srt.constrained.base_grammar_backend import (  # noqa: E402
    GRAMMAR_BACKEND_REGISTRY,
)
from sglang.srt.constrained.grammar_manager import GrammarManager  # noqa: E402
from sglang.srt.constrained.reasoner_grammar_backend import (  # noqa: E402
    ReasonerGrammarBackend,
    ReasonerGrammarObject,
)
from sglang.srt.entrypoints.openai.protocol import Function, Tool  # noqa: E402
from sglang.srt.function_call.function_call_parser import FunctionCallParser  # noqa: E402
from sglang.srt.managers.schedule_batch import (  # noqa: E402
    FINISH_ABORT,
    FINISH_MATCHED_TOKEN,
    Req,
)
from sglang.srt.managers.scheduler_components.batch_result_processor import (  # noqa: E402
    SchedulerBatchResultProcessor,
)
from sglang.srt.runtime_context import get_context, get_parallel  # noqa: E402
from sglang.srt.sampling.sampling_batch_info import SamplingBatchInfo  # noqa: E402
from sglang.srt.sampling.sampling_params import SamplingParams  # noqa: E402
from sglang.srt.server_args import ServerArgs  # noqa: E402
from sglang.srt.speculative import spec_utils  # noqa: E402
from sglang.srt.utils.hf_transformers.tokenizer import get_tokenizer  # noqa: E402
from sglang.utils import convert_json_schema_to_str  # noqa: E402

import schemask.sglang  # noqa: E402
from schemask.sglang import hooks  # noqa: E402
from schemask.sglang.masks import apply_vocab_mask  # noqa: E402
from xml_texts import NOTE, surroundings, written  # noqa: E402

schemask.sglang.register()

PROMPT = (1, 2, 3)
DRAFTS = 6
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "bb", "é"]}, "uniqueItems": True},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
CALL = {
    "type": "tag",
    "begin": "<function=age>",
    "content": {"type": "json_schema", "json_schema": {"type": "integer"}},
    "end": "</function>",
}
TAG = {
    "type": "structural_tag",
    "format": {
        "type": "triggered_tags",
        "triggers": ["<function="],
        "tags": [CALL],
        "at_least_one": True,
        "stop_after_first": True,
    },
}
NO_SCHEMA = {"type": "structural_tag", "format": {**CALL, "content": {"type": "json_schema"}}}
OLD_TAG = {
    "type": "structural_tag",
    "triggers": ["<f"],
    "structures": [{"begin": "<f>", "schema": None, "end": "</f>"}],
}
NESTED_TAG = (
    '{"format": ' + '{"type": "optional", "content": ' * 330 + '{"type": "any_text"}' + "}" * 331
)
# What is asked for, texts that it allows, and texts that it does not.
CASES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    (
        {"json_schema": json.dumps(PERSON)},
        ['{"name": "Ada", "age": 36}', '{"name":"é","age":0,"tags":["a"]}'],
        ['{"name": "Ada", "age": 151}', '{"age": 1, "name": "x"}', '{"name": "x", "age": 1'],
    ),
    ({"json_schema": "$$ANY$$"}, ['{"a": [1, {}]}', "[]", "null"], ["nul", "{"]),
    ({"json_schema": '{"type": "object"}'}, ["{}"], ["[]"]),
    ({"regex": r"[0-9]{3}-[a-f]+"}, ["123-abc"], ["12-abc", "123-abcg"]),
    ({"ebnf": 'root ::= "a" root "b" | "::="'}, ["::=", "a::=b"], ["ab", "a::="]),
    ({"ebnf": 'root ::= "a"', "ebnf_full_assistant": True}, ["a"], ["b"]),
    (
        {"structural_tag": json.dumps(TAG)},
        ["<function=age>36</function>"],
        ["<function=age>x</function>", "36"],
    ),
    (
        {"structural_tag": json.dumps(NO_SCHEMA)},
        ['<function=age>{"a": 1}</function>'],
        ["<function=age></function>"],
    ),
    ({"structural_tag": json.dumps(OLD_TAG)}, ["<f>1</f>", "so <f>[]</f>.", "no"], ["<fx"]),
    (
        {"structural_tag": json.dumps({**OLD_TAG, "at_least_one": True})},
        ["<f>1</f>", "<f>1</f>."],
        ["so <f>[]</f>", "no"],
    ),
]
# What is asked for, and what the error says.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"json_schema": '{"type": "strin"}'}, "/type"),
    ({"json_schema": r'{"pattern": "(a)\\1"}'}, "/pattern"),
    ({"json_schema": '{"allOf": [{"type": "string"}, {"type": "null"}]}'}, "schema"),
    ({"json_schema": "{"}, "JSON"),
    ({"json_schema": '{"items": ' * 600 + "true" + "}" * 600}, "deep|nest"),
    ({"regex": "("}, "closed"),
    ({"ebnf": 'root ::= "a" missing'}, "missing"),
    ({"ebnf": "start: /a/"}, ""),
    ({"structural_tag": "[]"}, "JSON object"),
    ({"structural_tag": "{"}, "not JSON"),
    ({"structural_tag": NESTED_TAG}, "nests too deeply"),
    (
        {"structural_tag": '{"format": {"type": "any_text", "max_tokens": 3}}'},
        "max_tokens",
    ),
    ({"regex": "a{200}", "max_new_tokens": 3}, "short|tokens"),
]
GRAMMARS = {
    "json": lambda: Grammar.from_json_schema(PERSON),
    "ebnf": lambda: Grammar.from_gbnf('root ::= "(" root ")" | [a-z]+'),
    "regex": lambda: Grammar.from_regex("(a|bc){2,4}[^x]"),
}
ASKED = {
    "json": {"json_schema": json.dumps(PERSON)},
    "ebnf": {"ebnf": 'root ::= "(" root ")" | [a-z]+'},
    "regex": {"regex": "(a|bc){2,4}[^x]"},
}
BYTES = Vocabulary([bytes([byte]) for byte in range(256)] + [b""], stop_token_ids=[256])


class Server(NamedTuple):
    """What a scheduler of SGLang has for grammars."""

    manager: GrammarManager
    tokenizer: Any
    vocab_size: int


@contextlib.contextmanager
def serving(tokenizer: Any, width: int = 0, **options: Any) -> Iterator[Server]:
    """SGLang's manager of grammars, as a scheduler makes it."""
    vocab_size = width or len(tokenizer)
    settings = {"grammar_backend": "schemask", **options}
    with (
        get_context().override_server_args(**settings) as server_args,
        get_parallel().override(tp_rank=0, pp_rank=0),
    ):
        scheduler = SimpleNamespace(
            server_args=server_args,
            tokenizer=tokenizer,
            model_config=SimpleNamespace(
                vocab_size=vocab_size,
                hf_eos_token_id={tokenizer.eos_token_id},
                think_end_ids=None,
            ),
            dp_tp_cpu_group=None,
            dp_tp_group=SimpleNamespace(world_size=1, first_rank=0, is_first_rank=True),
            pp_group=None,
        )
        manager = GrammarManager(scheduler)
        yield Server(manager, tokenizer, vocab_size)
        manager.grammar_backend.executor.shutdown()


@pytest.fixture(scope="session")
def tokenizer(hf_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """That of SmolLM2, as SGLang reads it."""
    folder = tmp_path_factory.mktemp("sglang")
    hf_tokenizer.save_pretrained(folder)
    return get_tokenizer(str(folder))


@pytest.fixture(scope="module")
def server(tokenizer: Any) -> Iterator[Server]:
    with serving(tokenizer) as made:
        yield made


@pytest.fixture(scope="session")
def vocabulary(tokenizer: Any) -> Vocabulary:
    return Vocabulary.from_transformers(tokenizer, stop_token_ids=[tokenizer.eos_token_id])


_numbers = itertools.count()


def request_of(server: Server, wanted: dict[str, Any], reasons: bool = False) -> Req:
    """A request as a scheduler takes it, with its grammar or an error."""
    given = {"max_new_tokens": 200, **wanted}
    full = given.pop("ebnf_full_assistant", False)
    params = SamplingParams(**given)
    params.normalize(server.tokenizer)
    params.verify(server.vocab_size)
    params.ebnf_full_assistant = full
    req = Req(
        f"request {next(_numbers)}",
        "",
        array("q", PROMPT),
        params,
        require_reasoning=reasons,
        eos_token_ids={server.tokenizer.eos_token_id},
        vocab_size=server.vocab_size,
    )
    req.tokenizer = server.tokenizer
    if server.manager.process_req_with_grammar(req):
        ready: list[Req] = []
        while not ready:
            ready = server.manager.get_ready_grammar_requests()
        assert ready == [req]
    return req


def accept(req: Req, tokens: Sequence[int]) -> list[int]:
    """Goes on with tokens, as the scheduler does with those that a model has written."""
    retained: list[int] = SchedulerBatchResultProcessor._accept_grammar_tokens(
        None, req, list(tokens)
    )
    return retained


def rows_of(server: Server, *reqs: Req) -> np.ndarray[Any, Any]:
    """The masks of a step."""
    rows = batch_of(server, *reqs).grammar_mask.vocab_mask
    return rows.numpy().copy()  # type: ignore[no-any-return]


def batch_of(server: Server, *reqs: Req) -> SamplingBatchInfo:
    ones = torch.ones(len(reqs), 1)
    info = SamplingBatchInfo(
        temperatures=ones,
        top_ps=ones,
        top_ks=ones,
        min_ps=ones,
        is_all_greedy=True,
        is_any_greedy=True,
        need_top_p_sampling=False,
        need_top_k_sampling=False,
        need_min_p_sampling=False,
        vocab_size=server.vocab_size,
        grammars=[req.grammar for req in reqs],
        device="cpu",
    )
    info.update_regex_vocab_mask()
    return info


def allowed(row: np.ndarray[Any, Any], width: int = 1 << 60) -> list[int]:
    bits = np.unpackbits(row.view(np.uint8), bitorder="little")
    return [token for token in np.flatnonzero(bits).tolist() if token < width]


def error_of(req: Req) -> str:
    """Why a request is aborted."""
    assert isinstance(req.to_finish, FINISH_ABORT)
    assert req.grammar is None
    return str(req.to_finish.message)


def names(case: Any) -> str | None:
    return next(iter(case)) if isinstance(case, dict) else None


@pytest.mark.parametrize(("wanted", "texts", "others"), CASES, ids=names)
def test_what_is_asked_for_is_what_comes(
    server: Server, wanted: Any, texts: list[str], others: list[str]
) -> None:
    for text in [*texts, *others]:
        req = request_of(server, wanted)
        assert isinstance(req.grammar, schemask.sglang.SchemaskGrammar)
        ids = server.tokenizer.encode(text, add_special_tokens=False)
        tokens = [*ids, server.tokenizer.eos_token_id]
        assert (accept(req, tokens) == tokens) == (text in texts), text
        assert (req.to_finish is None) == (text in texts)
        assert req.grammar.is_terminated() == (text in texts)


@pytest.mark.parametrize(("wanted", "words"), REFUSED, ids=names)
def test_a_request_that_is_refused(server: Server, wanted: Any, words: str) -> None:
    """The first time, and when SGLang has the answer in its cache."""
    for _ in range(2):
        assert re.search(words, error_of(request_of(server, wanted)))


def tried(letters: Any, vocabulary: Vocabulary, token: int) -> bool:
    if token in vocabulary.stop_token_ids:
        return bool(letters.is_accepting)
    text = vocabulary.token(token)
    if not text or token in vocabulary.special_token_ids or not letters.accept_bytes(text):
        return False
    letters.rollback(1)
    return True


@pytest.mark.parametrize("name", GRAMMARS)
def test_masks_are_those_of_a_matcher_and_of_every_token_tried(
    server: Server, vocabulary: Vocabulary, name: str
) -> None:
    """The scheduler's masks, a matcher's, and every token's bytes read one by one."""
    chance = random.Random(7)
    grammar = GRAMMARS[name]()
    matcher = grammar.compile(vocabulary).matcher(max_tokens=200)
    letters = grammar.compile(BYTES).matcher()
    req = request_of(server, ASKED[name])
    mask = allocate_mask(1, vocabulary.size)
    for step in range(12):
        row = rows_of(server, req)[0]
        matcher.fill_mask(mask)
        assert np.array_equal(row, mask[0])
        tokens = allowed(row)
        if step % 4 == 0:
            assert tokens == [t for t in range(vocabulary.size) if tried(letters, vocabulary, t)]
        choices = [token for token in tokens if token not in vocabulary.stop_token_ids]
        token = chance.choice(choices or tokens)
        assert accept(req, [token]) == [token]
        assert matcher.accept(token)
        if not choices:
            assert req.grammar.is_terminated()
            break
        assert letters.accept_bytes(vocabulary.token(token))
    # What may not come aborts the request, and no other; the state is the same.
    row = rows_of(server, req)[0]
    if not req.grammar.is_terminated():
        other = next(t for t in range(vocabulary.size) if t not in set(allowed(row)))
        assert accept(req, [other]) == []
        assert isinstance(req.to_finish, FINISH_ABORT)
        assert np.array_equal(rows_of(server, req)[0], row)


def test_a_text_ends_the_request(server: Server) -> None:
    req = request_of(server, {"regex": "ab", "ignore_eos": True})
    tokens = [*server.tokenizer.encode("ab"), server.tokenizer.eos_token_id]
    # What comes after the end is not a part of the text.
    assert accept(req, [*tokens, 5, 6]) == tokens
    req.output_ids.extend(tokens)
    req.update_finish_state(len(tokens))
    assert isinstance(req.finished_reason, FINISH_MATCHED_TOKEN)
    req.grammar.finished = req.finished()
    assert (rows_of(server, req, req) == -1).all()  # nothing is asked of it any more
    # Tokens after the end are taken back like others.
    grammar = req.grammar
    for token in (5, 6):
        grammar.accept_token(token)
    grammar.rollback(2)
    assert grammar.is_terminated()
    grammar.rollback(1)
    assert not grammar.is_terminated()
    assert grammar.current_token == server.tokenizer.eos_token_id


def test_stop_tokens_of_the_tokenizer(tokenizer: Any) -> None:
    """SGLang stops at them, so they end a text, beside those of the model's configuration."""
    newline = tokenizer.encode("\n", add_special_tokens=False)
    (eos,) = {tokenizer.eos_token_id}
    tokenizer.additional_stop_token_ids = set(newline)
    try:
        with serving(tokenizer) as server:
            req = request_of(server, {"regex": "ab"})
            accept(req, tokenizer.encode("ab"))
            assert allowed(rows_of(server, req)[0]) == sorted([eos, *newline])
    finally:
        tokenizer.additional_stop_token_ids = None


def test_requests_of_a_batch(server: Server) -> None:
    """With one that has no grammar, and one that has ended, each has its own row."""
    reqs = [request_of(server, {"regex": f"{number}[a-z]"}) for number in range(9)]
    free = SimpleNamespace(grammar=None)
    accept(reqs[4], [*server.tokenizer.encode("4a"), server.tokenizer.eos_token_id])
    rows = rows_of(server, *reqs[:2], free, *reqs[2:])
    assert (rows[2] == -1).all() and (rows[5] == -1).all()
    rest = np.delete(rows, [2, 5], axis=0)
    alone = [rows_of(server, req)[0] for number, req in enumerate(reqs) if number != 4]
    assert np.array_equal(rest, alone)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("more", [0, 1, 31, 40])
def test_masks_on_logits(tokenizer: Any, dtype: str, more: int) -> None:
    """Also where logits are wider than the tokenizer, and no multiple of 32; rows without a grammar
    stay as they are."""
    with serving(tokenizer, len(tokenizer) + more) as server:
        req = request_of(server, {"regex": "[ab]"})
        logits = torch.zeros(2, server.vocab_size, dtype=getattr(torch, dtype))
        info = batch_of(server, req, SimpleNamespace(grammar=None))
        info.apply_logits_bias(logits)
        tokens = allowed(rows_of(server, req)[0])
        assert tokens
        assert torch.nonzero(logits[0] == 0).flatten().tolist() == tokens
        assert (logits[1] == 0).all()


def test_logits_that_are_narrower_than_the_mask() -> None:
    logits = torch.zeros(1, 40)
    apply_vocab_mask(logits, torch.tensor([[-1, -1]], dtype=torch.int32))
    assert (logits == 0).all()


# Speculation.


class Tree(NamedTuple):
    """A draft: the tokens of its nodes, and of each its first child and the next of its parent."""

    tokens: list[int]
    child: list[int]
    sibling: list[int]
    parent: list[int]


def tree_of(chance: random.Random, server: Server, matcher: Any, last: int) -> Tree:
    """A draft of tokens of which most may come; its root is the last token so far."""
    tokens, child, sibling, parent = [last], [-1], [-1], [-1]
    paths: list[list[int]] = [[]]
    mask = allocate_mask(1, server.vocab_size)
    for node in range(1, DRAFTS):
        above = chance.randrange(node)
        walked = matcher.clone()
        token = chance.randrange(server.vocab_size)
        if chance.random() < 0.8 and all(walked.accept(step) for step in paths[above]):
            walked.fill_mask(mask)
            token = chance.choice(allowed(mask[0]))
        tokens.append(token)
        child.append(-1)
        sibling.append(child[above])
        child[above] = node
        parent.append(above)
        paths.append([*paths[above], token])
    return Tree(tokens, child, sibling, parent)


def masks_of(server: Server, req: Req, tree: Tree) -> np.ndarray[Any, Any]:
    """The masks of a draft, as SGLang's workers ask for them."""
    as_rows = (torch.tensor([part]) for part in (tree.child, tree.sibling, tree.tokens))
    mask, grammar = spec_utils.generate_token_bitmask([req], *as_rows, server.vocab_size)
    assert grammar is req.grammar
    return mask.numpy()  # type: ignore[no-any-return]


@given(seed=st.integers(0, 10**6), steps=st.integers(1, 5))
def test_speculated_is_as_walked_alone(
    server: Server, vocabulary: Vocabulary, seed: int, steps: int
) -> None:
    """Trees of proposed tokens, right ones and wrong ones: the masks of each place that can be
    reached, and the state afterwards, are those of a matcher that walks there."""
    chance = random.Random(seed)
    name = chance.choice(sorted(ASKED))
    req = request_of(server, ASKED[name])
    matcher = GRAMMARS[name]().compile(vocabulary).matcher(max_tokens=200)
    last = PROMPT[-1]
    mask = allocate_mask(1, vocabulary.size)
    for _ in range(steps):
        tree = tree_of(chance, server, matcher, last)
        rows = masks_of(server, req, tree)
        walked = [matcher.clone()]
        for node in range(1, DRAFTS):
            above = walked[tree.parent[node]]
            here = above.clone() if above is not None else None
            if here is not None and (here.is_terminated or not here.accept(tree.tokens[node])):
                here = None
            walked.append(here)
        for row, here in zip(rows, walked, strict=True):
            if here is None or here.is_terminated:
                assert (row == -1).all()
            else:
                here.fill_mask(mask)
                assert np.array_equal(row, mask[0])
        path = chance.choice([node for node, here in enumerate(walked) if here is not None])
        run: list[int] = []
        while path:
            run.insert(0, tree.tokens[path])
            path = tree.parent[path]
        assert accept(req, run) == run
        assert all(map(matcher.accept, run))
        if matcher.is_terminated:
            assert req.grammar.is_terminated()
            return
        last = [last, *run][-1]
        matcher.fill_mask(mask)
        assert np.array_equal(rows_of(server, req)[0], mask[0])


@given(data=st.data())
def test_taken_back(server: Server, vocabulary: Vocabulary, data: st.DataObject) -> None:
    """Tokens accepted and taken back, also after the end, leave the state of those that stay."""
    name = data.draw(st.sampled_from(sorted(ASKED)))
    grammar = request_of(server, ASKED[name]).grammar
    compiled = GRAMMARS[name]().compile(vocabulary)
    chance = random.Random(data.draw(st.integers(0, 10**6)))
    tokens: list[int] = []
    mask = torch.full((1, -(-vocabulary.size // 32)), -1, dtype=torch.int32)
    for go_on in data.draw(st.lists(st.booleans(), max_size=25)):
        if go_on:
            grammar.fill_vocab_mask(mask, 0)
            tokens.append(chance.choice(allowed(mask[0].numpy())))
            grammar.accept_token(tokens[-1])
        else:
            count = chance.randint(0, min(3, len(tokens)))
            grammar.rollback(count)
            del tokens[len(tokens) - count :]
        matcher = compiled.matcher(max_tokens=200)
        for token in tokens:
            if not matcher.is_terminated:
                assert matcher.accept(token)
        assert grammar.is_terminated() == matcher.is_terminated
        expected = allocate_mask(1, vocabulary.size)
        matcher.fill_mask(expected)
        grammar.fill_vocab_mask(mask, 0)
        assert np.array_equal(mask.numpy(), expected)


def test_a_mask_that_fails_ends_the_request_alone(server: Server, vocabulary: Vocabulary) -> None:
    """It allows one token, which is refused, and is no stop token; whatever a draft proposes,
    nothing is raised where it would end the scheduler."""
    for pattern in ("[a-z]{3,9}x", "(|[a-z]{3,9}x)"):
        compiled = Grammar.from_regex(pattern, limits={"mask_work": 1}).compile(vocabulary)
        req, other = (request_of(server, {"regex": "a"}) for _ in range(2))
        req.grammar = schemask.sglang.SchemaskGrammar(compiled, "regex")
        rows = rows_of(server, req, other)
        (token,) = allowed(rows[0])
        assert token not in vocabulary.stop_token_ids
        assert np.array_equal(rows[1], rows_of(server, other)[0])
        chain = Tree([PROMPT[-1], token, token, token], [1, 2, 3, -1], [-1] * 4, [])
        assert allowed(masks_of(server, req, chain)[0]) == [token]
        assert accept(req, [token, token]) == []
        assert isinstance(req.to_finish, FINISH_ABORT)
        assert "mask_work" in req.to_finish.message
        assert other.to_finish is None


# Budgets.


def test_a_text_is_finished_within_its_tokens(server: Server) -> None:
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 2}
    for seed in range(10):
        chance = random.Random(seed)
        req = request_of(server, {"json_schema": json.dumps(schema), "max_new_tokens": 16})
        tokens: list[int] = []
        while len(tokens) < 16 and not req.grammar.is_terminated():
            tokens.append(chance.choice(allowed(rows_of(server, req)[0])))
            assert accept(req, tokens[-1:]) == tokens[-1:]
        value = json.loads(server.tokenizer.decode(tokens, skip_special_tokens=True))
        assert len(value) >= 2


def test_a_budget_is_of_one_request(server: Server) -> None:
    """No token has two of these digits."""
    for most, is_enough in ((40, True), (39, False), (41, True)):
        req = request_of(server, {"regex": "7{40}", "max_new_tokens": most})
        assert (req.to_finish is None) == is_enough


def test_no_budget_where_another_process_goes_on(tokenizer: Any) -> None:
    with serving(tokenizer, disaggregation_mode="prefill") as server:
        req = request_of(server, {"regex": "7{40}", "max_new_tokens": 1})
        assert allowed(rows_of(server, req)[0]) == tokenizer.encode("7")


# Reasoning.


def test_a_constraint_begins_where_reasoning_ends(tokenizer: Any) -> None:
    """As SGLang's own backends have it: any text up to the marker, which is several tokens here,
    and then the grammar; also where drafts go past the marker and are taken back."""
    marker = tokenizer.encode("</think>", add_special_tokens=False)
    assert len(marker) > 1
    with serving(tokenizer, reasoning_parser="qwen3") as server:
        assert isinstance(server.manager.grammar_backend, ReasonerGrammarBackend)
        wanted = {"regex": "ab", "max_new_tokens": 1000}
        plain = request_of(server, wanted)  # without reasoning, from the first token
        first = rows_of(server, plain)[0]
        assert 0 < len(allowed(first)) < 9
        for _ in range(2):  # as it is made, and of the cache
            req = request_of(server, wanted, reasons=True)
            thought = [*tokenizer.encode("so many words"), *marker[:-1], *marker[:-1]]
            for token in thought:
                assert (rows_of(server, req)[0] == -1).all()
                assert accept(req, [token]) == [token]
            (start,) = tokenizer.encode("a", add_special_tokens=False)
            chain = [thought[-1], marker[-1], start, start]
            rows = masks_of(server, req, Tree(chain, [1, 2, 3, -1], [-1] * 4, []))
            assert (rows[0] == -1).all()
            assert np.array_equal(rows[1], first)
            assert not np.array_equal(rows[2], first)
            assert (rows[3] == -1).all()  # not reached
            assert accept(req, [marker[-1]]) == [marker[-1]]
            assert np.array_equal(rows_of(server, req)[0], first)
            assert accept(req, tokenizer.encode("ab")) == tokenizer.encode("ab")
            assert allowed(rows_of(server, req)[0]) == [tokenizer.eos_token_id]
        # Requests that reason and requests that do not, in one batch.
        thinking = request_of(server, wanted, reasons=True)
        rows = rows_of(server, plain, thinking)
        assert np.array_equal(rows[0], first)
        assert (rows[1] == -1).all()


def test_budgets_beside_reasoning(tokenizer: Any) -> None:
    """How many tokens reasoning takes is not known at first; without it, they are."""
    with serving(tokenizer, reasoning_parser="qwen3") as server:
        wanted = {"regex": "7{40}", "max_new_tokens": 39}
        assert request_of(server, wanted, reasons=True).to_finish is None
        assert isinstance(request_of(server, wanted).to_finish, FINISH_ABORT)


def test_the_text_is_finished_within_what_reasoning_leaves(tokenizer: Any) -> None:
    marker = tokenizer.encode("</think>", add_special_tokens=False)
    (seven,) = tokenizer.encode("7", add_special_tokens=False)
    with serving(tokenizer, reasoning_parser="qwen3") as server:
        for thought in ([], [11], [*marker[:-1], *marker[:-1], 11]):
            wanted = {"regex": "7{1,30}!", "max_new_tokens": 20}
            req = request_of(server, wanted, reasons=True)
            tokens = [*thought, *marker]
            assert accept(req, tokens) == tokens
            while len(tokens) < 20:
                may = allowed(rows_of(server, req)[0])
                tokens.append(seven if seven in may else may[0])
                assert accept(req, tokens[-1:]) == tokens[-1:]
            text = tokenizer.decode(tokens[len(thought) + len(marker) :])
            assert text == "7" * (len(text) - 1) + "!"
            assert allowed(rows_of(server, req)[0]) == [tokenizer.eos_token_id]


def test_drafts_that_go_past_the_end_of_reasoning(tokenizer: Any, vocabulary: Vocabulary) -> None:
    """Their masks have the budget that the text would have; and if reasoning goes on instead, it
    has another one."""
    marker = tokenizer.encode("</think>", add_special_tokens=False)
    (seven,) = tokenizer.encode("7", add_special_tokens=False)
    compiled = Grammar.from_regex("7{1,30}!").compile(vocabulary)
    mask = allocate_mask(1, vocabulary.size)

    def check(rows: Any, left: int) -> None:
        matcher = compiled.matcher(max_tokens=left)
        for row in rows:
            matcher.fill_mask(mask)
            assert np.array_equal(row, mask[0])
            assert matcher.accept(seven)

    with serving(tokenizer, reasoning_parser="qwen3") as server:
        most = 2 * len(marker) + 5
        req = request_of(server, {"regex": "7{1,30}!", "max_new_tokens": most}, reasons=True)
        thought = [11, *marker[:-1]]
        assert accept(req, thought) == thought
        chain = Tree([thought[-1], marker[-1], seven], [1, 2, -1], [-1] * 3, [])
        check(masks_of(server, req, chain)[1:], most - 1 - len(marker))
        thought = [11, *marker]  # the draft was not taken
        assert accept(req, thought) == thought
        left = most - len(marker) - 1 - len(marker)
        check(rows_of(server, req), left)
        chain = Tree([marker[-1], seven], [1, -1], [-1] * 2, [])
        check(masks_of(server, req, chain), left)


def test_reasoning_that_leaves_too_little(tokenizer: Any) -> None:
    """The text is cut, as without a budget, and nothing fails."""
    marker = tokenizer.encode("</think>", add_special_tokens=False)
    with serving(tokenizer, reasoning_parser="qwen3") as server:
        wanted = {"regex": "7{30}", "max_new_tokens": len(marker) + 20}
        req = request_of(server, wanted, reasons=True)
        tokens = [*marker, *tokenizer.encode("7" * 20)]
        assert accept(req, tokens) == tokens
        assert req.to_finish is None


def test_what_is_kept_out_of_reasoning(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SGLang's filter of tokens works on our masks, with a grammar and without one."""
    from sglang.srt.environ import envs

    with (
        envs.SGLANG_MAX_THINK_TOKENS.override(2),
        serving(
            tokenizer, len(tokenizer) + 3, reasoning_parser="qwen3", enable_strict_thinking=True
        ) as server,
    ):
        marker = tokenizer.encode("</think>", add_special_tokens=False)
        for wanted in ({}, {"regex": "ab"}):
            req = request_of(server, wanted, reasons=True)
            assert isinstance(req.grammar, ReasonerGrammarObject)
            for _ in range(2):
                logits = torch.zeros(1, server.vocab_size)
                batch_of(server, req).apply_logits_bias(logits)
                assert (logits == 0).sum() > 1000
                assert accept(req, [11]) == [11]
            assert allowed(rows_of(server, req)[0]) == [marker[0]]


def test_answers_in_frames_are_refused(tokenizer: Any) -> None:
    with pytest.raises(ModelError, match="framed"), serving(tokenizer, reasoning_parser="inkling"):
        pass


# Jumping forward: SGLang has the methods, and nothing that calls them yet.


def test_jumping_forward(server: Server, tokenizer: Any) -> None:
    req = request_of(server, {"json_schema": json.dumps(PERSON)})
    grammar = req.grammar
    assert grammar.try_jump_forward(tokenizer) is None  # white space may come
    old = tokenizer.encode("{", add_special_tokens=False)
    grammar.accept_token(old[0])
    with serving(tokenizer, constrained_json_disable_any_whitespace=True) as compact:
        grammar = request_of(compact, {"json_schema": json.dumps(PERSON)}).grammar
    helper = grammar.try_jump_forward(tokenizer)
    assert helper == ([], '{"name":"')
    text, state = grammar.jump_forward_str_state(helper)
    grammar.accept_token(old[0])
    new = tokenizer.encode(text, add_special_tokens=False)
    before = repr(grammar)
    with pytest.raises(TokenError):
        grammar.jump_and_retokenize(old, [*new, *tokenizer.encode('"x')], state)
    assert repr(grammar) == before
    grammar.jump_and_retokenize(old, new, state)
    rest = tokenizer.encode('A","age":3}', add_special_tokens=False)
    for token in [*rest, tokenizer.eos_token_id]:
        grammar.accept_token(token)
    assert grammar.is_terminated()
    assert grammar.try_jump_forward(tokenizer) is None


def test_a_jump_holds_whole_characters_only(server: Server, tokenizer: Any) -> None:
    assert request_of(server, {"regex": "né[🙂🙃]"}).grammar.try_jump_forward(tokenizer) == (
        [],
        "né",
    )
    assert request_of(server, {"regex": "[🙂🙃]"}).grammar.try_jump_forward(tokenizer) is None


@given(seed=st.integers(0, 10**6))
def test_text_of_other_tokens(server: Server, seed: int) -> None:
    """After tokens were put in the place of others, the masks are those of a request that had them
    from the start."""
    chance = random.Random(seed)
    tokenizer = server.tokenizer
    texts = ['{"name": "Ada Lovelace", "age": 36}', '{"name":"é","age":0,"tags":["a","bb"]}']
    ids = tokenizer.encode(chance.choice(texts), add_special_tokens=False)
    old = ids[: chance.randint(0, len(ids))]
    new = [
        token
        for letter in tokenizer.decode(old)
        for token in tokenizer.encode(letter, add_special_tokens=False)
    ]
    jumped, fresh = (request_of(server, ASKED["json"]) for _ in range(2))
    assert accept(jumped, old) == old
    jumped.grammar.jump_and_retokenize(old, new, -1)
    assert accept(fresh, new) == new
    assert np.array_equal(rows_of(server, jumped), rows_of(server, fresh))


# Caches.


def test_grammars_are_kept_and_shared(server: Server) -> None:
    wanted = {"regex": "kept[0-9]"}
    first = request_of(server, wanted)
    assert not first.grammar.grammar_stats.is_cache_hit
    assert first.grammar.grammar_stats.compilation_time > 0
    accept(first, server.tokenizer.encode("kept"))
    second = request_of(server, wanted)
    assert second.grammar.grammar_stats.is_cache_hit
    assert second.grammar.grammar_stats.dispatch_type == "regex"
    assert second.grammar._compiled is first.grammar._compiled
    accept(second, server.tokenizer.encode("kept1"))
    assert second.to_finish is None  # from the start of its text


@pytest.mark.parametrize("options", [{}, {"reasoning_parser": "qwen3"}])
def test_caches_have_a_bound(tokenizer: Any, options: dict[str, str]) -> None:
    with serving(tokenizer, **options) as server:
        backend = server.manager.grammar_backend
        for number in range(70):
            request_of(server, {"regex": f"{number}"})
            request_of(server, {"regex": "0"})  # used again, so it stays
        assert len(backend.cache) == 64
        assert request_of(server, {"regex": "0"}).grammar is not None
        assert ("regex", "0") in backend.cache
        server.manager.clear()
        assert not backend.cache


# How the server is told.


def test_white_space(tokenizer: Any) -> None:
    for options, text, comes in (
        ({}, '{\n "a":  1}', True),
        ({"constrained_json_disable_any_whitespace": True}, '{"a": 1}', False),
        ({"constrained_json_disable_any_whitespace": True}, '{"a":1}', True),
        ({"constrained_json_max_whitespace_cnt": 0}, '{"a": 1}', False),
        ({"constrained_json_max_whitespace_cnt": 1}, '{"a": 1}', True),
        ({"constrained_json_max_whitespace_cnt": 1}, '{"a":  1}', False),
    ):
        with serving(tokenizer, **options) as server:
            for wanted, whole in (
                ({"json_schema": '{"type": "object"}'}, text),
                ({"structural_tag": json.dumps(NO_SCHEMA)}, f"<function=age>{text}</function>"),
            ):
                req = request_of(server, wanted)
                ids = tokenizer.encode(whole, add_special_tokens=False)
                assert (accept(req, ids) == ids) == comes, (options, whole)


def test_a_pattern_of_white_space_is_refused(tokenizer: Any) -> None:
    with (
        pytest.raises(ModelError, match="whitespace-pattern"),
        serving(tokenizer, constrained_json_whitespace_pattern=" ?"),
    ):
        pass


def test_the_registry_has_the_backend() -> None:
    assert GRAMMAR_BACKEND_REGISTRY["schemask"] is not None
    schemask.sglang.register()
    parser = argparse.ArgumentParser()
    ServerArgs.add_cli_args(parser)
    given = parser.parse_args(["--model-path", "m", "--grammar-backend", "schemask"])
    assert given.grammar_backend == "schemask"
    (action,) = (act for act in parser._actions if act.dest == "grammar_backend")
    assert list(action.choices or ()).count("schemask") == 1


def test_other_backends_stay_as_they_are(tokenizer: Any) -> None:
    """Also where this one has been in the same process: no budget, and errors of a draft raise."""
    with serving(tokenizer):
        pass
    with serving(tokenizer, grammar_backend="llguidance") as server:
        req = request_of(server, {"regex": "7{40}", "max_new_tokens": 3})
        assert req.to_finish is None
        assert not isinstance(req.grammar, schemask.sglang.SchemaskGrammar)
        chain = Tree([PROMPT[-1], 5], [1, -1], [-1, -1], [])
        assert len(masks_of(server, req, chain)) == 2


@pytest.mark.parametrize("difference", ["arguments", "missing", "hooked"])
def test_a_sglang_whose_code_differs(monkeypatch: pytest.MonkeyPatch, difference: str) -> None:
    hooks.apply_hooks()
    if difference == "missing":
        monkeypatch.delattr(spec_utils, "traverse_tree")
    elif difference == "arguments":
        monkeypatch.setattr(spec_utils, "traverse_tree", lambda tree: None)
    else:
        # SGLang hooks a function once, so that of another plug-in would stand in the way.
        unhooked = inspect.unwrap(spec_utils.traverse_tree)
        monkeypatch.setattr(spec_utils, "traverse_tree", unhooked)
    with pytest.raises(DependencyError, match="SGLang"):
        hooks.apply_hooks()


def test_the_entry_point_is_found_in_a_new_process(tmp_path: Path) -> None:
    code = (
        "from sglang.srt.plugins import load_plugins\n"
        "load_plugins()\n"
        "import argparse\n"
        "from sglang.srt.server_args import ServerArgs\n"
        "parser = argparse.ArgumentParser()\n"
        "ServerArgs.add_cli_args(parser)\n"
        "given = parser.parse_args(['--model-path', 'm', '--grammar-backend', 'schemask'])\n"
        "from sglang.srt.constrained.base_grammar_backend import GRAMMAR_BACKEND_REGISTRY\n"
        "print(given.grammar_backend, *GRAMMAR_BACKEND_REGISTRY)\n"
    )
    environment = {**os.environ, "PYTHONPATH": with_entry_point(tmp_path, "sglang.srt.plugins")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-2:] == ["schemask", "schemask"], done.stderr


# Tool calls, by SGLang's own parsers.

TOOLS = [
    Tool(
        type="function",
        function=Function(
            name="weather",
            description="The weather of a city.",
            parameters={
                "type": "object",
                "properties": {
                    "city": {"enum": ["Oslo", "Rome"]},
                    "days": {"type": "integer", "minimum": 1, "maximum": 7},
                },
                "required": ["city", "days"],
                "additionalProperties": False,
            },
            strict=True,
        ),
    ),
    Tool(
        type="function",
        function=Function(
            name="ping",
            parameters={"type": "object", "properties": {}, "additionalProperties": False},
            strict=True,
        ),
    ),
]
# Parsers that look for what their own constraint leaves out: what opens the turn, or the calls.
OPENED_PARSERS = frozenset({"beam", "deepseekv31", "gpt-oss"})


@pytest.mark.parametrize("name", sorted(FunctionCallParser.ToolCallParserEnum))
def test_calls_that_parsers_ask_for(server: Server, name: str) -> None:
    """What is written within the constraint of a parser is calls that the parser reads."""
    try:
        parser = FunctionCallParser(TOOLS, name, tokenizer=server.tokenizer)
        constraint = parser.get_structure_constraint("required")
    except Exception as error:  # of those that need the tokenizer or the template of their model
        pytest.skip(f"{type(error).__name__}: {error}")
    if constraint is None:
        pytest.skip("it asks for no constraint")
    kind, value = constraint
    wanted = {"structural_tag": "structural_tag", "json_schema": "json_schema"}.get(kind, "ebnf")
    if kind == "structural_tag":
        value = value.model_dump(by_alias=True)
    text = convert_json_schema_to_str(value)
    for seed in range(5):
        chance = random.Random(seed)
        req = request_of(server, {wanted: text, "max_new_tokens": 100})
        assert req.to_finish is None, req.to_finish
        tokens: list[int] = []
        while not req.grammar.is_terminated():
            tokens.append(chance.choice(allowed(rows_of(server, req)[0])))
            assert accept(req, tokens[-1:]) == tokens[-1:]
        if name in OPENED_PARSERS:
            continue
        written = server.tokenizer.decode(tokens[:-1], skip_special_tokens=False)
        if kind == "json_schema":
            calls = [(call["name"], call["parameters"]) for call in json.loads(written)]
        else:
            _, read = parser.parse_non_stream(written)
            calls = [(call.name, json.loads(call.parameters)) for call in read]
        assert calls, written
        for called, arguments in calls:
            (tool,) = (tool for tool in TOOLS if tool.function.name == called)
            assert (
                Grammar.from_json_schema(tool.function.parameters)
                .compile(BYTES)
                .matcher()
                .accept_bytes(json.dumps(arguments).encode())
            ), written


# Parsers whose constraints have parameters one by one, and in which style.
XML_PARSERS = {
    "deepseekv32": "deepseek_xml",
    "deepseekv4": "deepseek_xml",
    "deepseekv41": "deepseek_v4_1_xml",
    "glm47": "glm_xml",
    "nanbeige": "qwen_xml",
    "qwen3_coder": "qwen_xml",
    "step3p5": "qwen_xml",
}
NOTES: dict[str, tuple[Any, ...]] = {
    "text": ("Oslo", "a\nb", "1 < 2 <b>x</b>", '"q" \\', "é😀", "</para", "so, null"),
    "unit": ("C", "x y"),
    "count": (-3, 40),
    "exact": (True, False),
    "tags": ([], ["a", '"<b>\n']),
    "note": (None, "so", "nullable"),
    "size": ({}, {"width": -1.5}),
}


@pytest.mark.parametrize("name", XML_PARSERS)
def test_arguments_one_by_one(server: Server, name: str) -> None:
    """Calls as models write them: they fit the constraint, and are read as they were meant."""
    function = Function(name="take_note", parameters=NOTE, strict=True)
    tools = [Tool(type="function", function=function)]
    parser = FunctionCallParser(tools, name, tokenizer=server.tokenizer)
    kind, tag = parser.get_structure_constraint("required")
    assert kind == "structural_tag"
    given = tag.model_dump(by_alias=True)
    before, after = surroundings(given["format"], "take_note")
    chance = random.Random(8)
    for _ in range(25):
        arguments = {
            key: chance.choice(values)
            for key, values in NOTES.items()
            if key in NOTE["required"] or chance.random() < 0.5
        }
        text = before + written(XML_PARSERS[name], arguments) + after
        wanted = {"structural_tag": convert_json_schema_to_str(given), "max_new_tokens": 1000}
        req = request_of(server, wanted)
        ids = server.tokenizer.encode(text, add_special_tokens=False)
        tokens = [*ids, server.tokenizer.eos_token_id]
        assert accept(req, tokens) == tokens, text
        _, calls = parser.parse_non_stream(text)
        assert [(call.name, json.loads(call.parameters)) for call in calls] == [
            ("take_note", arguments)
        ], text
