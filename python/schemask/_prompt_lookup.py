"""How a value may go on that stands in the prompt."""

from __future__ import annotations

MOST_BYTES = 24
MOST_TOKENS = 4
# A longer end of a value is no more likely to be copied.
_LONGEST_END = 48


def continuation(prompt: bytes, value: bytes) -> bytes:
    """What follows the longest end of a value where it stands last in a prompt; maybe nothing.

    Args:
        prompt: The text of the prompt.
        value: What has been written of the value.
    """
    for length in range(min(len(value), _LONGEST_END), 0, -1):
        end = prompt.rfind(value[-length:]) + length
        if length <= end < len(prompt):
            return prompt[end : end + MOST_BYTES]
    return b""
