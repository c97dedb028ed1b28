"""``${NAME}`` in a text: a value of the environment, and so a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["filled", "stray_variable", "variable_problem", "variables"]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def variables(text: str) -> list[str]:
    """The names in it, in order."""
    return _VARIABLE.findall(text)


def stray_variable(text: str) -> str | None:
    """The first as it stands there, ``${NAME}``; None without any."""
    found = _VARIABLE.search(text)
    return found[0] if found else None


def variable_problem(name: str, environ: Mapping[str, str]) -> str | None:
    """Why it cannot be filled in; None where it can."""
    if not _NAME.fullmatch(name):
        return 'what stands in ${} is no variable; expected letters, digits and _, such as "${TOKEN}"'
    if not environ.get(name):
        return f"environment variable {name} is {'empty' if name in environ else 'not set'}"
    return None


def filled(text: str, environ: Mapping[str, str]) -> str:
    """The text with every variable's value in its place, nothing where there is none."""
    return _VARIABLE.sub(lambda found: environ.get(found[1], ""), text)
