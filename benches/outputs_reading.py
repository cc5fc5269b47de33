"""Which format reads an output of a model, and what it reads."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemask.chat import (
    FORMATS,
    ArgumentDelta,
    CallFailed,
    CallFinished,
    CallStarted,
    ChatFormat,
    Reasoning,
    Text,
)
from schemask.errors import FormatError, UnsupportedSchemaError

# Formats of the catalogue, by the templates of llama.cpp whose models write so.
BY_TEMPLATE = {
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": "command_r7b",
    "GLM-4.6": "glm45",
    "GLM-4.7-Flash": "glm45",
    "Kimi-K2-Instruct": "kimi_k2",
    "Kimi-K2-Thinking": "kimi_k2",
    "LFM2-8B-A1B": "lfm2",
    "LFM2.5-8B-A1B": "lfm2",
    "LFM2.5-Instruct": "lfm2",
    "MiMo-VL": "hermes",
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral_v11",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "qwen3_coder",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": "hermes",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes",
    "Qwen-QwQ-32B": "hermes",
    "Qwen-Qwen2.5-7B-Instruct": "hermes",
    "Qwen3-Coder": "qwen3_coder",
    "Qwen3.5-4B": "qwen3_coder",
    "Reka-Edge": "hermes",
    "StepFun3.5-Flash": "qwen3_coder",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "deepseek_v3",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "deepseek_v3",
    "deepseek-ai-DeepSeek-V3.1": "deepseek_v31",
    "deepseek-ai-DeepSeek-V3.2": "deepseek_v32",
    "google-gemma-4-31B-it": "gemma4",
    "ibm-granite-granite-3.3-2B-Instruct": "granite31",
    "ibm-granite-granite-4.0": "hermes",
    "ibm-granite-granite-4.1": "hermes",
    "llama-cpp-deepseek-r1": "deepseek_v3",
    "meta-llama-Llama-3.1-8B-Instruct": "llama3_json",
    "meta-llama-Llama-3.2-3B-Instruct": "llama3_json",
    "meta-llama-Llama-3.3-70B-Instruct": "llama3_json",
    "mistralai-Ministral-3-14B-Reasoning-2512": "mistral_v13",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral_v3",
    "moonshotai-Kimi-K2": "kimi_k2",
    "openai-gpt-oss-120b": "harmony",
    "unsloth-mistral-Devstral-Small-2507": "mistral_v13",
}

# Formats of the catalogue, by what vLLM calls its parsers. Where a parser reads several, the first
# whose mark of calls stands in the text is meant.
BY_PARSER = {
    "deepseek_v3": ("deepseek_v3",),
    "deepseek_v31": ("deepseek_v31",),
    "deepseek_v32": ("deepseek_v32",),
    "functiongemma": ("function_gemma",),
    "gemma4": ("gemma4",),
    "glm45": ("glm45",),
    "granite": ("granite3", "granite31"),
    "granite4": ("hermes",),
    "hermes": ("hermes",),
    "kimi_k2": ("kimi_k2",),
    "lfm2": ("lfm2",),
    "llama3_json": ("llama3_json",),
    "llama4_pythonic": ("llama4_pythonic",),
    "mistral": ("mistral_v3", "mistral_v11", "mistral_v13"),
    "openai": ("harmony",),
    "pythonic": ("llama4_pythonic",),
    "qwen3_coder": ("qwen3_coder",),
}

# Templates by what vLLM calls its parsers, where the catalogue has no format. Again the first
# whose mark stands in the text is meant.
TEMPLATES_BY_PARSER: dict[str, tuple[str, ...]] = {
    "apertus": ("Apertus-8B-Instruct",),
    "deepseek_v4": ("deepseek-ai-DeepSeek-V4",),
    "gigachat3": ("GigaChat3-10B-A1.8B", "GigaChat3.1-10B-A1.8B"),
    "granite-20b-fc": ("tool_chat_template_granite_20b_fc",),
    "hunyuan_a13b": ("tool_chat_template_hunyuan_a13b",),
    "hy_v3": ("tencent-Hy3",),
    "internlm": ("tool_chat_template_internlm2_tool",),
    "kimi_k3": ("Kimi-K3",),
    "minicpm5": ("openbmb-MiniCPM5-1B",),
    "minimax_m2": ("MiniMax-M2",),
    "minimax_m3": ("MiniMax-M3",),
    "phi4_mini_json": ("tool_chat_template_phi4_mini",),
    "poolside_v1": ("poolside-Laguna-XS.2",),
    "seed_oss": ("ByteDance-Seed-OSS",),
    "step3p5": ("StepFun3.5-Flash",),
    "xlam": ("tool_chat_template_xlam_llama",),
}


class Formats:
    """Finds formats, in the catalogue or by derivation from templates.

    Args:
        folders: Where templates are.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._files = {
            file.stem: file for folder in folders for file in sorted(folder.glob("*.jinja"))
        }
        self._derived: dict[str, ChatFormat | None] = {}

    def template(self, name: str) -> Path | None:
        """The file of a template."""
        return self._files.get(name)

    def of_template(self, name: str) -> ChatFormat | None:
        """The format of a template: derived, or else the one that the catalogue has for it."""
        derived = self.derived(name)
        if name in BY_TEMPLATE and (derived is None or not writes_calls(derived)):
            return FORMATS[BY_TEMPLATE[name]]
        return derived

    def of_parser(self, name: str, text: str) -> ChatFormat | None:
        """The format of a parser of vLLM."""
        if name in BY_PARSER:
            forms = [FORMATS[form] for form in BY_PARSER[name]]
        else:
            derived = map(self.derived, TEMPLATES_BY_PARSER.get(name, ()))
            forms = [form for form in derived if form is not None]
        marked = [form for form in forms if any(tag in text for tag in form.spec.call_tags)]
        return next(iter([*marked, *forms]), None)

    def derived(self, name: str) -> ChatFormat | None:
        """The format that is derived from a template, if it can be."""
        if name not in self._derived:
            self._derived[name] = None
            if name in self._files:
                with contextlib.suppress(FormatError):
                    self._derived[name] = ChatFormat.from_template(self._files[name])
        return self._derived[name]


def writes_calls(form: ChatFormat) -> bool:
    """Whether the template of a derived format writes calls, and not words alone."""
    return form.spec.call_open != FORMATS["tool_code"].spec.call_open


@dataclass
class Reading:
    """What a format reads.

    Attributes:
        content: Words to the user.
        reasoning: The reasoning.
        calls: Names, and arguments as JSON text, as far as they are there.
        ids: Their ids, where the format writes some.
        failed: What looks like a call and cannot be read.
        problem: What ended the reading, if anything did.
    """

    content: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _place: dict[int, int] = field(default_factory=dict)
    problem: str = ""

    def add(self, events: Iterable[Any]) -> None:
        """Adds what events say."""
        for event in events:
            if isinstance(event, Text):
                self.content += event.text
            elif isinstance(event, Reasoning):
                self.reasoning += event.text
            elif isinstance(event, CallStarted):
                self._place[event.index] = len(self.calls)
                self.calls.append((event.name, ""))
                self.ids.append(None)
            elif isinstance(event, ArgumentDelta):
                place = self._place[event.index]
                name, arguments = self.calls[place]
                self.calls[place] = name, arguments + event.text
            elif isinstance(event, CallFinished):
                self.ids[self._place[event.index]] = event.call.id
            elif isinstance(event, CallFailed):
                self.failed.append(event.problem)
                place = self._place.pop(event.index, None)
                if place is not None:
                    del self.calls[place], self.ids[place]


def read(
    form: ChatFormat,
    pieces: Iterable[str],
    tools: list[dict[str, Any]],
    prompt: str | None,
    is_whole: bool = True,
) -> Reading:
    """What a format reads of an output that comes in pieces."""
    reading = Reading()
    try:
        reader = form.reader(tools, prompt=prompt)
        for piece in pieces:
            reading.add(reader.feed(piece))
        if is_whole:
            reading.add(reader.finish())
    except (FormatError, UnsupportedSchemaError) as error:
        reading.problem = str(error)
    return reading


def cuts(text: str, seed: int) -> list[str]:
    """The text in pieces of random lengths."""
    chosen = random.Random(seed)
    pieces, at = [], 0
    while at < len(text):
        end = at + chosen.choice((1, 1, 2, 3, 5, 8, 30))
        pieces.append(text[at:end])
        at = end
    return pieces
