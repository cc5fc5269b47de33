"""The format of Muse Glimmer.

A turn is a series of messages, each to someone: reasoning to the model itself, words to the
user, and each call to its tool, whose name stands there a second time.
"""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.spec import FormatSpec

# A turn is one message or several, each to someone: reasoning to the model itself, words to the
# user, calls to tools.
MUSE_GLIMMER = FormatSpec(
    name="muse_glimmer",
    models="Muse Glimmer",
    templates=("muse_glimmer",),
    call_open="to=",
    call_close="</atem:invoke>\n</atem:function_calls>",
    call_separator="<|eom|><|start|>assistant ",
    call='{name}<|message|><atem:function_calls>\n<atem:invoke name="{name}">\n{arguments}',
    arguments=RawArguments('<atem:parameter name="{key}">{value}</atem:parameter>\n'),
    words_open="to=user<|message|>",
    words_with_calls="none",
    reasoning_open=" to=self<|message|>",
    reasoning_close="<|eom|><|start|>assistant ",
    no_reasoning=" ",
    reasons=True,
    result_open="<tool_output>",
    result_close="</tool_output>",
    result_padding="\n",
    turn_start="",
    turn_end="<|eot|>",
    turns=(
        ("system", "<|start|>system<|message|>", "<|eot|>"),
        ("user", "<|start|>user<|message|>", "<|eot|>"),
        ("assistant", "<|start|>assistant", "<|eot|>"),
        ("tool", "<|start|>tool<|message|>", "<|eot|>"),
    ),
    escapes=False,
)

FORMATS = (MUSE_GLIMMER,)
