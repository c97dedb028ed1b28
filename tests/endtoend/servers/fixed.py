"""A target that takes a fixed time over each answer, for those who know its key: ``fixed.py PORT MS KEY``."""

import asyncio
import sys

from aiohttp import web

DELAY_S, KEY = float(sys.argv[2]) / 1000, sys.argv[3]


async def answer(request: web.Request) -> web.Response:
    """Answer after the fixed time."""
    await asyncio.sleep(DELAY_S)
    knows = request.headers.get("X-Key") == KEY
    return web.Response(status=200 if knows else 401, text="ok")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
