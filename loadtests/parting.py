"""Who ended a connection, and why."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Parting", "who"]


class Parting(StrEnum):
    """Why we end a connection ourselves, or expect it to end."""

    NONE = ""
    STORM = "storm"
    LEFT = "left as planned"
    END = "end of the run"

    @property
    def planned(self) -> bool:
        """Whether it is no loss, not even one that we brought about."""
        return self in (Parting.LEFT, Parting.END)


def who(ending: str, parting: Parting) -> str:
    """``the server: closed 1012``, ``we: no pong``, ``nobody said: connection reset`` of a WebSocket's ending.

    ``the storm: closed 1012`` is a server's that was restarted by plan.
    """
    if parting.planned or ending == Parting.STORM:
        return f"we: {parting}"
    if parting == Parting.STORM:
        return f"the storm: {ending}"
    if ending.startswith("closed"):
        return f"the server: {ending}"
    return f"we: {ending}" if ending in ("no pong", "frame broken") else f"nobody said: {ending}"
