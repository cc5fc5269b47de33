"""Plots of rates, as SVG that is the same each time and takes the colour of the text around it."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from xml.etree import ElementTree

from schemask.errors import missing
from schemask.evaluation.intervals import Rate
from schemask.evaluation.summary import SummaryRow
from schemask.evaluation.verdicts import OUTCOMES

# Told apart by people who see no red or no green, too (Okabe and Ito).
COLOURS = {
    "right": "#009e73",
    "wrong": "#e69f00",
    "malformed": "#d55e00",
    "no_call": "#999999",
    "failed": "#cc79a7",
}
SERIES = ("#56b4e9", "#0072b2", "#f0e442", "#999999")
INK = "#010203"
"""The colour that stands for that of the text around a plot."""

LONGEST_LABEL = 40
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


class NamedRow(NamedTuple):
    """A row of a summary, and the name of the evaluation that it is of."""

    name: str
    row: SummaryRow


_Draw: TypeAlias = Callable[[Any, int, NamedRow], None]


def visible(text: str) -> str:
    """The text, in which characters that show nothing or turn the text around are spelt out."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def outcome_plot(rows: Sequence[NamedRow]) -> str:
    """The shares of the outcomes, stacked, as SVG.

    Args:
        rows: The rows, those of a category beside one another.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    present = [name for name in OUTCOMES if any(row.outcomes.get(name) for _, row in rows)]

    def draw(axes: Any, place: int, found: NamedRow) -> None:
        left = 0.0
        for outcome in present:
            count = found.row.outcomes.get(outcome, 0)
            share = count / found.row.count
            axes.barh(place, share, left=left, height=0.8, color=COLOURS[outcome])
            if share > 0.05:
                text = {"ha": "center", "va": "center_baseline", "color": "#000000"}
                axes.text(left + share / 2, place, str(count), **text)
            left += share

    legend = [(name.replace("_", " "), COLOURS[name]) for name in present]
    return _drawn("outcomes", rows, {"share of the examples": draw}, legend)


def right_plot(rows: Sequence[NamedRow]) -> str:
    """The rates of right answers with their intervals, as SVG.

    Args:
        rows: The rows, those of a category beside one another.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    colours = _colours(rows)

    def draw(axes: Any, place: int, found: NamedRow) -> None:
        _rate_bar(axes, place, found.row.right, colours[found.name])

    return _drawn("right", rows, {"right, with 95% interval": draw})


def mask_plot(rows: Sequence[NamedRow]) -> str:
    """What the masks took from the model, as SVG; empty if no row tells of masks.

    Args:
        rows: The rows, those of a category beside one another.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    told = [found for found in rows if found.row.masked_mass is not None]
    colours = _colours(rows)

    def draw_mass(axes: Any, place: int, found: NamedRow) -> None:
        axes.barh(place, found.row.masked_mass, height=0.8, color=colours[found.name])

    def draw_overruled(axes: Any, place: int, found: NamedRow) -> None:
        if found.row.overruled is not None:
            _rate_bar(axes, place, found.row.overruled, colours[found.name])

    panels: dict[str, _Draw] = {
        "mean masked probability": draw_mass,
        "turns overruled": draw_overruled,
    }
    return _drawn("masks", told, panels) if told else ""


def _colours(rows: Sequence[NamedRow]) -> dict[str, str]:
    names = dict.fromkeys(name for name, _ in rows)
    return {name: SERIES[number % len(SERIES)] for number, name in enumerate(names)}


def _rate_bar(axes: Any, place: int, found: Rate, colour: str) -> None:
    # Rounding may put an end a little on the wrong side of the rate.
    ends = [[max(0.0, found.value - found.low)], [max(0.0, found.high - found.value)]]
    axes.barh(place, found.value, height=0.8, color=colour, xerr=ends, ecolor=INK, capsize=2)


def check_library() -> None:
    """Raises DependencyError if the library that draws plots is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise missing("matplotlib", "eval", error) from error


def _drawn(
    key: str,
    rows: Sequence[NamedRow],
    panels: Mapping[str, _Draw],
    legend: Sequence[tuple[str, str]] = (),
) -> str:
    """A plot with a line for each row, under the name of its category."""
    check_library()
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    lines = _lines(rows)
    buffer = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")  # characters that its font lacks, a browser's has
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": f"schemask {key}"})
        figure = Figure(figsize=(8, 0.22 * len(lines) + 1.0), layout="constrained")
        every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, draw) in zip(every, panels.items(), strict=True):
            for place, (_, found) in enumerate(lines):
                if found is not None:
                    draw(axes, place, found)
            axes.set_xlim(0, 1)
            axes.set_xlabel(title)
            axes.xaxis.set_major_formatter("{x:.0%}")
            axes.tick_params(axis="y", length=0)
        every[0].set_ylim(len(lines) - 0.4, -0.6)
        every[0].set_yticks(range(len(lines)), [text for text, _ in lines])
        for label, (_, found) in zip(every[0].get_yticklabels(), lines, strict=True):
            label.set_fontweight("bold" if found is None else "normal")
        if legend:
            patches = [Patch(color=colour, label=text) for text, colour in legend]
            figure.legend(
                handles=patches, loc="outside upper center", ncols=len(patches), frameon=False
            )
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return _embeddable(buffer.getvalue(), key, ", ".join(panels))


def _lines(rows: Sequence[NamedRow]) -> list[tuple[str, NamedRow | None]]:
    """The texts at the left, and the row of each; those of categories have none."""
    names = {name for name, _ in rows}
    lines: list[tuple[str, NamedRow | None]] = []
    category = None
    for found in rows:
        if found.row.category != category:
            category = found.row.category
            lines.append((_label(category), None))
        text = _label(found.row.setting)
        lines.append((text if len(names) == 1 else f"{text} · {_label(found.name)}", found))
    return lines


def _label(text: str) -> str:
    text = visible(" ".join(text.split()))
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def _embeddable(text: str, key: str, label: str) -> str:
    """An SVG that can stand in a page beside others: its names are its own, its style is, too."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        for child in list(element):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                element.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        given = dict(element.attrib)
        element.attrib.clear()
        for full, value in given.items():
            name = full.rpartition("}")[2]
            if name == "id":
                value = f"{key}-{value}"
            elif name == "href":
                value = value.replace("#", f"#{key}-")
            else:
                value = value.replace("url(#", f"url(#{key}-").replace(INK, "currentColor")
            element.set(name, value)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    return ElementTree.tostring(root, encoding="unicode") + "\n"
