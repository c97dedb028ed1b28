"""What our HTTP clients do where a server sends them on."""

from loadtests.allowance import guard
from tests.caserun import with_shop
from tests.httpservers import Shop


@with_shop
def case_redirects(shop, user):
    """One request, however many hops; POST becomes GET where the standard says so (RFC 9110, 15.4)."""
    for status, method in ((301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")):
        shop.heads.clear()
        response = user.post(f"/to/{status}/there", json={"k": 1})
        assert [(m, t) for m, t, _ in shop.heads] == [("POST", f"/to/{status}/there"), (method, "/there")]
        assert response.status_code == 200
        assert response.url == f"{shop.url}/there"
        assert len(response.history) == 1
        assert ("content-type" in shop.heads[1][2]) is (method == "POST")
    assert user.told() == {"POST /to/{id}/there": {"ok": 5}}
    assert user.get("/to/302/there", allow_redirects=False).status_code == 302
    assert user.told() == {"GET /to/{id}/there": {"ok": 1}}


@with_shop
def case_redirects_without_end(shop, user):
    """A circle ends, as a failure."""
    hops = "to/302/" * 40
    response = user.get(f"/{hops}x")
    assert "redirected more than 30 times" in response.reason
    assert user.became() == "bad answer"


@with_shop
def case_secrets_stay_at_home(shop, user):
    """A redirect to another origin takes no password along, no key, and no cookie."""
    other = Shop()
    shop.answer = lambda target, body: (
        f"HTTP/1.1 302 Moved\r\nLocation: {other.url}/x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n".encode()
    )
    user.get("/a", auth=("me", "s3"), headers={"Cookie": "mine=1", "X-API-Key": "k"})
    user.headers.update({"Authorization": "Bearer T0KEN", "X-Auth-Token": "t", "X-Tenant": "a"})
    user.get("/b")
    user.get(f"{other.url}/c")
    other.stop()
    assert shop.heads[1][2]["authorization"] == other.heads[2][2]["authorization"] == "Bearer T0KEN"
    led = [fields for _, target, fields in other.heads if target == "/x"]
    assert not any({"authorization", "x-api-key", "x-auth-token"} & fields.keys() for fields in led)
    assert [fields.get("x-tenant") for fields in led] == [None, "a"]
    assert other.heads[0][2]["cookie"] == "a=b", "cookies know no ports (RFC 6265, 8.5); the user's own stays behind"


@with_shop
def case_redirects_to_nowhere(shop, user):
    """A Location that is no address is the server's fault: a bad answer, nothing raised into the user's code."""
    places = (
        b"ftp://127.0.0.1/x",
        b"http://[bad",
        b"http://127.0.0.1:99999/",
        b"http://\xff..example/",
        b"http://a..b/",
    )
    for place in places:
        shop.answer = lambda target, body, place=place: (
            b"HTTP/1.1 302 Moved\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % place
        )
        user.get("/a")
        assert user.became() == "bad answer", place


@with_shop
def case_only_where_the_load_may_go(shop, user):
    """An address that the run does not name is not connected to, whether asked for or redirected to."""
    guard([])
    shop.answer = lambda target, body: (
        b"HTTP/1.1 302 Moved\r\nLocation: http://192.0.2.1/x\r\nContent-Length: 0\r\n\r\n"
    )
    for url in ("/away", "http://192.0.2.1/x"):
        user.get(url)
        assert user.became() == "not allowed"
