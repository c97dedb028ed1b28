"""Signed tokens (JWT, HS256): who may call, for what use, until when."""

import functools
import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import jwt

Use = Literal["access", "refresh"]
"""What a token is for; one is never taken for the other."""

VERIFIED_TOKENS = 4_096
"""Tokens whose signature is known to be good."""

_ISSUER = "portal"
_ALGORITHM = "HS256"
_CLAIMS: dict[Use, list[str]] = {
    "access": ["fam", "role"],
    "refresh": ["fam", "gen"],
}


class TokenError(ValueError):
    """A token that is not accepted; the text is safe to show."""


class Tokens:
    """Issues and reads tokens. `clock` gives Unix seconds."""

    def __init__(self, secret: str, *, access_token_s: int, refresh_token_s: int, clock: Callable[[], float]) -> None:
        self._secret = secret
        self._life_s: dict[Use, int] = {"access": access_token_s, "refresh": refresh_token_s}
        self._clock = clock
        # A signature that was good stays good, so it is verified once; an error is not remembered.
        self._verified = functools.lru_cache(VERIFIED_TOKENS)(self._verify)

    @property
    def access_token_s(self) -> int:
        """Life of an access token."""
        return self._life_s["access"]

    def issue(self, subject: str, use: Use, **more: str | int) -> str:
        """Sign a token for `subject`.

        `more` names its family `fam` (the login it comes from), and the `role` of an access token or the generation
        `gen` of a refresh token.
        """
        now = int(self._clock())
        claims = {
            "iss": _ISSUER,
            "sub": subject,
            "use": use,
            "iat": now,
            "exp": now + self._life_s[use],
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims | more, self._secret, _ALGORITHM)

    def read(self, token: str, use: Use) -> Mapping[str, Any]:
        """Return the claims of a token, or raise `TokenError`."""
        try:
            claims = self._verified(token)
        except (jwt.InvalidTokenError, UnicodeEncodeError) as error:
            raise TokenError("the token is not valid") from error
        if claims["use"] != use:
            raise TokenError(f"this is no {use} token")
        if any(name not in claims for name in _CLAIMS[use]):
            raise TokenError("the token is not valid")
        if (
            not isinstance(claims["exp"], int) or claims["exp"] <= self._clock()
        ):  # by our own clock: PyJWT has no parameter for time
            raise TokenError("the token has expired")
        return claims

    def _verify(self, token: str) -> Mapping[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            self._secret,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={"require": ["sub", "exp", "use"], "verify_exp": False, "verify_iat": False},
        )
        return MappingProxyType(claims)
