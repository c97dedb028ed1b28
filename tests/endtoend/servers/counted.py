"""A target whose metrics are known beforehand: ``counted.py PORT``.

Every answer of ``/metrics`` counts one more: the n-th says 3 n hits and n misses, and a gauge of n. The 4th is no
metrics at all, the 6th never ends, and every other path answers at once.
"""

import asyncio
import sys
from itertools import count

from aiohttp import web

asked = count(1)

TEXT = """# TYPE shop_cache_hits_total counter
shop_cache_hits_total {hits}
# TYPE shop_cache_misses_total counter
shop_cache_misses_total {n}
# TYPE shop_open gauge
shop_open{{where="<script>alert(1)</script>"}} {n}
"""


async def metrics(_: web.Request) -> web.StreamResponse:
    """Tell the next numbers."""
    n = next(asked)
    if n == 6:
        await asyncio.sleep(3600)
    return web.Response(text="<html>" if n == 4 else TEXT.format(hits=3 * n, n=n))


async def answer(_: web.Request) -> web.Response:
    """Answer at once."""
    return web.Response(text="ok")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/{tail:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
