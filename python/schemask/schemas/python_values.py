"""JSON Schemas of exactly the values that pydantic turns into Python's.

The schema that pydantic writes for a type allows more: a date in the year 0, a number past the
range of floats, a key that is no integer. A decoder that follows it to the letter writes those.
"""

from __future__ import annotations

import datetime
import math
import sys
from decimal import Decimal
from typing import Any

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

_YEAR = "(?!0000)"
_NAIVE = (
    r"[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?$"
)
# No leap second stands after so many characters.
_SECOND = "(?=.{%d}[0-5])"
# Below 999,999,999 days, whatever the units are.
_DURATION = "^(?!.*[0-9]{7}[YMWDH]|.*[0-9]{10})"
_COMPLEX = r"^-?[0-9]{1,17}(?:\.[0-9]{1,17})?[+-][0-9]{1,17}(?:\.[0-9]{1,17})?j$"
_DECIMAL = r"^-?[0-9]{1,100}(?:\.[0-9]{1,100})?$"
# Floats of no more digits are written as they were read.
_FLOAT_DIGITS = 15

# Keys of objects are strings, whatever Python makes of them.
_KEYS = {
    "integer": {"pattern": "^(?:0|-?[1-9][0-9]{0,17})$"},
    "number": {"pattern": r"^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$"},
    "boolean": {"enum": ["true", "false"]},
}

# Formats that pydantic checks more closely than JSON Schema. Of networks, addresses are taken.
_FORMATS: dict[str, JsonSchemaValue] = {
    "base64": {
        "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    },
    "base64url": {
        "pattern": "^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$",
    },
    # No domains that are reserved or have but one label.
    "email": {
        "format": "email",
        "pattern": "^[A-Za-z0-9_+-]{1,64}@[a-z0-9]{1,60}(?:[.][a-z0-9]{1,60}){0,2}[.]"
        "(?!(?:arpa|invalid|local|localhost|onion|test)$)[a-z]{2,20}$",
    },
    "fraction": {"pattern": "^-?[0-9]{1,100}(?:/[1-9][0-9]{0,99})?$"},
    **{f"ipv{n}{kind}": {"format": f"ipv{n}"} for n in (4, 6) for kind in ("network", "interface")},
    **{
        f"uuid{n}": {"format": "uuid", "pattern": f"^.{{14}}{n}.{{4}}[89abAB]"} for n in range(1, 9)
    },
}


class DescribedSchema(GenerateJsonSchema):
    """What pydantic says of a type: the schema that a model reads."""

    # A default that JSON cannot spell still works in Python; the schema only leaves it out.
    ignored_warning_kinds = GenerateJsonSchema.ignored_warning_kinds | {"non-serializable-default"}


class BindableSchema(DescribedSchema):
    """The schema of the values that can be bound: the one that a decoder follows."""

    def float_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().float_schema(schema)
        # A number just past an exclusive bound would be read as the bound itself.
        low = made.pop("exclusiveMinimum", None)
        high = made.pop("exclusiveMaximum", None)
        lows = [made.get("minimum", -sys.float_info.max)]
        highs = [made.get("maximum", sys.float_info.max)]
        if low is not None:
            lows.append(math.nextafter(low, math.inf))
        if high is not None:
            highs.append(math.nextafter(high, -math.inf))
        if "multipleOf" in made:
            # Of greater floats, nobody can say what they are multiples of.
            lows.append(-made["multipleOf"] * 10.0**_FLOAT_DIGITS)
            highs.append(made["multipleOf"] * 10.0**_FLOAT_DIGITS)
        return {**made, "minimum": max(lows), "maximum": min(highs)}

    def decimal_schema(self, schema: Any) -> JsonSchemaValue:
        bounds = ("multiple_of", "le", "ge", "lt", "gt")
        given = {key: schema[key] for key in bounds if schema.get(key) is not None}
        digits, places = schema.get("max_digits"), schema.get("decimal_places")
        if not given and digits is None and places is None:
            return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": _DECIMAL}]}
        # Texts cannot be compared by a pattern.
        made = self.float_schema({"type": "float", **{k: float(v) for k, v in given.items()}})
        if digits is not None or places is not None or "multiple_of" in given:
            places = 0 if places is None else places
            whole = min(_FLOAT_DIGITS, digits or _FLOAT_DIGITS) - places
            step = Decimal(1).scaleb(-places)
            most = float(Decimal(1).scaleb(whole) - step)
            made = {"multipleOf": float(step), **made}
            made.update(minimum=max(made["minimum"], -most), maximum=min(made["maximum"], most))
        return made

    def complex_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().complex_schema(schema), "pattern": _COMPLEX}

    def date_schema(self, schema: Any) -> JsonSchemaValue:
        pattern = f"^{_YEAR}{_date_bounds(schema, 0)}"
        return {**super().date_schema(schema), "pattern": pattern}

    def datetime_schema(self, schema: Any) -> JsonSchemaValue:
        # Offsets move a time by less than a day, and bounds by as much.
        head = f"^{_YEAR}{_date_bounds(schema, 2)}"
        if schema.get("tz_constraint") == "naive":
            return {"type": "string", "pattern": head + _NAIVE}
        return {**super().datetime_schema(schema), "pattern": head + _SECOND % 17}

    def time_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().time_schema(schema), "pattern": "^" + _SECOND % 6}

    def timedelta_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().timedelta_schema(schema), "pattern": _DURATION}

    def url_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().url_schema(schema)
        if schemes := schema.get("allowed_schemes"):
            host = "(?:[a-z0-9]+[.-])*[a-z][a-z0-9]*"
            made["pattern"] = f"^(?:{'|'.join(schemes)})://{host}(?::[0-9]{{1,4}})?(?:[/?#]|$)"
        return made

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        if "pattern" in keys:
            # Said under `patternProperties`, it would bind no other keys.
            named = made.pop("patternProperties", {}).get(keys["pattern"], True)
            made = {**made, "additionalProperties": named}
        spelled = keys if "pattern" in keys else _KEYS.get(keys.get("type", ""))
        return {**made, "propertyNames": spelled} if spelled else made


def bindable(schema: JsonSchemaValue) -> JsonSchemaValue:
    """A schema with the formats spelt out that pydantic checks and JSON Schema does not know."""
    known = _FORMATS.get(schema.get("format", ""))
    if known is None:
        return schema
    return {**{key: value for key, value in schema.items() if key != "format"}, **known}


def problems_of(error: pydantic.ValidationError, whole: str) -> str:
    """What pydantic says is wrong with a value, each problem after its place.

    Args:
        error: What it raised.
        whole: What the value as a whole is called.
    """
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or whole}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )


def whole_numbers(value: Any) -> Any:
    """A JSON value with the floats that are whole as integers, which JSON does not tell apart.

    Their shortest spelling counts: 1e23 is 10**23, though its float is not.
    """
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    if isinstance(value, dict):
        return {key: whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [whole_numbers(inner) for inner in value]
    return value


def _date_bounds(schema: Any, margin: int) -> str:
    """Lookaheads of dates that are so many days inside the bounds."""
    day = datetime.timedelta(days=1)
    today = datetime.date.today()
    lows = [today + day] if schema.get("now_op") == "future" else []
    highs = [today - day] if schema.get("now_op") == "past" else []
    for key, bounds, inwards in (
        ("ge", lows, 0 * day),
        ("gt", lows, day),
        ("le", highs, 0 * day),
        ("lt", highs, -day),
    ):
        if schema.get(key) is not None:
            bound = schema[key]
            date = bound.date() if isinstance(bound, datetime.datetime) else bound
            bounds.append(date + inwards)
    found = [_from(low + margin * day, "9") for low in lows]
    found += [_from(high - margin * day, "0") for high in highs]
    return "".join(found)


def _from(date: datetime.date, last: str) -> str:
    """A lookahead of the dates from one on, towards those of the digit `last`."""
    text = date.isoformat()
    ways = [text]
    for at, digit in enumerate(text):
        if digit.isdigit() and digit != last:
            ends = (int(digit) + 1, 9) if last == "9" else (0, int(digit) - 1)
            ways.append(f"{text[:at]}[{ends[0]}-{ends[1]}]")
    return f"(?={'|'.join(ways)})"
