"""The Jinja environment that both pages share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.charts.canvas import printable
from reports.figures import tied
from reports.palette import DARK, LIGHT, ROLES, variables

__all__ = ["breakable", "render", "tally"]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.globals |= {
        "light": Markup(variables(LIGHT)),  # noqa: S704 - our own colours
        "dark": Markup(variables(DARK)),  # noqa: S704 - our own colours
        "roles": ROLES,
    }
    environment.filters |= {"tied": tied, "tally": tally, "breakable": breakable}
    return environment


def breakable(text: str) -> Markup:
    """A route that breaks after a slash rather than anywhere."""
    return escape(printable(text)).replace("/", Markup("/<wbr>"))


def tally(words: Iterable[str]) -> list[tuple[str, int]]:
    """Each word and how often it is there, the most frequent first."""
    return Counter(words).most_common()


def render(template: str, **values: object) -> str:
    """A page of the package's ``templates`` folder."""
    return _environment().get_template(template).render(**values)
