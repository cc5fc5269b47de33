"""A llama.cpp that does not work on this machine: one clear line, in place of a silent end.

What stands for it is a package `llama_cpp` that really ends its process, as the commands and the
tests find it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemask.demo import model_path
from schemask.errors import ModelError
from schemask.models import preflight

TESTS = Path(__file__).parent

AT_IMPORT = """
import os, signal
os.kill(os.getpid(), signal.SIGILL)
"""
AT_EVALUATION = """
import os, signal

LogitsProcessorList = list

def llama_print_system_info():
    return b""

class Llama:
    def __init__(self, path, **options):
        pass

    def eval(self, tokens):
        os.kill(os.getpid(), signal.SIGSEGV)
"""


def run(tmp_path: Path, package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "llama_cpp.py").write_text(package, encoding="utf-8")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("package", "name"), [(AT_IMPORT, "SIGILL"), (AT_EVALUATION, "SIGSEGV")], ids=["import", "eval"]
)
@pytest.mark.parametrize("command", ["demo", "generate", "synth"])
def test_a_command_says_what_happened(
    tmp_path: Path, command: str, package: str, name: str
) -> None:
    (tmp_path / "s.json").write_text('{"type": "integer"}', encoding="utf-8")
    tool = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    (tmp_path / "tools.json").write_text(f"[{tool}]".replace("'", '"'), encoding="utf-8")
    arguments = {
        "demo": [],
        "generate": [str(tmp_path / "s.json"), "A number:"],
        "synth": ["write", str(tmp_path / "tools.json"), "--out", str(tmp_path / "out.jsonl")],
    }
    done = run(tmp_path, package, "-m", "schemask", command, *arguments[command])
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"schemask: llama.cpp was ended by {name} ")
    assert str(model_path()) in line
    assert line.endswith(preflight.MEND)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("package", [AT_IMPORT, AT_EVALUATION], ids=["import", "eval"])
def test_the_tests_say_what_happened(tmp_path: Path, package: str) -> None:
    chosen = [str(TESTS / "test_llama_cpp.py"), "-p", "no:cacheprovider"]
    done = run(tmp_path, package, "-m", "pytest", *chosen)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()  # nothing of faulthandler, and no traceback
    assert line.startswith("Exit: llama.cpp was ended by ") and line.endswith(preflight.MEND)
    assert "passed" not in done.stdout


def test_a_want_of_memory_is_no_fault_of_the_build(tmp_path: Path) -> None:
    killed = AT_IMPORT.replace("SIGILL", "SIGKILL")
    done = run(tmp_path, killed, "-m", "schemask", "demo")
    assert done.returncode == 1
    assert "SIGKILL" in done.stderr and "memory" in done.stderr
    assert preflight.MEND not in done.stderr


def test_what_python_can_say_is_left_to_who_loads_the_model(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF?")
    preflight.look(broken)


def test_without_llama_cpp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    with pytest.raises(ModelError, match="llama-cpp-python is missing: "):
        preflight.look(tmp_path / "any.gguf")
