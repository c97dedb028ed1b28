"""Who may subscribe to which channel, and who may publish there."""

from typing import Literal

from portal.principal import Principal, Scope

Action = Literal["subscribe", "publish"]
"""What is done with a channel. Unsubscribing is everybody's right."""

_SCOPES: dict[Action, Scope] = {"subscribe": "agents:read", "publish": "agents:write"}


def scope_of(channel: str, action: Action) -> Scope:
    """Return the scope that a channel asks for."""
    return "admin" if channel.startswith("admin.") else _SCOPES[action]


def may(principal: Principal, channel: str, action: Action) -> bool:
    """Whether a principal may do this.

    `private.NAME` and what is below it is for the account of that name alone, admins not excepted; `presence` is the
    portal's own to tell.
    """
    if scope_of(channel, action) not in principal.scopes:
        return False
    word, name, *_ = channel.split(".")
    if word == "private":
        return name == principal.who
    return word != "presence" or action == "subscribe"
