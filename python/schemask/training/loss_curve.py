"""The loss of a run as a table and as a drawing."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = ("step", "loss", "learning_rate", "grad_norm", "num_input_tokens_seen")

WIDTH, HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 32, 44


def table(history: Sequence[Mapping[str, Any]]) -> str:
    """The log of a trainer as CSV: a line for each step that has a loss.

    Args:
        history: What transformers' trainer logs.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(entry for entry in history if "loss" in entry)
    return text.getvalue()


def drawing(losses: Sequence[tuple[int, float]]) -> str:
    """The losses as SVG: each step, and a running mean.

    Args:
        losses: Steps, in their order, with the loss of each.
    """
    points = [(step, loss) for step, loss in losses if math.isfinite(loss)]
    last = max((step for step, _ in points), default=1)
    most = max((loss for _, loss in points), default=1.0) or 1.0

    def path(values: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{_x(step, last):.1f},{_y(loss, most):.1f}" for step, loss in values)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="20">loss of a trained token, in nats</text>',
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" text-anchor="end">step</text>',
    ]
    for value in _ticks(most):
        y = _y(value, most)
        lines.append(f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="#ddd"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in _ticks(last):
        x, y = _x(value, last), HEIGHT - _BOTTOM + 16
        lines.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{value:g}</text>')
    if points:
        lines.append(f'<polyline points="{path(points)}" fill="none" stroke="#9ecae1"/>')
        mean = _running_mean(points)
        lines.append(
            f'<polyline points="{path(mean)}" fill="none" stroke="#08519c" stroke-width="2"/>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _x(step: float, last: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * step / last


def _y(loss: float, most: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * loss / most


def _ticks(most: float) -> list[float]:
    """Round numbers from 0 on, of which there are about five."""
    rough = most / 5
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [step * count for count in range(int(most / step + 1e-9) + 1)]


def _running_mean(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    width = max(1, len(points) // 20)
    means = []
    for at in range(len(points)):
        window = [loss for _, loss in points[max(0, at - width) : at + width + 1]]
        means.append((points[at][0], sum(window) / len(window)))
    return means
