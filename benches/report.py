"""Tables and curves of recorded figures, and a document that holds them.

    python benches/report.py            # fills docs/performance.md from the files that it names
    python benches/report.py --check    # fails if that would change it

In the document, a line `<!-- figures: FILE -->` says where the tables come from that follow it, up
to `<!-- end of figures -->`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import record
from record import Record

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BLOCK = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)

COLOURS = {
    "schemask": "#0072B2",
    "llguidance": "#D55E00",
    "xgrammar": "#009E73",
    "glrmask": "#CC79A7",
}
MODELS = {"before": "#999999", "after": "#0072B2", "after, choices": "#D55E00"}
DASHES = {"cold": "--", "open": "--", "spaced": ":"}

# What an adversarial case may cost, in milliseconds.
TARGETS = {"compile ms": 100.0, "max ms": 5.0}
# What hostile input may cost, and how far beyond that a case is shown.
HOSTILE_BOUNDS = {"compile ms": 100.0, "token ms": 5.0, "completion ms": 1000.0, "peak MiB": 64.0}
HOSTILE_SHOWN = 5


class Figures:
    """The figures of a comparison, by measure, schemas, engine and name."""

    def __init__(self, source: Record) -> None:
        self._values = {
            (row["measure"], row["schemas"], row["engine"], row["figure"]): row["value"]
            for row in source.rows
        }
        self.engines = list(dict.fromkeys(key[2] for key in self._values if key[2]))

    def get(self, measure: str, schemas: str, engine: str, figure: str) -> float:
        return float(self._values.get((measure, schemas, engine, figure), "nan"))

    def curve(self, measure: str, schemas: str, engine: str) -> list[tuple[float, float]]:
        """Percentiles below the maximum, with their values, ascending."""
        return sorted(
            (float(key[3][1:]), float(value))
            for key, value in self._values.items()
            if key[:3] == (measure, schemas, engine) and re.fullmatch(r"p[\d.]+", key[3])
        )


def tables(source: Record) -> str:
    """The tables of a record, as Markdown."""
    if "engine" in source.columns and "case" in source.columns:
        body = _adversarial(source)
    elif "case" in source.columns:
        body = _hostile(source)
    elif "setting" in source.columns:
        body = _improvement(source)
    elif "schemas" in source.columns:
        body = _comparison(Figures(source))
    else:
        body = _table(source.columns, [list(row.values()) for row in source.rows])
    notes = "\n".join(f"- {note}" for note in source.notes)
    return f"{notes}\n\n{body}"


def _comparison(figures: Figures) -> str:
    times = ("mean", "p50", "p90", "p99", "p99.9", "max")
    wanted = ("count", *times)
    parts = []
    for schemas in ("common", "own"):
        if schemas == "own" and all(
            figures.get("compile", "own", name, "count")
            == figures.get("compile", "common", name, "count")
            for name in figures.engines
        ):
            continue  # they are the same schemas
        said = {
            "common": "schemas that every engine gets right",
            "own": "schemas that the engine itself gets right",
        }[schemas]
        for measure, title in (
            ("token", "Time for a token (mask and accept), µs"),
            ("compile", "Time to compile, µs"),
        ):
            rows = [
                [name, *(_number(figures.get(measure, schemas, name, what)) for what in wanted)]
                for name in figures.engines
            ]
            parts.append(f"**{title}**; {said}\n\n{_table(('engine', *wanted), rows)}")
    valid, invalid = (figures.get("count", "all", "", what) for what in ("valid", "invalid"))
    kinds = ("compiled", "refused", "timeout", "crashed", "right")
    outcomes = [
        [
            name,
            *(_number(figures.get("count", "all", name, what)) for what in kinds),
            _share(figures.get("count", "all", name, "valid accepted"), valid),
            _share(figures.get("count", "all", name, "invalid refused"), invalid),
        ]
        for name in figures.engines
    ]
    header = ["engine", *kinds, "valid instances accepted", "invalid instances refused"]
    parts.append(f"**Schemas and instances**\n\n{_table(header, outcomes)}")
    sizes = [
        [
            name,
            _number(figures.get("memory", "all", name, "vocabulary") / 1024),
            *(_number(figures.get("grammar memory", "own", name, f)) for f in times),
            _number(figures.get("memory", "all", name, "process peak") / 1024),
        ]
        for name in figures.engines
    ]
    header = ["engine", "vocabulary, MiB", *(f"grammar {f}, KiB" for f in times), "process, MiB"]
    parts.append(f"**Memory**\n\n{_table(header, sizes)}")
    return "\n\n".join(parts)


def _adversarial(source: Record) -> str:
    header = [name for name in source.columns if name != "slowest"]
    rows = []
    for row in source.rows:
        cells = []
        for name in header:
            over = name in TARGETS and row[name] and float(row[name]) > TARGETS[name]
            cells.append(f"**{row[name]}**" if over else row[name])
        rows.append(cells)
    missed = sum(
        any(row[name] and float(row[name]) > most for name, most in TARGETS.items())
        or row["status"] != "ok"
        for row in source.rows
    )
    goals = " and ".join(f"{name} at most {most:g}" for name, most in TARGETS.items())
    return (
        f"Targets: {goals}; what misses them is bold. "
        f"{missed} of {len(rows)} rows miss one or are not ok.\n\n{_table(header, rows)}"
    )


def _hostile(source: Record) -> str:
    """How many cases of each kind are within bounds, and those far beyond them."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for row in source.rows:
        kinds.setdefault(row["case"].partition(":")[0], []).append(row)
    # A figure out of bounds is marked.
    counted = [
        (kind, str(len(rows)), str(sum(not _is_beyond(row) for row in rows)))
        for kind, rows in kinds.items()
    ]
    header = [name for name in source.columns if name not in ("tokens", "slowest")]
    worst = [row for row in source.rows if _is_beyond(row, by=HOSTILE_SHOWN)]
    worst.sort(key=lambda row: -float(row["token ms"].rstrip("!") or 0))
    rows = [[row[name].replace("|", "\\|") for name in header] for row in worst]
    return (
        f"{_table(('kind', 'cases', 'within bounds'), counted)}\n\n"
        f"More than {HOSTILE_SHOWN} times beyond a bound:\n\n{_table(header, rows)}"
    )


def _is_beyond(row: dict[str, str], by: float = 1.0) -> bool:
    cells = [(row[name], most) for name, most in HOSTILE_BOUNDS.items()]
    return any(cell.endswith("!") and float(cell[:-1]) > by * most for cell, most in cells)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["-", *("-:" for _ in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    if value != value:
        return ""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"


def _improvement(source: Record) -> str:
    """What a model answered rightly before and after training: a line for each category."""
    rates: dict[str, dict[tuple[str, str], str]] = {}
    for row in source.rows:
        ends = f"{100 * float(row['low']):.0f} to {100 * float(row['high']):.0f}%"
        of_category = rates.setdefault(row["category"], {})
        of_category[row["model"], row["setting"]] = f"{row['right']} of {row['count']} ({ends})"
    columns = list(dict.fromkeys((row["model"], row["setting"]) for row in source.rows))
    header = ["right", *(f"{model}, {setting}" for model, setting in columns)]
    body = [[name, *(found.get(key, "") for key in columns)] for name, found in rates.items()]
    return _table(header, body)


def _share(part: float, whole: float) -> str:
    return f"{part:,.0f} of {whole:,.0f}" + (f" ({part / whole:.1%})" if whole else "")


def draw(source: Record, folder: Path) -> None:
    """`token.svg`, `compile.svg` and `pass.svg` of a comparison, `right.svg` of an improvement,
    `step.svg` of a batch.
    """
    import matplotlib

    matplotlib.use("svg")
    # Equal figures then give equal files.
    matplotlib.rcParams.update({"svg.hashsalt": "schemask", "svg.fonttype": "none"})
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)

    def save(name: str, plot: Callable[[Any], None]) -> None:
        figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
        plot(axes)
        figure.savefig(folder / name, metadata={"Date": None})
        pyplot.close(figure)

    if "setting" in source.columns:
        save("right.svg", partial(_rates, rows=source.rows))
        return
    if "pass" in source.columns:
        save("step.svg", partial(_steps, rows=source.rows))
        return
    figures = Figures(source)
    for measure, title in (
        ("token", "mask and accept one token"),
        ("compile", "compile a schema, to the first matcher"),
    ):
        save(f"{measure}.svg", partial(_curves, figures=figures, measure=measure, title=title))
    save("pass.svg", partial(_passes, figures=figures))


def _rates(axes: Any, *, rows: Sequence[record.Row]) -> None:
    """The shares of right answers with their intervals, those of a category beside one another."""
    categories = list(dict.fromkeys(row["category"] for row in rows))
    series = list(dict.fromkeys((row["model"], row["setting"]) for row in rows))
    height = 0.8 / len(series)
    for number, (model, setting) in enumerate(series):
        found = [row for row in rows if (row["model"], row["setting"]) == (model, setting)]
        places = [categories.index(row["category"]) + number * height for row in found]
        shares = [100 * int(row["right"]) / int(row["count"]) for row in found]
        # Rounding may put an end a little on the wrong side of the rate.
        below = [
            max(0.0, s - 100 * float(row["low"])) for s, row in zip(shares, found, strict=True)
        ]
        above = [
            max(0.0, 100 * float(row["high"]) - s) for s, row in zip(shares, found, strict=True)
        ]
        axes.barh(
            places,
            shares,
            height,
            label=f"{model}, {setting}",
            color=MODELS.get(model, "#555555"),
            alpha=1.0 if setting == "constrained" else 0.5,
            xerr=[below, above],
            error_kw={"elinewidth": 0.8},
        )
    axes.set_yticks([at + 0.4 - height / 2 for at in range(len(categories))], categories)
    axes.set(xlabel="%", xlim=(0, 100), title="right answers, with 95% intervals")
    axes.invert_yaxis()
    axes.figure.legend(loc="outside lower center", ncols=2)


def _steps(axes: Any, *, rows: Sequence[record.Row]) -> None:
    """What a step of a batch takes: a line from the median to the slowest, for each pass."""
    whole = [row for row in rows if row["part"] == "both"]
    marks = {"p50_us": "o", "p90_us": "|", "p99_us": "|", "max_us": "x"}
    for at, row in enumerate(whole):
        points = [float(row[name]) / 1e3 for name in marks]
        colour = _style(row["engine"])["color"]
        axes.plot(points, [at] * len(points), color=colour, linewidth=0.8)
        for point, mark in zip(points, marks.values(), strict=True):
            axes.plot(point, at, mark, color=colour)
    axes.set_yticks(range(len(whole)), [f"{row['engine']}, {row['pass']}" for row in whole])
    axes.set(xscale="log", title="a step of the batch: masks and accepted tokens")
    axes.set_xlabel("ms: ● p50, | p90 and p99, x max")
    axes.grid(alpha=0.3, axis="x")
    axes.invert_yaxis()


def _style(engine: str) -> dict[str, Any]:
    library, _, variant = engine.partition(" ")
    return {"color": COLOURS.get(library, "#555555"), "linestyle": DASHES.get(variant, "-")}


def _curves(axes: Any, *, figures: Figures, measure: str, title: str) -> None:
    for engine in figures.engines:
        points = figures.curve(measure, "common", engine)
        # A percentile that fewer than one value lies above is the maximum.
        count = figures.get(measure, "common", engine, "count")
        points = [(p, v) for p, v in points if (100 - p) / 100 * count >= 1]
        above = [1 - p / 100 for p, _ in points]
        axes.plot(above, [v for _, v in points], label=engine, **_style(engine))
    ticks = {1.0: "p0", 0.5: "p50", 0.1: "p90", 0.01: "p99", 1e-3: "p99.9", 1e-4: "p99.99"}
    axes.set(xscale="log", yscale="log", ylabel="µs", title=title)
    axes.set_xlabel("percentile, over the schemas that every engine gets right")
    farthest = min(axes.get_xlim())
    ticks = {at: name for at, name in ticks.items() if at >= farthest}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.minorticks_off()
    axes.invert_xaxis()
    axes.grid(alpha=0.3)
    axes.legend()


def _passes(axes: Any, *, figures: Figures) -> None:
    valid, invalid = (figures.get("count", "all", "", what) for what in ("valid", "invalid"))
    groups = (
        ("schemas compiled", "compiled", None),
        ("valid instances accepted", "valid accepted", valid),
        ("invalid instances refused", "invalid refused", invalid),
        ("schemas with all instances right", "right", None),
    )
    height = 0.8 / max(len(figures.engines), 1)
    for number, engine in enumerate(figures.engines):
        schemas = figures.get("count", "all", engine, "schemas")
        shares = [
            100 * figures.get("count", "all", engine, figure) / (whole or schemas)
            for _, figure, whole in groups
        ]
        style = _style(engine)
        hatch = "" if style["linestyle"] == "-" else "///"
        axes.barh(
            [at + number * height for at in range(len(groups))],
            shares,
            height,
            label=engine,
            color=style["color"],
            hatch=hatch,
            edgecolor="white",
        )
    axes.set_yticks(
        [at + height * (len(figures.engines) - 1) / 2 for at in range(len(groups))],
        [name for name, _, _ in groups],
    )
    axes.set(xlabel="%", xlim=(0, 100), title="schemas and instances judged rightly")
    axes.invert_yaxis()
    axes.figure.legend(loc="outside lower center", ncols=3)


def sources(document: Path) -> Iterator[Path]:
    """The files that the document takes its figures from."""
    for _, name, _ in BLOCK.findall(document.read_text(encoding="utf-8")):
        yield document.parent / name


def filled(document: Path) -> str:
    """The document's text, with the tables as the files say."""

    def fill(match: re.Match[str]) -> str:
        body = tables(record.read(document.parent / match[2]))
        return f"{match[1]}\n{body}\n\n{match[3]}"

    return BLOCK.sub(fill, document.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing")
    arguments = parser.parse_args()
    text = filled(DOCUMENT)
    if arguments.check:
        sys.exit(text != DOCUMENT.read_text(encoding="utf-8"))
    DOCUMENT.write_text(text, encoding="utf-8")
    for source in sources(DOCUMENT):
        plots = Path("plots") / source.stem
        if f"]({plots.as_posix()}/" in text:
            draw(record.read(source), DOCUMENT.parent / plots)


if __name__ == "__main__":
    main()
