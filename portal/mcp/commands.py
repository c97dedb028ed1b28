"""The commands that may leave the portal; whatever is not in this list is refused before anything is forwarded."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

COMMAND_CHARACTERS = 200
"""The longest command."""

# Words of an echo hold no character that means anything to a shell, and the first is no option.
_ALLOWED = re.compile(r"date|uptime|echo [A-Za-z0-9][A-Za-z0-9_.,:-]*(?: [A-Za-z0-9_.,:-]+)*")

Command = Annotated[str, Field(max_length=COMMAND_CHARACTERS, description="`date`, `uptime` or `echo words`")]
"""A command as it is asked for."""
TimeoutMs = Annotated[int, Field(ge=1, le=10_000, description="How long the external service may take")]
"""The time-out of one call."""


class CommandRequest(BaseModel):
    """A command for the external service."""

    model_config = ConfigDict(extra="forbid")

    command: Command
    timeout_ms: TimeoutMs = 2_000


class CommandOutput(BaseModel):
    """What a command printed; `exit_code` is null when the service does not tell."""

    output: str
    exit_code: int | None


class CommandResult(CommandOutput):
    """What a command printed, and how long the service took."""

    took_ms: int


class CommandRefused(HTTPException):
    """403: the command is not in the list."""

    def __init__(self) -> None:
        super().__init__(
            403, "this command is not allowed: only 'date', 'uptime' and 'echo' with words of letters, digits and _.,:-"
        )


def check_command(command: str) -> None:
    """Refuse a command that is not in the list."""
    if len(command) > COMMAND_CHARACTERS or not _ALLOWED.fullmatch(command):
        raise CommandRefused
