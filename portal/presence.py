"""Who is connected to this portal, and who comes and goes."""

from collections import Counter

from portal.hub import Inbox, deliver, encode

CHANNEL = "presence.agents"
"""The channel on which presence is told."""


class Presence:
    """The accounts with a socket, each once however many it has; keys are named as in the audit log.

    What is told is numbered without a gap, but not kept: whoever comes back is told anew who is there.
    """

    def __init__(self) -> None:
        self._sockets: Counter[str] = Counter()
        self._watchers: dict[Inbox, None] = {}
        self.seq = 0
        """The number of what was told last."""

    def enter(self, who: str) -> None:
        """Note a socket; an account's first one is told."""
        self._sockets[who] += 1
        if self._sockets[who] == 1:
            self._tell("joined", who)

    def leave(self, who: str) -> None:
        """Forget a socket; that it was an account's last one is told."""
        self._sockets[who] -= 1
        if self._sockets[who] == 0:
            del self._sockets[who]
            self._tell("left", who)

    def watch(self, inbox: Inbox) -> None:
        """Tell who is there, and from now on who comes and goes."""
        self._watchers[inbox] = None
        inbox.put(self._frame("present", sorted(self._sockets)))

    def unwatch(self, inbox: Inbox) -> None:
        """Tell no more."""
        self._watchers.pop(inbox, None)

    def _tell(self, what: str, who: str) -> None:
        self.seq += 1
        deliver(self._watchers, self._frame(what, who))

    def _frame(self, what: str, of: object) -> str:
        return encode({"type": "presence", "channel": CHANNEL, "seq": self.seq, what: of, "count": len(self._sockets)})
