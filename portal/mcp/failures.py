"""What can go wrong with the external service, each with the status REST answers and one sentence."""

import math

from starlette.exceptions import HTTPException


class ServiceFailure(HTTPException):
    """The external service failed; the circuit breaker counts these."""


class TimedOut(ServiceFailure):
    """504: no answer in time."""

    def __init__(self, name: str, timeout_ms: int) -> None:
        super().__init__(504, f"the external service {name} did not answer within {timeout_ms} ms")


class Broken(ServiceFailure):
    """502: the service could not be reached, broke the protocol, or says itself that it failed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(502, f"the external service {name} failed: {reason}")


class Unavailable(HTTPException):
    """503: the call was not forwarded, and may be tried again after some seconds."""

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(503, detail, headers={"Retry-After": str(max(1, math.ceil(retry_after_s)))})
