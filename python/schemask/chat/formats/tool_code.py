"""The format of this package, for models that were trained on none.

A JSON object between plain tags. The introduction of the tools says how to call one, since such
models have never seen it; there is no reasoning, and no special token is needed.
"""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

TOOL_CODE = FormatSpec(
    name="tool_code",
    models="schemask's own: base models, and those without a format",
    call_open="<tool_code>",
    call_close="</tool_code>",
    call_padding="",
    call_separator="",
    result_role="tool",
    result_open="<tool_output>",
    result_close="</tool_output>",
    result_padding="",
    result_separator="\n",
    tools_intro="You can call these tools:",
    tools_outro=(
        '\nTo call a tool, write <tool_code>{"name": <tool name>, "arguments": <JSON object>}'
        "</tool_code> and nothing after it. If no tool is needed, answer in words."
    ),
)

FORMATS = (TOOL_CODE,)
