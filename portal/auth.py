"""Login, its end, and the proof of it that every other request carries."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer, OAuth2PasswordRequestForm
from sqlalchemy import bindparam, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portal.credentials import API_KEY_HEADER, authenticate, demand
from portal.models import accounts
from portal.principal import AccessError, Principal, Scope
from portal.schemas import RefreshRequest, TokenPair
from portal.services import Portal, Services
from portal.timing import timed
from portal.tokens import TokenError

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
"""The routes of login."""

_bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)
_api_key = APIKeyHeader(name=API_KEY_HEADER, auto_error=False)
_account = select(accounts.c.password_hash, accounts.c.role).where(accounts.c.username == bindparam("username"))
_NAME_CHARACTERS = 80


async def signed_in(
    request: Request,
    portal: Portal,
    _token: Annotated[str | None, Depends(_bearer)],
    _key: Annotated[str | None, Depends(_api_key)],
) -> Principal:
    """Return whom a request comes from; 401 without a credential that is accepted."""
    known: Principal | None = request.scope.get("principal")  # the rate limit may have looked already
    if known is not None:
        return known
    with timed("auth"):
        return await authenticate(portal, request.headers)


SignedIn = Annotated[Principal, Depends(signed_in)]
"""Declares a handler's parameter that receives the principal."""


def needs(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """Make the dependency that guards a route: 401 as `signed_in`, 403 for a principal without `scope`."""

    async def check(request: Request, portal: Portal, principal: SignedIn) -> Principal:
        demand(portal, principal, scope, f"{request.method} {request.scope['path']}", request_id(request))
        return principal

    return check


def request_id(request: Request) -> str | None:
    """Return the client's own name for a request, if it gave one."""
    return request.headers.get("X-Request-ID")


@router.post("/token")
async def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], request: Request, portal: Portal) -> TokenPair:
    """Exchange a user's name and password (an OAuth2 password form) for a pair of tokens."""
    address = request.client.host if request.client else ""
    failures = (form.username[: _NAME_CHARACTERS + 1], address)
    async with portal.database.read() as connection:
        account = (await connection.execute(_account, {"username": form.username})).one_or_none()
    # A name that nobody has is not written down: people type passwords into the wrong field.
    who, target, seen = (form.username if account else None), f"from {address}", request_id(request)
    async with portal.passwords.turn:  # looked at when its turn has come, or a crowd would pass before the first fails
        level = portal.failed_logins.look(failures)
        if not level.allowed:
            portal.audit.note(who, "login", target, "limited", seen)
            raise HTTPException(
                429, "too many failed logins of this account", headers={"Retry-After": str(level.retry_after_s)}
            )
        with timed("auth"):
            matches = await portal.passwords.verify(account.password_hash if account else None, form.password)
        if not matches:
            portal.failed_logins.take(failures)
    if account is None or not matches:
        portal.audit.note(who, "login", target, "failed", seen)
        raise AccessError("the user name or the password is wrong")
    portal.audit.note(who, "login", target, "done", seen)
    return _pair(portal, form.username, account.role, secrets.token_hex(16), 0)


@router.post("/refresh")
async def refresh(body: RefreshRequest, request: Request, portal: Portal) -> TokenPair:
    """Exchange a refresh token for a new pair of tokens. It is good once: a second use ends the login it came from."""
    try:
        with timed("auth"):
            claims = portal.tokens.read(body.refresh_token, "refresh")
    except TokenError as error:
        raise AccessError(str(error), error="invalid_token") from error
    username, family, generation = claims["sub"], claims["fam"], claims["gen"]
    async with portal.database.read() as connection:
        account = (await connection.execute(_account, {"username": username})).one_or_none()
    if account is None or portal.families.is_revoked(family):
        raise AccessError("the token has been revoked", error="invalid_token")
    if not await portal.families.advance(family, generation):
        await portal.families.revoke(family)
        portal.audit.note(username, "refresh", f"family {family}", "reused", request_id(request))
        raise AccessError("the refresh token was used before; sign in again", error="invalid_token")
    return _pair(portal, username, account.role, family, generation + 1)


@router.post("/logout", status_code=204)
async def log_out(request: Request, principal: SignedIn, portal: Portal) -> Response:
    """End the login that this access token comes from, with every token that came of it."""
    if principal.family is None:
        raise HTTPException(400, "an API key has no login to end; it is revoked by DELETE /api/v1/keys/{key_id}")
    await portal.families.revoke(principal.family)
    portal.audit.note(principal.who, "logout", f"family {principal.family}", "done", request_id(request))
    return Response(status_code=204)


def _pair(portal: Services, subject: str, role: str, family: str, generation: int) -> TokenPair:
    return TokenPair(
        access_token=portal.tokens.issue(subject, "access", fam=family, role=role),
        refresh_token=portal.tokens.issue(subject, "refresh", fam=family, gen=generation),
        expires_in=portal.tokens.access_token_s,
    )
