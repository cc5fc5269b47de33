"""Formats of Nemotron.

Nemotron 3 and 3.5 of NVIDIA, which write calls as Qwen3.5 does (`qwen.py`) but end each with a
newline. They differ in the newlines around reasoning.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.formats.qwen import QWEN35

# As Qwen3.5, but each call ends with a newline, and calls begin on a line of their own.
NEMOTRON3 = replace(
    QWEN35,
    name="nemotron3",
    models="Nemotron 3 Nano, Super",
    templates=(
        *("nemotron_3_nano", "nemotron_3_super"),
        "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    ),
    call_close="</tool_call>\n",
    call_separator="",
    preamble_close="\n",
    no_preamble="\n",
    reasoning_close="\n</think>\n",
    reasoning_close_calls="\n</think>",
    no_reasoning="<think></think>",
    plain_prompt="<think></think>",
)

# Nothing stands around reasoning but its tags.
NEMOTRON35 = replace(
    NEMOTRON3,
    name="nemotron35",
    models="Nemotron 3 Ultra, Nemotron 3.5",
    templates=("nemotron_3_ultra", "nemotron_3_5_lightning"),
    reasoning_close="</think>",
    reasoning_close_calls=None,
)

FORMATS = (NEMOTRON3, NEMOTRON35)
