"""What the portal's rooms share, handed to each by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from portal.apikeys import ApiKeys
from portal.audit import Audit
from portal.cache import Cache
from portal.database import Database
from portal.families import Families
from portal.fanout import Fanout
from portal.hub import Hub
from portal.idempotency import Once
from portal.mcp.external import External
from portal.passwords import Passwords
from portal.rate import Buckets
from portal.settings import Settings
from portal.tokens import Tokens


@dataclass(frozen=True)
class Services:
    """One running portal."""

    settings: Settings
    database: Database
    passwords: Passwords
    tokens: Tokens
    families: Families
    api_keys: ApiKeys
    failed_logins: Buckets
    """One bucket per account and address; a failed login takes a token."""
    audit: Audit
    cache: Cache
    hub: Hub
    fanout: Fanout
    """The hub itself, where this portal is the only one."""
    external: External
    once: Once
    clock: Callable[[], float]
    """Unix seconds."""
    monotonic_ns: Callable[[], int]
    """Nanoseconds of CLOCK_MONOTONIC, the clock of events."""

    def now_ms(self) -> int:
        """Return Unix milliseconds, as rows hold them."""
        return int(self.clock() * 1000)


async def services_of(connection: HTTPConnection) -> Services:
    """Find the services of the portal that received a request."""
    services: Services = connection.app.state.services
    return services


Portal = Annotated[Services, Depends(services_of)]
"""Declares a handler's parameter that receives the services."""
