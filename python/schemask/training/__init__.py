"""Exact labels: the tokens of a conversation that a model has to write, and no others."""

from schemask.training.labels import encode, encode_turns
from schemask.training.rows import completions, dataset, preferences
from schemask.training.turns import Loss

__all__ = ["Loss", "completions", "dataset", "encode", "encode_turns", "preferences"]
