"""A small target with HTTP and a WebSocket hub: ``hub.py PORT [PEM]``; with a file of key and certificate, over TLS.

GET /slow takes 100 ms, GET /fail answers 500, GET /hang never answers, everything else answers at once, as plain text.
``/openapi/kept`` says so, ``/openapi/broken`` promises JSON of all but GET /crowded, which takes 100 ms and is plain
text only while no other is under way. ``/ws`` speaks what ``scenarios/hub/members.py`` of the tests speaks.
"""

import asyncio
import json
import ssl
import sys
from typing import Any

from aiohttp import WSMsgType, web

subscribers: set[web.WebSocketResponse] = set()
crowd: list[web.Request] = []


def document(promised: str) -> dict[str, Any]:
    """An OpenAPI document that promises one media type on every page."""
    found, plain = (
        {"get": {"responses": {"200": {"content": {kind: {"schema": {"type": "object"}}}}}}}
        for kind in (promised, "text/plain")
    )
    return {"openapi": "3.1.0", "paths": {"/page": found, "/items/{item_id}": found, "/crowded": plain}}


async def answer(request: web.Request) -> web.Response:
    """Answer as the path says."""
    if request.path.startswith("/openapi"):
        return web.json_response(document("text/plain" if "kept" in request.path else "application/json"))
    if request.path == "/hang":
        await asyncio.sleep(3600)
    if request.path == "/slow":
        await asyncio.sleep(0.1)
    if request.path == "/crowded":
        crowd.append(request)
        alone = len(crowd) == 1
        await asyncio.sleep(0.1)
        crowd.remove(request)
        return web.Response(text="ok", content_type="text/plain" if alone else "text/html")
    return web.Response(text="ok", status=500 if request.path == "/fail" else 200)


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Fan every publication out to whoever subscribed."""
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            continue
        row = json.loads(message.data)
        if row["type"] == "subscribe":
            subscribers.add(ws)
            await ws.send_json({"type": "subscribed", "channels": row["channels"]})
        else:
            await ws.send_json({"type": "published", "channel": row["channel"], "seq": row["seq"]})
            for other in list(subscribers):
                if not other.closed:
                    await other.send_str(json.dumps(row | {"type": "event"}))
    subscribers.discard(ws)
    return ws


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/ws", socket)
    app.router.add_get("/{tail:.*}", answer)
    tls: ssl.SSLContext | None = None
    if len(sys.argv) > 2:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[2])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, ssl_context=tls)
