"""The scenario of ``loadtests run --url``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from loadtests.duration import parse_duration_ns, parse_rate_per_s
from loadtests.errors import UsageError
from loadtests.scenario import Load, Phase, Scenario, Target, UserClass
from loadtests.series import series_name

__all__ = ["url_scenario"]


_CLASSES = {"users": "loadtests.urluser:UrlUser", "members": "loadtests.urlmember:UrlMember"}


def url_scenario(
    url: str,
    rate: str = "",
    users: int = 0,
    duration: str = "",
    arrivals: str = "constant",
    warm_up: str = "",
    timeout: str = "10s",
    driver: str = "users",
    *,
    insecure: bool = False,
) -> Scenario:
    """GET one URL: an open model with a rate, a closed loop without; the texts are those of the command's options.

    Raises:
        UsageError: when one of them cannot be read.

    """
    if arrivals not in ("constant", "poisson"):
        raise UsageError(f'--arrivals "{arrivals}": expected constant or poisson')
    if driver not in _CLASSES:
        raise UsageError(f'--driver "{driver}": expected {" or ".join(_CLASSES)}')
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"--url {url}: {error}") from None
    path = parts.path or "/"
    return Scenario(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", parts.netloc + path).strip("-"),
        target=Target(url=f"{parts.scheme}://{parts.netloc}", tls_verify=not insecure),
        load=Load.model_validate(
            {"driver": driver, "timeout": parse_duration_ns(timeout), "users": users or (100 if rate else 10)}
            | ({"rate": parse_rate_per_s(rate), "arrivals": arrivals} if rate else {"model": "closed"})
        ),
        phases=(
            *((Phase(kind="warm-up", duration=parse_duration_ns(warm_up)),) if warm_up not in ("0", "0s", "") else ()),
            Phase(kind="steady", duration=parse_duration_ns(duration or "60s")),
        ),
        users=(UserClass.model_validate({"class": _CLASSES[driver]}),),
        settings={"url": url, "arrival_series": series_name("GET", path)},
    )
