"""The routes by their templates: the names under which load is counted, and switches find them."""

from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute


class Templates:
    """All HTTP routes, read from the routers that declare them."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes = [(route, frozenset(route.methods or ())) for route in routes if isinstance(route, APIRoute)]

    @property
    def names(self) -> frozenset[str]:
        """Every route as `GET /api/v1/agents/{agent_id}`."""
        return frozenset(f"{method} {route.path}" for route, methods in self._routes for method in methods)

    def methods(self, path: str) -> list[str]:
        """Return the methods of a raw path, over all routes that share it, for `Allow` (RFC 9110, section 10.2.1)."""
        return sorted({method for route, methods in self._routes if route.path_regex.match(path) for method in methods})

    def find(self, method: str, path: str) -> APIRoute | None:
        """Return the route that answers a raw path, None where there is none."""
        fitting = (route for route, methods in self._routes if method in methods and route.path_regex.match(path))
        return next(fitting, None)
