"""What our clients trust when they speak TLS."""

from __future__ import annotations

import ssl

__all__ = ["tls_context"]


def tls_context(verify: bool, cert: str | tuple[str, str] | None = None) -> ssl.SSLContext:
    """Certificates are verified unless told otherwise; ``cert`` is the client's own file, or it and its key."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    return context
