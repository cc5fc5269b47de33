"""The format of Seed-OSS.

Seed-OSS of ByteDance. Calls are those of Qwen3-Coder (`qwen.py`) with `seed:` in their tags, no
newlines around values, and lists and objects as Python shows them.
"""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.notations.values import Styles
from schemask.chat.spec import FormatSpec, turns_of

SEED_OSS = FormatSpec(
    name="seed_oss",
    models="Seed-OSS",
    templates=("ByteDance-Seed-OSS",),
    call_open="<seed:tool_call>",
    call_close="</seed:tool_call>",
    call_padding="\n",
    call_separator="\n",
    preamble_close="\n\n",
    call="<function={name}>\n{arguments}</function>",
    arguments=RawArguments(
        "<parameter={key}>{value}</parameter>\n",
        styles=Styles(literals="python", arrays="python", objects="python"),
    ),
    reasoning_open="<seed:think>",
    reasoning_close="</seed:think>\n",
    reasons=True,
    result_open="",
    result_close="",
    turn_start="<seed:bos>",
    turn_end="<seed:eos>",
    turns=turns_of("<seed:bos>{role}\n", "<seed:eos>"),
)

FORMATS = (SEED_OSS,)
