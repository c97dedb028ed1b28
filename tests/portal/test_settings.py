"""Settings and their refusals."""

import pytest

from portal.database import DatabaseUrlError, check_url
from portal.rate import Rate
from portal.settings import Settings, SettingsError


def test_everything_has_a_default() -> None:
    """An empty environment is a laboratory on loopback, with a new secret each time."""
    settings = Settings.from_environment({})
    assert settings.host == "127.0.0.1"
    assert settings.database_url is None
    assert settings.secret != Settings.from_environment({"PORTAL_SECRET": ""}).secret


def test_the_environment_is_obeyed() -> None:
    """Each variable sets what it says."""
    settings = Settings.from_environment(
        {"PORTAL_DATABASE_URL": "sqlite+aiosqlite:///x.db", "PORTAL_SECRET": "k" * 32, "PORTAL_ACCESS_TOKEN_S": "60"}
    )
    assert (settings.database_url, settings.secret, settings.access_token_s) == (
        "sqlite+aiosqlite:///x.db",
        "k" * 32,
        60,
    )


def test_limits_and_origins_are_read() -> None:
    """Both are off by default."""
    assert (Settings().rate_limit, Settings().cors_origins) == (None, ())
    settings = Settings.from_environment(
        {"PORTAL_RATE_LIMIT": "600/min", "PORTAL_CORS_ORIGINS": "https://board.example, http://[::1]:3000"}
    )
    assert settings.rate_limit == Rate(600, 60)
    assert settings.cors_origins == ("https://board.example", "http://[::1]:3000")


def test_secrets_are_not_shown() -> None:
    """Neither the key nor a database URL, which may hold a password."""
    shown = repr(Settings(secret="k" * 32, database_url="postgresql+asyncpg://u:hunter2@db/x"))
    assert "kkkk" not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_SECRET", "short"),
        ("PORTAL_SLOW", "nonsense"),
        ("PORTAL_REDIS_URL", "localhost:6379"),
        ("PORTAL_ACCESS_TOKEN_S", "0"),
        ("PORTAL_ACCESS_TOKEN_S", "1h"),
        ("PORTAL_RATE_LIMIT", "600"),
        ("PORTAL_RATE_LIMIT", "0/min"),
        ("PORTAL_CORS_ORIGINS", "*"),
        ("PORTAL_CORS_ORIGINS", "https://board.example/"),
        ("PORTAL_CORS_ORIGINS", "board.example"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_name(name: str, value: str) -> None:
    """The sentence names the variable."""
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite:///x.db", "nosuchdb+driver://x", "sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"]
)
def test_a_database_url_that_cannot_be_used_is_refused(url: str) -> None:
    """No dialect, no async driver, or a memory that two connections cannot share."""
    with pytest.raises(DatabaseUrlError):
        check_url(url)


def test_a_portal_that_others_can_reach_says_that_its_passwords_are_public() -> None:
    """On loopback there is nothing to say."""
    assert Settings(host="127.0.0.1").cautions() == Settings(host="localhost").cautions() == []
    (caution,) = Settings(host="0.0.0.0").cautions()  # noqa: S104 -- nothing is bound
    assert "0.0.0.0 can be reached" in caution
    assert "PORTAL_DATABASE_URL" in caution


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PORTAL_REDIS_URL", "http://127.0.0.1"),
        ("PORTAL_CACHE_ROWS", "-1"),
        ("PORTAL_POOL", "0"),
        ("PORTAL_POOL_WAIT_S", "soon"),
    ],
)
def test_cache_and_pool_settings_are_refused_by_name(variable: str, text: str) -> None:
    """Before anything starts."""
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({variable: text})


def test_no_rows_in_memory_is_a_setting() -> None:
    """0 is a number, not a missing one."""
    assert Settings.from_environment({"PORTAL_CACHE_ROWS": "0"}).cache_rows == 0
    assert Settings.from_environment({"PORTAL_CACHE_ROWS": ""}).cache_rows == Settings().cache_rows
