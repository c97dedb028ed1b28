"""The header fields of a reply, looked up by name whatever its case."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from typing import Any

from loadtests.httpreply import Reply

__all__ = ["Headers"]


class Headers(Mapping[str, str]):
    """Reads the fields as they came; several of one name are joined by a comma (RFC 9110, section 5.3).

    Few fields of few replies are ever asked for, so nothing is made beforehand.

    Args:
        reply: whose they are; None for none.

    """

    __slots__ = ("_reply",)

    def __init__(self, reply: Reply | None) -> None:
        self._reply = reply

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
        if self._reply is None or not self._reply.may_have(wanted):
            return []
        return [value.decode("latin-1") for known, value in self._reply.headers if known.lower() == wanted]

    def __iter__(self) -> Iterator[str]:
        fields = self._reply.headers if self._reply is not None else ()
        return iter(dict.fromkeys(name.decode("latin-1").lower() for name, _ in fields))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def items(self) -> ItemsView[str, str]:
        """All of them, in one pass: looked up one by one, 10,000 fields would keep the loop for seconds."""
        values: dict[str, list[str]] = {}
        for name, value in self._reply.headers if self._reply is not None else ():
            values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        return {name: ", ".join(several) for name, several in values.items()}.items()

    def __repr__(self) -> str:
        return repr(dict(self.items()))
