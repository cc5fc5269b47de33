"""Whether a kill loses anything of what the commands write.

    python benches/kills.py --kills 50

A run that continues a file of conversations is killed (SIGKILL) at random moments until it is
done; so are runs that put a file in the place of another. Nothing is lost if after each kill the
whole lines that were on the disk before are there still, the finished file is the one that a run
without kills writes, and a file that is replaced is either the old one or the new one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = 400
SYNTH = """
import sys, time
from schemask.synth import generate
from schemask.tools import tool

@tool
def get_stock_price(symbol: str) -> float:
    '''Get the current price of a stock.'''

def teacher(request):
    time.sleep(0.002)
    if request.kind == "words":
        return {"user": f"Words {request.seed}", "answer": "No."}
    symbols = zip(request.targets, "AB")
    calls = [{"name": name, "arguments": {"symbol": symbol}} for name, symbol in symbols]
    user, results = f"Ask {request.seed}", ["1" for _ in calls]
    return {"user": user, "tool_calls": calls, "results": results, "answer": "1."}

print("ready", flush=True)
shares = {"call": 0.8, "parallel": 0.1, "words": 0.1}
generate(teacher, [get_stock_price], %d, sys.argv[1], shares=shares, progress=False)
"""
FORMAT = """
import sys
from schemask.cli import main
print("ready", flush=True)
sys.exit(main(["format", *sys.argv[1:]]))
"""


def run(script: str, *arguments: object, kill_after: float | None = None) -> bool:
    """Whether the script ended before the kill; seconds count from when it has been imported."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        status = process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    finally:
        process.stdout.close()
    assert status == 0, f"exit status {status}"
    return True


def whole_lines(path: Path) -> bytes:
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def continued(folder: Path, kills: int, draw: random.Random) -> dict[str, int]:
    script = SYNTH % LINES
    started = time.perf_counter()
    run(script, folder / "whole")
    seconds = time.perf_counter() - started
    figures = {"kills": 0, "torn lines": 0, "lost lines": 0, "runs to the end": 0}
    path = folder / "killed"
    while figures["kills"] < kills:
        before = whole_lines(path)
        if run(script, path, kill_after=draw.uniform(0, 8 * seconds / kills)):
            figures["runs to the end"] += 1
            assert path.read_bytes() == (folder / "whole").read_bytes(), "another file"
            path.unlink()
            continue
        figures["kills"] += 1
        figures["torn lines"] += path.exists() and path.read_bytes() != whole_lines(path)
        figures["lost lines"] += not whole_lines(path).startswith(before)
    run(script, path)
    assert path.read_bytes() == (folder / "whole").read_bytes(), "another file at the end"
    return figures


def replaced(folder: Path, kills: int, draw: random.Random) -> dict[str, int]:
    data, out = folder / "data.jsonl", folder / "out"
    line = json.dumps({"messages": [{"role": "user", "content": "Hi."}]}) + "\n"
    data.write_text(line * 3000)
    started = time.perf_counter()
    run(FORMAT, data, "--out", out)
    seconds = time.perf_counter() - started
    new, old = out.read_bytes(), b"old\n"
    figures = {"kills": 0, "old": 0, "new": 0, "anything else": 0, "parts left beside": 0}
    while figures["kills"] < kills:
        out.write_bytes(old)
        ended = run(FORMAT, data, "--out", out, "--force", kill_after=draw.uniform(0, seconds))
        figures["kills"] += not ended
        found = out.read_bytes()
        kind = {old: "old", new: "new"}.get(found, "anything else")
        figures[kind] += 1
    figures["parts left beside"] = len(list(folder.glob(".out.*.part")))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of each kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    for measure in (continued, replaced):
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(Path(folder), arguments.kills, draw)
        print(f"{measure.__name__}: {', '.join(f'{n} {name}' for name, n in figures.items())}")


if __name__ == "__main__":
    main()
