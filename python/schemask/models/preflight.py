"""One evaluation of a GGUF in a child process, before this process loads llama.cpp itself.

A llama.cpp that was built for another processor ends its process by a signal, some builds as soon
as they are imported and others at the first matrix product. Nothing in the process can catch that,
so nothing of llama.cpp is imported here, and who wants to know asks before importing it.
"""

from __future__ import annotations

import functools
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

from schemask.errors import ModelError

INSTALL = "CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --no-cache-dir"
MEND = f"{INSTALL} --force-reinstall --no-deps --no-binary llama-cpp-python llama-cpp-python"

# Windows reports what ended a process as a status in this range.
_WINDOWS_EXCEPTIONS = 0xC0000000


@functools.cache
def look(path: Path) -> None:
    """Lets a child process evaluate a few tokens of the model; once for each file.

    What Python can report, such as a file that is no model, is left to whoever loads it.

    Raises:
        ModelError: llama-cpp-python is not installed, or the child was ended by a signal: which
            one, and the command that mends it.
    """
    if importlib.util.find_spec("llama_cpp") is None:
        raise ModelError(f"llama-cpp-python is missing: {INSTALL} llama-cpp-python")
    done = subprocess.run(
        [sys.executable, "-m", "schemask.models.preflight", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if 0 <= done.returncode < _WINDOWS_EXCEPTIONS:
        return
    name = _name(done.returncode)
    died = f"llama.cpp was ended by {name} when it was tried on {path}"
    if name == "SIGKILL":
        raise ModelError(f"{died}, probably for want of memory")
    raise ModelError(f"{died}: it was built for another processor. Build it for any: {MEND}")


def _name(returncode: int) -> str:
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"exception {returncode:#x}" if returncode > 0 else f"signal {-returncode}"


def _evaluate(path: str) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # its death is expected
    from schemask.llama_cpp import Llama

    llama = Llama(path, n_ctx=64, verbose=False)
    # Prompts and single tokens are multiplied by different kernels.
    llama.eval([0] * 32)
    llama.eval([0])


if __name__ == "__main__":
    _evaluate(sys.argv[1])
