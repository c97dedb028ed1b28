"""Scenario files for the end-to-end tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "scenario"


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Path]:
    """Make a short scenario file beside copies of the tests' users and members."""

    def make(
        url: str,
        *,
        user: str = "Visitor",
        member: str = "",
        steady: str = "4s",
        load: str = 'rate = "40/s"\nusers = 20',
        objectives: str = 'must = ["errors < 1%"]',
        more: str = "",
    ) -> Path:
        folder = tmp_path / "scenario"
        if not folder.exists():
            shutil.copytree(SOURCE, folder)
        swarm = (
            "[swarm]\nconnect_rate = '50/s'\ndrain = '1s'\nguard = '200ms'\nmembers = [\n"
            f"  {{ class = 'members.py:{member}', count = 4 }},\n"
            "  { class = 'members.py:Speaker', count = 2, rate = '5/s' },\n]\n"
            if member
            else ""
        )
        path = folder / "test.toml"
        path.write_text(
            f"""name = "end to end"
phases = [ {{ kind = "warm-up", duration = "2s" }}, {{ kind = "steady", duration = "{steady}" }} ]
{"" if not user else f'users = [ {{ class = "users.py:{user}" }} ]'}
[target]
{url if "=" in url else f'url = "{url}"'}
[load]
timeout = "2s"
{load}
{swarm}
[[objectives]]
{objectives}
{more}
""",
            encoding="utf-8",
        )
        return path

    return make
