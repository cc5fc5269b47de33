"""The Berkeley Function Calling Leaderboard: its data and the rules of its judge."""

from schemask.evaluation.bfcl.entries import CATEGORIES, BfclCalls, read_bfcl

__all__ = ["CATEGORIES", "BfclCalls", "read_bfcl"]
