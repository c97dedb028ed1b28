"""What was worked out before: a dict that never grows beyond a bound."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Memo"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(dict[Key, Value]):
    """Looked up as any dict; what goes in by :meth:`keep` may be gone later.

    Args:
        most: entries; the next one finds it empty. To know which was used last would cost more than to begin again.

    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: Key, value: Value) -> None:
        """Remember it, for some time."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
