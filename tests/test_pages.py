"""The Python code of the README and of the site runs, as a reader would type it in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What no reader would type into Python.
OTHERS = {"sh", "text"}


def blocks(page: Path) -> list[str]:
    """Each block at its own line, so that a traceback points into the page."""
    text = page.read_text(encoding="utf-8")
    found = (match for match in FENCE.finditer(text) if match[1] == "python")
    return ["\n" * text.count("\n", 0, match.start(2)) + match[2] for match in found]


PAGES = [page for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))) if blocks(page)]


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory, hf_tokenizer: Any) -> Path:
    """A Llama with random weights and the vocabulary of SmolLM2, as `from_pretrained` reads it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(hf_tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.5,
    )
    folder = tmp_path_factory.mktemp("my-model")
    LlamaForCausalLM(config).save_pretrained(folder)
    hf_tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gguf_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if "schemask.mcp" in page.read_text(encoding="utf-8") and page.parent.name == "recipes":
        pytest.importorskip("mcp")
    for library in ("mlx_lm", "vllm"):
        if re.search(rf"^(?:import|from) {library}\b", page.read_text(encoding="utf-8"), re.M):
            pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    # The models that the pages speak of.
    Path("model.gguf").symlink_to(gguf_path)
    if "my-model" in page.read_text(encoding="utf-8"):
        Path("my-model").symlink_to(request.getfixturevalue("saved_model"))
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        exec(compile(block, str(page), "exec", dont_inherit=True), namespace)


def test_nothing_that_looks_like_code_is_left_out() -> None:
    kinds = {
        (str(page.relative_to(ROOT)), match[1])
        for page in PAGES
        for match in FENCE.finditer(page.read_text(encoding="utf-8"))
    }
    assert {kind for _, kind in kinds} - OTHERS == {"python"}
    assert len(PAGES) > 12
