"""Ways to write a value as JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from strategies.words import Draw


@st.composite
def spellings(draw: Draw, value: Any) -> str:
    """A JSON text of the value: escapes, white space and numbers as `json.dumps` does not write."""

    def space() -> str:
        return draw(st.sampled_from(["", "", "", " ", "\n\t", "  "]))

    def string(text: str) -> str:
        return '"' + "".join(character(c) for c in text) + '"'

    def character(c: str) -> str:
        plain = json.dumps(c, ensure_ascii=False)[1:-1]
        units = c.encode("utf-16-be")
        escaped = "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
        return draw(st.sampled_from([plain, plain, plain, escaped]))

    def number(value: float) -> str:
        text = json.dumps(value)
        way = draw(st.integers(0, 9))
        if way < 6 or (way < 8 and "e" in text):
            return text
        if way < 8:
            zeros = ["0", "00"] if "." in text else [".0", ".00"]
            return text + draw(st.sampled_from(zeros))
        shift = draw(st.integers(-2, 2))
        sign = draw(st.sampled_from(["", "+", "0"])) if shift >= 0 else ""
        mantissa = format(Decimal(text).scaleb(-shift), "f")
        return mantissa + draw(st.sampled_from(["e", "E"])) + sign + str(shift)

    def spell(value: Any) -> str:
        if isinstance(value, str):
            return string(value)
        if isinstance(value, list):
            inner = ",".join(space() + spell(item) + space() for item in value) or space()
            return f"[{inner}]"
        if isinstance(value, dict):
            members = (
                f"{space()}{string(key)}{space()}:{space()}{spell(item)}{space()}"
                for key, item in value.items()
            )
            return "{" + (",".join(members) or space()) + "}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return number(value)
        return json.dumps(value)

    return spell(value)
