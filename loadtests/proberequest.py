"""A GET that the load made and the witness makes again; it holds secrets and is never written to disk."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from loadtests.httprequest import RequestWriter, origin
from loadtests.job import Job

__all__ = ["GetSample", "ProbeRequest"]

_OURS = frozenset(
    ("host", "connection", "keep-alive", "content-length", "transfer-encoding", "expect", "upgrade", "te")
)
"""Headers that belong to a connection or a body, not to what is asked for."""


@dataclass(frozen=True)
class ProbeRequest:
    """What to ask for, in a series; its path and its headers may hold secrets, so they do not show in its repr."""

    series: str
    path: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    @classmethod
    def of(cls, series: str, url: str, headers: Iterable[tuple[str, str]], target: str) -> ProbeRequest | None:
        """The request for a URL; None where it went elsewhere than to the target, or cannot be written as it was."""
        try:
            if origin(url) != origin(target):
                return None
        except ValueError:
            return None
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = tuple((str(n), str(v)) for n, v in headers if str(n).lower() not in _OURS)
        one = cls(series, path, kept)
        try:
            one.head("")
        except ValueError:
            return None
        is_plain = path.isascii() and not any(c in path for c in " \r\n\0")
        return one if is_plain and len({name.lower() for name, _ in kept}) == len(kept) else None

    def head(self, host: str) -> bytes:
        """The request as it goes over the wire, and as our own clients write theirs.

        Raises:
            ValueError: when it cannot be written; none that :meth:`of` gave.

        """
        return RequestWriter(host, {}).write("GET", self.path, dict(self.headers), None)


class GetSample:
    """A fair sample of the GETs that a process made between two takes: each is as likely to be in it as any other.

    Li's algorithm L (ACM TOMS 20, 1994): how many are passed over until the next one takes a place is drawn at once, so
    that most of those offered are only counted. One that turns out to be of no use then takes no place.

    Args:
        size: how many to keep.
        target: URL of the target; what went elsewhere is not kept.
        seed: of the choice.

    """

    def __init__(self, size: int, target: str, seed: int) -> None:
        self._size = size
        self._target = target
        self._random = random.Random(seed)  # noqa: S311 -- chooses requests, not secrets
        self._left, self._weight = 0, 1.0
        self._kept: list[tuple[str, str, Any]] = []

    @classmethod
    def of(cls, job: Job) -> GetSample | None:
        """For a process's share of what the witness may ask; None where there is no witness."""
        seed = job.scenario.seed + job.shard
        return cls(job.probes_per_s, job.scenario.target.url, seed) if job.probes_per_s else None

    def offer(self, series: str, method: str, url: str | None, response: Any) -> None:
        """A request that was answered well; not one that was sent on from elsewhere, whose time is of two."""
        if method != "GET":
            return
        if self._left:
            self._left -= 1
            return
        url, request = url or getattr(response, "url", None), getattr(response, "request", None)
        useful, full = bool(url) and not getattr(response, "history", None), len(self._kept) == self._size
        if useful and full:
            self._kept[self._random.randrange(self._size)] = series, str(url), request
        elif useful:
            self._kept.append((series, str(url), request))
        if len(self._kept) == self._size and (useful or full):
            self._skip()

    def _skip(self) -> None:
        """Draw how many are passed over until one takes a place."""
        one, other = (1.0 - self._random.random() for _ in range(2))  # above 0
        self._weight *= one ** (1 / self._size)
        self._left = int(math.log(other) / math.log1p(-self._weight))

    def take(self) -> list[dict[str, Any]]:
        """The sample since it was last taken, for a pipe and never for a disk."""
        kept, self._kept = self._kept, []
        self._left, self._weight = 0, 1.0
        made = (ProbeRequest.of(series, url, _headers(request), self._target) for series, url, request in kept)
        return [{"series": one.series, "path": one.path, "headers": one.headers} for one in made if one]


def _headers(request: Any) -> Iterable[tuple[str, str]]:
    headers: Mapping[str, str] | None = getattr(request, "headers", None)
    return () if headers is None else headers.items()
