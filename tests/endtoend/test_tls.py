"""Over TLS: certificates are verified unless told otherwise, by every client of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from loadtests import orchestrator
from loadtests.board import PlainBoard
from loadtests.orchestrator import Options
from loadtests.run import Run
from loadtests.scenariofile import read_scenario
from tests.endtoend.harness import loadtests, server

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of an authority that nobody trusts, beside which ``server.pem`` is one that it signed."""
    ours = trustme.CA()
    ours.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    ours.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return tmp_path / "authority.pem"


@pytest.fixture
def url(authority: Path) -> Iterator[str]:
    """A target over TLS."""
    with server("hub", str(authority.with_name("server.pem"))) as (plain, _):
        yield plain.replace("http:", "https:")


def outcomes(out: Path) -> dict[str, tuple[int, int, int]]:
    """Per series: how many, how many succeeded, how many failed for their certificate's sake."""
    return {
        series: (
            sum(i.count for i in seconds.values()),
            sum(i.ok for i in seconds.values()),
            sum(i.errors.get("tls", 0) for i in seconds.values()),
        )
        for series, seconds in Run(out).intervals.items()
    }


def test_url_not_trusted(url: str, tmp_path: Path) -> None:
    """An unknown authority is named before any load, with both remedies."""
    done = loadtests("run", "--url", url, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "certificate" in done.stderr
    assert "SSL_CERT_FILE" in done.stderr
    assert "--insecure" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("trusting", "driver"), [("--insecure", "members"), ("--no-insecure", "users")])
def test_url(trusting: str, driver: str, url: str, authority: Path, tmp_path: Path) -> None:
    """Both remedies work: not to verify, and to trust the authority."""
    known = {} if trusting == "--insecure" else {"SSL_CERT_FILE": str(authority)}
    short = ("--users", "5", "--rate", "20/s", "--duration", "2s", "--warm-up", "1s")
    loadtests("run", "--url", url, *short, trusting, "--driver", driver, "--out", tmp_path / "run", **known)
    assert outcomes(tmp_path / "run") == {"GET /": (60, 60, 0)}


USERS = "".join(f"[[users]]\nclass = 'users.py:{name}'\n" for name in ("Visitor", "Classic"))


@pytest.mark.parametrize("verify", [True, False])
def test_scenario(verify: bool, url: str, authority: Path, scenario: Make, tmp_path: Path) -> None:
    """Users of both kinds and the swarm speak TLS, with an authority that they trust or without."""
    target = f'url = "{url}"\ntls_verify = {str(verify).lower()}'
    path = scenario(target, user="", member="Listener", steady="2s", more=USERS)
    known = {"SSL_CERT_FILE": str(authority)} if verify else {}
    done = loadtests("run", path, "--out", tmp_path / "run", **known)
    found = outcomes(tmp_path / "run")
    assert {"GET /page", "ws connect", "ws deliver"} <= set(found), done.stdout + done.stderr
    assert all(count == ok for count, ok, _ in found.values())
    assert Run(tmp_path / "run").deliveries["lost"] == 0


def test_every_client_verifies(url: str, scenario: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the check before the load not there, no request would get past an unknown authority either."""
    all_three = f"{USERS}[[users]]\nclass = 'loadtests.urluser:UrlUser'\n[settings]\nurl = '{url}/'\n"
    made = read_scenario(scenario(url, user="", member="Listener", steady="2s", more=all_three))

    async def answered(_: object) -> None:
        return None

    monkeypatch.setattr(orchestrator, "require_answer", answered)
    asyncio.run(orchestrator.conduct(made, Options(tmp_path / "run"), PlainBoard()))
    whole = outcomes(tmp_path / "run").items()
    found = {
        series: counts for series, counts in whole if not series.startswith(("ws publish", "ws connected", "arrival "))
    }
    assert {"GET /", "GET /page", "ws connect"} <= set(found)
    assert all(count == refused for count, _, refused in found.values()), found
