"""From the headers of a request to the principal behind it, whatever protocol carries them."""

from collections.abc import Mapping

from portal.principal import SCOPES_OF, AccessError, Principal, Scope
from portal.rights import Action, may, scope_of
from portal.services import Services
from portal.tokens import TokenError

API_KEY_HEADER = "X-API-Key"
"""The header of an API key."""


async def authenticate(services: Services, headers: Mapping[str, str]) -> Principal:
    """Return whose `Authorization: Bearer` or `X-API-Key` this is, or raise `AccessError`.

    `headers` must not mind the case of names, as Starlette's do not. A token costs no statement, nor does an API key
    that was seen lately.
    """
    key = headers.get(API_KEY_HEADER)
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    if key is None:
        if not token:
            raise AccessError("a Bearer token or an API key is needed")
        return bearer(services, token)
    if token:
        raise AccessError(
            "either a Bearer token or an API key is needed, not both", status=400, error="invalid_request"
        )
    return await services.api_keys.principal(key)


def bearer(services: Services, token: str) -> Principal:
    """Return whose access token this is, or raise `AccessError`."""
    try:
        claims = services.tokens.read(token, "access")
    except TokenError as error:
        raise AccessError(str(error), error="invalid_token") from error
    scopes = SCOPES_OF.get(claims["role"])
    if scopes is None:
        raise AccessError("the token is not valid", error="invalid_token")
    if services.families.is_revoked(claims["fam"]):
        raise AccessError("the token has been revoked", error="invalid_token")
    return Principal(claims["sub"], scopes, claims["role"], claims["fam"])


def demand(services: Services, principal: Principal, scope: Scope, target: str, request_id: str | None = None) -> None:
    """Require a scope, and note in the audit log whom it was refused for what."""
    try:
        principal.require(scope)
    except AccessError:
        services.audit.note(principal.who, f"scope {scope}", target, "refused", request_id)
        raise


def demand_channel(
    services: Services, principal: Principal, channel: str, action: Action, target: str, request_id: str | None = None
) -> None:
    """Require a right on a channel, and note in the audit log whom it was refused."""
    demand(services, principal, scope_of(channel, action), target, request_id)
    if not may(principal, channel, action):
        services.audit.note(principal.who, f"{action} {channel}", target, "refused", request_id)
        raise AccessError(f"{principal.who} may not {action} {channel}", status=403)
