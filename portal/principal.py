"""Who calls, and what they may do: roles, their scopes, and the one error of those who may not."""

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "operator", "admin"]
"""What an account is, each with all that the one before it may do."""
Scope = Literal["agents:read", "agents:write", "tasks:read", "tasks:write", "admin"]
"""One thing that may be done; a route asks for one."""

_READS: frozenset[Scope] = frozenset({"agents:read", "tasks:read"})
_WRITES: frozenset[Scope] = frozenset({"agents:write", "tasks:write"})
SCOPES_OF: dict[str, frozenset[Scope]] = {
    "viewer": _READS,
    "operator": _READS | _WRITES,
    "admin": frozenset(get_args(Scope)),
}
"""What each role may do."""


class AccessError(Exception):
    """A request without a credential that is accepted (401), or without the scope it needs (403).

    `error` is the code of RFC 6750, section 3.1; the text is safe to show.
    """

    def __init__(self, detail: str, *, status: int = 401, error: str | None = None, scope: Scope | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error
        self.scope = scope

    @property
    def challenge(self) -> str:
        """The value of `WWW-Authenticate` (RFC 6750, section 3)."""
        parts = [f'error="{self.error}"'] if self.error else []
        if self.scope:
            parts.append(f'scope="{self.scope}"')
        return f"Bearer {', '.join(parts)}".rstrip()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from: an account, or an API key named `key:17`."""

    who: str
    scopes: frozenset[Scope]
    role: Role | None = None
    """None for an API key: it has scopes of its own."""
    family: str | None = None
    """The login that the access token comes from; None for an API key."""

    @property
    def credential(self) -> str:
        """What is revoked to end this principal's sockets: a login's family, or a key's name."""
        return self.family or self.who

    def require(self, scope: Scope) -> None:
        """Return if this may be done, raise `AccessError` (403) if not."""
        if scope not in self.scopes:
            raise AccessError(f"scope {scope} is needed", status=403, error="insufficient_scope", scope=scope)
