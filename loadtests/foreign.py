"""What other HTTP clients are told by attributes and keywords, and ours elsewhere or not at all: refused by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from loadtests.allowance import is_loopback
from loadtests.errors import ScenarioError

__all__ = ["NO_PROXY", "foreign", "require_ours", "unused_proxy"]

NO_PROXY = "it speaks to the target itself, to no proxy; where there must be one, use FastHttpUser"
_TIMEOUT = "a whole request has load.timeout of the scenario, or timeout= of a call"
_CONNECTIONS = "each user has connections of its own, one for each request that it has under way"
_TLS = "certificates are verified unless target.tls_verify = false; an authority is named by SSL_CERT_FILE"

_USERS = {
    **dict.fromkeys(("network_timeout", "connection_timeout", "timeout_s"), _TIMEOUT),
    **dict.fromkeys(("concurrency", "client_pool", "pool_manager"), _CONNECTIONS),
    **dict.fromkeys(("insecure", "tls_verify", "ssl_context_factory"), _TLS),
    **dict.fromkeys(("proxy_host", "proxy_port", "proxies", "trust_env"), NO_PROXY),
    "max_retries": "nothing is ever sent twice",
}
_MEMBERS = _USERS | {
    "default_headers": "what every request is to carry goes into self.http.headers",
    "max_redirects": "30 are followed, or none with allow_redirects=False of a call",
}
_OF: Mapping[str, Mapping[str, str]] = {
    "loadtests.loaduser.LoadUser": _USERS,
    "loadtests.httpmember.HttpMember": _MEMBERS,
    "loadtests.member.Member": _MEMBERS,
}
"""By the class of ours that an author's derives from."""


def foreign(base: str, given: Mapping[str, str]) -> str | None:
    """What an author's class says in vain, and what to say instead; None where it says nothing of the kind.

    Args:
        base: what it derives from, such as ``loadtests.loaduser.LoadUser``.
        given: its attributes, each with the class that has it.

    """
    for name, instead in _OF.get(base, {}).items():
        if name in given:
            return f"{given[name]}.{name} means nothing to a {base.rpartition('.')[2]}: {instead}"
    return None


def require_ours(cls: type) -> None:
    """An author's class must not ask in vain for what another client would do.

    Raises:
        ScenarioError: when it has such an attribute, other than None.

    """
    for base in cls.__mro__:
        named = f"{base.__module__}.{base.__qualname__}"
        if named in _OF:
            own = [each for each in reversed(cls.__mro__) if each not in base.__mro__]
            given = {name: each.__name__ for each in own for name, value in vars(each).items() if value is not None}
            if said := foreign(named, given):
                raise ScenarioError(said)


def unused_proxy(url: str) -> str | None:
    """One sentence where the environment names a proxy for a URL, as other clients would use it; without its value."""
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    asked = (f"{parts.scheme}_proxy", "all_proxy")
    name = next((name for name, value in sorted(os.environ.items()) if value and name.lower() in asked), None)
    return f"{name} of the environment is not used: the load goes to the target itself" if name else None
