"""The format of Bielik.

Bielik 3.0 of SpeakLeash, which writes calls as Hermes does (`qwen.py`) but with a newline before
the first one even where no words come before it, and shows results after `<|function_output|>`.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.formats.qwen import HERMES

# As Hermes, but calls begin on a line of their own, even without words before them.
BIELIK3 = replace(
    HERMES,
    name="bielik3",
    models="Bielik 3.0",
    templates=("Bielik-11B-v3.0-Instruct",),
    no_preamble="\n",
    reasoning_close="\n</think>\n",
    reasons=True,
    result_open="<|function_output|>",
    result_close="",
    result_padding="",
)

FORMATS = (BIELIK3,)
