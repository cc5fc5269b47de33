"""Published data sets in their own shapes, made into lines to train on."""

from schemask.synth.importers.stage import SHAPES, Import

__all__ = ["SHAPES", "Import"]
