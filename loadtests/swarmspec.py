"""What a scenario file may say of its swarm: who connects, and what befalls them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadtests.duration import NS_PER_S
from loadtests.plan import Arrivals
from loadtests.table import DurationNs, RatePerS, Table

__all__ = ["Member", "Reconnect", "Slow", "Storm", "Swarm"]


class Slow(Table):
    """Members that stop reading: their messages stay on the way, as those of a suspended phone do."""

    start: DurationNs
    """When they stop, from the start of the run."""
    duration: DurationNs
    """For how long."""
    receive_buffer: int = Field(default=4096, ge=2048, le=1 << 24)
    """Bytes that their kernel takes in meanwhile; it doubles what it is asked for."""


class Member(Table):
    """A swarm member class and how many connections it makes."""

    cls: str = Field(alias="class")
    count: int = Field(ge=1)
    rate: RatePerS | None = None
    """Publishes per second of each member, for members that publish."""
    arrivals: Arrivals = "poisson"
    together: bool = False
    """Constant arrivals: all members publish at the same moments, in bursts; else they take turns."""
    churn: RatePerS | None = None
    """How many of them leave in a second, as planned, each to come again (see :class:`~loadtests.churn.Churn`)."""
    slow: Slow | None = None


class Reconnect(Table):
    """Pauses before trying again: a random part of the longest, which is base, 2 base, 4 base ... up to cap."""

    base: DurationNs = NS_PER_S // 2
    cap: DurationNs = 30 * NS_PER_S
    jitter: bool = True
    """Without it everybody takes the longest: the herd."""


class Storm(Table):
    """Many connections are lost at once."""

    at: DurationNs
    """From the start of the run."""
    share: float = Field(default=1.0, gt=0, le=1)
    how: Literal["abort", "reset", "restart"] = "abort"
    """The client goes without a word (FIN), or with an RST; or the embedded target is stopped and started again."""


class Swarm(Table):
    """WebSocket connections that live as long as the run."""

    members: tuple[Member, ...] = ()
    connect_rate: RatePerS = 50.0
    """New connections per second while the swarm comes up."""
    drain: DurationNs = 5 * NS_PER_S
    """How long after the last publish a delivery may still come before it is lost."""
    guard: DurationNs = 2 * NS_PER_S
    """Deliveries this close to a subscriber's coming or going are not counted for or against."""
    heartbeat: DurationNs | None = None
    """How often each connection is pinged; one that has not answered by the next ping is given up."""
    reconnect: Reconnect = Reconnect()
    storms: tuple[Storm, ...] = ()
