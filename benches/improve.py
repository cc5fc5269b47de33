"""What `schemask improve` makes of SmolLM2-135M-Instruct, on requests and on tools it never saw.

python benches/improve.py --out /tmp/improved --bfcl bfcl_eval.whl

The functions are those of examples/household.py, the teacher is their phrasebook. Beside requests
with other phrases, the models are asked for tools of held_out_tools.py, and entries of BFCL. With
`--losses all choices` the same rows are trained twice, once without the tokens that the grammar
forces. The rates go to `--csv`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import held_out_tools
import record
from schemask.demo import model_path
from schemask.evaluation import EvalExample, Evaluation, read_bfcl, read_examples, summarize
from schemask.improve import OPTIONS, SHARES, improve
from schemask.synth import generate
from schemask.training.turns import LOSSES

HEADER = (
    *("model", "category", "setting", "count", "right", "low", "high"),
    *("wrong", "malformed", "no_call", "masked_mass"),
)
HOUSEHOLD = Path(__file__).parents[1] / "examples" / "household.py"


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--bfcl", type=Path)
    parser.add_argument("--count", type=int, default=900)
    parser.add_argument("--others", type=int, default=900)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--limit", type=int, default=200, help="entries of each BFCL category")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=["all"])
    parser.add_argument("--gguf", choices=("f32", "f16", "q8_0"), default="f16")
    parser.add_argument("--others-held-out", type=int, default=60, help="requests for other tools")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()

    examples = asked(options)
    done = {}
    for loss in options.losses:
        folder = options.out / loss
        folder.mkdir(exist_ok=True)
        answered = options.out / options.losses[0] / "before.jsonl"
        if answered.exists() and answered.parent != folder:
            shutil.copy(answered, folder)  # the same model, asked the same
        done[loss] = improve(
            HOUSEHOLD,
            options.model or model_path(),
            folder,
            count=options.count,
            others=options.others,
            held_out=options.held_out,
            examples=examples,
            options=dataclasses.replace(
                OPTIONS, steps=options.steps, loss=loss, seed=options.seed, gguf=options.gguf
            ),
            seed=options.seed,
        )
    if options.csv is None:
        return
    rows = list(figures("before", done[options.losses[0]].before))
    data = "phrasebooks of examples/household.py and held_out_tools.py, BFCL of bfcl-eval"
    command = f"python {' '.join(sys.argv)}"
    notes = record.circumstances(data, command, record.TRAINING)
    for loss, improvement in done.items():
        rows += figures("after" if loss == "all" else f"after, {loss}", improvement.after)
        trained = json.loads((improvement.model / "report.json").read_text(encoding="utf-8"))
        notes.append(
            f"training, loss of {loss}: {trained['rows']} rows, {trained['trained_tokens']:,} of "
            f"{trained['tokens']:,} tokens, {trained['steps']} steps in "
            f"{trained['seconds']:,.0f} s, "
            f"loss {trained['first_loss']:.3f} to {trained['last_loss']:.3f}"
        )
    record.write(options.csv, notes, HEADER, rows)


def asked(options: argparse.Namespace) -> list[EvalExample]:
    """What the models are asked beside the requests that are held out."""
    options.out.mkdir(parents=True, exist_ok=True)
    other_tools = options.out / "other-tools.jsonl"
    generate(
        held_out_tools.PHRASES,
        held_out_tools.TOOLS,
        options.others_held_out,
        other_tools,
        seed=options.seed + 2,
        shares=SHARES,
    )
    examples = read_examples(other_tools, category="other-tools")
    if options.bfcl is not None:
        categories = ("simple_python", "irrelevance")
        examples += read_bfcl(options.bfcl, categories, limit=options.limit)
    return examples


def figures(name: str, found: Evaluation) -> Iterator[tuple[object, ...]]:
    """What a record says of a model."""
    for row in summarize(found.records).rows:
        told = [row.outcomes.get(outcome, 0) for outcome in ("wrong", "malformed", "no_call")]
        mass = "" if row.masked_mass is None else f"{row.masked_mass:.4f}"
        right = (row.right.successes, f"{row.right.low:.4f}", f"{row.right.high:.4f}")
        yield name, row.category, row.setting, row.count, *right, *told, mass


if __name__ == "__main__":
    main()
