"""What a small model writes in both spellings: numbers that run on, escapes that nobody needs.

    python benches/plain.py

SmolLM2-135M-Instruct writes values of the schemas below, with sampling. A value is not plain if
`json.dumps(value, ensure_ascii=False)` would not write its strings and numbers like that.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from typing import Any

from tqdm import tqdm

import schemask
from schemask.demo import model_path
from schemask.llama_cpp import Llama
from schemask.models import LlamaCppModel, Sampling

_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][-+.eE0-9]*')
_INTEGER = re.compile("0|-?[1-9][0-9]{0,31}")
_FIXED = re.compile(r"-?(0|[1-9][0-9]*)\.(0|[0-9]*[1-9])")
_SCIENTIFIC = re.compile(
    r"-?[1-9](\.[0-9]*[1-9])?e([+](1[6-9]|[2-9][0-9]|[1-9][0-9]{2})|-(0[5-9]|[7-9]|[1-9][0-9]{1,2}))"
)


def unplain(text: str) -> list[str]:
    """The strings and numbers of a JSON text that are not in plain spelling."""
    return [literal for literal in _LITERAL.findall(text) if not _is_plain(literal)]


def _is_plain(literal: str) -> bool:
    if literal.startswith('"'):
        return json.dumps(json.loads(literal), ensure_ascii=False) == literal
    if _INTEGER.fullmatch(literal):
        return True
    digits = re.sub("e.*|[-.]", "", literal).lstrip("0")
    is_number = _FIXED.fullmatch(literal) or _SCIENTIFIC.fullmatch(literal)
    return bool(is_number) and len(digits) <= 17


def number(**more: Any) -> dict[str, Any]:
    return {"type": "number", **more}


def integer(**more: Any) -> dict[str, Any]:
    return {"type": "integer", **more}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


SCHEMAS: dict[str, dict[str, Any]] = {
    "the weather in a city": {"city": text(), "temperature": number(), "humidity": integer()},
    "an invoice": {"number": integer(), "customer": text(), "total": number(minimum=0)},
    "a person": {"name": text(), "age": integer(minimum=0), "height": number()},
    "a product": {"name": text(), "price": number(multipleOf=0.01), "stock": integer()},
    "a place on the map": {
        "name": text(),
        "latitude": number(minimum=-90, maximum=90),
        "longitude": number(minimum=-180, maximum=180),
    },
    "a measurement": {"sensor": text(), "values": array(number(), maxItems=5)},
    "a bank account": {"iban": text(maxLength=34), "balance": number()},
    "a planet": {"name": text(), "mass": number(), "radius": number(), "moons": integer()},
    "an atom": {"symbol": text(), "protons": integer(minimum=1), "mass": number()},
    "a stock": {"symbol": text(maxLength=5), "price": number(), "volume": integer()},
    "a recipe": {"title": text(), "minutes": integer(), "ingredients": array(text(), maxItems=4)},
    "a film": {"title": text(), "year": integer(), "rating": number(minimum=0, maximum=10)},
    "a quotation": {"author": text(), "words": text(), "year": integer()},
    "a file": {"path": text(), "bytes": integer(), "changed": text(format="date")},
    "an event": {"title": text(), "start": text(format="date-time"), "seats": integer()},
    "a rectangle": {"width": number(exclusiveMinimum=0), "height": number(exclusiveMinimum=0)},
    "a phone book entry": {"name": text(), "phone": text(), "calls": integer()},
    "a currency": {"code": text(minLength=3, maxLength=3), "rate": number()},
    "an experiment": {"name": text(), "p": number(minimum=0, maximum=1), "samples": integer()},
    "a song": {"title": text(), "seconds": integer(), "beats": array(integer(), maxItems=4)},
}
PROMPT = """<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
<|im_start|>user
Write {what} as a JSON object with the keys {keys}.<|im_end|>
<|im_start|>assistant
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=10, help="of each schema and spelling")
    parser.add_argument("--max-tokens", type=int, default=120)
    parser.add_argument("--temperature", type=float, default=1.0)
    arguments = parser.parse_args()
    llama = Llama(str(model_path()), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)
    model = LlamaCppModel(llama)
    for spelling in ("plain", "any"):
        counts: Counter[str] = Counter()
        longest = ""
        for what, properties in tqdm(SCHEMAS.items(), unit="schema", desc=spelling):
            schema = {"properties": properties, "required": list(properties)}
            schema = {"type": "object", **schema, "additionalProperties": False}
            grammar = schemask.Grammar.from_json_schema(schema, "spaced", spelling=spelling)
            compiled = grammar.compile(model.vocabulary)
            prompt = PROMPT.format(what=what, keys=", ".join(properties))
            for seed in range(arguments.values):
                completion = model.generate(
                    prompt,
                    grammar=compiled,
                    sampling=Sampling(
                        max_tokens=arguments.max_tokens,
                        temperature=arguments.temperature,
                        seed=seed,
                    ),
                )
                value = json.loads(completion.text)
                numbers = [
                    literal for literal in _LITERAL.findall(completion.text) if literal[0] != '"'
                ]
                longest = max(longest, *numbers, "", key=len)
                is_cut = completion.status == "max_tokens"
                counts["values"] += 1
                counts["not plain"] += bool(unplain(completion.text))
                counts["an integer that reads as a float"] += any(
                    isinstance(item, float)
                    for key, rule in properties.items()
                    if "integer" in (rule["type"], rule.get("items", rule)["type"])
                    for item in (value[key] if rule["type"] == "array" else [value[key]])
                )
                counts["cut by the budget"] += is_cut
                counts["of these, with a number of 20 characters"] += is_cut and any(
                    len(literal) >= 20 for literal in numbers
                )
                counts["tokens"] += completion.completion_tokens
        print(f"{spelling}: the longest number is {longest}")
        for name, count in counts.items():
            print(f"  {name:<45}{count:>6}")


if __name__ == "__main__":
    main()
