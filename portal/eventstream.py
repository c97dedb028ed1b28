"""All events of all portals, as a stream in Redis.

A script numbers an event and appends it in one step, so the order of numbers is the order of the stream. The stream
keeps its last events: whoever reads on from where it stood has missed nothing, or finds a gap in the numbers.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import chain
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

NUMBERS = "portal:numbers"
"""A hash: the last number of each channel, `rest:` and a channel for its announcements, `epoch` for all of them."""
EVENTS = "portal:events"
"""The stream."""
KEPT_EVENTS = 4_096
"""How many events the stream keeps, or a few more."""
BATCH = 100
"""Events in one round trip."""
BLOCK_MS = 2_000
"""How long Redis may hold back an answer until there is news."""
TIMEOUT_S = 5.0
"""How long Redis may take to answer before it counts as lost."""

# The script takes a batch as a whole or not at all. A ticket that was taken before is not taken again, so that what may
# or may not have arrived can be sent once more. Numbers and their epoch are one key: Redis loses both or neither.
_APPEND = """
local numbers, events, sent = KEYS[1], KEYS[2], KEYS[3]
local origin, epoch, kept = ARGV[1], ARGV[2], ARGV[3]
local taken = tonumber(redis.call('GET', sent) or 0)
if redis.call('HSETNX', numbers, 'epoch', epoch) == 1 then redis.call('DEL', events) end
for at = 4, #ARGV, 5 do
    local ticket, channel, announced, frame = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    if tonumber(ticket) > taken then
        local seq = redis.call('HINCRBY', numbers, channel, 1)
        frame = frame .. seq .. ARGV[at + 4]
        if announced == '1' then
            frame = frame .. (redis.call('HINCRBY', numbers, 'rest:' .. channel, 1) - 1) .. '}'
        end
        local entry = table.concat({channel, seq, origin, ticket, frame}, ' ')
        redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'e', entry)
        redis.call('SET', sent, ticket, 'EX', 86400)
    end
end
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way: its frame up to the number, and from there.

    An announcement's frame is still open, and ends with its own number among announcements.
    """

    ticket: int
    channel: str
    announced: int
    head: str
    tail: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event of the stream, and who appended it with which ticket."""

    channel: str
    seq: int
    origin: str
    ticket: int
    frame: str


class EventStream:
    """One process's way to the stream. Its methods raise `RedisError` or `OSError` when Redis is away."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,  # else each command goes through wait_for, which may swallow a cancellation (gh-86296)
        )
        self._script = ""
        self._last = "0"
        self.origin = secrets.token_hex(8)
        """This process's name."""

    async def begin(self) -> tuple[str, dict[str, int]]:
        """Go to the stream's beginning; return the epoch and the last number of each channel."""
        async with asyncio.timeout(TIMEOUT_S):
            self._script = await self._redis.script_load(_APPEND)
            await self._redis.hsetnx(NUMBERS, "epoch", secrets.token_hex(8))
            fields: Any = await self._redis.hgetall(NUMBERS)
        self._last = "0"
        return fields.pop("epoch"), {name: int(seq) for name, seq in fields.items() if not name.startswith("rest:")}

    async def read(self, block_ms: int | None = None) -> list[Incoming]:
        """Return the next events, at most a batch; none if there is none."""
        async with asyncio.timeout(TIMEOUT_S):
            streams: Any = await self._redis.xread({EVENTS: self._last}, count=BATCH, block=block_ms)
        if not streams:
            return []
        ((_, entries),) = streams
        self._last = entries[-1][0]
        return [_incoming(fields["e"]) for _, fields in entries]

    async def append(self, batch: Sequence[Outgoing]) -> None:
        """Number events and append them, all or none."""
        keys = (NUMBERS, EVENTS, f"portal:sent:{self.origin}")
        arguments = chain.from_iterable(astuple(event) for event in batch)
        epoch = secrets.token_hex(8)  # if there is none
        async with asyncio.timeout(TIMEOUT_S):
            await self._redis.evalsha(self._script, len(keys), *keys, self.origin, epoch, KEPT_EVENTS, *arguments)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _incoming(entry: str) -> Incoming:
    channel, seq, origin, ticket, frame = entry.split(" ", 4)
    return Incoming(channel, int(seq), origin, int(ticket), frame)
