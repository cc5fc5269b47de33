"""What SGLang calls in each of its processes, by the entry point `sglang.srt.plugins`."""

from __future__ import annotations

from sglang.srt.arg_groups.choices import GRAMMAR_BACKEND_CHOICES, add_grammar_backend_choices
from sglang.srt.constrained.base_grammar_backend import register_grammar_backend

from schemask.sglang.backend import create_backend

NAME = "schemask"


def register() -> None:
    """Makes `schemask` one of SGLang's grammar backends in this process. Again is the same as once.

    SGLang calls it by itself. Nothing else is changed before a server chooses the backend.
    """
    if NAME not in GRAMMAR_BACKEND_CHOICES:
        add_grammar_backend_choices([NAME])
    register_grammar_backend(NAME, create_backend)
