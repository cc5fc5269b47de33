"""Threads that wait for each other: for what another one finds out, and for Python itself.

What the matchers of a grammar find out is found once: who needs it meanwhile waits. Who finds it
looks now and then whether Ctrl-C was pressed, for which it needs Python. So nobody may wait for
another's finding and keep Python from it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

# Other threads come while one finds an ending, which takes a while.
SCRIPT = """
import gc, sys, threading, time
import schemask
from schemask.core.byte_vocabulary import byte_vocabulary

NUMBER = 600
schema = {"anyOf": [{"const": 1}, {"type": "string", "pattern": ".*a" * NUMBER}]}
main_looks = sys.argv[1] == "main"
for turn in range(3):
    limits = {"completion_work": 1e9, "accept_work": 1e9}
    grammar = schemask.Grammar.from_json_schema(schema, limits=limits)
    compiled = grammar.compile(byte_vocabulary())
    finder, other = compiled.matcher(), compiled.matcher(NUMBER + 3)
    assert finder.accept(ord('"'))
    begin, is_done = threading.Barrier(3), threading.Event()
    def find():
        begin.wait()
        began = time.perf_counter()
        finder.completion()
        print(turn, "found in", round(time.perf_counter() - began, 3), flush=True)
    def wait():
        begin.wait()
        time.sleep(0.02)
        assert other.accept(ord('"'))
    def collect():
        begin.wait()
        while not is_done.wait(0.005):
            gc.collect()
    first, second = (find, wait) if main_looks else (wait, find)
    threads = [threading.Thread(target=work, daemon=True) for work in (second, collect)]
    for thread in threads:
        thread.start()
    first()
    threads[0].join()
    is_done.set()
    threads[1].join()
"""


@pytest.mark.parametrize("finder", ["main", "another"])
def test_who_waits_keeps_nobody_from_python(finder: str) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, finder], check=True, timeout=120)
