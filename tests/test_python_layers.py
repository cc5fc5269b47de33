"""Which Python module may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "python" / "schemask"

# A module imports from the layers before its own.
LAYERS = (
    {"errors", "_unicode", "docstrings", "python_values", "_native"},
    {"limits"},
    {"vocabulary", "masking", "definitions"},
    {"tools", "_files"},
    {"_bytes", "property_order"},
    {"call_schema", "messages"},
    {"arguments"},
    {"format_spec"},
    {"turn_grammar", "turn_reader"},
    {"response_template"},
    {"chat_spec"},
    {"formats"},
    {"chat_format"},
    {"grammar"},
    {"generation"},
    {"transformers", "llama_cpp"},
    {"preflight"},
    {"models.base"},
    {"models.transformers", "models.llama_cpp", "models.openai"},
    {"models"},
    {"agent"},
    {"_teaching"},
    {"synth", "demo"},
    {"cli"},
    {"__main__"},
)


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")} | {
    name_of(path): path for path in PACKAGE.rglob("*.pyi")
}


def imported(name: str) -> Iterator[str]:
    """The modules of the package that a module imports, wherever in its source it does so."""
    is_package = MODULES[name].name == "__init__.py"
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            origins = [alias.name for alias in node.names]
            targets = [(origin, "") for origin in origins]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                around = ["schemask", *name.split(".")]
                around = around[: len(around) - node.level + is_package]
                origin = ".".join([*around, *filter(None, [origin])])
            targets = [(origin, alias.name) for alias in node.names]
        else:
            continue
        for origin, member in targets:
            package, _, module = origin.partition(".")
            if package == "schemask":
                inner = f"{module}.{member}".strip(".")
                yield inner if inner in MODULES else module


def layer_of(name: str) -> int:
    [layer] = [number for number, modules in enumerate(LAYERS) if name in modules]
    return layer


def test_every_module_has_a_layer() -> None:
    assert set().union(*LAYERS) == MODULES.keys() - {""}
    assert "generation" in set(imported("models.llama_cpp"))


def test_no_module_imports_from_above() -> None:
    for name in MODULES.keys() - {""}:
        for used in set(imported(name)) - {name}:
            # The package itself is above all of its modules: it exports them.
            assert used, f"schemask.{name} imports from the package instead of a module"
            assert layer_of(used) < layer_of(name), f"schemask.{name} imports schemask.{used}"
