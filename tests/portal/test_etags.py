"""304 for what the client already holds (RFC 9110, section 13.1.2)."""

import pytest
from starlette.testclient import TestClient

from portal.etags import body_tag, holds


@pytest.mark.parametrize(
    ("if_none_match", "held"),
    [
        (None, False),
        ('"3"', True),
        ('W/"3"', True),  # weak comparison
        ('"1", W/"3"', True),
        ('"1","2"', False),
        ("*", True),
        (" * ", True),
        ("3", False),  # a tag is quoted
        ('"33"', False),
        ('"a,"3"', False),
        ("", False),
    ],
)
def test_which_headers_hold_version_3(if_none_match: str | None, held: bool) -> None:
    """Lists, weak tags and `*` count."""
    assert holds(if_none_match, '"3"') is held


@pytest.mark.parametrize("path", ["/api/v1/agents/1", "/api/v1/tasks/1", "/api/v2/agents/1", "/api/v2/tasks?limit=3"])
def test_a_client_that_holds_it_gets_304(portal: TestClient, path: str) -> None:
    """No body, the same tag (RFC 9110, section 15.4.5); any other tag gets the whole."""
    etag = portal.get(path).headers["ETag"]
    answer = portal.get(path, headers={"If-None-Match": f"W/{etag}"})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert portal.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_list_has_a_new_tag_after_a_change(portal: TestClient) -> None:
    """The tag is one of the bytes."""
    etag = portal.get("/api/v2/agents?limit=2").headers["ETag"]
    portal.patch("/api/v2/agents/2", json={"status": "busy"})
    answer = portal.get("/api/v2/agents?limit=2", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag


def test_the_tag_of_a_body_is_the_start_of_its_sha_256() -> None:
    """The digest of "abc" is FIPS 180-2's example."""
    assert body_tag("abc") == '"ba7816bf8f01cfea414140de5dae2223"'
