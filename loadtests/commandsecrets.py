"""What a command line says that must not be written: values of headers, credentials, values of the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtests.errors import UsageError
from loadtests.redaction import Redactor, is_secret
from loadtests.variable import filled, variable_problem, variables

__all__ = ["CommandSecrets", "command_secrets"]

MASK = "***"


@dataclass(frozen=True)
class CommandSecrets:
    """``--header`` and ``--send`` of a command, as they may be shown and as they are."""

    settings: Mapping[str, Any]
    """``headers`` by name, and what to ``send``: what is secret in them is ``***``."""
    secrets: Mapping[str, str]
    """Under ``header NAME`` and ``send INDEX`` the whole of what is masked there; then each credential by itself."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """By what was given, how it may be shown."""

    def hidden(self, argument: str) -> str:
        """An argument of the command without its secrets."""
        for given in sorted(self.shown, key=len, reverse=True):
            argument = argument.replace(given, self.shown[given])
        return argument


def command_secrets(
    headers: Iterable[str] = (), sends: Iterable[str] = (), environ: Mapping[str, str] = os.environ
) -> CommandSecrets:
    """Part secrets from the rest, ``${NAME}`` being filled in from the environment.

    A header's value is a secret as a whole. Of what is sent, values of the environment are, and in JSON whatever goes
    by a credential's name; in other texts, what looks like a credential.

    Args:
        headers: texts such as ``Name: value``.
        sends: messages.
        environ: where ``${NAME}`` is looked up.

    Raises:
        UsageError: when a header has no name, or a variable no value.

    """
    secrets: dict[str, str] = {}
    shown: dict[str, str] = {}
    masked_headers, masked_sends = {}, []
    for text in headers:
        name, colon, value = (part.strip() for part in text.partition(":"))
        if not colon or not name:
            raise UsageError('--header: expected "Name: value", and one has no name')  # which may be a secret
        secrets[f"header {name}"] = _filled("--header", value, environ, secrets)
        masked_headers[name] = MASK
        shown[text] = f"{name}: {MASK}"
    for index, text in enumerate(sends):
        whole, mask = _filled("--send", text, environ, secrets), _masked_text(text)
        secrets |= {f"send {index} credential {k}": each for k, each in enumerate(_credentials(_json(whole)))}
        if mask != whole:
            secrets[f"send {index}"] = whole
            shown[text] = mask
        masked_sends.append(mask)
    return CommandSecrets({"headers": masked_headers, "send": masked_sends}, secrets, shown)


def _filled(option: str, text: str, environ: Mapping[str, str], secrets: dict[str, str]) -> str:
    for name in variables(text):
        if problem := variable_problem(name, environ):
            raise UsageError(f"{option}: {problem}")
        secrets[f"variable {name}"] = environ[name]
    return filled(text, environ)


def _json(text: str) -> Any:
    """What a text means as JSON; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _masked_text(text: str) -> str:
    meaning = _json(text)
    masked = _masked(meaning)
    return Redactor()(text if masked == meaning else json.dumps(masked, ensure_ascii=False))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: MASK if is_secret(key) else _masked(each) for key, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list) else value


def _credentials(value: Any, *, within: bool = False) -> Iterator[str]:
    """Every text and number that goes by a credential's name, or stands within what does."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _credentials(each, within=within or is_secret(key))
    elif isinstance(value, list):
        for each in value:
            yield from _credentials(each, within=within)
    elif within and isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
