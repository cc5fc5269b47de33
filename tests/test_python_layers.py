"""Which Python module may import which."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins import PACKAGE, PLUGINS

# A module imports from the layers before its own. `package.*` is all modules in a package, which
# may import one another; no module imports itself, by whatever way.
LAYERS = (
    {"errors", "_native"},
    {"_files", "_settings"},
    # schemas
    {"schemas"},
    {"schemas.pointer", "schemas.schema", "schemas.value_types", "schemas.python_values"},
    {
        "schemas.places",
        "schemas.key_order",
        "schemas.surrogates",
        "schemas.strings",
        "schemas.validator",
    },
    {"schemas.equal_values"},
    # tools
    {"tools.definitions", "tools.docstrings", "tools.results"},
    {"tools.mcp"},
    {"tools.tool_set"},
    {"tools.provenance"},
    {"tools.files"},
    {"tools"},
    # chat
    {"chat.texts", "chat.calls", "chat.messages", "chat.arguments", "chat.patterns"},
    {"chat.trees", "chat.cursor", "chat.events", "chat.narrow", "chat.automaton", "chat.said"},
    {"chat.notations"},
    {"chat.notations.values", "chat.notations.base"},
    {"chat.notations.listed"},
    {"chat.notations.*"},
    {"chat.spec"},
    {"chat.printed"},
    {"chat.formats", "chat.formats.*"},
    {"chat.families"},
    {"chat.templates", "chat.templates.environment", "chat.templates.gguf"},
    {"chat.templates.sources", "chat.templates.markers"},
    {"chat.templates.template", "chat.templates.encoders"},
    {"chat.templates.tokens", "chat.templates.shape", "chat.templates.tags"},
    {"chat.templates.probing"},
    {"chat.templates.arguments"},
    {"chat.templates.calls"},
    {"chat.templates.section"},
    {"chat.templates.derive"},
    {"chat.call_reader"},
    {"chat.channels"},
    {
        "chat.grammar",
        "chat.reader",
        "chat.renderer",
        "chat.response_template",
        "chat.structural_tag",
    },
    {"chat.templates.proof", "chat.templates.writer"},
    {"chat.templates.derivation", "chat.templates.findings"},
    {"chat.templates.report"},
    {"chat.format"},
    {"chat.catalog"},
    {"chat.tokens"},
    {"chat"},
    {"_lines"},
    # core
    {"core"},
    {"core.limits", "core.recipe"},
    {
        "core.vocabulary",
        "core.masking",
        "core.mask_step",
        "core.mask_times",
        "core.logprobs",
        "core.generation",
    },
    {
        "core.byte_vocabulary",
        "core.grammar",
        "core.sampling",
        "core.masked_scores",
        "core.followed_text",
    },
    {"core.cache", "core.completion_pieces", "core.saved", "core.served", "core.xml_style"},
    {"core.structural_tag"},
    {"core.notation"},
    # plug-ins
    {
        "_continuous_batching",
        "_forced_decoding",
        "_prompt_lookup",
        "_transformers_request",
    },
    {"_transformers_processor"},
    {plugin.name for plugin in PLUGINS if not plugin.is_package},
    {"vllm.requests", "vllm.formats"},
    {"vllm.backend", "vllm.tool_parser", "vllm.reasoning_parser"},
    {"vllm.patch"},
    {"vllm.plugin"},
    {"vllm"},
    {"sglang.requests", "sglang.masks"},
    {"sglang.grammar"},
    {"sglang.hooks"},
    {"sglang.backend"},
    {"sglang.plugin"},
    {"sglang"},
    # models
    {"models.base", "models.preflight", "models.digests"},
    {
        "models.base",
        "models.preflight",
        "models.tokenizers",
        "models.running_text",
        "models.waiting_line",
    },
    {"models.llama_cells"},
    {
        "models.transformers",
        "models.llama_cpp",
        "models.llama_sequences",
        "models.mlx",
        "models.openai",
    },
    {"models.opening"},
    {"models"},
    # training
    {"training.grammars"},
    {"training.turns"},
    {"training.labels"},
    {
        "training.rows",
        "training.options",
        "training.loss_curve",
        "training.weights",
        "training.trainer",
    },
    {"training.gguf_file"},
    {"training.runs"},
    {"training"},
    # turns, and their evaluation
    {"_turns"},
    {"agent.steps", "agent.responses", "agent.stopping"},
    {"agent.calls"},
    {"agent.loop"},
    {"agent.waiting", "agent.awaiting"},
    {"agent.run"},
    {"agent"},
    # the server
    {"serve.connections", "serve.errors", "serve.settings"},
    {"serve.fields"},
    {"serve.formats", "serve.written"},
    {"serve.requests"},
    {"serve.turns"},
    {"serve.jobs", "serve.metrics", "serve.responses"},
    {"serve.streams"},
    {"serve.app"},
    {"serve.server"},
    {"serve"},
    {"evaluation.verdicts", "evaluation.intervals", "evaluation.masks"},
    {"evaluation.examples", "evaluation.records"},
    {"evaluation.equality", "evaluation.runs", "evaluation.summary"},
    {"evaluation.plots"},
    {"evaluation.pages"},
    {"evaluation.bfcl.files", "evaluation.bfcl.functions", "evaluation.bfcl.checker"},
    {"evaluation.bfcl.entries"},
    {"evaluation.bfcl"},
    {"evaluation.heldout", "evaluation.when2call"},
    {"evaluation"},
    # synth
    {"synth.crews"},
    {"synth.kinds", "synth.traits", "synth.values", "synth.outcomes"},
    {"synth.numerals", "synth.small_talk"},
    {"synth.settings", "synth.words", "synth.validity"},
    {"synth.worked_examples", "synth.ledger", "synth.processes"},
    {"synth.prompts", "synth.stages", "synth.tool_server"},
    {"synth.tool_process", "synth.grounds"},
    {"synth.requests"},
    {"synth.plans", "synth.answers", "synth.phrasebook"},
    {"synth.everyday_tools"},
    {"synth.teachers"},
    {"synth.drafts"},
    {"synth.conversations"},
    {"synth.renaming", "synth.paraphrase", "synth.withheld", "synth.other_values"},
    {"synth.faults"},
    {"synth.augment", "synth.duplicates", "synth.decontaminate", "synth.pair"},
    {"synth.execute", "synth.ground", "synth.judge"},
    {"synth.importers.notes"},
    {"synth.importers.types", "synth.importers.instructions"},
    {"synth.importers.definitions"},
    {"synth.importers.conversation"},
    {"synth.importers.python_calls", "synth.importers.sharegpt"},
    {"synth.importers.hermes", "synth.importers.openai"},
    {"synth.importers.toolace", "synth.importers.xlam"},
    {"synth.importers.stage"},
    {"synth.importers"},
    {"synth.ray"},
    {"synth"},
    # lint
    {"lint.rules", "lint.likeness", "lint.offers"},
    {"lint.samples"},
    {"lint.calls", "lint.dialogues", "lint.scripts", "lint.comparison"},
    {"lint.statistics", "lint.dropped", "lint.trained"},
    {"lint.report", "lint.encoded"},
    {"lint.linter"},
    {"lint"},
    # what stands on all of them
    {"improve"},
    {"demo"},
    # the command line
    {"cli.errors", "cli.arguments", "cli.inputs"},
    {"cli.commands"},
    {"cli.commands.*"},
    {"cli.program"},
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


def entry_of(name: str) -> tuple[int, str]:
    """The layer of a module, and the entry there that stands for it: its own, or its package's."""
    entries = {entry: number for number, modules in enumerate(LAYERS) for entry in modules}
    entry = name if name in entries else name.rpartition(".")[0] + ".*"
    return entries[entry], entry


def test_every_module_has_a_layer() -> None:
    assert {entry_of(name)[1] for name in MODULES.keys() - {""}} == set().union(*LAYERS)
    assert "core.generation" in set(imported("models.llama_cpp"))


def around(name: str) -> set[str]:
    """The packages that a module is in, but for `schemask` itself: to import it runs theirs too."""
    parts = name.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts))}


def run_by(name: str) -> set[str]:
    """The modules that run when a module is imported, before it or from inside it."""
    used = set(imported(name)) - {name}
    # The package itself comes after all of its modules: it exports them.
    assert "" not in used, f"schemask.{name} imports from the package instead of a module"
    return used | (used.union(*map(around, used)) - around(name) - {name})


def test_no_module_imports_from_a_later_layer() -> None:
    for name in MODULES.keys() - {""}:
        layer, entry = entry_of(name)
        for other in run_by(name):
            beside = entry.endswith(".*") and entry_of(other)[1] == entry
            assert beside or entry_of(other)[0] < layer, f"schemask.{name} imports schemask.{other}"


def test_the_code_map_has_the_layers_in_order() -> None:
    text = (PACKAGE.parents[1] / "docs" / "code-map.md").read_text(encoding="utf-8")
    table = text.partition("### Python\n")[2].partition("###")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    found = [name for row in rows for name in sorted(re.findall(r"`(\w+)`", row))]
    tops = [sorted({entry.partition(".")[0] for entry in layer}) for layer in LAYERS]
    # `__main__` is no more than the command.
    assert [*found, "__main__"] == list(dict.fromkeys(name for layer in tops for name in layer))


def test_no_circle_between_files() -> None:
    graph = {name: run_by(name) for name in MODULES.keys() - {""}}
    graphlib.TopologicalSorter(graph).prepare()
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({**graph, "errors": {"cli"}}).prepare()


def test_packages_export_their_own_modules() -> None:
    """And whoever is inside goes past them: a package with exports comes after its modules.

    One that is a plug-in also says what is missing.
    """
    own = {plugin.name: "errors" for plugin in PLUGINS if plugin.is_package}
    for name in MODULES.keys() - {""}:
        if MODULES[name].name == "__init__.py":
            others = [used for used in imported(name) if used != own.get(name)]
            strangers = [used for used in others if name not in around(used)]
            assert not strangers, f"schemask.{name} imports schemask.{strangers}"
