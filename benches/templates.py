"""Formats derived from chat templates of real models, and proven against them.

    python benches/templates.py --conversations 500 --csv templates.csv

The templates are those that come with `trl` and, if they are there, those of the data folder (see
`benches/corpus.py`) and of the folders named. A template that knows no tools is left out. For each
one a format is derived, and random conversations are rendered by the template and written by the
format: the same bytes, accepted by the grammar and read back equal in random cuts, or an error.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import time
from pathlib import Path

from tqdm import tqdm

import record
from corpus import data_folder
from schemask.chat.templates.derive import derive
from schemask.chat.templates.proof import prove
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError

FIELDS = (
    *("template", "derived", "proven", "conversations", "turns", "unwritable", "off_prompt"),
    *("dropped_reasoning", "dropped_parts", "changed", "seconds", "remarks"),
)


def templates(folders: list[Path]) -> list[tuple[str, str]]:
    """The templates with tools of some folders: name and text, each text once."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.jinja")):
            text = path.read_text(encoding="utf-8")
            if "tools" in text or "tool_calls" in text:
                found.setdefault(text, path.name)
    return [(name, text) for text, name in found.items()]


def default_folders() -> list[Path]:
    """The folders of templates that are there."""
    import trl

    folders = [data_folder() / "templates", Path(trl.__file__).parent / "chat_templates"]
    for folder in folders:
        if not folder.is_dir():
            print(f"not there, so left out: {folder}", file=sys.stderr)
    return [folder for folder in folders if folder.is_dir()]


def row(name: str, text: str, conversations: int, seed: int) -> dict[str, object]:
    """What became of one template."""
    made: dict[str, object] = {"template": name, "derived": False, "proven": False}
    template = ChatTemplate(text, "<s>", "</s>")
    started = time.perf_counter()
    try:
        derived = derive(template)
        made |= {"derived": True, "remarks": "; ".join(derived.findings)}
        proof = prove(template, derived, conversations=conversations, seed=seed)
        remarks = "; ".join((*derived.findings, *proof.findings))
        made |= {
            "proven": True,
            "conversations": proof.conversations,
            "turns": proof.turns,
            "unwritable": proof.unwritable,
            "off_prompt": proof.off_prompt,
            "dropped_reasoning": proof.dropped_reasoning,
            "dropped_parts": proof.dropped_parts,
            "changed": proof.changed,
            "remarks": remarks,
        }
    except FormatError as error:
        made["remarks"] = str(error)
    return {**made, "seconds": round(time.perf_counter() - started, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders of further templates")
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv", type=Path, help="a file for the rows")
    arguments = parser.parse_args()
    rows = []
    for name, text in tqdm(templates([*default_folders(), *arguments.folders]), unit="template"):
        rows.append(row(name, text, arguments.conversations, arguments.seed))
    if arguments.csv:
        data = f"{len(rows)} templates, those of trl {importlib.metadata.version('trl')} among them"
        command = " ".join(["python benches/templates.py", *sys.argv[1:]])
        notes = record.circumstances(data, command, ("jinja2", "trl"))
        table = [[made.get(field, "") for field in FIELDS] for made in rows]
        record.write(arguments.csv, notes, FIELDS, table)
    for made in rows:
        state = "proven" if made["proven"] else "derived" if made["derived"] else "refused"
        print(f"{state:8} {made['template']:50} {made['seconds']:6} s  {made['remarks']}")
    proven = sum(bool(made["proven"]) for made in rows)
    turns = sum(int(str(made.get("turns", 0))) for made in rows)
    print(f"{proven} of {len(rows)} templates proven on {turns} turns")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
