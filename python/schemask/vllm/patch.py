"""All that is changed in vLLM, so that the name of the backend can be chosen.

vLLM has a closed list of backends. These things are changed, and nothing else:

- the list of names in its configuration;
- `SamplingParams._validate_structured_outputs`, where requests are checked before they reach the
  engine, and an error becomes the answer 400;
- `StructuredOutputManager.grammar_init` and `_create_grammar`, where the engine makes its backend
  and the grammar of a request;
- `StructuredOutputManager._get_constraint_bounds`, where it finds the end of reasoning: the grammar
  is told how many tokens that took.

With any other backend all of them do what they did.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any, Literal, get_args

import pydantic.dataclasses
import vllm
from vllm.config import structured_outputs as config_module
from vllm.exceptions import VLLMValidationError
from vllm.sampling_params import SamplingParams
from vllm.v1.structured_output import StructuredOutputManager, backend_types

from schemask.errors import DependencyError, Error
from schemask.vllm.backend import SchemaskBackend, SchemaskGrammar, compiler_for, reasons_first
from schemask.vllm.requests import Compiler, check_request

NAME = "schemask"

# What the changes rely on: the arguments of what is replaced, or called.
_SIGNATURES: tuple[tuple[Any, str, list[str]], ...] = (
    (
        SamplingParams,
        "_validate_structured_outputs",
        ["self", "model_config", "structured_outputs_config", "tokenizer"],
    ),
    (StructuredOutputManager, "grammar_init", ["self", "request"]),
    (StructuredOutputManager, "_create_grammar", ["self", "request"]),
    (
        StructuredOutputManager,
        "_get_constraint_bounds",
        ["self", "request", "spec_tokens", "spec_tokens_committed"],
    ),
    (
        backend_types.StructuredOutputBackend,
        "compile_grammar",
        ["self", "request_type", "grammar_spec", "stop_token_ids"],
    ),
)


def patch() -> None:
    """Makes `schemask` one of vLLM's backends. Again is the same as once.

    Raises:
        DependencyError: The code of this vLLM is another one than that of 0.32 and 0.33, where it
            matters here; nothing is changed then.
    """
    if NAME in get_args(config_module.StructuredOutputsBackend):
        return
    if differences := list(_differences()):
        raise DependencyError(
            f"vLLM {vllm.__version__} has other code than 0.32 and 0.33, for which schemask is "
            f"made ({'; '.join(differences)}): pip install 'vllm>=0.32,<0.34'"
        )
    _replace_name()
    _replace_validation()
    _replace_manager()


def _differences() -> Any:
    """What is not as it has to be, in words."""
    names = get_args(config_module.StructuredOutputsBackend)
    field = config_module.StructuredOutputsConfig.__dataclass_fields__.get("backend")
    if "auto" not in names or field is None or field.type != Literal[names]:
        yield "StructuredOutputsConfig.backend is not one of a list of names"
    for owner, name, wanted in _SIGNATURES:
        method = inspect.getattr_static(owner, name, None)
        found = list(inspect.signature(method).parameters) if inspect.isfunction(method) else None
        if found != wanted:
            yield f"{owner.__name__}.{name} has other arguments"
    for ours in (SchemaskGrammar, SchemaskBackend):
        if lacking := sorted(ours.__abstractmethods__):
            yield f"{ours.__mro__[1].__name__} asks for {', '.join(lacking)}"
    if "if self.backend is None:" not in inspect.getsource(StructuredOutputManager.grammar_init):
        yield "StructuredOutputManager.grammar_init makes its backend in another way"


def _replace_name() -> None:
    names: Any = Literal.__getitem__((*get_args(config_module.StructuredOutputsBackend), NAME))
    config = config_module.StructuredOutputsConfig
    config_module.StructuredOutputsBackend = names
    config.__annotations__["backend"] = names
    config.__dataclass_fields__["backend"].type = names
    pydantic.dataclasses.rebuild_dataclass(config, force=True)


def _replace_validation() -> None:
    replaced = SamplingParams._validate_structured_outputs

    @functools.wraps(replaced)
    def validate(
        self: Any, model_config: Any, structured_outputs_config: Any, tokenizer: Any
    ) -> None:
        config = structured_outputs_config
        if self.structured_outputs is None or config is None or config.backend != NAME:
            replaced(self, model_config, config, tokenizer)
            return
        _validate(self, model_config, config, tokenizer)

    SamplingParams._validate_structured_outputs = validate


def _validate(params: Any, model_config: Any, config: Any, tokenizer: Any) -> None:
    wanted = params.structured_outputs
    if tokenizer is None:
        raise VLLMValidationError("structured outputs need a tokenizer: skip_tokenizer_init is on")
    if model_config.is_diffusion:
        raise VLLMValidationError("structured outputs of diffusion models are not supported")
    if wanted._backend not in (None, NAME):
        raise VLLMValidationError(
            f"the backend of this server is {NAME!r}; a request cannot choose {wanted._backend!r}"
        )
    compiler = compiler_for(tokenizer, model_config.get_vocab_size())
    try:
        check_request(
            params,
            compiler,
            _stop_token_ids(compiler, tokenizer, model_config),
            has_budget=not reasons_first(config),
        )
    except Error as error:
        raise VLLMValidationError(f"schemask: {error}", parameter="structured_outputs") from error
    wanted._backend = NAME
    wanted.__post_init__()


def _stop_token_ids(compiler: Compiler, tokenizer: Any, model_config: Any) -> frozenset[int]:
    """The tokens that end a text of this model, as `SamplingParams.update_from_generation_config`
    finds them after requests are checked."""
    if compiler.model_stops is None:  # vLLM reads the file of the generation config each time
        stops = {tokenizer.eos_token_id}
        ends = model_config.try_get_generation_config().get("eos_token_id")
        stops |= {ends} if isinstance(ends, int) else set(ends or ())
        compiler.model_stops = frozenset(stops - {None})
    return compiler.model_stops


def _replace_manager() -> None:
    grammar_init = StructuredOutputManager.grammar_init
    create_grammar = StructuredOutputManager._create_grammar
    constraint_bounds = StructuredOutputManager._get_constraint_bounds

    @functools.wraps(grammar_init)
    def init(self: Any, request: Any) -> None:
        if self.backend is None and request.structured_output_request is not None:
            wanted = request.sampling_params.structured_outputs
            if wanted._backend == NAME:
                vocab_size = self.vllm_config.model_config.get_vocab_size()
                self.backend = SchemaskBackend(self.vllm_config, self.tokenizer, vocab_size)
                self.backend_name = NAME  # as vLLM 0.33 does itself
        grammar_init(self, request)

    @functools.wraps(create_grammar)
    def create(self: Any, request: Any) -> Any:
        if isinstance(self.backend, SchemaskBackend):
            return self.backend.compile_request(request)
        return create_grammar(self, request)

    @functools.wraps(constraint_bounds)
    def bounds(
        self: Any, request: Any, spec_tokens: Any, spec_tokens_committed: bool = False
    ) -> Any:
        found = constraint_bounds(self, request, spec_tokens, spec_tokens_committed)
        grammar = request.structured_output_request.grammar
        if isinstance(grammar, SchemaskGrammar) and found.grammar_start <= len(spec_tokens):
            # Tokens of a draft come after those that the request has, and others are the last.
            before = request.num_output_tokens + found.grammar_start
            before -= len(spec_tokens) if spec_tokens_committed else 0
            grammar.begin(before, spec_tokens[found.grammar_start : found.constraint_start])
        return found

    StructuredOutputManager._get_constraint_bounds = bounds
    StructuredOutputManager.grammar_init = init
    StructuredOutputManager._create_grammar = create
