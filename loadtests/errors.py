"""What can go wrong for a user, one class per remedy.

LoadtestsError                 exit 1 unless a subclass says otherwise
├── UsageError                 exit 2: wrong arguments or an invalid file
│   ├── ScenarioError          a scenario file that cannot be run, with file, line and key
│   ├── ObjectiveError         a line such as "p95 < 200ms" that does not parse
│   ├── TargetError            a target that may not be loaded, or that does not answer
│   └── RunError               a run directory that cannot be read or written
└── GeneratorError             the generator's own processes did not come up
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "ExitCode",
    "GeneratorError",
    "LoadtestsError",
    "ObjectiveError",
    "RunError",
    "ScenarioError",
    "TargetError",
    "UsageError",
]


class ExitCode(IntEnum):
    """What the command says to the shell; public API."""

    PASS = 0
    INTERNAL = 1
    USAGE = 2
    FAIL = 3
    INCONCLUSIVE = 4
    INVALID = 5
    INTERRUPTED = 130


class LoadtestsError(Exception):
    """Base of every failure that is reported as one message and no traceback."""

    exit_code = ExitCode.INTERNAL


class UsageError(LoadtestsError):
    """The command line or a file asks for something that cannot be done."""

    exit_code = ExitCode.USAGE


class ScenarioError(UsageError):
    """A scenario file is wrong; the message names file, line, key and what was expected."""


class ObjectiveError(UsageError):
    """An objective line does not parse."""


class TargetError(UsageError):
    """The target is not allowed, or it does not answer before the load starts."""


class RunError(UsageError):
    """A run directory cannot be written or read."""


class GeneratorError(LoadtestsError):
    """The generator's own processes did not come up."""
