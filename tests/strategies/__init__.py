"""Hypothesis strategies: schemas over all keywords, and values that nearly fit them."""

from strategies.instances import changed, instances
from strategies.schemas import in_old_words, open_objects, schemas
from strategies.spellings import spellings

__all__ = ["changed", "in_old_words", "instances", "open_objects", "schemas", "spellings"]
