"""Judges answers by the checker of the package `bfcl-eval`, in a process of its own.

`python bfcl_oracle.py FOLDER` reads a line `[functions, calls, answers, category, model]` after the
other from standard input and writes `[valid, error type]`, or the name of what the checker raised.
Of the package, only the checker and what it needs is imported; the table of models, which needs
every client there is, is replaced by two names: "dots" keeps the dots of functions' names, and
"underscores" does not.
"""

from __future__ import annotations

import json
import sys
import types
from typing import Any


def checker(folder: str) -> tuple[Any, Any]:
    """The function `ast_checker`, and Python as its language."""
    sys.path.insert(0, folder)
    config = types.ModuleType("bfcl_eval.constants.model_config")
    config.MODEL_CONFIG_MAPPING = {  # type: ignore[attr-defined]
        "dots": types.SimpleNamespace(underscore_to_dot=False),
        "underscores": types.SimpleNamespace(underscore_to_dot=True),
    }
    sys.modules[config.__name__] = config
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker

    return ast_checker, Language.PYTHON


def main() -> None:
    check, python = checker(sys.argv[1])
    for line in sys.stdin:
        functions, calls, answers, category, model = json.loads(line)
        try:
            found = check(functions, calls, answers, python, category, model)
            verdict = [bool(found["valid"]), found.get("error_type", "")]
        except Exception as error:
            verdict = [type(error).__name__, str(error)]
        print(json.dumps(verdict))


if __name__ == "__main__":
    main()
