"""Formats of the catalogue write what the chat templates that they name write, byte for byte."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from pathlib import Path

import pytest

from schemask.chat import FORMATS, ChatTemplate
from schemask.chat.templates.derive import Derived, derive
from schemask.chat.templates.proof import prove

# Conversations, each of some turns, that are tried for each template.
CONVERSATIONS = 30

# Formats that no template writes at hand, each with where it is from.
WITHOUT_TEMPLATE = {
    "tool_code": "schemask's own",
    "llama4_pythonic": "documented prompts",
    "function_gemma": "a formatting guide",
    "granite31": "documented prompts",
    "phi4_mini": "a model card",
}

# Templates of trl and llama.cpp that no format of the catalogue names.
NAMED_BY_NONE = {
    "cohere": "writes no calls",
    "cohere2": "writes no calls",
    "gemma": "writes no calls",
    "gemma3": "writes no calls",
    "google-gemma-2-2b-it": "writes no calls",
    "phi3": "writes no calls",
    "phi3_5": "writes no calls",
    "idefics3": "takes messages in parts",
    "llava_next": "takes messages in parts",
    "smolvlm": "takes messages in parts",
    "MiniMax-M3": "is derived: arguments are elements named after their keys",
    "NVIDIA-Nemotron-Nano-v2": "the last words are written as reasoning",
    "fireworks-ai-llama-3-firefunction-v2": "wants the day in a variable of its own",
}


def folders() -> list[Path]:
    """Where chat templates are: in trl, and in the data for tests."""
    found = importlib.util.find_spec("trl")
    held = [Path(found.origin).parent / "chat_templates"] if found and found.origin else []
    default = Path(__file__).parents[1] / "../shared/data"
    held.append(Path(os.environ.get("SCHEMASK_DATA", default)) / "templates")
    return [folder for folder in held if folder.is_dir()]


def path_of(name: str) -> Path | None:
    paths = (folder / f"{name}.jinja" for folder in folders())
    return next((path for path in paths if path.exists()), None)


NAMED = [(form, name) for form, held in FORMATS.items() for name in held.spec.templates]


@pytest.mark.parametrize(("form", "name"), NAMED, ids=lambda text: text)
def test_a_format_is_what_its_templates_write(form: str, name: str) -> None:
    path = path_of(name)
    if path is None:
        pytest.skip(f"no template {name} in trl, nor in the folder of SCHEMASK_DATA")
    tokens = {"bos_token": "<s>", "eos_token": "</s>"} if "istral" in name else {}
    template = ChatTemplate.of(path, **tokens)
    derived = written_by(form, derive(template))
    assert prove(template, derived, conversations=CONVERSATIONS).turns > CONVERSATIONS


def written_by(form: str, derived: Derived) -> Derived:
    """A format in the place of the derived one, but for what the template drops."""
    spec = FORMATS[form].spec
    if derived.spec.max_calls == 0:
        spec = dataclasses.replace(spec, max_calls=0)
    elif derived.spec.words_with_calls != spec.words_with_calls:
        spec = dataclasses.replace(spec, words_with_calls="none")
    return dataclasses.replace(derived, spec=spec)


def test_each_format_names_a_template_that_writes_calls_or_says_why_not() -> None:
    without = {form for form, held in FORMATS.items() if not held.spec.templates}
    assert without == set(WITHOUT_TEMPLATE)
    assert all(form.spec.models for form in FORMATS.values())


def test_each_template_is_named_once() -> None:
    names = [name for _, name in NAMED]
    assert sorted(names) == sorted(set(names))
    assert not set(names) & set(NAMED_BY_NONE)
    known = {*names, *NAMED_BY_NONE}
    for folder in folders():
        found = {path.stem.removesuffix("_training") for path in folder.glob("*.jinja")}
        if folder.parent.name != "trl":  # which gets new ones with each release
            assert found <= known
