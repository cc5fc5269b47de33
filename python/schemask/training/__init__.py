"""Exact labels, the tokens of a conversation that a model has to write, and training on them."""

from schemask.training.labels import encode, encode_turns
from schemask.training.options import TrainingOptions, TrainingReport
from schemask.training.rows import completions, dataset, preferences
from schemask.training.runs import train
from schemask.training.turns import Loss

__all__ = [
    "Loss",
    "TrainingOptions",
    "TrainingReport",
    "completions",
    "dataset",
    "encode",
    "encode_turns",
    "preferences",
    "train",
]
