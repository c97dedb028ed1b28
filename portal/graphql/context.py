"""What the resolvers of one request share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import strawberry

from portal.credentials import demand
from portal.graphql.errors import RefusedError
from portal.graphql.loaders import Loaders
from portal.principal import AccessError, Principal, Scope
from portal.services import Services


@dataclass
class Context:
    """One HTTP request, or one socket with all of its operations."""

    services: Services
    on_overflow: Callable[[], None] = lambda: None
    """Called when a subscription's events come faster than they can leave."""
    authorization: str = ""
    """The Authorization header of a socket's handshake."""
    principal: Principal | None = None
    """Whose operations these are; None on a socket before `connection_init`."""
    connection_params: dict[str, Any] | None = None
    """What `connection_init` carried, on a socket."""
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.services.database)

    def demand(self, *scopes: Scope) -> None:
        """Require scopes of the principal, as the REST routes do."""
        try:
            if self.principal is None:
                raise AccessError("a token is needed")
            for scope in scopes:
                demand(self.services, self.principal, scope, "GraphQL")
        except AccessError as error:
            raise RefusedError("FORBIDDEN", str(error)) from error


Info = strawberry.Info[Context, None]
"""What a resolver is handed besides its arguments."""
