"""The backend for vLLM, through vLLM's own manager of structured outputs, without an engine.

vLLM has an environment of its own: where it is not installed, all of this is skipped.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins import with_entry_point
from schemask import Grammar, Vocabulary, allocate_mask
from schemask.errors import DependencyError, LimitError

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed", allow_module_level=True)

import schemask.vllm

schemask.vllm.register()

from vllm.config import VllmConfig  # noqa: E402
from vllm.config import structured_outputs as config_module  # noqa: E402
from vllm.engine.arg_utils import EngineArgs  # noqa: E402
from vllm.exceptions import VLLMValidationError  # noqa: E402
from vllm.sampling_params import SamplingParams, StructuredOutputsParams  # noqa: E402
from vllm.v1.request import Request  # noqa: E402
from vllm.v1.structured_output import StructuredOutputManager  # noqa: E402

from schemask.vllm.patch import patch  # noqa: E402
from schemask.vllm.plugin import load  # noqa: E402

ENTRY_POINTS = "vllm.general_plugins"
SPECULATED = 4
PROMPT = (1, 2, 3)
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
TAG = {
    "type": "structural_tag",
    "format": {
        "type": "triggered_tags",
        "triggers": ["<function="],
        "tags": [
            {
                "type": "tag",
                "begin": "<function=age>",
                "content": {"type": "json_schema", "json_schema": {"type": "integer"}},
                "end": "</function>",
            }
        ],
        "at_least_one": True,
        "stop_after_first": True,
    },
}
NESTED_LARK = 'start: "(" start ")" | A\nA: /[a-z]+/ & ~/if|do/'
# What is asked for, texts that it allows, and texts that it does not.
CASES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    (
        {"json": PERSON},
        ['{"name": "Ada", "age": 36}', '{"name":"é","age":0,"tags":["a"]}'],
        ['{"name": "Ada", "age": 151}', '{"age": 1, "name": "x"}', '{"name": "x", "age": 1'],
    ),
    ({"json": json.dumps({"const": [1, "x"]})}, ['[1, "x"]'], ['[1, "y"]']),
    ({"json": {"type": "object"}, "disable_any_whitespace": True}, ['{"a":1}'], ['{"a": 1}']),
    ({"json_object": True}, ['{"a": [1, {}]}', "{}"], ["[]", "1"]),
    ({"regex": r"[0-9]{3}-[a-f]+"}, ["123-abc"], ["12-abc", "123-abcg"]),
    ({"choice": ["yes", "no", "not sure"]}, ["yes", "not sure"], ["y", "yesno", ""]),
    ({"grammar": 'root ::= "a" root "b" | "::="'}, ["::=", "a::=b"], ["ab", "a::="]),
    ({"grammar": "# GBNF\n\nroot::=[0-9]+"}, ["12"], ["", "a"]),
    ({"grammar": NESTED_LARK}, ["x", "((ifs))"], ["if", "(x"]),
    ({"grammar": 'start: "a ::= b"'}, ["a ::= b"], ["a"]),
    (
        {"structural_tag": json.dumps(TAG)},
        ["<function=age>36</function>"],
        ["<function=age>x</function>", "36"],
    ),
    (
        {
            "structural_tag": json.dumps(
                {
                    "triggers": ["<f"],
                    "structures": [{"begin": "<f>", "schema": {"type": "null"}, "end": "</f>"}],
                }
            )
        },
        ["<f>null</f>", "so <f>null</f>.", "no call"],
        ["<f>1</f>", "<fx"],
    ),
]
# What is asked for, and what the error says.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"json": {"type": "strin"}}, "/type"),
    ({"json": {"pattern": r"(a)\1"}}, "/pattern"),
    ({"json": {"$ref": "https://example.com/nowhere"}}, "nowhere"),
    ({"json": {"allOf": [{"type": "string"}, {"type": "null"}]}}, "schema"),
    ({"json": "{"}, "JSON"),
    ({"regex": "("}, "closed"),
    ({"regex": r"(?P<year>\d+)"}, ""),
    ({"choice": []}, "not empty"),
    ({"grammar": 'root ::= "a" missing'}, "missing"),
    ({"grammar": "begin: /a/"}, "start"),
    ({"grammar": " "}, ""),
    ({"structural_tag": "[]"}, "JSON object"),
    (
        {"structural_tag": json.dumps({"format": {"type": "any_text", "max_tokens": 3}})},
        "max_tokens",
    ),
    ({"json_object": False}, "json_object"),
    ({"json": {}, "whitespace_pattern": " "}, "whitespace_pattern"),
    ({"json": {}, "disable_additional_properties": True}, "additionalProperties"),
]


@pytest.fixture(scope="session")
def folder(hf_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without weights, with the tokenizer of SmolLM2."""
    from transformers import LlamaConfig

    folder = tmp_path_factory.mktemp("vllm")
    hf_tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(hf_tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        bos_token_id=hf_tokenizer.bos_token_id,
        eos_token_id=hf_tokenizer.eos_token_id,
        architectures=["LlamaForCausalLM"],
    )
    config.save_pretrained(folder)
    return folder


def config_of(folder: Path, **options: Any) -> VllmConfig:
    arguments = EngineArgs(
        model=str(folder),
        dtype="float32",
        max_model_len=512,
        structured_outputs_config=config_module.StructuredOutputsConfig(backend="schemask"),
        max_num_seqs=200,
        **options,
    )
    return arguments.create_engine_config()


@pytest.fixture(scope="session")
def manager(folder: Path) -> StructuredOutputManager:
    """vLLM's own, for an engine that speculates."""
    speculation = {
        "method": "ngram",
        "num_speculative_tokens": SPECULATED,
        "prompt_lookup_max": 3,
    }
    return StructuredOutputManager(config_of(folder, speculative_config=speculation))


@pytest.fixture(scope="session")
def vocabulary(hf_tokenizer: Any) -> Vocabulary:
    stops = [hf_tokenizer.eos_token_id]
    return Vocabulary.from_transformers(hf_tokenizer, stop_token_ids=stops)


_numbers = itertools.count()


def request_of(manager: StructuredOutputManager, wanted: dict[str, Any], **options: Any) -> Request:
    """A request as vLLM makes it: checked, sent to the engine, with its grammar."""
    params = SamplingParams(
        structured_outputs=StructuredOutputsParams(**wanted), **{"max_tokens": 200, **options}
    )
    config = manager.vllm_config
    params.verify(
        config.model_config,
        config.speculative_config,
        config.structured_outputs_config,
        manager.tokenizer,
    )
    params.update_from_generation_config({}, manager.tokenizer.eos_token_id)
    if params.max_tokens is None:
        params.max_tokens = config.model_config.max_model_len - len(PROMPT)
    request = Request(f"request {next(_numbers)}", list(PROMPT), params, None)
    manager.grammar_init(request)
    grammar = request.structured_output_request._grammar.result()
    assert isinstance(grammar, schemask.vllm.SchemaskGrammar)
    assert request.structured_output_request.grammar is grammar
    return request


def rows_of(
    manager: StructuredOutputManager, request: Request, drafts: Sequence[int] = ()
) -> np.ndarray[Any, Any]:
    """The masks of a step: of each draft, and of the token after them."""
    name = request.request_id
    rows = manager.grammar_bitmask({name: request}, [name], {name: list(drafts)} if drafts else {})
    assert rows is not None
    return rows[: len(drafts) + 1].copy()


def allowed(row: np.ndarray[Any, Any]) -> list[int]:
    bits = np.unpackbits(row.view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).tolist()  # type: ignore[no-any-return]


def takes(manager: StructuredOutputManager, request: Request, text: str) -> bool:
    """Whether a request's text can be this one, token by token, and end."""
    tokens = manager.tokenizer.encode(text, add_special_tokens=False)
    grammar = request.structured_output_request.grammar
    return grammar.accept_tokens("a text", [*tokens, manager.tokenizer.eos_token_id])


def names(case: Any) -> str | None:
    return next(iter(case)) if isinstance(case, dict) else None


@pytest.mark.parametrize(("wanted", "texts", "others"), CASES, ids=names)
def test_what_is_asked_for_is_what_comes(
    manager: StructuredOutputManager, wanted: Any, texts: list[str], others: list[str]
) -> None:
    for text in [*texts, *others]:
        request = request_of(manager, wanted)
        assert takes(manager, request, text) == (text in texts), text
        assert request.structured_output_request.grammar.is_terminated() == (text in texts)


@pytest.mark.parametrize(("wanted", "words"), REFUSED, ids=names)
def test_a_request_that_is_refused(
    manager: StructuredOutputManager, wanted: Any, words: str
) -> None:
    with pytest.raises(VLLMValidationError, match=words or None):
        request_of(manager, wanted)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ignore_eos": True}, "ignore_eos"),
        ({"max_tokens": 3}, "short|tokens"),
        ({"stop_token_ids": [49151], "max_tokens": 2}, "short|tokens"),
    ],
)
def test_a_request_whose_text_cannot_end(
    manager: StructuredOutputManager, options: Any, words: str
) -> None:
    with pytest.raises(VLLMValidationError, match=words):
        request_of(manager, {"json": PERSON}, **options)


def test_another_backend_is_refused(manager: StructuredOutputManager) -> None:
    params = SamplingParams(structured_outputs=StructuredOutputsParams(json={}))
    params.structured_outputs._backend = "xgrammar"
    model = manager.vllm_config.model_config
    ours = manager.vllm_config.structured_outputs_config
    with pytest.raises(VLLMValidationError, match="xgrammar"):
        params.verify(model, None, ours, manager.tokenizer)
    theirs = config_module.StructuredOutputsConfig(backend="xgrammar")
    params.verify(model, None, theirs, manager.tokenizer)
    assert params.structured_outputs._backend == "xgrammar"


GRAMMARS = {
    "json": lambda: Grammar.from_json_schema(PERSON),
    "lark": lambda: Grammar.from_lark(NESTED_LARK),
    "regex": lambda: Grammar.from_regex("(a|bc){2,4}[^x]"),
}
ASKED = {
    "json": {"json": PERSON},
    "lark": {"grammar": NESTED_LARK},
    "regex": {"regex": "(a|bc){2,4}[^x]"},
}
BYTES = Vocabulary([bytes([byte]) for byte in range(256)] + [b""], stop_token_ids=[256])


@pytest.mark.parametrize("name", GRAMMARS)
def test_masks_are_those_of_a_matcher_and_of_every_token_tried(
    manager: StructuredOutputManager, vocabulary: Vocabulary, name: str
) -> None:
    """The engine's masks, a matcher's, and every token's bytes read one by one."""
    chance = random.Random(7)
    grammar = GRAMMARS[name]()
    matcher = grammar.compile(vocabulary).matcher()
    letters = grammar.compile(BYTES).matcher()
    request = request_of(manager, ASKED[name], max_tokens=None)
    mask = allocate_mask(1, vocabulary.size)
    for step in range(12):
        row = rows_of(manager, request)[0]
        matcher.fill_mask(mask)
        assert np.array_equal(row, mask[0])
        tokens = allowed(row)
        if step % 4 == 0:
            assert tokens == [t for t in range(vocabulary.size) if tried(letters, vocabulary, t)]
        choices = [token for token in tokens if token not in vocabulary.stop_token_ids]
        token = chance.choice(choices or tokens)
        # What may not come is refused, and changes nothing.
        other = next(t for t in range(vocabulary.size) if t not in set(tokens))
        grammar_here = request.structured_output_request.grammar
        assert not grammar_here.accept_tokens("a request", [other])
        assert manager.accept_tokens(request, [token])
        assert matcher.accept(token)
        if not choices:
            assert grammar_here.is_terminated()
            break
        assert letters.accept_bytes(vocabulary.token(token))


def tried(letters: Any, vocabulary: Vocabulary, token: int) -> bool:
    if token in vocabulary.stop_token_ids:
        return bool(letters.is_accepting)
    text = vocabulary.token(token)
    if not text or token in vocabulary.special_token_ids or not letters.accept_bytes(text):
        return False
    letters.rollback(1)
    return True


@given(seed=st.integers(0, 10**6), lengths=st.lists(st.integers(0, SPECULATED), max_size=6))
def test_speculated_is_as_walked_alone(
    manager: StructuredOutputManager, seed: int, lengths: list[int]
) -> None:
    """Proposed tokens, right ones and wrong ones: what is kept of them, their masks, and the state
    afterwards are those of a request without speculation."""
    chance = random.Random(seed)
    name = chance.choice(sorted(ASKED))
    speculated = request_of(manager, ASKED[name])
    alone = request_of(manager, ASKED[name])
    grammar = speculated.structured_output_request.grammar
    eos = manager.tokenizer.eos_token_id
    for length in lengths:
        drafts: list[int] = []
        walked = [rows_of(manager, alone)[0]]
        walker = alone.structured_output_request.grammar
        while len(drafts) < length and drafts[-1:] != [eos]:
            drafts.append(chance.choice(allowed(walked[-1])))
            assert walker.accept_tokens("alone", drafts[-1:])
            if not walker.is_terminated():
                walked.append(rows_of(manager, alone)[0])
        walker.rollback(len(drafts))
        wrong = [chance.randrange(len(manager.tokenizer)) for _ in range(chance.randint(0, 2))]
        kept = manager.validate_tokens(speculated, [*drafts, *wrong, -1])
        assert kept[: len(drafts)] == drafts
        rows = rows_of(manager, speculated, [*drafts, *[-1] * (length - len(drafts))])
        assert np.array_equal(rows[: len(walked)], walked)
        accepted = drafts[: chance.randint(0, len(drafts))]
        assert manager.accept_tokens(speculated, accepted)
        assert walker.accept_tokens("alone", accepted)
        if grammar.is_terminated():
            assert walker.is_terminated()
            return
        assert np.array_equal(rows_of(manager, speculated), rows_of(manager, alone))


def test_a_text_is_finished_within_its_tokens(manager: StructuredOutputManager) -> None:
    wanted = {"json": {"type": "array", "items": {"type": "string"}, "minItems": 2}}
    for seed in range(10):
        chance = random.Random(seed)
        request = request_of(manager, wanted, max_tokens=16)
        grammar = request.structured_output_request.grammar
        tokens: list[int] = []
        while len(tokens) < 16 and not grammar.is_terminated():
            choices = allowed(rows_of(manager, request)[0])
            tokens.append(chance.choice(choices))
            assert manager.accept_tokens(request, tokens[-1:])
        value = json.loads(manager.tokenizer.decode(tokens, skip_special_tokens=True))
        assert len(value) >= 2


def test_what_the_context_holds_is_a_budget(manager: StructuredOutputManager) -> None:
    """No token has two of these digits."""
    room = manager.vllm_config.model_config.max_model_len - len(PROMPT)
    request_of(manager, {"regex": f"7{{{room}}}"}, max_tokens=room + 1)
    with pytest.raises(LimitError):
        request_of(manager, {"regex": f"7{{{room + 1}}}"}, max_tokens=room + 1)


def test_stop_tokens_of_a_request(manager: StructuredOutputManager) -> None:
    """The text ends with the model's own stop token and those of the request, and no others."""
    tokenizer = manager.tokenizer
    newline = tokenizer.encode("\n", add_special_tokens=False)
    request = request_of(manager, {"regex": "ab"}, stop_token_ids=newline)
    ids = tokenizer.encode("ab", add_special_tokens=False)
    assert manager.accept_tokens(request, ids)
    assert allowed(rows_of(manager, request)[0]) == sorted([tokenizer.eos_token_id, *newline])
    assert manager.accept_tokens(request, newline)
    assert request.structured_output_request.grammar.is_terminated()


def test_many_requests_at_once(folder: Path) -> None:
    """More than vLLM fills one after the other: it has threads for them, without speculation."""
    manager = StructuredOutputManager(config_of(folder))
    requests = {}
    for number in range(150):
        request = request_of(manager, {"regex": f"{number}[a-z]"})
        requests[request.request_id] = request
    rows = manager.grammar_bitmask(requests, list(requests), {})
    assert rows is not None
    rows = rows.copy()
    for row, request in zip(rows, requests.values(), strict=True):
        assert np.array_equal(row, rows_of(manager, request)[0])
    manager.clear_backend()


def test_a_mask_that_fails_ends_the_request_alone(vocabulary: Vocabulary) -> None:
    """It allows one token, which is refused, and raises nothing."""
    torch = pytest.importorskip("torch")
    for pattern in ("[a-z]{3,9}x", "(|[a-z]{3,9}x)"):
        compiled = Grammar.from_regex(pattern, limits={"mask_work": 1}).compile(vocabulary)
        grammar = schemask.vllm.SchemaskGrammar(compiled)
        bitmask = torch.full((2, -(-vocabulary.size // 32)), -1, dtype=torch.int32)
        grammar.fill_bitmask(bitmask, 1)
        (token,) = allowed(bitmask[1].numpy())
        assert not grammar.accept_tokens("a request", [token])
        assert (bitmask[0] == -1).all()


def test_tokens_that_are_none(manager: StructuredOutputManager) -> None:
    request = request_of(manager, {"json": {}})
    for token in (-1, 10**6):
        assert not manager.accept_tokens(request, [token])
        assert request.structured_output_request.grammar.validate_tokens([token]) == []


def test_back_to_the_start(manager: StructuredOutputManager) -> None:
    request = request_of(manager, {"choice": ["ab"]})
    grammar = request.structured_output_request.grammar
    first = rows_of(manager, request)[0]
    assert takes(manager, request, "ab")
    grammar.reset()
    assert not grammar.is_terminated()
    assert np.array_equal(rows_of(manager, request)[0], first)


# What is changed in vLLM.


def test_patching_again_changes_nothing() -> None:
    methods = (SamplingParams._validate_structured_outputs, StructuredOutputManager.grammar_init)
    patch()
    assert methods == (
        SamplingParams._validate_structured_outputs,
        StructuredOutputManager.grammar_init,
    )


@pytest.mark.parametrize("difference", ["arguments", "names", "abstract", "source"])
def test_a_vllm_whose_code_differs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, difference: str
) -> None:
    unpatched = inspect.unwrap(StructuredOutputManager.grammar_init)
    monkeypatch.setattr(config_module, "StructuredOutputsBackend", config_of_others())
    field = config_module.StructuredOutputsConfig.__dataclass_fields__["backend"]
    monkeypatch.setattr(field, "type", str if difference == "names" else config_of_others())
    monkeypatch.setattr(StructuredOutputManager, "grammar_init", unpatched)
    if difference == "arguments":
        monkeypatch.setattr(StructuredOutputManager, "_create_grammar", lambda self: None)
    if difference == "abstract":
        ours = schemask.vllm.SchemaskGrammar
        monkeypatch.setattr(ours, "__abstractmethods__", frozenset({"jump"}))
    if difference == "source":
        monkeypatch.setattr(StructuredOutputManager, "grammar_init", lambda self, request: None)
    before = StructuredOutputManager.grammar_init
    with pytest.raises(DependencyError, match=r"vllm>=0\.32,<0\.34"):
        patch()
    load()
    assert "has other code" in caplog.text
    assert StructuredOutputManager.grammar_init is before


def config_of_others() -> Any:
    from typing import Literal

    return Literal["auto", "xgrammar", "guidance"]


def test_the_entry_point_is_found_in_a_new_process(tmp_path: Path) -> None:
    code = (
        "from vllm.plugins import load_general_plugins\n"
        "load_general_plugins()\n"
        "from vllm.config.structured_outputs import StructuredOutputsConfig\n"
        "print(StructuredOutputsConfig(backend='schemask').backend)\n"
    )
    environment = {**os.environ, "PYTHONPATH": with_entry_point(tmp_path, ENTRY_POINTS)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-1:] == ["schemask"], done.stderr
