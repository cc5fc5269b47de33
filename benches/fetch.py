"""Fetches what tests and benchmarks read from its public sources, and writes it as they read it.

    python benches/fetch.py                                 # clones both sources, which takes git
    python benches/fetch.py --maskbench CHECKOUT --suite CHECKOUT   # reads checkouts that are there

The files go into the folder of `$SCHEMASK_DATA`, or into `../shared/data` beside this checkout:

- `maskbench.jsonl.gz`, of the repository `guidance-ai/jsonschemabench`;
- `json-schema-test-suite-DRAFT.jsonl.gz` and `json-schema-test-suite-remotes.jsonl.gz`, of the
  repository `json-schema-org/JSON-Schema-Test-Suite`.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from corpus import maskbench_file
from schemask._files import replacing
from suite import DRAFTS, read, remotes_file, suite_file, written

MASKBENCH = "https://github.com/guidance-ai/jsonschemabench"
SUITE = "https://github.com/json-schema-org/JSON-Schema-Test-Suite"
# Where the suite expects its remote documents to be served.
SERVER = "http://localhost:1234"


def maskbench_lines(checkout: Path) -> Iterator[dict[str, Any]]:
    """A line for each schema of MaskBench, with its instances."""
    for path in sorted((checkout / "maskbench" / "data").glob("*.json")):
        entry = _read(path)
        tests = [{"data": t["data"], "valid": t["valid"]} for t in entry.get("tests", [])]
        yield {"id": path.stem, "schema": entry["schema"], "tests": tests}


def suite_lines(checkout: Path, draft: str) -> Iterator[dict[str, Any]]:
    """A line for each group of the suite, file by file."""
    root = checkout / "tests"
    for path in _names(root, f"{draft}/**/*.json"):
        for number, group in enumerate(_read(root / path)):
            tests = [
                {"description": t["description"], "data": t["data"], "valid": t["valid"]}
                for t in group["tests"]
            ]
            yield {
                "id": f"{path.removesuffix('.json')}#{number}",
                "draft": draft,
                "description": group["description"],
                "schema": group["schema"],
                "tests": tests,
            }


def remote_lines(checkout: Path) -> Iterator[dict[str, Any]]:
    """A line for each document that groups of the suite refer to."""
    root = checkout / "remotes"
    for path in _names(root, "**/*.json"):
        yield {"uri": f"{SERVER}/{path}", "schema": _read(root / path)}


def write(out: Path, lines: Iterable[dict[str, Any]], force: bool) -> None:
    """Writes the lines into a packed file, their numbers as the source spells them.

    Raises:
        DataError: The file is there, and `force` is False.
        SystemExit: There are no lines: the source has another layout.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    texts = [written(line) + "\n" for line in lines]
    if not texts:
        raise SystemExit(f"nothing for {out.name}: is the checkout whole?")
    with (
        replacing(out, force=force) as file,
        gzip.open(file, "wt", encoding="utf-8") as packed,
    ):
        packed.writelines(texts)
    print(f"{out}: {len(texts)} lines")


def _names(root: Path, pattern: str) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))


def _read(path: Path) -> Any:
    return read(path.read_text(encoding="utf-8"))


def _clone(address: str, folder: Path) -> Path:
    subprocess.run(["git", "clone", "--depth=1", address, str(folder)], check=True)
    return folder


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maskbench", type=Path, help=f"a checkout of {MASKBENCH}")
    parser.add_argument("--suite", type=Path, help=f"a checkout of {SUITE}")
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        clones = Path(name)
        maskbench, suite = options.maskbench, options.suite
        if maskbench is None and suite is None:
            maskbench = _clone(MASKBENCH, clones / "maskbench")
            suite = _clone(SUITE, clones / "suite")
        if maskbench is not None:
            write(maskbench_file(), maskbench_lines(maskbench), options.force)
        if suite is not None:
            for draft in DRAFTS:
                write(suite_file(draft), suite_lines(suite, draft), options.force)
            write(remotes_file(), remote_lines(suite), options.force)


if __name__ == "__main__":
    main()
