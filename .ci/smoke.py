"""Tries the schemask that this interpreter has installed from a wheel: `smoke.py WHEEL`."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import numpy as np

import schemask

MEGABYTE = 1 << 20
# A wheel has 2 MB, and with what profilers need in it six times as many.
LARGEST = 4 * MEGABYTE


def main(wheel: Path) -> None:
    installed = Path(schemask.__file__)
    assert installed.is_relative_to(sysconfig.get_path("platlib")), installed
    assert metadata.version("schemask") == schemask.__version__
    assert wheel.stat().st_size < LARGEST, wheel.stat().st_size

    vocabulary = schemask.Vocabulary([bytes([byte]) for byte in range(256)] + [b""], [256])
    schema = {"type": "array", "items": {"enum": [1, 23]}, "minItems": 1}
    grammar = schemask.Grammar.from_json_schema(schema, whitespace="compact")
    matcher = grammar.compile(vocabulary).matcher()
    bitmask = schemask.allocate_mask(1, vocabulary.size)
    matcher.fill_mask(bitmask)
    logits = np.zeros((1, vocabulary.size), dtype=np.float32)
    schemask.apply_mask(logits, bitmask)
    assert np.flatnonzero(logits[0] == 0).tolist() == list(b"[")
    assert matcher.accept_bytes(b"[23]") and matcher.is_accepting

    command = Path(sysconfig.get_path("scripts")) / "schemask"
    done = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    assert schemask.__version__ in done.stdout
    print(f"schemask {schemask.__version__} works, from {wheel.stat().st_size / MEGABYTE:.1f} MB")


main(Path(sys.argv[1]))
