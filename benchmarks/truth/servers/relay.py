"""A WebSocket relay that loses, doubles and swaps by count: ``... servers.relay PORT HOLD_MS LOSE DOUBLE SWAP``.

Each publication goes to every subscriber HOLD_MS later. Numbered from 0 as they come in, those with ``n % LOSE == 7``
go to nobody, with ``n % DOUBLE == 3`` twice, and with ``n % SWAP == 10`` right after the next one; 0 is never.
"""

import asyncio
import json
import sys
import time

from aiohttp import WSMsgType, web

from loadtests.nullserver import PreciseSelector


class Relay:
    """One channel and its subscribers."""

    def __init__(self, hold_s: float, lose: int, double: int, swap: int) -> None:
        self.hold_s, self.lose, self.double, self.swap = hold_s, lose, double, swap
        self.subscribers: list[web.WebSocketResponse] = []
        self.kept: str | None = None
        self.published = 0
        self.sent: list[tuple[int, int, int]] = []
        """Of each delivery when its publication came, how long it was held, both in nanoseconds, and 200."""

    def fates(self, number: int, frame: str) -> list[str]:
        """The frames that go out in place of one that came in."""
        if self.lose and number % self.lose == 7:
            return []
        if self.swap and number % self.swap == 10:
            self.kept = frame
            return []
        out = [frame] * (2 if self.double and number % self.double == 3 else 1)
        if self.kept is not None:
            out.append(self.kept)
            self.kept = None
        return out

    async def send(self, frames: list[str], came_ns: int) -> None:
        """To every subscriber that is still there."""
        for frame in frames:
            for subscriber in list(self.subscribers):
                if not subscriber.closed:
                    await subscriber.send_str(frame)
                    self.sent.append((came_ns, time.monotonic_ns() - came_ns, 200))

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """One connection: it subscribes or publishes, and is told so."""
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        loop, sending = asyncio.get_running_loop(), set()

        def begin(frames: list[str], came_ns: int) -> None:
            task = loop.create_task(self.send(frames, came_ns))
            sending.add(task)  # or nobody would keep it
            task.add_done_callback(sending.discard)

        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                continue
            came_ns = time.monotonic_ns()
            row = json.loads(message.data)
            if row["type"] == "subscribe":
                self.subscribers.append(ws)
                await ws.send_str(json.dumps({"type": "subscribed", "channels": row["channels"]}))
                continue
            frames = self.fates(self.published, json.dumps(row | {"type": "event"}))
            self.published += 1
            loop.call_at(came_ns / 1e9 + self.hold_s, begin, frames, came_ns)
            await ws.send_str(json.dumps({"type": "published", "channel": row["channel"], "seq": row["seq"]}))
        if ws in self.subscribers:
            self.subscribers.remove(ws)
        return ws

    async def told(self, _: web.Request) -> web.Response:
        """The relay's own account."""
        return web.json_response({"published": self.published, "requests": self.sent})


if __name__ == "__main__":
    port, hold_ms, lose, double, swap = sys.argv[1:]
    relay = Relay(float(hold_ms) / 1000, int(lose), int(double), int(swap))
    app = web.Application()
    app.router.add_get("/ws", relay.socket)
    app.router.add_get("/record", relay.told)
    loop = asyncio.SelectorEventLoop(PreciseSelector())
    web.run_app(app, host="127.0.0.1", port=int(port), print=None, loop=loop)
