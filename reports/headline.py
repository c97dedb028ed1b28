"""The first screen in words: the verdict, what was tested, whether the run can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loadtests.run import Run
from loadtests.verdict import Check, Status
from reports.figures import day, span

__all__ = ["Headline", "StatusView", "Trust", "headline", "status_view", "trust", "unprefixed"]


@dataclass(frozen=True)
class StatusView:
    """A status as it is told: by word, by shape and by colour."""

    word: str
    shape: str
    """Name of the drawing: check, cross, question, exclamation or dash."""
    role: str
    meaning: str


_VIEWS: Final = {
    Status.PASS: StatusView("PASS", "check", "accent", "every objective held, with confidence"),
    Status.FAIL: StatusView("FAIL", "cross", "failure", "an objective was missed, with confidence"),
    Status.INCONCLUSIVE: StatusView("INCONCLUSIVE", "question", "warning", "not enough evidence either way"),
    Status.INVALID: StatusView(
        "INVALID", "exclamation", "ink", "the generator's own fault; says nothing of the target"
    ),
}
_NOT_JUDGED: Final = StatusView("NOT JUDGED", "dash", "muted", "the run holds no verdict")


@dataclass(frozen=True)
class Trust:
    """The answer to "can this run be trusted?" with its evidence, breaches first."""

    answer: str
    role: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Headline:
    """What stands at the top of the page."""

    status: StatusView
    sentence: str
    tested: tuple[tuple[str, str], ...]
    trust: Trust
    banners: tuple[tuple[str, str], ...]
    """Warnings that change how the page is to be read: a word and a sentence each."""


def status_view(status: Status | None) -> StatusView:
    """How a status is told."""
    return _NOT_JUDGED if status is None else _VIEWS[status]


def trust(run: Run) -> Trust:
    """What the self-checks say."""
    checks = run.verdict.checks if run.verdict else ()
    ordered = tuple(sorted(checks, key=lambda check: (check.ok, not check.fatal)))
    if not checks:
        return Trust("Not known: no self-check was stored with this run.", "muted", ())
    if any(check.fatal and not check.ok for check in checks):
        return Trust("No.", "failure", ordered)
    if any(not check.ok for check in checks):
        return Trust("With reservations.", "warning", ordered)
    return Trust("Yes.", "accent", ordered)


def unprefixed(sentence: str, word: str) -> str:
    """The sentence without the status word in front, which the badge beside it already says."""
    if not sentence.startswith(f"{word}:"):
        return sentence
    rest = sentence[len(word) + 1 :].strip()
    first = rest.split(" ", 1)[0]
    return rest[:1].upper() + rest[1:] if first.isalpha() else rest


def headline(run: Run) -> Headline:
    """The top of the page, of a Run."""
    header, verdict = run.header, run.verdict
    view = status_view(verdict.status if verdict else None)
    sentence = unprefixed(verdict.sentence, view.word) if verdict else "This run was recorded but never judged."
    ended = header.ended_wall_s
    lasted = f", {span(round(ended - header.started_wall_s))}" if ended is not None else ""
    tested = (
        ("Target", header.target),
        ("Commit", header.commit or "not recorded"),
        ("When", f"{day(header.started_wall_s)}{lasted}"),
        ("Load", header.load),
    )
    return Headline(view, sentence, tested, trust(run), _banners(run))


def _banners(run: Run) -> tuple[tuple[str, str], ...]:
    header, verdict = run.header, run.verdict
    banners = []
    why = (verdict.partial if verdict else None) or header.partial
    if header.state == "running":
        why = why or "it was never closed, so it was killed or is still running"
    if why or header.state == "partial":
        banners.append(
            (
                "Partial run",
                f"It ended before its plan did: {why or 'no reason was recorded'}. Figures cover what was recorded.",
            )
        )
    if header.stopped:
        stop = header.stopped
        banners.append(
            (
                "Stopped early",
                f"After {stop['after_s']} s of steady state it was certainly failing {stop['objective']} of "
                f"{stop['series']} ({stop['bad']:,} of {stop['n']:,} were bad), so the rest was spared. The other "
                "objectives were cut short with it, and cannot pass.",
            )
        )
    if header.model == "closed":
        banners.append(
            (
                "Closed model",
                "Each user waited for an answer before sending again, so a slow target was asked less often. Response "
                "time from an intended start does not exist here: every time on this page is service time, and reads "
                "better than what independent users would have felt.",
            )
        )
    return tuple(banners)
