"""Labels against what a model has to write: `schemask.training`, and TRL's `assistant_only_loss`.

    python benches/labels.py --csv labels.csv

For each template of `trl` and of the data folder, conversations of several kinds are encoded, and
the tokens that are trained are compared with those that the template makes the model write (see
`labels_truth.py`). TRL's masks are those that its `SFTTrainer` makes, by the template that
`get_training_chat_template` gives.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

import record
from chat_tokenizers import marks_of, synthetic
from labels_truth import KINDS, TrueTurn, Unknown, conversation, truth
from schemask.core.vocabulary import END_OF_TURN_TOKENS, Vocabulary
from schemask.errors import DataError, Error
from schemask.training import encode_turns
from schemask.training.labels import encode
from templates import default_folders

FIELDS = (
    *(
        "template",
        "of",
        "kind",
        "turns",
        "tokens",
        "ours",
        "ours_extra",
        "ours_missed",
        "ours_refused",
    ),
    *("trl", "trl_extra", "trl_missed", "trl_refused"),
)


def templates(folders: list[Path]) -> list[tuple[str, str, str]]:
    """All templates of some folders, but those that TRL made of others: name, folder and text."""
    found: dict[str, tuple[str, str]] = {}
    for folder in reversed(folders):
        of = "trl" if folder.name == "chat_templates" else "data"
        for path in sorted(folder.rglob("*.jinja")):
            if not path.stem.endswith("_training"):
                found.setdefault(path.read_text(encoding="utf-8"), (path.name, of))
    return [(name, of, text) for text, (name, of) in found.items()]


def tokenizer_for(template: str) -> Any:
    """A tokenizer that has the markers of a template, those of turns as special tokens."""
    ends = [name for name in END_OF_TURN_TOKENS if name in template]
    marks = tuple(dict.fromkeys((*marks_of(template), *ends))) or ("<|im_end|>",)
    special = tuple(mark for mark in marks if mark in ends or re.search(r"[|｜]|turn", mark))
    return synthetic(template, marks=marks, special=special)


def differences(input_ids: list[int], labels: list[int], turns: list[TrueTurn]) -> tuple[int, int]:
    """Tokens that are trained and never written, and those that are written and not trained."""
    wanted_ids: list[int] = []
    wanted: list[bool] = []
    is_nested = True
    for turn in turns:
        is_nested = is_nested and turn.prompt_ids[: len(wanted_ids)] == wanted_ids
        wanted += [False] * (len(turn.prompt_ids) - len(wanted)) + [True] * len(turn.token_ids)
        wanted_ids = [*turn.prompt_ids, *turn.token_ids]
    if is_nested and input_ids[: len(wanted_ids)] == wanted_ids:
        trained = [label != -100 for label in labels]
        wanted += [False] * (len(trained) - len(wanted))
        pairs = list(zip(trained, wanted, strict=True))
        return pairs.count((True, False)), pairs.count((False, True))
    # The text is another one: what is trained is compared in order.
    trained_ids = [label for label in labels if label != -100]
    written = [token_id for turn in turns for token_id in turn.token_ids]
    matcher = difflib.SequenceMatcher(None, trained_ids, written, autojunk=False)
    common = sum(block.size for block in matcher.get_matching_blocks())
    return len(trained_ids) - common, len(written) - common


def by_us(tokenizer: Any, messages: list[Any], tools: Any, turns: list[TrueTurn]) -> dict[str, Any]:
    example = {"messages": messages, "tools": tools or []}
    # Where the next turn's opening ends a turn, the model's generation config says so.
    stops = {turn.token_ids[-1] for turn in turns if turn.has_no_end}
    stops |= set(Vocabulary.from_transformers(tokenizer).stop_token_ids)
    vocabulary = Vocabulary.from_transformers(tokenizer, stop_token_ids=sorted(stops))
    try:
        rows = encode_turns(example, tokenizer, vocabulary=vocabulary)
        form = "turns"
        try:
            whole = encode(example, tokenizer, vocabulary=vocabulary)
            rows, pairs, form = [whole], [turns], "whole"
        except DataError:
            pairs = [[turn] for turn in turns]
    except Error as error:
        return {"ours": "refused", "ours_refused": str(error)}
    if not turns:
        return {"ours": form}
    found = [differences(**row, turns=pair) for row, pair in zip(rows, pairs, strict=True)]
    extra, missed = map(sum, zip(*found, strict=True))
    return {"ours": form, "ours_extra": extra, "ours_missed": missed}


def by_trl(
    tokenizer: Any, messages: list[Any], tools: Any, turns: list[TrueTurn]
) -> dict[str, Any]:
    from trl.chat_template_utils import get_training_chat_template

    try:
        template = get_training_chat_template(tokenizer)
        made = tokenizer.apply_chat_template(
            messages,
            tools=tools,
            chat_template=template,
            return_assistant_tokens_mask=True,
            return_dict=True,
        )
    except Exception as error:
        return {"trl": "refused", "trl_refused": str(error)}
    ids = made["input_ids"]
    labels = [t if m else -100 for t, m in zip(ids, made["assistant_masks"], strict=True)]
    if not turns:
        return {"trl": "masked"}
    extra, missed = differences(ids, labels, turns)
    return {"trl": "masked", "trl_extra": extra, "trl_missed": missed}


def rows_of(name: str, of: str, text: str, seeds: int) -> list[dict[str, Any]]:
    tokenizer = tokenizer_for(text)
    rows = []
    for kind in KINDS:
        for seed in range(seeds):
            messages, tools = conversation(kind, seed)
            row: dict[str, Any] = {"template": name, "of": of, "kind": kind}
            turns: list[TrueTurn] = []
            try:
                turns = truth(tokenizer, messages, tools)
                row["turns"] = len(turns)
                row["tokens"] = sum(len(turn.token_ids) for turn in turns)
            except Unknown as error:
                row["turns"] = str(error)
            row |= by_us(tokenizer, messages, tools, turns)
            row |= by_trl(tokenizer, messages, tools, turns)
            rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]], of: str) -> Iterator[str]:
    """What came out for the templates of a folder."""
    rows = [row for row in rows if row["of"] == of]
    judged = [row for row in rows if isinstance(row["turns"], int)]
    yield f"templates of {of}: {len(judged)} of {len(rows)} conversations judged"
    for who in ("ours", "trl"):
        done = [row for row in judged if f"{who}_extra" in row]
        extra, missed = (sum(row[f"{who}_{what}"] for row in done) for what in ("extra", "missed"))
        wrong = {row["template"] for row in done if row[f"{who}_extra"] or row[f"{who}_missed"]}
        names = {row["template"] for row in done}
        tokens = sum(row["tokens"] for row in done)
        yield (
            f"  {who}: {len(done)} encoded, {len(judged) - len(done)} refused; {extra} tokens "
            f"trained that are never written, {missed} of {tokens} missed; exact on "
            f"{len(names - wrong)} of {len(names)} templates"
        )
    accepted = sum(row["ours"] != "refused" for row in rows)
    yield f"  the grammar accepts all turns of {accepted} conversations, judged or not"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="conversations of each kind")
    parser.add_argument("--only", default="", help="part of the names of templates")
    parser.add_argument("--csv", type=Path, help="a file for the rows")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    chosen = [found for found in templates(default_folders()) if arguments.only in found[0]]
    for name, of, text in tqdm(chosen, unit="template"):
        rows += rows_of(name, of, text, arguments.seeds)
    if arguments.csv:
        version = importlib.metadata.version("trl")
        data = f"{len(chosen)} templates, those of trl {version} among them"
        command = " ".join(["python benches/labels.py", *sys.argv[1:]])
        table = [[row.get(field, "") for field in FIELDS] for row in rows]
        notes = record.circumstances(data, command, ("transformers", "tokenizers", "trl"))
        record.write(arguments.csv, notes, FIELDS, table)
    for of in ("trl", "data"):
        print(*summary(rows, of), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
