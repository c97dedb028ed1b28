"""Clients of HTTP meet the table of hostilities: the same outcome, one sample each, and they go on afterwards."""

import time
from functools import partial

from tests.hostile import Cutting, Hostile
from tests.hostilities import CUT, ROWS
from tests.recorded import TIMEOUT_S

UPLOAD_TIMEOUT_S = 3.0


def met(client, row):
    """What such a client makes of it; and it goes on afterwards, with as many samples as it asked for."""
    hostile = Hostile(row.does, 1 + row.warm, row.secure, row.shakes)
    user = client(hostile.url, UPLOAD_TIMEOUT_S if row.data else TIMEOUT_S)
    asked = 2 + row.warm
    try:
        if row.warm:
            assert user.request("GET", "/before").content == b"ok"
            assert user.told() == {"GET /before": {"ok": 1}}
        began_s = time.monotonic()
        response = user.request(row.method, "/first", data=row.data)
        assert time.monotonic() - began_s < 5, "it hung"
        kind = user.became()
        body = _read(response) if kind == "ok" or kind.startswith("http ") else b""
        hostile.did.wait(1.0)
        again = user.request("GET", "/second")
        then = user.became()
        if (then, again.content) != ("ok", b"ok"):
            kind += f", and the next: {then}"
        seen = hostile.requests + (row.shakes is not None)
        if user.asks_again and seen == asked + 1:
            kind = "asked again"
        elif then == "ok":
            assert seen == asked, f"the server saw {seen} requests, {asked} were asked"
        assert user.accounts() == (asked, 0), "begun, in flight"
        if row.kept and hostile.connections > 1:
            kind += ", not kept"
    finally:
        user.close()
        hostile.stop()
    return kind, body


def _read(response):
    """The body, or the name of what reading it raises."""
    try:
        return response.content or b""
    except Exception as error:
        return type(error).__name__


def cut(client, data):
    """The first place at which it is another answer when it is cut there; None where there is no such."""
    cutting = Cutting(data)
    user = client(cutting.url)
    try:
        for place in range(1, len(data)):
            if user.get("/").content != b"ok":
                return place
        assert user.told() == {"GET /": {"ok": len(data) - 1}}
        assert (cutting.requests, cutting.connections) == (len(data) - 1, 1)
    finally:
        user.close()
        cutting.stop()


def rows_of(*clients):
    """A case for each row and client, by name."""

    def case(row, client):
        expected = row.peers.get(client.__name__, row.becomes)
        try:
            found = met(client, row)
        except AssertionError:
            raise
        except Exception as error:  # into the user's code
            found = type(error).__name__
        assert found == expected, f"{found}, expected {expected}"

    def case_cut(data, peers, client):
        assert cut(client, data) == peers.get(client.__name__)

    cases = {}
    for client in clients:
        cases |= {f"{name} / {client.__name__}": partial(case, row, client) for name, row in ROWS.items()}
        cases |= {f"{name} in two / {client.__name__}": partial(case_cut, *what, client) for name, what in CUT.items()}
    return cases
