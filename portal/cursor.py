"""Opaque cursors: where a walk through a collection goes on.

A cursor holds the key of the last row seen, not a count of rows. So a walk meets every row once, whatever is inserted
meanwhile: new rows get higher keys and come at the end.
"""

import base64
import binascii
import json


class CursorError(ValueError):
    """A cursor that was not made by this collection under this filter."""


def encode_cursor(collection: str, status: str | None, after: int) -> str:
    """Make the cursor that goes on after the row with key `after`."""
    text = json.dumps([collection, status, after], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, collection: str, status: str | None) -> int:
    """Return the key a cursor goes on after; it must come from the same collection and filter."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        made_for, made_with, after = json.loads(text)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise CursorError("the cursor is not one of ours") from error
    if type(after) is not int or not 0 <= after < 2**63:
        raise CursorError("the cursor is not one of ours")
    if (made_for, made_with) != (collection, status):
        raise CursorError("the cursor belongs to another collection or filter")
    return after
