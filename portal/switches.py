"""What a laboratory may ask for: the JSON of `/lab`."""

import http
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _known_status(status: int) -> int:
    try:
        return http.HTTPStatus(status).value
    except ValueError:
        raise ValueError("there is no such status") from None


def _sendable(code: int) -> int:
    if code in (1004, 1005, 1006) or 1015 <= code < 3000:
        raise ValueError("no endpoint may send this close code (RFC 6455, section 7.4)")
    return code


class _Switch(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Fail(_Switch):
    """Answers every so-manieth request with an error, before any work is done."""

    status: Annotated[int, Field(ge=400, le=599), AfterValidator(_known_status)] = 503
    every: Annotated[int, Field(ge=1)] = 1


class RouteFault(_Switch):
    """What is wrong with one route."""

    delay_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    fail: Fail | None = None


class Freeze(_Switch):
    """Blocks the event loop for so long in every period."""

    for_s: Annotated[float, Field(gt=0, le=30)]
    every_s: Annotated[float, Field(gt=0, le=3_600)]

    @model_validator(mode="after")
    def _leaves_time(self) -> "Freeze":
        if self.every_s <= self.for_s:
            raise ValueError("every_s must be longer than for_s")
        return self


class Leak(_Switch):
    """What each request of a known route leaves behind."""

    bytes: Annotated[int, Field(ge=0, le=1024 * 1024)] = 0
    fds: Annotated[int, Field(ge=0, le=16)] = 0


class Events(_Switch):
    """What happens to every so-manieth delivery, an event to one socket; 0 is never.

    A delivery that is due for several is dropped rather than swapped, and swapped rather than duplicated.
    """

    drop_every: Annotated[int, Field(ge=0)] = 0
    duplicate_every: Annotated[int, Field(ge=0)] = 0
    swap_every: Annotated[int, Field(ge=0)] = 0


class Sockets(_Switch):
    """Closes each socket that has been sent so many events since it opened."""

    close_code: Annotated[int, Field(ge=1000, le=4999), AfterValidator(_sendable)] = 1012
    after_events: Annotated[int, Field(ge=1)]


class Switches(_Switch):
    """All switches; what is left out is off."""

    routes: Annotated[dict[str, RouteFault], Field(max_length=100)] = {}
    freeze: Freeze | None = None
    leak: Leak | None = None
    events: Events | None = None
    sockets: Sockets | None = None
