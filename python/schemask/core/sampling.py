"""How a model's tokens are chosen, and when there are enough of them."""

from __future__ import annotations

from dataclasses import dataclass

from schemask.core.generation import check_number, check_sampling
from schemask.errors import ModelError, shortened

_LEAST_TEMPERATURE = 1e-5


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are chosen. Immutable; the names are those of vLLM's `SamplingParams`.

    Attributes:
        max_tokens: Most tokens of one text, at least 1.
        temperature: 0 is greedy: the likeliest token each time. Else logits are divided by it;
            what is so near to 0 that they would overflow (below 0.00001) is 0.
        top_p: Only the likeliest tokens are drawn whose probabilities together reach this, from 0
            to 1. None leaves it to the library or the endpoint.
        seed: Makes sampling repeatable, at least 0.

    Raises:
        ModelError: A setting that no model takes; named.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_sampling(self.max_tokens, self.temperature, self.seed)
        if self.temperature < _LEAST_TEMPERATURE:
            object.__setattr__(self, "temperature", 0.0)
        if self.top_p is not None:
            check_number("top_p", self.top_p, most=1)


GREEDY = Sampling()
"""The default: greedy, and 256 tokens at most."""


def check_is_sampling(sampling: object) -> None:
    """Raises ModelError for what is no `Sampling`."""
    if not isinstance(sampling, Sampling):
        raise ModelError(f"sampling is a Sampling, not {shortened(sampling)}")
