"""Which addresses may be loaded: loopback, and what the scenario allows by name."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from loadtests.errors import TargetError

__all__ = ["allowed_addresses", "guard", "is_loopback"]

Resolve = Callable[[str, int], Iterable[str]]


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, as the system resolves it."""
    return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def allowed_addresses(url: str, allow: Iterable[str], resolver: Resolve = resolve, *, named: str = "") -> list[str]:
    """The target's addresses, when all of them may be loaded.

    Loopback always may; anything else must be named in ``allow``, as a host, an address or a network. A host name is
    judged on what it resolves to. Messages say ``named`` in place of the URL, where that was given otherwise.

    Raises:
        TargetError: when the URL is no http(s) URL, its host does not resolve, or an address is not allowed.

    """
    named = named or url
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise TargetError(f"{named}: not a URL that can be loaded ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetError(f'{named}: not a URL that can be loaded; expected "http://HOST[:PORT]" or "https://..."')
    try:
        addresses = list(resolver(parts.hostname, port))
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise TargetError(f"{named}: the host {parts.hostname} does not resolve ({why})") from None
    rules = list(allow)
    refused = [a for a in addresses if not _allowed(a, parts.hostname, rules)]
    if refused:
        raise TargetError(
            f"{named}: {parts.hostname} is {', '.join(refused)}, which is not loopback; no load goes there unless you "
            f'may load it and say so: target.allow = ["{parts.hostname}"] in the file, or --allow {parts.hostname}'
        )
    return addresses


def _allowed(address: str, hostname: str, rules: list[str]) -> bool:
    ip = ipaddress.ip_address(address.split("%")[0])
    if ip.is_loopback:
        return True
    for rule in rules:
        if rule.lower() == hostname.lower():
            return True
        try:
            if ip in ipaddress.ip_network(rule, strict=False):
                return True
        except ValueError:
            continue
    return False


def guard(addresses: Iterable[str]) -> None:
    """Refuse, in this process and from now on, every connection to an address that is neither loopback nor named.

    An interpreter audit hook: it sees every connect of a Python socket, whatever the client library (Locust's,
    requests, aiohttp on any loop), so a redirect to another host, or a name that resolves differently later, cannot
    carry load away. It does not see what connects in C by itself, such as uvloop's own ``create_connection``.
    """
    named = frozenset(addresses)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and args[0].family in (socket.AF_INET, socket.AF_INET6):
            address = str(args[1][0]).split("%")[0]
            if address not in named and not is_loopback(address):
                raise ConnectionRefusedError(f"load on {address} is not allowed by this run's scenario")

    sys.addaudithook(hook)


def is_loopback(address: str) -> bool:
    """Whether an address, or a name, is of this machine itself."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
