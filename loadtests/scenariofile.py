"""Scenario files: read, refused with every mistake at once, written for run.json, and handed to other processes."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from loadtests.errors import ScenarioError
from loadtests.mistake import Mistake, shape_mistakes
from loadtests.overrides import NO_OVERRIDES, Overrides
from loadtests.scenario import FROM_FILE, Scenario
from loadtests.scenariocheck import meaning_mistakes
from loadtests.sourcechain import SourceChain, read_chain
from loadtests.tomlposition import KeyPath, dotted
from loadtests.variable import filled, stray_variable, variable_problem, variables

__all__ = ["Overrides", "dump_scenario", "read_scenario", "scenario_from_wire", "scenario_to_wire"]


def read_scenario(path: Path, overrides: Overrides = NO_OVERRIDES, environ: Mapping[str, str] = os.environ) -> Scenario:
    """Read a scenario file and the files it extends.

    Args:
        path: the TOML file.
        overrides: what the command line says over it.
        environ: where ``${NAME}`` in ``[secrets]`` is looked up.

    Raises:
        ScenarioError: with a line ``file:line: key: what was expected`` for each mistake. Mistakes of form come first;
            whether the whole makes sense is asked once it has none.
        UsageError: when an override cannot be applied.

    """
    chain = read_chain(path)
    document = dict(chain.merged)
    mistakes = list(_stray_variables(document))
    if isinstance(document.get("secrets"), dict):
        secrets, unknown = _secrets(document["secrets"], environ)
        document["secrets"] = secrets
        mistakes += unknown
    try:
        scenario = Scenario.model_validate(
            {key: _strict(key, value) for key, value in document.items()} | {"folder": path.parent},
            strict=True,
            context=FROM_FILE,
        )
    except ValidationError as error:
        known = {mistake.path for mistake in mistakes}
        mistakes += (mistake for mistake in shape_mistakes(error) if mistake.path not in known)
    if "folder" in document:
        mistakes.append(Mistake(("folder",), "unknown key"))
    if mistakes:
        raise ScenarioError(_report(chain, NO_OVERRIDES, mistakes))
    scenario = overrides.applied(scenario)
    if mistakes := list(meaning_mistakes(scenario)):
        raise ScenarioError(_report(chain, overrides, mistakes))
    return scenario


def dump_scenario(scenario: Scenario) -> dict[str, Any]:
    """Plain values for run.json, durations in ns; each secret is ``***`` and the folder is left out."""
    return scenario.model_dump(mode="json", by_alias=True) | {"secrets": dict.fromkeys(scenario.secrets, "***")}


def scenario_to_wire(scenario: Scenario) -> str:
    """One line of JSON for a pipe to another process: it holds the secrets in the clear and must not reach a disk."""
    row = {"folder": str(scenario.folder.absolute()), "scenario": scenario.model_dump(by_alias=True)}
    return json.dumps(row, default=lambda value: value.get_secret_value())


def scenario_from_wire(text: str) -> Scenario:
    """The scenario that :func:`scenario_to_wire` wrote, its folder absolute."""
    row = json.loads(text)
    return Scenario.model_validate(row["scenario"] | {"folder": row["folder"]})


def _report(chain: SourceChain, overrides: Overrides, mistakes: list[Mistake]) -> str:
    """One line a mistake, in the order of the files and their lines."""
    files = [source.path for source in chain.sources]
    lines: list[tuple[int, int, str]] = []
    for mistake in mistakes:
        key = dotted(mistake.path)
        if option := overrides.option(mistake.path):
            lines.append((-1, 0, f"{option}: {key}: {mistake.text}"))
        else:
            file, line = chain.place(mistake.path)
            lines.append((files.index(file), line, f"{file}:{line}: {key}: {mistake.text}"))
    return "\n".join(text for _, _, text in sorted(lines))


def _secrets(table: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Mistake]]:
    """The table with its variables filled in; a value that could not be is left for nobody to see."""
    values, mistakes = {}, []
    for key, value in table.items():
        if not isinstance(value, str):
            values[key] = value
            continue
        problems = [variable_problem(name, environ) for name in variables(value)] or [
            'expected a variable, such as "${TOKEN}": a secret is not written into a file, and what is none belongs'
            " in [settings]"
        ]
        mistakes += [Mistake(("secrets", key), problem) for problem in problems if problem]
        values[key] = SecretStr(filled(value, environ))
    return values, mistakes


def _stray_variables(value: object, path: KeyPath = ()) -> Iterator[Mistake]:
    if path == ("secrets",):
        return
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _stray_variables(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _stray_variables(each, (*path, index))
    elif isinstance(value, str) and (found := stray_variable(value)):
        yield Mistake(path, f"{found} is not filled in here; the environment is read in [secrets] only")


def _strict(key: str, value: Any) -> Any:
    """A TOML value as the models take it strictly: arrays are tuples; in ``settings``, dates are text."""
    if key == "settings":
        return _without_dates(value)
    if isinstance(value, dict):
        return {name: _strict("", each) for name, each in value.items()}
    return tuple(_strict("", each) for each in value) if isinstance(value, list) else value


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_dates(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_dates(each) for each in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value
