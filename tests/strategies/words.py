"""What schemas and values are made of, so that they meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

KEYS = ["a", "ab", "b", "", 'q"\\', "é", "😀", "key with spaces"]
WORDS = ["", "a", "ab", "abc", "b", "aa", "x1", 'say "hi"', "back\\slash", "é", "😀😀", "tab\there"]
# Spelt alike in ECMA-262 and in Python's `re`, for the texts that are drawn here.
PATTERNS = [
    "^a",
    "b$",
    "^(a|b)*$",
    "^[a-c]{2,3}$",
    "^[^a]+$",
    "a.c",
    "^$",
    "x[0-9]+",
    "^(ab|a)(b|)$",
]
# They overlap each other and the keys.
KEY_PATTERNS = ["^a", "b", "^.$", "^[^a]*$", " ", "^a$", "^(b|ab|zz)$"]
# Of each format some strings and some near misses.
FORMATS = {
    "date": ["2024-02-29", "1999-12-31", "2023-02-29", "2024-13-01", "2024-1-01", ""],
    "ipv4": ["0.0.0.0", "192.168.1.255", "256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4 "],
    "uuid": [
        "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
        "2EB8AA08-AA98-11EA-B4AA-73B441D16380",
        "2eb8aa08-aa98-11ea-b4aa73b441d16380",
        "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
    ],
}
NUMBERS = st.one_of(
    st.integers(-20, 20),
    st.sampled_from([0.5, -0.5, 1.5, 2.25, -7.75, 0.125, 1.0, 10**20, -(10**20) + 1, 1000]),
)
COUNTS = st.integers(0, 3)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(WORDS))
VALUES = st.recursive(
    SCALARS,
    lambda values: st.one_of(
        st.lists(values, max_size=3), st.dictionaries(st.sampled_from(KEYS), values, max_size=3)
    ),
    max_leaves=5,
)
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef")


def types_of(schema: dict[str, Any]) -> list[str]:
    """The types that a schema is about, by its keywords."""
    if "type" in schema:
        return [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    about = {
        "object": ("ropert", "required", "dependent"),
        "array": ("tems", "ontains"),
        "string": ("Length", "pattern", "format"),
        "number": ("inimum", "aximum", "multipleOf"),
    }
    return [
        kind
        for kind, parts in about.items()
        if any(
            part in keyword and (kind != "string" or "ropert" not in keyword)
            for keyword in schema
            for part in parts
        )
    ]
