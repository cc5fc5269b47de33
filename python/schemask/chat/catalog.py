"""The formats of chat that models were trained on, and one of them by name."""

from __future__ import annotations

from schemask.chat.families import SPECS
from schemask.chat.format import ChatFormat
from schemask.errors import FormatError, shortened

FORMATS: dict[str, ChatFormat] = {spec.name: ChatFormat(spec) for spec in SPECS}
"""All of them by name."""

TOOL_CODE = FORMATS["tool_code"]
HERMES = FORMATS["hermes"]


def chat_format(name_or_format: str | ChatFormat) -> ChatFormat:
    """The format of that name, or the format itself.

    Args:
        name_or_format: A key of `FORMATS`, or a format of your own.

    Raises:
        FormatError: No format has that name.
    """
    if isinstance(name_or_format, ChatFormat):
        return name_or_format
    if not isinstance(name_or_format, str) or name_or_format not in FORMATS:
        raise FormatError(
            f"no chat format {shortened(name_or_format)}; there is {', '.join(FORMATS)}"
        )
    return FORMATS[name_or_format]
