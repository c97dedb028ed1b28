"""The header fields of a reply, looked up by name whatever its case; and those of a session, which may change."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any

from loadtests.httpreply import fields_of, may_have

__all__ = ["Headers", "UsualHeaders"]


class Headers(Mapping[str, str]):
    """Reads the fields as they came; several of one name are joined by a comma (RFC 9110, section 5.3).

    Few fields of few replies are ever asked for, so nothing is made beforehand.

    Args:
        head: of a reply, as its reader gives it; empty for none.

    """

    __slots__ = ("_fields", "_head")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._fields: list[tuple[bytes, bytes]] | None = None

    def __getitem__(self, name: str) -> str:
        found = self._found(name)
        if not found:
            raise KeyError(name)
        return ", ".join(found)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping, without a detour where there is none."""
        return ", ".join(found) if (found := self._found(name)) else default

    def _found(self, name: str) -> list[str]:
        wanted = name.lower().encode("latin-1")
        if not may_have(self._head, wanted):
            return []
        return [value.decode("latin-1") for known, value in self._all() if known.lower() == wanted]

    def _all(self) -> list[tuple[bytes, bytes]]:
        if self._fields is None:
            self._fields = fields_of(self._head)
        return self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.decode("latin-1").lower() for name, _ in self._all()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def items(self) -> ItemsView[str, str]:
        """All of them, in one pass: looked up one by one, 10,000 fields would keep the loop for seconds."""
        values: dict[str, list[str]] = {}
        for name, value in self._all():
            values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        return {name: ", ".join(several) for name, several in values.items()}.items()

    def __repr__(self) -> str:
        return repr(dict(self.items()))


class UsualHeaders(UserDict[str, str]):
    """Headers of every request of a session.

    Args:
        fields: names and values.
        changed: is told of each change, so that no request needs to look for one.

    """

    def __init__(self, fields: Mapping[str, str], changed: Callable[[], None] = lambda: None) -> None:
        self.data = dict(fields)
        self._changed = changed

    def __setitem__(self, name: str, value: str) -> None:
        self.data[name] = value
        self._changed()

    def __delitem__(self, name: str) -> None:
        del self.data[name]
        self._changed()

    def __ior__(self, more: Any) -> UsualHeaders:  # type: ignore[override,misc]
        self.update(more)
        return self
