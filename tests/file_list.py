"""The page that lists all source files, a line each, from what they say of themselves.

`python tests/file_list.py` (`make files`) writes it; the tests compare it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "files.md"
FOLDERS = ("rust", "python/schemask", "tests")

HEAD = """\
# Files

Every source file in one line: the first sentence of what stands at its head. `make files` writes
this page, and a test compares it. The [code map](code-map.md) says in which order to read them, and
what uses what.

The line under a folder is that of its `mod.rs` or `__init__.py`, which has what the others share.
"""


def says(path: Path) -> str:
    """The first sentence at the head of a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        head = ast.get_docstring(ast.parse(text)) or ""
    else:
        head = re.sub(r"^//! ?", "", re.match(r"(?://!.*\n)*", text)[0], flags=re.MULTILINE)  # type: ignore[index]
    paragraph = " ".join(head.split("\n\n")[0].split())
    assert paragraph, f"{path} does not say what it is"
    # Links of rustdoc are words here.
    paragraph = re.sub(r"\[(`[^`]+`)\](?:\([^)]*\))?", r"\1", paragraph)
    return re.split(r"(?<=\.)\s+(?=[A-Z])", paragraph)[0].replace("|", "\\|")


def of_folder(folder: Path) -> Iterator[str]:
    """The lines of a folder and of those in it."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".rs", ".py"))
    own = [path for path in files if path.stem in ("mod", "__init__", "lib")]
    rows = [f"| `{path.name}` | {says(path)} |" for path in files if path not in own]
    if files:
        yield from ("", f"## `{folder.relative_to(ROOT).as_posix()}/`")
        yield from (line for path in own for line in ("", says(path)))
        if rows:
            yield from ("", "| file | what it is |", "|---|---|", *rows)
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from of_folder(inner)


def page() -> str:
    lines = [line for folder in FOLDERS for line in of_folder(ROOT / folder)]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
