"""Makes the file of MaskBench from a checkout of its source.

    git clone https://github.com/guidance-ai/jsonschemabench
    python benches/pack_maskbench.py jsonschemabench/maskbench/data

The file goes where `corpus.py` looks for it: into the folder of `$SCHEMASK_DATA`, or into
`../shared/data` beside this checkout.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

from corpus import maskbench_file
from schemask._files import replacing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="maskbench/data of the checkout")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.json"))
    if not paths:
        parser.error(f"{arguments.folder} holds no schemas")
    out = maskbench_file()
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(out, force=arguments.force) as file,
        gzip.open(file, "wt", encoding="utf-8") as packed,
    ):
        for path in paths:
            entry = json.loads(path.read_text(encoding="utf-8"))
            tests = [{"data": t["data"], "valid": t["valid"]} for t in entry.get("tests", [])]
            line = {"id": path.stem, "schema": entry["schema"], "tests": tests}
            packed.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{out}: {len(paths)} schemas")


if __name__ == "__main__":
    main()
