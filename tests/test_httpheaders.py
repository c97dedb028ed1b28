"""Header fields, against RFC 9110, section 5."""

from loadtests import httpheaders
from loadtests.httpheaders import Headers

HEAD = b"HTTP/1.1 200 OK\r\nVia: a\r\nETag: \xe9\r\nvia: b\r\n\r\n"


def test_fields():
    """Names of any case (5.1); several of one name are one list (5.3)."""
    headers = Headers(HEAD)
    assert headers["VIA"] == "a, b"
    assert dict(headers) == dict(headers.items()) == {"via": "a, b", "etag": "\u00e9"}
    assert len(headers) == 2
    assert headers.get("date") is None
    assert repr(headers) == "{'via': 'a, b', 'etag': '\u00e9'}"


def test_many_are_read_once(monkeypatch):
    """All of them together take one pass over the fields, however many there are, and are parsed once."""
    passes, parsed = [], []

    class Fields(list):
        def __iter__(self):
            passes.append(1)
            return super().__iter__()

    def fields_of(head):
        parsed.append(head)
        return Fields((b"X-%d" % k, b"v") for k in range(1000))

    monkeypatch.setattr(httpheaders, "fields_of", fields_of)
    headers = Headers(HEAD)
    assert len(dict(headers.items())) == len(dict(headers.items())) == 1000
    assert (passes, parsed) == ([1, 1], [HEAD])
