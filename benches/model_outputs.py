"""What models write in the tests of llama.cpp and vLLM, read by the formats here.

    python benches/model_outputs.py --llama-cpp LLAMA_CPP --vllm VLLM [--list]

`LLAMA_CPP` and `VLLM` are source trees. Of llama.cpp, `tests/test-chat.cpp` is read; of vLLM, the
tests of `tests/tool_parsers` are run. See `benches/README.md`.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outputs_llama_cpp import OutputCase, cases_of
from outputs_reading import Formats, Reading, cuts, read
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError

EXCEPTIONS = Path(__file__).with_suffix(".json")
AGREE = "agree"
ON_PURPOSE = "on purpose"
REFUSED = "refused"
DIFFERENT = "different"
# What is not compared, and why.
NO_FORMAT = "no format"
CONTINUED = "continues a message"
NOT_AN_OUTPUT = "reads no output"
# What says nothing of how well a format is read: it is not the format, or it is misread there.
OTHER_FORMAT = "other format"
MISREAD_THERE = "misread there"
NOT_THE_SAME = (OTHER_FORMAT, MISREAD_THERE)
COMPARED = (AGREE, ON_PURPOSE, REFUSED, DIFFERENT, *NOT_THE_SAME)
BESIDE = (NO_FORMAT, CONTINUED, NOT_AN_OUTPUT)
SEEDS = range(4)


@dataclass(frozen=True)
class Verdict:
    """What came of one case.

    Attributes:
        name: Which case it is, whatever else changes in the file that holds it.
        place: Where it stands now.
        form: The format, or the parser or template that there is none for.
        verdict: One of `COMPARED` and `BESIDE`.
        reason: Why it is what it is, if it is not what they expect.
        details: The output, what they expect of it, and what is read here.
    """

    name: str
    place: str
    form: str
    verdict: str
    reason: str = ""
    details: tuple[str, ...] = ()


def llama_cpp_verdicts(tree: Path, formats: Formats) -> list[Verdict]:
    """What is read in the outputs of `test-chat.cpp`, beside what it expects.

    Raises:
        SystemExit: Some of its tests cannot be read.
    """
    cases, unread = cases_of(tree / "tests" / "test-chat.cpp")
    if unread:
        sys.exit("\n".join(["not read of test-chat.cpp:", *unread]))
    return [_judged(case, formats) for case in cases]


def _judged(case: OutputCase, formats: Formats) -> Verdict:
    template = Path(case.template).stem
    digest = hashlib.sha256(repr((case.text, case.settings)).encode()).hexdigest()[:8]
    name, place = f"{template} {digest}", f"test-chat.cpp:{case.line}"
    if "continue_final_message" in case.settings:
        return Verdict(name, place, template, CONTINUED)
    form = formats.of_template(template)
    if form is None:
        return Verdict(name, place, template, NO_FORMAT)
    prompt = _prompt(case, formats.template(template))
    reading = read(form, [case.text], case.tools, prompt, not case.is_partial)
    expected = f"{case.content!r} {case.reasoning!r} {case.calls}"
    problems = "; ".join(filter(None, [*reading.failed, reading.problem]))
    ours = f"{reading.content!r} {reading.reasoning!r} {reading.calls} {problems}"
    details = (f"text     {case.text!r}", f"expected {expected}", f"read     {ours}")
    verdict = REFUSED if problems else DIFFERENT
    if is_same(reading, case):
        verdict = AGREE
    for seed in SEEDS:
        in_cuts = read(form, cuts(case.text, seed), case.tools, prompt, not case.is_partial)
        if bool(in_cuts.problem) != bool(reading.problem) or (
            not reading.problem and in_cuts != reading
        ):
            return Verdict(name, place, form.name, DIFFERENT, f"cut otherwise: {in_cuts}", details)
    return Verdict(name, place, form.name, verdict, "", details)


def _prompt(case: OutputCase, file: Path | None) -> str:
    """The prompt that the output continues; empty if its template renders none."""
    if file is None:
        return ""
    thinks = case.settings.get("enable_thinking", "true") == "true"
    template = ChatTemplate(file.read_text(), bos_token="<s>", eos_token="</s>")
    try:
        return template.render(
            [{"role": "user", "content": "Hey there!"}],
            case.tools or None,
            add_generation_prompt=True,
            enable_thinking=thinks,
            thinking=thinks,
        )
    except FormatError:  # Hermes 3 without tools
        return ""


def is_same(reading: Reading, case: OutputCase) -> bool:
    """Whether an output is read as a test of llama.cpp expects.

    As there, white space around texts is no difference, nor is the spelling of JSON, nor how much
    of unfinished arguments is passed on. Where the test wants reasoning left in the words, both
    have to be in them.
    """
    if reading.problem and not case.is_partial:
        return False
    content, reasoning = reading.content.strip(), reading.reasoning.strip()
    if (content, reasoning) != (case.content.strip(), case.reasoning.strip()):
        is_left = case.settings.get("reasoning_format", "NONE").endswith("_NONE") or (
            "reasoning_format" not in case.settings
        )
        whole = case.content.strip()
        if not (is_left and not case.reasoning and reasoning in whole and whole.endswith(content)):
            return False
    if len(reading.calls) != len(case.calls):
        return False
    return all(
        name == expected_name and _arguments_agree(arguments, expected)
        for (name, arguments), (expected_name, expected) in zip(
            reading.calls, case.calls, strict=True
        )
    )


def _arguments_agree(arguments: str, expected: str) -> bool:
    try:
        return json.loads(expected) == json.loads(arguments)
    except ValueError:
        return not _is_json(expected)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def vllm_verdicts(tree: Path, folders: Sequence[Path]) -> list[Verdict]:
    """How vLLM's tests of tool parsers end on the formats here.

    Raises:
        SystemExit: They cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results.json")
        program = Path(__file__).with_name("outputs_vllm.py")
        command = [sys.executable, str(program), str(tree), str(results), *map(str, folders)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if not results.exists():
            sys.exit(f"vLLM's tests do not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        tests = json.loads(results.read_text())
    return [_ended(test) for test in tests]


def _ended(test: dict[str, Any]) -> Verdict:
    name = test["test"].removeprefix("tests/tool_parsers/")
    form = test["format"] or test["parser"] or ""
    verdict = DIFFERENT
    if not test["texts"]:
        verdict = NOT_AN_OUTPUT
    elif not test["format"]:
        verdict = NO_FORMAT
    elif test["is_inside"]:
        verdict = NOT_AN_OUTPUT
    elif test["has_passed"]:
        verdict = AGREE
    elif test["error"]:
        verdict = REFUSED
    details = (
        *(f"text     {text!r}" for text in test["texts"]),
        *(f"expected {key}: {value}" for key, value in test["parameters"].items()),
        *(f"test     {line}" for line in test["problem"].splitlines()),
        f"read     {test['read']} {test['error']}",
    )
    return Verdict(name, name, form, verdict, "", details)


def excused(verdicts: Iterable[Verdict], exceptions: Iterable[dict[str, str]]) -> list[Verdict]:
    """The verdicts, where those that are meant to differ say why.

    Args:
        verdicts: What came of the cases.
        exceptions: Each the `case`s that differ, as a pattern of their names, and the `reason`;
            the `kind` if it is one of `NOT_THE_SAME`.
    """
    known = list(exceptions)

    def with_reason(verdict: Verdict) -> Verdict:
        meant = [e for e in known if fnmatch.fnmatchcase(verdict.name, e["case"])]
        if verdict.verdict not in (REFUSED, DIFFERENT) or not meant:
            return verdict
        kind = meant[0].get("kind", ON_PURPOSE)
        return replace(verdict, verdict=kind, reason=meant[0]["reason"])

    return [with_reason(verdict) for verdict in verdicts]


def table(verdicts: Sequence[Verdict]) -> str:
    """How many cases of each format came to what."""
    lines = [
        "| format | cases | " + " | ".join(COMPARED) + " |",
        "|---" * (2 + len(COMPARED)) + "|",
    ]
    forms = sorted({v.form for v in verdicts if v.verdict in COMPARED})
    for form in [*forms, ""]:
        of_form = [v for v in verdicts if v.verdict in COMPARED and form in ("", v.form)]
        counts = Counter(v.verdict for v in of_form)
        cells = [form or "all", len(of_form), *(counts[kind] for kind in COMPARED)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    counts = Counter(v.verdict for v in verdicts)
    compared = sum(counts[kind] for kind in COMPARED)
    lines.append("")
    same = compared - sum(counts[kind] for kind in NOT_THE_SAME)
    lines += [
        f"{counts[AGREE] / max(compared, 1):.1%} agree; where the format is the same and not "
        f"misread there, {counts[AGREE] / max(same, 1):.1%} of {same}"
    ]
    lines += [f"not compared: {counts[kind]} ({kind})" for kind in BESIDE if counts[kind]]
    missing = Counter(v.form for v in verdicts if v.verdict == NO_FORMAT)
    if missing:
        lines.append(f"{NO_FORMAT}: " + ", ".join(f"{k} {n}" for k, n in missing.most_common()))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--llama-cpp", type=Path, help="source of llama.cpp")
    parser.add_argument("--vllm", type=Path, help="source of vLLM")
    parser.add_argument("--list", action="store_true", help="list what differs on purpose, too")
    given = parser.parse_args(arguments)
    folders = [given.llama_cpp / "models" / "templates"] if given.llama_cpp else []
    folders += [given.vllm / "examples"] if given.vllm else []
    found = {}
    if given.llama_cpp:
        found["llama.cpp"] = llama_cpp_verdicts(given.llama_cpp, Formats(folders))
    if given.vllm:
        found["vLLM"] = vllm_verdicts(given.vllm, folders)
    exceptions = json.loads(EXCEPTIONS.read_text(encoding="utf-8"))
    unnamed = 0
    for project, verdicts in found.items():
        named = excused(verdicts, exceptions)
        print(f"\n## {project}\n\n{table(named)}")
        for verdict in named:
            is_unnamed = verdict.verdict in (REFUSED, DIFFERENT)
            unnamed += is_unnamed
            if is_unnamed or (given.list and verdict.verdict in (ON_PURPOSE, *NOT_THE_SAME)):
                places = ", ".join(dict.fromkeys((verdict.name, verdict.place)))
                print(f"\n{verdict.verdict} ({verdict.form}): {places}")
                print("\n".join(f"  {line}" for line in (verdict.reason, *verdict.details) if line))
    return 1 if unnamed else 0


if __name__ == "__main__":
    sys.exit(main())
