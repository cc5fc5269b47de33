"""How long files and functions are, and that no two types have one name.

Lines of code count: neither blank ones nor comments nor docstrings. Of a function, those of its
body. The tests themselves may be longer, since they are lists of cases: modules of tests in Rust
and `test_*.py`, of which only the functions count.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

MOST_OF_A_FILE = 400
MOST_OF_A_FUNCTION = 60

# What is longer, and why it is better so.
LONG_FILES = {
    "rust/regex/scan.rs": "two lines more, of one scanner",
}
LONG_FUNCTIONS = {
    "fuzz/src/schema.rs::to_json": "a match with one arm for each keyword",
    "rust/grammar/print.rs::show": "a match with one arm for each expression",
    "rust/grammar/tree.rs::expression": "a match with one arm for each kind of tree",
    "rust/regex/escaped.rs::find_image": "one arm for each kind of language",
    "rust/regex/fingerprint.rs::compute_fingerprint": "one arm for each kind of language",
    "rust/regex/scan.rs::find_safe_chars": "one search, whose states are all its own",
}
# Types of one name, and why.
SHARED_NAMES = {
    "python SchemaLogitsProcessor": "each plug-in has its own, and users import one of them",
    "python SchemaskGrammar": "vLLM and SGLang each have a class for it to be one of",
}

NO_CODE = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|\bb?r(?P<hashes>\#*)".*?"(?P=hashes)"""
    r"""|"(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\[^\n][^'\n]*)'""",
    re.DOTALL,
)
TESTS = re.compile(
    r"^#\[cfg\((?:all\()?test\b[^\n]*\n(?:#[^\n]*\n)*(?:pub(?:\([^)]*\))? )?mod \w+ \{.*?^\}",
    re.MULTILINE | re.DOTALL,
)
MARK = re.compile(r"[](){};[]")
FUNCTION = re.compile(r"\bfn\s+(\w+)")
TYPE = re.compile(
    r"^(?:\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|union|trait)|(?:pub(?:\([^)]*\))? )?type) (\w+)",
    re.MULTILINE,
)


class Source(NamedTuple):
    """The lines of code of a file and of its functions, and the types that it declares."""

    lines: int
    functions: tuple[tuple[str, int], ...]
    types: tuple[str, ...]


def count(code: str) -> int:
    return sum(1 for line in code.splitlines() if line.strip())


def bare(source: str) -> str:
    """A Rust source without comments and tests; what texts hold is underscores."""

    def replacement(found: re.Match[str]) -> str:
        return re.sub(r"\S", " " if found["comment"] else "_", found[0])

    return TESTS.sub("", NO_CODE.sub(replacement, source))


def body(code: str, start: int) -> str | None:
    """The body of the function whose name ends at `start`; None of one that is only declared."""
    depth, begin = 0, None
    for mark in MARK.finditer(code, start):
        depth += {"(": 1, "[": 1, "{": 1}.get(mark[0], 0 if mark[0] == ";" else -1)
        if mark[0] == ";" and not depth and begin is None:
            return None
        if mark[0] == "{" and depth == 1 and begin is None:
            begin = mark.end()
        if mark[0] == "}" and not depth:
            return code[begin : mark.start()]
    raise AssertionError("a brace is never closed")


def rust(text: str) -> Source:
    code = bare(text)
    bodies = ((found[1], body(code, found.end())) for found in FUNCTION.finditer(code))
    functions = tuple((name, count(body)) for name, body in bodies if body is not None)
    return Source(count(code), functions, tuple(TYPE.findall(code)))


def python(text: str) -> Source:
    tree = ast.parse(text)
    lines = {
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    functions, types = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node) is not None:
                first = node.body[0]
                lines -= set(range(first.lineno, (first.end_lineno or 0) + 1))
            if isinstance(node, ast.ClassDef):
                types.append(node.name)
            elif not isinstance(node, ast.Module):
                inner = range(node.body[0].lineno, (node.end_lineno or 0) + 1)
                functions.append((node.name, len(lines & set(inner))))
    return Source(len(lines), tuple(functions), tuple(types))


def is_test(path: Path) -> bool:
    return path.name.startswith("test_") or path.stem.endswith("tests")


@cache
def sources() -> dict[str, Source]:
    """The sources of the repository, by path; of tests in Rust none."""
    readers: dict[str, Callable[[str], Source]] = {".rs": rust, ".py": python}
    found = {}
    for folder in ("rust", "python", "tests", "benches", "fuzz", "examples", "docs", ".ci"):
        for path in sorted((ROOT / folder).rglob("*")):
            is_source = path.suffix in readers and "target" not in path.parts
            if is_source and not (path.suffix == ".rs" and is_test(path)):
                name = path.relative_to(ROOT).as_posix()
                found[name] = readers[path.suffix](path.read_text(encoding="utf-8"))
    assert len(found) > 300
    return found


def test_what_counts_as_code() -> None:
    text = """\
//! A file.

/// The first `fn none() {`.
fn first(a: [u8; 2]) -> u8 {
    // Nothing.
    let brace = '{'; /* } */

    let quote = b'\\''; let text = "}\\"";
    let raw = r#"" }
        and one more"#;
    a[0]
}

trait Named<'a> {
    type Name;
    fn name(&self) -> &'a str;
}
pub(crate) type Alias = u8;

#[cfg(test)]
mod tests {
    struct None;
}
"""
    assert rust(text) == Source(12, (("first", 5),), ("Named", "Alias"))
    text = '''\
"""A file."""

class Some:
    """A class."""

    def first(
        self,
    ) -> None:
        """Does nothing.

        As it says.
        """
        # Nothing.
        text = """
        two more
        """
'''
    assert python(text) == Source(7, (("first", 3),), ("Some",))


def surprises(lengths: Iterator[tuple[str, int]], most: int, known: dict[str, str]) -> str:
    """What is too long and not known, or known and not too long."""
    long = {name: lines for name, lines in lengths if lines > most}
    new = [f"{name} has {lines} lines of code" for name, lines in long.items() if name not in known]
    stale = [f"{name} is no exception any more" for name in known if name not in long]
    return "\n".join([*new, *stale])


def test_no_file_is_long() -> None:
    lengths = (
        (name, source.lines) for name, source in sources().items() if not is_test(Path(name))
    )
    assert not surprises(lengths, MOST_OF_A_FILE, LONG_FILES)


def test_no_function_is_long() -> None:
    lengths = (
        (f"{name}::{function}", lines)
        for name, source in sources().items()
        for function, lines in source.functions
    )
    assert not surprises(lengths, MOST_OF_A_FUNCTION, LONG_FUNCTIONS)


def test_no_two_types_have_one_name() -> None:
    names = Counter(
        f"{path.partition('/')[0]} {name}"
        for path, source in sources().items()
        if path.startswith(("rust/", "python/"))
        for name in source.types
    )
    shared = {name for name, count in names.items() if count > 1}
    assert shared == SHARED_NAMES.keys()
