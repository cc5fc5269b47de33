"""Formats of DeepSeek.

DeepSeek V3 to V3.2, R1 and its distillations. The tags have fullwidth bars (`｜`) and low blocks
(`▁`) in them. V3 and R1 write arguments as fenced JSON, V3.1 as JSON after a separator; V3.2
writes them one by one in DSML, its own markup, where each says whether it is a string.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.notations.typed import TypedArguments
from schemask.chat.spec import FormatSpec

DEEPSEEK_V3 = FormatSpec(
    name="deepseek_v3",
    models="DeepSeek V3",
    templates=("deepseekv3",),
    call_open="<｜tool▁call▁begin｜>",
    call_close="<｜tool▁call▁end｜>",
    call_separator="\n",
    calls_open="<｜tool▁calls▁begin｜>",
    calls_close="<｜tool▁calls▁end｜>",
    call="function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
    thinking_prompt="<think>\n",
    result_open="<｜tool▁output▁begin｜>",
    result_close="<｜tool▁output▁end｜>",
    result_separator="",
    turn_start="<｜User｜>",
    turn_end="<｜end▁of▁sentence｜>",
    turns=(
        ("system", "", ""),
        ("user", "<｜User｜>", ""),
        ("assistant", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
        ("tool", "", ""),
    ),
)

DEEPSEEK_R1 = replace(
    DEEPSEEK_V3,
    name="deepseek_r1",
    models="DeepSeek R1 and its distillations",
    templates=(
        *("deepseek_r1_distill", "llama-cpp-deepseek-r1"),
        *("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B"),
    ),
    reasons=True,
)

DEEPSEEK_V31 = replace(
    DEEPSEEK_V3,
    name="deepseek_v31",
    models="DeepSeek V3.1",
    templates=("deepseek-ai-DeepSeek-V3.1",),
    call_separator="",
    call="{name}<｜tool▁sep｜>{arguments}",
    reasoning_open="<think>",
    reasoning_close="</think>",
    no_reasoning="<think></think>",
    thinking_prompt="<think>",
    plain_prompt="<think></think>",
)

# Each argument says whether it is a string.
DEEPSEEK_V32 = replace(
    DEEPSEEK_V3,
    name="deepseek_v32",
    models="DeepSeek V3.2",
    templates=("deepseek-ai-DeepSeek-V3.2",),
    call_open='<｜DSML｜invoke name="',
    call_close="</｜DSML｜invoke>",
    calls_open="<｜DSML｜function_calls>\n",
    calls_close="\n</｜DSML｜function_calls>",
    preamble_close="\n\n",
    no_preamble="\n\n",
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
    no_reasoning="</think>",
    thinking_prompt="<think>",
    plain_prompt="<think></think>",
    result_open="<result>",
    result_close="</result>",
    result_separator="\n",
    tokens=("｜DSML｜", "<think>", "</think>", "<｜User｜>", "<｜end▁of▁sentence｜>"),
)

FORMATS = (
    DEEPSEEK_V3,
    DEEPSEEK_R1,
    DEEPSEEK_V31,
    DEEPSEEK_V32,
)
