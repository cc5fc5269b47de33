"""`schemask report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemask.cli.arguments import Commands, add_command


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "report",
        run,
        "Show evaluations on one page, side by side.",
        "Writes an HTML file with rates, plots and all answers that are not right, of records\n"
        "that `schemask eval` wrote. The first file is the one that others are compared with.",
        "schemask report before.jsonl after.jsonl --out report.html",
    )
    parser.add_argument("records", type=Path, nargs="+", metavar="RECORDS", help="files of records")
    parser.add_argument("--out", type=Path, required=True, metavar="HTML", help="the page")
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help="where the plots go as SVG, too"
    )
    parser.add_argument(
        "--title", default="How well models call tools", help="of the page (%(default)s)"
    )
    parser.add_argument(
        "--note", action="append", default=[], metavar="TEXT", help="a paragraph; may be repeated"
    )


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.evaluation import read_records, report

    paths: list[Path] = list(dict.fromkeys(options.records))
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    found = {name: read_records(path) for name, path in zip(names, paths, strict=True)}
    report(found, options.out, title=options.title, notes=options.note, plots=options.plots)
    return 0
