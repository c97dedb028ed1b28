"""A hub that passes every publication on to whoever subscribed to its channel: ``python -m loadtests.nullhub``."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict

from aiohttp import WSMsgType, web

__all__: list[str] = []

_subscribers: defaultdict[str, set[web.WebSocketResponse]] = defaultdict(set)


async def _socket(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    joined: list[str] = []
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            continue
        row = json.loads(message.data)
        if row["type"] == "subscribe":
            joined += row["channels"]
            for channel in row["channels"]:
                _subscribers[channel].add(ws)
            await ws.send_json({"type": "subscribed", "channels": row["channels"]})
            continue
        await ws.send_json({"type": "published", "channel": row["channel"], "sequence": row["sequence"]})
        frame = json.dumps(row | {"type": "event"})
        await asyncio.gather(*(other.send_str(frame) for other in _subscribers[row["channel"]] if not other.closed))
    for channel in joined:
        _subscribers[channel].discard(ws)
    return ws


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="loadtests.nullhub", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    app = web.Application()
    app.router.add_get("/ws", _socket)
    app.router.add_get("/{tail:.*}", _ready)
    web.run_app(app, host=arguments.host, port=arguments.port, print=None)


if __name__ == "__main__":
    main()
