"""The table of known truths, as text, and in its page between two marker comments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.truth.truth import Row

BEGIN, END = "<!-- begin: written by make truth -->", "<!-- end: written by make truth -->"
PEERS = ("service time", "Locust", "k6", "wrk")


def cells(row: Row, first: bool) -> list[str]:
    """One line; what is of the whole run stands in its first."""
    figure = row.figure
    return [
        row.name if first else "",
        figure.name,
        _number(figure.truth),
        _number(row.reported),
        f"{row.error:+.4g}" if row.reported is not None else "none",
        f"{-figure.below:.3g} to +{figure.above:.3g}" if figure.below or figure.above else "0",
        _number(figure.server),
        *(_number(row.peers.get(peer)) for peer in PEERS),
        row.verdict if first else "",
        row.expected_verdict if first else "",
        "" if row.holds else "WRONG",
    ]


TITLES = [
    "truth",
    "figure",
    "true",
    "reported",
    "error",
    "allowed",
    "the server saw",
    *PEERS,
    "verdict",
    "expected",
    "",
]


def lines(rows: Sequence[Row]) -> list[list[str]]:
    """Titles and cells."""
    return [TITLES] + [cells(row, i == 0 or rows[i - 1].name != row.name) for i, row in enumerate(rows)]


def as_text(rows: Sequence[Row]) -> str:
    """Columns for a terminal."""
    table = lines(rows)
    widths = [max(len(line[column]) for line in table) for column in range(len(TITLES))]
    return "\n".join(
        "  ".join(f"{cell:{'<' if i in (0, 1) else '>'}{widths[i]}}" for i, cell in enumerate(line)).rstrip()
        for line in table
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """The same for a page."""
    titles, *body = lines(rows)
    rule = ["---"] * 2 + ["---:"] * (len(titles) - 2)
    return "\n".join("| " + " | ".join(line) + " |" for line in (titles, rule, *body))


def written(page: str, rows: Sequence[Row]) -> str:
    """The page with the table between its markers.

    Raises:
        ValueError: when a marker is missing.

    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} followed by {END}")
    return f"{before}{BEGIN}\n{as_markdown(rows)}\n{END}{after}"


def write(path: Path, rows: Sequence[Row]) -> None:
    """Put the table into its page."""
    path.write_text(written(path.read_text(encoding="utf-8"), rows), encoding="utf-8")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == round(value) or value >= 1000 else f"{value:.1f}"
