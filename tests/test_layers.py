"""Which module may use which."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RUST = Path(__file__).parents[1] / "rust"

# A module uses its own layer and those before it.
LAYERS = (
    {"error"},
    {"work"},
    {"limits"},
    {"intern"},
    {"byte_set"},
    {"decimal"},
    {"spelling"},
    {"regex"},
    {"format"},
    {"schema"},
    {"json"},
    {"vocab"},
    {"grammar"},
    {"machine"},
    {"mask"},
    {"compile"},
    {"matcher"},
    {"batch"},
    {"py"},
)


def layer_of(module: str) -> int:
    [layer] = [number for number, modules in enumerate(LAYERS) if module in modules]
    return layer


def used(source: str) -> set[str]:
    """The modules behind every `crate::` of a Rust source, braces of `use` unfolded one level."""
    modules = set(re.findall(r"\bcrate::([a-z]\w*)", source))
    for group in re.findall(r"\bcrate::\{(.*?)\}\s*;", source, re.DOTALL):
        while (flat := re.sub(r"::\{[^{}]*\}", "", group)) != group:
            group = flat
        modules |= {name.strip().partition("::")[0] for name in group.split(",") if name.strip()}
    return {module for module in modules if module.islower()}


def test_the_reader_of_uses() -> None:
    source = """
        use crate::error::Error;
        use crate::{json::{a, b::{c}}, limits};
        let x = crate::mask::f();
    """
    assert used(source) == {"error", "json", "limits", "mask"}


def test_no_rust_module_uses_one_above_it() -> None:
    sources = [path for path in RUST.rglob("*.rs") if path != RUST / "lib.rs"]
    assert sources
    for path in sources:
        own = layer_of(path.relative_to(RUST).parts[0].removesuffix(".rs"))
        for module in used(path.read_text(encoding="utf-8")):
            assert layer_of(module) <= own, f"{path} uses crate::{module}"


def test_importing_schemask_imports_no_framework() -> None:
    script = (
        "import sys, schemask, schemask.cli, schemask.models, schemask.synth\n"
        "print({'torch', 'transformers', 'llama_cpp', 'openai', 'tiktoken'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout
    assert output == "set()\n"
