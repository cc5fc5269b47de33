"""DeepSeek."""

from __future__ import annotations

from schemask.chat.notations.typed import TypedArguments
from schemask.chat.spec import FormatSpec

_DEEPSEEK_TURNS = (
    ("system", "", ""),
    ("user", "<｜User｜>", ""),
    ("assistant", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
    ("tool", "", ""),
)

# The chat template of DeepSeek V3 and R1.
DEEPSEEK_V3 = FormatSpec(
    name="deepseek_v3",
    call_open="<｜tool▁call▁begin｜>",
    call_close="<｜tool▁call▁end｜>",
    call_separator="\n",
    calls_open="<｜tool▁calls▁begin｜>",
    calls_close="<｜tool▁calls▁end｜>",
    call="function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
    result_open="<｜tool▁output▁begin｜>",
    result_close="<｜tool▁output▁end｜>",
    turn_start="<｜User｜>",
    turn_end="<｜end▁of▁sentence｜>",
    turns=_DEEPSEEK_TURNS,
)

# The chat template of DeepSeek V3.1.
DEEPSEEK_V31 = FormatSpec(
    name="deepseek_v31",
    call_open="<｜tool▁call▁begin｜>",
    call_close="<｜tool▁call▁end｜>",
    calls_open="<｜tool▁calls▁begin｜>",
    calls_close="<｜tool▁calls▁end｜>",
    call="{name}<｜tool▁sep｜>{arguments}",
    reasoning_open="<think>",
    reasoning_close="</think>",
    result_open="<｜tool▁output▁begin｜>",
    result_close="<｜tool▁output▁end｜>",
    result_separator="",
    turn_start="<｜User｜>",
    turn_end="<｜end▁of▁sentence｜>",
    turns=_DEEPSEEK_TURNS,
)

# The encoding of DeepSeek V3.2, which marks whether a value is a string.
DEEPSEEK_V32 = FormatSpec(
    name="deepseek_v32",
    call_open='<｜DSML｜invoke name="',
    call_close="</｜DSML｜invoke>",
    call_separator="\n",
    calls_open="\n\n<｜DSML｜function_calls>\n",
    calls_close="\n</｜DSML｜function_calls>",
    call='{name}">\n{arguments}',
    arguments=TypedArguments(
        '<｜DSML｜parameter name="{key}" string="{type}">{value}</｜DSML｜parameter>\n',
        types=(
            ("string", "true"),
            ("number", "false"),
            ("boolean", "false"),
            ("null", "false"),
            ("array", "false"),
            ("object", "false"),
        ),
    ),
    reasoning_open="<think>",
    reasoning_close="</think>",
    result_open="<result>",
    result_close="</result>",
    turn_start="<｜User｜>",
    turn_end="<｜end▁of▁sentence｜>",
    turns=_DEEPSEEK_TURNS,
    tokens=("｜DSML｜", "<think>", "</think>", "<｜User｜>", "<｜end▁of▁sentence｜>"),
)

FORMATS = (
    DEEPSEEK_V3,
    DEEPSEEK_V31,
    DEEPSEEK_V32,
)
