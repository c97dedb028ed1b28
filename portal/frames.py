"""What a client may say on `/ws/agents`."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from portal.hub import REST

Channel = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+$")]
"""A channel's name, such as `agent.17`."""
Channels = Annotated[list[Channel], Field(min_length=1, max_length=1_000)]
"""The channels of one request."""
FrameId = Annotated[str, StringConstraints(max_length=64)] | int | None
"""The client's own name for a request, given back with the answer."""
Publisher = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""The client's own name for who publishes."""
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""Nanoseconds of the client's own clock, carried but not read."""

After = Annotated[dict[Channel, Annotated[int, Field(ge=0, lt=2**63)]], Field(max_length=1_000)] | None
"""The last number that the client has seen of a channel."""


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: FrameId = None


class Subscribe(_Frame):
    """Asks for the events of channels, and for those that came after a number that the client has seen."""

    type: Literal["subscribe"]
    channels: Channels
    after: After = None
    epoch: Annotated[str, StringConstraints(max_length=64)] | None = None


class Unsubscribe(_Frame):
    """Asks for no more events of channels."""

    type: Literal["unsubscribe"]
    channels: Channels


class Publish(_Frame):
    """Brings an event."""

    type: Literal["publish"]
    channel: Channel
    publisher: Publisher
    seq: Annotated[int, Field(ge=0, lt=2**63)]
    intended_ns: Int64
    sent_ns: Int64
    data: dict[str, Any] = {}


Frame = Subscribe | Unsubscribe | Publish
"""Any frame of a client."""

_adapter: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="type")])


class FrameError(ValueError):
    """A frame that is not understood, with the id it carried if that could be read."""

    def __init__(self, detail: str, frame_id: str | int | None = None) -> None:
        super().__init__(detail)
        self.frame_id = frame_id


def parse_frame(text: str) -> Frame:
    """Read one frame, or raise `FrameError` with a sentence for the client."""
    try:
        frame = _adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FrameError(f"{place}: {first['msg']}" if place else first["msg"], _frame_id(text)) from error
    if isinstance(frame, Publish) and frame.publisher == REST:
        raise FrameError(f"publisher: {REST!r} is the portal's own name", frame.id)
    if isinstance(frame, Subscribe):
        for name in (frame.after or {}).keys() - set(frame.channels):
            raise FrameError(f"after: {name} is not among the channels", frame.id)
    return frame


def _frame_id(text: str) -> str | int | None:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    frame_id = frame.get("id") if isinstance(frame, dict) else None
    return frame_id if type(frame_id) is int or (isinstance(frame_id, str) and len(frame_id) <= 64) else None
