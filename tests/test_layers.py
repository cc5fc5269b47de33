"""Which Rust module may use which, and that no files use each other in a circle.

A file *uses* another if it names by a path (`crate::`, `super::`, `self::`, or a child of its own
folder) what the other declares. So it may make, match or hold what that file is about. These are no
uses: the tests of a file; `mod x;`, which only says where a child is; a `pub use` of a folder's
`mod.rs`, which is its table of contents (a name taken through it is a use of the file that declares
it); and calling a method of a value that was handed in, whichever file its `impl` stands in.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUST = ROOT / "rust"

# A module uses itself and those before it. `docs/code-map.md` has the same order.
LAYERS = (
    "error",
    "work",
    "limits",
    "intern",
    "byte_set",
    "decimal",
    "spelling",
    "regex",
    "format",
    "schema",
    "json",
    "vocab",
    "grammar",
    "machine",
    "mask",
    "compile",
    "matcher",
    "batch",
    "py",
)

# A module by its names from the crate's root on, such as ("json", "object", "steps").
Module = tuple[str, ...]

TESTS = re.compile(
    r"^#\[cfg\((?:all\()?test\b[^\n]*\n(?:pub(?:\([^)]*\))? )?mod \w+ \{.*?^\}", re.M | re.S
)
COMMENT = re.compile(r"//[^\n]*")
REEXPORT = re.compile(r"^pub(?:\([^)]*\))? use ([^;]*);", re.M)


def leaves(tree: str) -> Iterator[str]:
    """The paths of a tree of `use`, its braces unfolded."""
    head, brace, rest = tree.partition("{")
    if not brace:
        yield tree.split(" as ")[0].strip()
        return
    depth, part = 0, ""
    for character in rest.rstrip()[:-1] + ",":
        if character == "," and depth == 0:
            if part.strip():
                yield from leaves(head.strip() + part.strip())
            part = ""
        else:
            depth += {"{": 1, "}": -1}.get(character, 0)
            part += character


def paths_in(source: str) -> Iterator[str]:
    """All paths of more than one name that a source holds."""
    for match in re.finditer(r"(?<![\w:])(?:\w+::)+(?:\w+|\{)", source):
        if not match[0].endswith("{"):
            yield match[0]
            continue
        end, depth = match.end(), 1
        while depth:
            depth += {"{": 1, "}": -1}.get(source[end], 0)
            end += 1
        yield from leaves(source[match.start() : end])


class Crate:
    """The files of a crate, by module.

    Args:
        sources: The text of each file.
    """

    def __init__(self, sources: dict[Module, str]) -> None:
        self.sources = {
            module: COMMENT.sub("", TESTS.sub("", text)) for module, text in sources.items()
        }
        # Where a name is declared that a folder exports.
        self.exports: dict[tuple[Module, str], Module] = {}
        for module, source in self.sources.items():
            for tree in REEXPORT.findall(source):
                for path in leaves(tree):
                    of, rest = self.resolve(path, module)
                    if of not in (None, module) and rest:
                        assert of is not None
                        self.exports[module, rest[0]] = of
            self.sources[module] = REEXPORT.sub("", source)

    def resolve(self, path: str, at: Module) -> tuple[Module | None, list[str]]:
        """The file that a path leads into, and what it names there."""
        names = path.split("::")
        if names[0] == "crate":
            base: list[str] = []
            names = names[1:]
        elif names[0] in ("self", "super") or (*at, names[0]) in self.sources:
            base = list(at)
        else:
            return None, names
        while names and names[0] in ("self", "super"):
            if names.pop(0) == "super":
                base.pop()
        names = base + [name for name in names if name not in ("self", "*")]
        for length in range(len(names), -1, -1):
            if (module := tuple(names[:length])) in self.sources:
                return module, names[length:]
        return None, names

    def uses(self, module: Module) -> set[Module]:
        """The other files that a file uses."""
        found = set()
        for path in paths_in(self.sources[module]):
            of, rest = self.resolve(path, module)
            while of is not None and rest and (of, rest[0]) in self.exports:
                of = self.exports[of, rest[0]]
            if of not in (None, module, ()):
                assert of is not None
                found.add(of)
        return found

    def circle(self) -> list[str]:
        """Files of which each uses the next, and the last is the first; none if there are none."""
        try:
            TopologicalSorter({module: self.uses(module) for module in self.sources}).prepare()
        except CycleError as error:
            return ["/".join(module) for module in reversed(error.args[1])]
        return []


def the_crate() -> Crate:
    sources = {}
    for path in RUST.rglob("*.rs"):
        names = path.relative_to(RUST).with_suffix("").parts
        is_of_tests = names[-1].endswith(("tests", "testing"))
        if names != ("lib",) and not is_of_tests:
            module = names[:-1] if names[-1] == "mod" else names
            sources[module] = path.read_text(encoding="utf-8")
    assert len(sources) > 100
    return Crate(sources)


def test_the_reader_of_uses() -> None:
    crate = Crate(
        {
            ("a",): "mod b;\nmod c;\npub(crate) use b::{self, B as X};\nuse c::C;\n",
            ("a", "b"): "use crate::d::{e::{E, F}, g};\nuse super::c; // crate::a::X\n",
            (
                "a",
                "c",
            ): "fn f() { crate::a::B::new(); }\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
            ("d",): "use crate::d::e;\n",
            ("d", "e"): "use std::fmt;\n",
        }
    )
    assert crate.uses(("a",)) == {("a", "c")}
    assert crate.uses(("a", "b")) == {("d",), ("d", "e"), ("a", "c")}
    assert crate.uses(("a", "c")) == {("a", "b")}
    assert crate.uses(("d",)) == {("d", "e")}
    assert set(crate.circle()) == {"a/b", "a/c"}


def test_no_rust_module_uses_one_after_it() -> None:
    crate = the_crate()
    for module in crate.sources:
        for used in crate.uses(module):
            assert LAYERS.index(used[0]) <= LAYERS.index(module[0]), (
                f"{'/'.join(module)} uses {'/'.join(used)}"
            )


def test_the_machine_knows_no_tokens() -> None:
    crate = the_crate()
    of_machine = [module for module in crate.sources if module[0] == "machine"]
    users = [module for module in of_machine if "vocab" in {used[0] for used in crate.uses(module)}]
    assert of_machine
    assert users == []


def test_the_code_map_has_the_layers_in_order() -> None:
    text = (ROOT / "docs" / "code-map.md").read_text(encoding="utf-8")
    table = text.partition("### Rust\n")[2].partition("###")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert tuple(re.findall(r"`(\w+)`", "".join(rows))) == LAYERS


def test_no_rust_files_use_each_other_in_a_circle() -> None:
    assert the_crate().circle() == []


def test_importing_schemask_imports_no_framework() -> None:
    # asyncio is not one, but a tenth of the time that importing takes.
    unwanted = {"asyncio", "torch", "transformers", "llama_cpp", "openai", "tiktoken"}
    script = (
        "import sys, schemask, schemask.cli, schemask.models, schemask.synth\n"
        f"print({unwanted} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout
    assert output == "set()\n"
