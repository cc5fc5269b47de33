"""The format of GigaChat.

GigaChat 3 of Sber. A call is a message of its own, to the role `function call`, after the words
of the assistant; a turn has one call at most.
"""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

# A call is a turn of its own after the words of the assistant's.
GIGACHAT3 = FormatSpec(
    name="gigachat3",
    models="GigaChat 3",
    templates=("GigaChat3-10B-A1.8B",),
    call_open="",
    call_close="",
    calls_open="<|message_sep|>\n\nfunction call<|role_sep|>\n",
    max_calls=1,
    result_open="",
    result_close="",
    turn_start="",
    turn_end="<|message_sep|>",
    turns=(
        ("system", "system<|role_sep|>\n", "<|message_sep|>\n\n"),
        ("user", "user<|role_sep|>\n", "<|message_sep|>\n\n"),
        ("assistant", "assistant<|role_sep|>\n", "<|message_sep|>\n\n"),
        ("tool", "function result<|role_sep|>\n", "<|message_sep|>\n\n"),
    ),
)

FORMATS = (GIGACHAT3,)
