"""The documents name files and types that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import file_list

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder, suffix in (("rust", "rs"), ("python", "py"))
    for path in ROOT.glob(f"{folder}/**/*.{suffix}")
)


def is_there(name: str, document: Path) -> bool:
    # The design leaves out the folder of the sources.
    folders = (document.parent, ROOT, ROOT / "rust", ROOT / "python" / "schemask")
    return any((folder / name).exists() for folder in folders)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []
    if document.name == "README.md" and document.parent != ROOT:
        return
    named = re.findall(r"`([\w./-]+/[\w./-]*\.(?:rs|py|json|md))`", text)
    assert [name for name in named if not is_there(name, document)] == []


def test_the_words_of_the_glossary_are_in_the_sources() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    places = [row[-2] for row in rows if "`" in row[-2]]
    assert len(places) > 25
    named = [name for place in places for name in re.findall(r"`(\w+)`", place)]
    missing = [
        name
        for name in named
        if not re.search(rf"\b(?:struct|enum|type|fn|class) {name}\b", SOURCES)
    ]
    assert missing == []


def test_the_list_of_files_is_what_they_say_of_themselves() -> None:
    listed = file_list.PAGE.read_text(encoding="utf-8")
    assert listed == file_list.page(), "`make files` writes docs/files.md anew"
    assert "| `step.rs` | What a byte makes of a configuration. |" in listed


def test_the_log_of_changes_tells_nothing_twice() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for version in re.split(r"^## ", text, flags=re.MULTILINE):
        told = [line.partition(":")[0] for line in version.splitlines() if line.startswith("- ")]
        assert sorted(set(told)) == sorted(told)
