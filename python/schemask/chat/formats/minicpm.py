"""The format of MiniCPM.

MiniCPM5 of OpenBMB. Calls are XML elements with names in attributes. Values are as Python shows
them, and strings with `<`, `&` or a newline stand in CDATA sections.
"""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.notations.values import Styles
from schemask.chat.spec import FormatSpec

MINICPM5 = FormatSpec(
    name="minicpm5",
    models="MiniCPM5",
    templates=("openbmb-MiniCPM5-1B",),
    call_open='<function name="',
    call_close="</function>",
    call_separator="\n",
    preamble_close="\n",
    call='{name}">{arguments}',
    arguments=RawArguments(
        '<param name="{key}">{value}</param>',
        styles=Styles(literals="python", arrays="python", objects="python"),
        cdata="<&\n",
    ),
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
    reasons=True,
    plain_prompt="<think>\n\n</think>\n\n",
    result_role="user",
    result_padding="\n",
)

FORMATS = (MINICPM5,)
