"""What may become of a request, and a server that does to each what its path says."""

import threading
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, unquote

from hypothesis import strategies as st

from tests.hostile import OK, closes, resets, sends, whole
from tests.listening import Listening


class Fate(NamedTuple):
    """What the server does, and the record's word for what becomes of it."""

    does: Callable
    kind: str


FATES = {
    "well": Fate(whole, "ok"),
    "in chunks": Fate(sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), "ok"),
    "says that it closes": Fate(closes(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n", 1)), "ok"),
    "until it closes": Fate(closes(b"HTTP/1.1 200 OK\r\n\r\nok"), "ok"),
    "twice": Fate(sends(OK + OK), "ok"),
    "not found": Fate(sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "http 404"),
    "redirected": Fate(sends(b"HTTP/1.1 302 Found\r\nLocation: /well\r\nContent-Length: 0\r\n\r\n"), "ok"),
    "closed at once": Fate(closes(), "connection closed"),
    "closed within": Fate(closes(OK[:-1]), "connection closed"),
    "reset": Fate(resets(), "connection reset"),
    "junk": Fate(sends(b"\x00\x01\x02\r\n\r\n"), "bad answer"),
    "nothing": Fate(lambda sock: None, "timeout"),
}


FEW = st.tuples(
    st.lists(st.sampled_from(sorted(FATES.keys() - {"nothing"})), min_size=1, max_size=12),
    st.sampled_from([[], [], ["nothing"]]),
).map(lambda both: both[0] + both[1])
"""Some of them; one at most that takes its whole time-out."""


def path_of(fate):
    """Where it is asked for."""
    return f"/{quote(fate)}"


class Fated(Listening):
    """Counts the requests that it has seen."""

    def __init__(self):
        self.seen, self._counting = 0, threading.Lock()
        super().__init__()

    def serve(self, sock, heard):
        """Answer each as its path says."""
        while True:
            _, target, _ = heard.head()
            with self._counting:
                self.seen += 1
            FATES[unquote(target[1:])].does(sock)
