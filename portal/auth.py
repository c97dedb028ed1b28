"""Login, and the proof of it that every other request carries."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from sqlalchemy import bindparam, select
from starlette.exceptions import HTTPException

from portal.models import accounts
from portal.schemas import RefreshRequest, TokenPair
from portal.services import Portal, Services
from portal.timing import timed
from portal.tokens import TokenError

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
"""The routes of login."""

_scheme = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)
_hash_of = select(accounts.c.password_hash).where(accounts.c.username == bindparam("username"))


class Unauthorized(HTTPException):
    """401, with the scheme the client should use (RFC 6750, section 3)."""

    def __init__(self, detail: str, *, error: str | None = None) -> None:
        challenge = f'Bearer error="{error}"' if error else "Bearer"
        super().__init__(401, detail, headers={"WWW-Authenticate": challenge})


async def signed_in(token: Annotated[str | None, Depends(_scheme)], portal: Portal) -> str:
    """Return the user of an access token; the router's dependency that guards every route behind it."""
    if token is None:
        raise Unauthorized("a Bearer token is needed")
    try:
        with timed("auth"):
            return portal.tokens.read(token, "access")
    except TokenError as error:
        raise Unauthorized(str(error), error="invalid_token") from error


@router.post("/token")
async def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], portal: Portal) -> TokenPair:
    """Exchange a user's name and password (an OAuth2 password form) for a pair of tokens."""
    async with portal.database.read() as connection:
        password_hash = await connection.scalar(_hash_of, {"username": form.username})
    with timed("auth"):
        matches = await portal.passwords.verify(password_hash, form.password)
    if not matches:
        raise Unauthorized("the user name or the password is wrong")
    return _pair(portal, form.username)


@router.post("/refresh")
async def refresh(body: RefreshRequest, portal: Portal) -> TokenPair:
    """Exchange a refresh token for a new pair of tokens."""
    try:
        with timed("auth"):
            subject = portal.tokens.read(body.refresh_token, "refresh")
    except TokenError as error:
        raise Unauthorized(str(error), error="invalid_token") from error
    return _pair(portal, subject)


def _pair(portal: Services, subject: str) -> TokenPair:
    return TokenPair(
        access_token=portal.tokens.issue(subject, "access"),
        refresh_token=portal.tokens.issue(subject, "refresh"),
        expires_in=portal.tokens.access_token_s,
    )
