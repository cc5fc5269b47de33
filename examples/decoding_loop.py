"""A decoding loop of one's own: any source of logits, here random ones, writes valid JSON.

python examples/decoding_loop.py
"""

import json

import numpy as np

import schemask

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 20},
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"enum": ["new", "sale", "used"]}, "maxItems": 3},
    },
    "required": ["title", "rating"],
    "additionalProperties": False,
}


def main(seed: int = 0) -> str:
    """Writes one random value of the schema, within 60 tokens."""
    random = np.random.default_rng(seed)
    tokens = [bytes([byte]) for byte in range(256)] + [b""]
    vocabulary = schemask.Vocabulary(tokens, stop_token_ids=[256])
    grammar = schemask.Grammar.from_json_schema(SCHEMA, whitespace="compact")
    matcher = grammar.compile(vocabulary).matcher(max_tokens=60)

    bitmask = schemask.allocate_mask(1, vocabulary.size)
    text = b""
    while not matcher.is_terminated:
        logits = random.normal(size=(1, vocabulary.size)).astype(np.float32)
        matcher.fill_mask(bitmask)
        schemask.apply_mask(logits, bitmask)
        token = int(logits.argmax())
        assert matcher.accept(token)
        text += vocabulary.token(token) if token != 256 else b""
    return text.decode()


if __name__ == "__main__":
    for seed in range(5):
        text = main(seed)
        print(text)
        json.loads(text)
