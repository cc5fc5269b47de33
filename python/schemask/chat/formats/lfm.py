"""Formats of LFM2.

LFM2 and LFM2.5 of Liquid AI. Calls are a list of Python's calls between two tags, as
`[f(city='Oslo')]`. They differ in how values are shown: strings escaped or as they are, lists as
in Python or as JSON.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.notations.python import PythonArguments
from schemask.chat.notations.values import Styles
from schemask.chat.spec import FormatSpec

LFM2 = FormatSpec(
    name="lfm2",
    models="LFM2",
    templates=("lfm2", "lfm2_v2", "LFM2-8B-A1B", "LFM2.5-Instruct"),
    # Read, if a model reasons; the templates write none.
    reasoning_open="<think>",
    reasoning_close="</think>",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call_start|>[",
    calls_close="]<|tool_call_end|>",
    call="{name}({arguments})",
    arguments=PythonArguments(
        "{key}={value}",
        separator=", ",
        strings="quotes",
        escapes=(("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")),
    ),
    result_open="<|tool_response_start|>",
    result_close="<|tool_response_end|>",
)

# Strings are as they are, and so cannot hold apostrophes; lists are as Python shows them.
LFM25 = replace(
    LFM2,
    name="lfm25",
    models="LFM2.5",
    templates=("lfm2_2_5", "lfm2_2_5_v2", "LFM2.5-8B-A1B"),
    arguments=PythonArguments(
        "{key}={value}",
        separator=", ",
        strings="none",
        styles=Styles(literals="python", arrays="python"),
    ),
    result_open="",
    result_close="",
    reasoning_open="<think>",
    reasoning_close="</think>",
    reasons=True,
)

# Lists are JSON.
LFM25_VL = replace(
    LFM25,
    name="lfm25_vl",
    models="LFM2.5-VL",
    templates=("lfm2_2_5_vl",),
    arguments=LFM2.arguments,
)

FORMATS = (
    LFM2,
    LFM25,
    LFM25_VL,
)
